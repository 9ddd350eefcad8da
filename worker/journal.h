/*
 * journal.h - what a handler asks the shell for, and what came of it.
 *
 *   run 1: asks A and B ──▶ the shell performs both ──┐
 *   run 2: has A and B, asks C ──▶ the shell … ───────┤
 *   run 3: has all: its answer goes out ◀─────────────┘
 *
 * A handler that cannot wait is run again from its beginning with one more set
 * of results. So it is a function of the request, of the time at which that
 * came, of a stream of random numbers that begins anew with each run, and of
 * the results; and it changes nothing of the isolate before it has them all.
 *
 * An operation is known by its kind and text, whatever stands between two of
 * them. A write is known by its statements alone, whatever their values: what
 * has been written once is not written again, although the isolate may have
 * learned more between two runs. Where the result of an operation is missing,
 * its asker gets OB_AGAIN, or a blank where that is easier; what a run that has
 * asked for something new makes of it is never seen, for such a run neither
 * writes nor answers.
 *
 * Everything is wiped at the end: there may be keys among it.
 */
#ifndef OB_EDGE_JOURNAL_H
#define OB_EDGE_JOURNAL_H

#include <yyjson.h>

#include "../src/core/base/buffer.h"

#define EDGE_SEED_BYTES 32

#define EDGE_OPERATIONS_MAX 20000
/* No handler needs more; one that does is at fault. */
#define EDGE_RUNS_MAX 40
/* On D1, of a request on Cloudflare's free plan; a batch is counted as what is
 * in it. Source: D1's documentation, "Limits". */
#define EDGE_QUERIES_MAX 50

/*
 * What can be asked for: its text is JSON, its result as follows.
 *
 * READ, WRITE  [{"sql", "params": [number, text, null or {"hex"}…]}…], one
 *              batch, which D1 runs as a transaction. Result: as many
 *              {"rows": [{column: value}…], "changes", "id"}; bytes are arrays
 *              of numbers. No two columns may have one name, and none may be
 *              called a number: JavaScript would sort those first.
 * SEAL         {"secret", "place": hex}. Result: hex.
 * UNSEAL       {"sealed": hex, "place": hex}. Result: the secret, or null
 *              where it cannot be opened.
 * FETCH        {"url", "method", "headers": [[name, value]…], "body": text,
 *              "ms", "bytes_max"}. Result: {"status", "headers", "body":
 *              text}. It fails where there is no answer within `ms`.
 */
typedef enum edge_kind {
    EDGE_READ_SQL,
    EDGE_WRITE_SQL,
    EDGE_SEAL,
    EDGE_UNSEAL,
    EDGE_FETCH,
} edge_kind;

typedef struct edge_journal edge_journal;

/* `seed` is the request's own, and unguessable. NULL: memory is out. */
edge_journal *edge_journal_new(const uint8_t seed[EDGE_SEED_BYTES]);
/* NULL is harmless. */
void edge_journal_free(edge_journal *journal);

/* Begins a run. OB_LIMIT: there were EDGE_RUNS_MAX. */
OB_MUST_USE ob_status edge_journal_begin(edge_journal *journal);
/* Has this run asked for something whose result is not there? */
bool edge_journal_waits(const edge_journal *journal);
/* Appends what that is: [[kind, {…}]…], the kind as a word. */
void edge_journal_tell(const edge_journal *journal, ob_buffer *out);
/*
 * Takes the results of what was told, as many and in that order:
 * [{"done": result} or {"failed": why}…]. OB_INVALID: they are not that.
 */
OB_MUST_USE ob_status edge_journal_take(edge_journal *journal, ob_slice json);

/*
 * OB_OK: *result lives as long as the journal. OB_AGAIN: it is asked for.
 * OB_IO: it failed, and *why says why. OB_LIMIT: too many. OB_NO_MEMORY.
 */
OB_MUST_USE ob_status edge_ask(edge_journal *journal, edge_kind kind,
                               ob_slice text, yyjson_val **result,
                               ob_slice *why);

/* The same for a write, known by `shape`, a hash of its statements. */
OB_MUST_USE ob_status edge_ask_write(edge_journal *journal, uint64_t shape,
                                     ob_slice text, yyjson_val **result,
                                     ob_slice *why);

/* Has the handler done that in an earlier run, or in this one? What must happen
 * once, as taking rows into the pool, is noted so; `what` is a bit of its
 * own. */
bool edge_journal_has_done(const edge_journal *journal, unsigned what);
void edge_journal_note_done(edge_journal *journal, unsigned what);

/* The journal's own random bytes, the same in each run. */
void edge_journal_random(edge_journal *journal, void *out, size_t len);

/* That of the run under way, for what has no other way to it; NULL: none. */
extern edge_journal *edge_journal_running;

/* ---- small help for texts of operations ---- */

void edge_append_hex(ob_buffer *out, ob_slice bytes);
/* Hexadecimal digits as bytes; OB_INVALID: `out` is not exactly filled. */
OB_MUST_USE ob_status edge_read_hex(ob_slice digits, void *out, size_t len);

#endif
