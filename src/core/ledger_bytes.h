/*
 * ledger_bytes.h - a ledger as bytes for a store, little-endian:
 *
 *   members 2 │ limits 4 each │ day 12 │ probe 5 │ gap 2 │ flags 1
 *             │ minutes 7 │ marks 10 each
 *
 * `members` tells by bits what follows: 0-3 the limits by ob_quota, 4 the day
 * (requests, tokens, end), 5 the probe (time, distance), 6 the gap, 7 the
 * flags, 8-11 the number of marks (time, span, requests, tokens), 15 how its
 * minutes follow each other (kind, phase, tick).
 *
 * Times are absolute, so what is read later has aged as it should. Pure.
 */
#ifndef OB_LEDGER_BYTES_H
#define OB_LEDGER_BYTES_H

#include "quota.h"

#define OB_LEDGER_BYTES_MAX (2 + 16 + 12 + 5 + 2 + 1 + 7 + 10 * OB_LEDGER_MARKS)

/* A number of up to four bytes, little-endian: returns what is behind it; and
 * takes one from the front of `rest`. False: there are fewer bytes. */
uint8_t *ob_bytes_put(uint8_t *out, uint32_t number, int bytes);
bool ob_bytes_take(ob_slice *rest, uint32_t *number, size_t bytes);

/* Writes what will still count after `now_ms`; returns the size. 0: nothing
 * is worth keeping, no limit is known and nothing was used of late. */
size_t ob_ledger_write(const ob_ledger *ledger, int64_t now_ms,
                       uint8_t out[OB_LEDGER_BYTES_MAX]);

/* Takes one from the front of `rest`, as it stands at `now_ms`; it was written
 * at `saved_ms`. False: the bytes are damaged. What is over has been left out,
 * so the ledger may be empty. */
bool ob_ledger_read(ob_slice *rest, int64_t saved_ms, int64_t now_ms,
                    ob_ledger *ledger);

#endif
