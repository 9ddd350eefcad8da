/*
 * record.h - what one request was: for the request log.
 *
 *   relay ─ fills ─▶ ob_record ─ the shell adds the rest ─▶ ob_entry
 *                                    ob_entry_write ─▶ bytes ─▶ ob_entry_read
 *
 * A record has room for OB_RECORD_ATTEMPTS_MAX attempts: the first ones and
 * the last; what lies between is counted. Its attempts are not cleared, so it
 * may be part of what is used again for each request.
 *
 * Pure. Times are unix milliseconds; no secret is in either: keys are masked.
 */
#ifndef OB_RECORD_H
#define OB_RECORD_H

#include "base/base.h"
#include "base/secret.h"
#include "usage.h"
#include "verdict.h"

/* Ids of requests: nine digits of the time, so that they grow with it and
 * those of a log lie side by side, and fifteen of chance. */
#define OB_BASE32_DIGITS   "0123456789abcdefghjkmnpqrstvwxyz"
#define OB_REQUEST_ID_LEN  24
#define OB_REQUEST_ID_TIME 9
void ob_request_id_write(int64_t now_ms, uint64_t first, uint64_t second,
                         char out[OB_REQUEST_ID_LEN]);

#define OB_RECORD_ATTEMPTS_MAX 16
#define OB_RECORD_WORDS_MAX    120
/* An answer up to this size is cheaper copied than read. */
#define OB_RECORD_ANSWER_MAX 2048

/* Why there was no good answer; a provider's own refusal has an ob_reason. */
typedef enum ob_fault {
#define OB_FAULT(name, slug) OB_FAULT_##name,
#include "tbl/fault.def"
#undef OB_FAULT
} ob_fault;
const char *ob_fault_slug(ob_fault fault);
/* Of an answer of our own by its HTTP status. */
ob_fault ob_fault_of_status(int status);

typedef struct ob_record_attempt {
    int64_t key_id;
    int64_t began_ms;
    int64_t ended_ms; /* 0: it goes on */
    int status;       /* 0: no answer came */
    ob_action action;
    ob_reason reason;
    uint8_t target; /* of the route */
    uint8_t words_len;
    char key[OB_MASK_MAX];
    char words[OB_RECORD_WORDS_MAX]; /* the provider's, its key masked */
} ob_record_attempt;

typedef struct ob_record {
    int64_t first_byte_ms;  /* 0: no byte of a provider's answer went on */
    uint32_t attempt_count; /* all of them */
    ob_fault fault;
    ob_usage usage;
    bool usage_later; /* it has not been read; the answer is so short that it
                         may be handed on for that */
    ob_record_attempt attempts[OB_RECORD_ATTEMPTS_MAX];
} ob_record;

/* All but the attempts. */
void ob_record_clear(ob_record *record);
void ob_record_send(ob_record *record, size_t target, int64_t key_id,
                    ob_slice secret, int64_t now_ms);
/* What became of the attempt under way; the last word stands. `words` may be
 * empty. */
void ob_record_judge(ob_record *record, int status, ob_action action,
                     ob_reason reason, ob_slice words, int64_t now_ms);
/* The attempt is over; harmless where it is already. */
void ob_record_end(ob_record *record, int64_t now_ms);
/* How many attempts are kept. */
size_t ob_record_kept(const ob_record *record);
/* NULL: there was none. */
const ob_record_attempt *ob_record_last(const ob_record *record);

/* ---- handed on ---- */

typedef struct ob_entry_attempt {
    ob_slice provider;
    ob_slice model;
    ob_slice key; /* masked */
    ob_slice words;
    int64_t key_id;
    int64_t began_ms;
    int64_t took_ms;
    int status;
    ob_action action;
    ob_reason reason;
} ob_entry_attempt;

typedef struct ob_entry {
    int64_t at_ms;
    int64_t ended_ms;
    int64_t first_byte_ms; /* since at_ms; -1: none */
    int64_t waited_ms;
    ob_usage usage;
    int64_t cost; /* nano-dollars; -1: not known */
    uint64_t bytes_in;
    uint64_t bytes_out;
    int status;
    ob_fault fault;
    bool stream;
    uint32_t attempt_count; /* all of them */
    uint32_t kept;
    /* Empty where there is none. */
    ob_slice request_id;
    ob_slice auth_key; /* its name */
    ob_slice route;
    ob_slice provider;
    ob_slice asked;    /* the model */
    ob_slice model;    /* that answered */
    ob_slice metadata; /* as the caller sent it, unchecked */
    ob_slice request_body;
    ob_slice response_body;
    ob_slice answer; /* whose usage is still to be read */
    ob_entry_attempt attempts[OB_RECORD_ATTEMPTS_MAX];
} ob_entry;

/* The entry's bytes, as long as ob_entry_size() says; a multiple of 8. */
size_t ob_entry_size(const ob_entry *entry);
void ob_entry_write(const ob_entry *entry, char *out);
/* The slices point into `bytes`, which this process wrote. */
void ob_entry_read(const char *bytes, ob_entry *entry);

/* Reads the usage of `answer`, where there is one. */
void ob_entry_read_usage(ob_entry *entry);

/* "rate_limit", "gone", …; {NULL, 0} for a good answer. */
ob_slice ob_entry_error(const ob_entry *entry);

#endif
