/* relay_internal.h - between relay.c and relay_answer.c alone. */
#ifndef OB_RELAY_INTERNAL_H
#define OB_RELAY_INTERNAL_H

#include "relay.h"

/* The one place where the state changes. */
void relay_move(ob_relay *relay, ob_relay_state state);
/* Picks a key and sends, or waits, or ends. */
void relay_next(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                ob_upstream_request *room, ob_relay_action *action);
void relay_trouble(ob_relay *relay, ob_pool *pool, int64_t now_ms,
                   ob_relay_action *action);
void relay_suspect(ob_relay *relay, const ob_verdict *verdict, int status);
/* The attempt's key is not taken again for this request. */
void relay_pass_over(ob_relay *relay);
/* It is taken again at this target only where there is no other. */
void relay_avoid(ob_relay *relay);
/* The target is not tried again. Returns whether there is another. */
bool relay_close_target(ob_relay *relay);
/* Settles blame; `proved` when the attempt's key has served the request. */
void relay_close(ob_relay *relay, ob_pool *pool, bool proved, int64_t now_ms);
/* The attempt's claim ends: the provider did not count it, or it did. `used`:
 * NULL where the provider did not say. */
void relay_give_back(ob_relay *relay, ob_pool *pool);
void relay_settle(ob_relay *relay, ob_pool *pool, const ob_tokens *used);
/* As the answer says, as far as it has been read. */
void relay_settle_usage(ob_relay *relay, ob_pool *pool);
ob_cause relay_cause(const ob_relay *relay, int status, ob_slice words,
                     int64_t now_ms);
/* Fills an action that answers with what was kept. */
void relay_answer(ob_relay *relay, ob_kept_answer *answer, ob_relay_do what,
                  ob_relay_action *action);
void relay_commit(ob_relay *relay, ob_pool *pool, bool proved, int64_t now_ms,
                  ob_relay_action *action);

/* x-one-balance-provider, -model, -attempts. False without memory. */
#define OB_OWN_HEADERS 3
bool relay_own_headers(ob_relay *relay, ob_header *headers, size_t *count);

/* ---- relay_count.c ---- */

/* The request has been read: its estimate is made, before any lock. */
void relay_count_begin(ob_relay *relay);
/* Does the provider say that it has no call for counting? */
bool relay_count_lacking(const ob_relay *relay, const ob_verdict *verdict);
/* The estimate is the answer. Blame has been settled. */
void relay_count_answer(ob_relay *relay, ob_relay_action *action);

/* ---- relay_translate.c ---- */

#define OB_TRANSLATED_HEADERS 2

/* Reads the caller's request where any target speaks another dialect or its
 * tokens are counted, and writes it for the first one. OB_INVALID: *why says
 * what is wrong. */
OB_MUST_USE ob_status relay_translate_begin(ob_relay *relay, int64_t now_ms,
                                            ob_slice *why);
/* Writes it for the target in use, where that is needed. */
OB_MUST_USE ob_status relay_translate_request(ob_relay *relay, ob_slice *why);
/* In place of the provider's headers. */
size_t relay_translate_headers(ob_relay *relay, int status,
                               ob_header headers[OB_TRANSLATED_HEADERS]);
/* What is held becomes the caller's: an error; a whole good answer (false: it
 * is none); the begin of a stream. */
void relay_translate_error(ob_relay *relay);
bool relay_translate_answer(ob_relay *relay);
void relay_translate_commit(ob_relay *relay);

#endif
