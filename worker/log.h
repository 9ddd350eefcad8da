/*
 * log.h - the request log of a Worker, in D1.
 *
 *   call.c ─ entries ─▶ gathered: requests, sums ─▶ a write ─▶ edge_log
 *                                     sums ◀─ edge_log ─ folded ─▶ edge_sums
 *   admin  ◀─ src/log/log.h: ob_log_find, _show, _stats, _count ─┘
 *
 * An isolate gathers what requests were, and tells now and then what is to be
 * written: at once where the day's rows allow it, else later. Rows count over
 * all isolates, since D1 itself refuses one that is too many. What has no room
 * is lost and counted; sums are of all requests.
 *
 * Pure: the shell performs, and time is passed in.
 */
#ifndef OB_EDGE_LOG_H
#define OB_EDGE_LOG_H

#include "../src/core/config.h"
#include "../src/log/log.h"

/* `config` outlives the log. NULL: memory is out, or it is off. */
ob_log *edge_log_new(const ob_config *config);
/* NULL is harmless. */
void edge_log_free(ob_log *log);

const ob_log_settings *edge_log_settings(const ob_log *log);

/* A request is over. `draw` is a random number: whether it is among the
 * sample. */
void edge_log_add(ob_log *log, const ob_entry *entry, uint64_t draw);

/*
 * What is to be done next: appends {"turn": number, "statements": [{"sql",
 * "params"}, …]} or {"ms": number}: to be asked again then. False, and nothing
 * appended: there is nothing to do for this caller.
 */
bool edge_log_next(ob_log *log, int64_t now_ms, ob_buffer *out);
/* What came of a turn's statements: [[{column: value}, …], …]. Of a turn that
 * failed nothing is heard: it is given up in time. */
void edge_log_done(ob_log *log, int64_t turn, ob_slice results, int64_t now_ms);

#endif
