/*
 * tags.h - what a request may be asked by, as numbers: its provider, models,
 * keys, auth key, status, verdicts, error, words of its metadata.
 *
 * Pure.
 */
#ifndef OB_LOG_TAGS_H
#define OB_LOG_TAGS_H

#include "log.h"

typedef enum ob_tag_kind {
    OB_TAG_PROVIDER = 1,
    OB_TAG_MODEL,
    OB_TAG_KEY,
    OB_TAG_AUTH_KEY,
    OB_TAG_STATUS, /* "429" and "4xx" */
    OB_TAG_VERDICT,
    OB_TAG_ERROR,
    OB_TAG_WORD, /* of the metadata, in lower case */
    OB_TAG_REQUEST_ID,
} ob_tag_kind;

#define OB_TAGS_MAX     96
#define OB_TAG_BYTES    6
#define OB_WORDS_TAGGED 24

typedef struct ob_tags {
    int64_t tags[OB_TAGS_MAX];
    size_t count;
} ob_tags;

int64_t ob_tag_of(ob_tag_kind kind, ob_slice text);
/* Of the time that is the beginning of every request id, to a quarter of a
 * second: many requests share it. */
int64_t ob_tag_of_request_id(ob_slice request_id);
bool ob_is_request_id(ob_slice text);
/* Adds each once; beyond OB_TAGS_MAX nothing. */
void ob_tags_add(ob_tags *tags, int64_t tag);
void ob_tags_add_text(ob_tags *tags, ob_tag_kind kind, ob_slice text);
void ob_tags_add_key(ob_tags *tags, int64_t key_id);
void ob_tags_add_status(ob_tags *tags, int status);
/* The next word of a text in lower case, its beginning where it is long; empty:
 * there is none. */
#define OB_WORD_BYTES_MAX 64
ob_slice ob_word_next(ob_slice *rest, char room[OB_WORD_BYTES_MAX]);
/* The words of a text, at most `max`. */
void ob_tags_add_words(ob_tags *tags, ob_slice text, size_t max);
/* What an attempt is asked by; the verdict by its name. */
void ob_tags_add_attempt(ob_tags *tags, ob_slice provider, ob_slice model,
                         int64_t key_id, ob_slice verdict);
/* What a row is asked by, but for its attempts. */
void ob_tags_add_row(ob_tags *tags, const ob_log_row *row);
/* What is asked for, at most OB_TAGS_ASKED_MAX. */
#define OB_TAGS_ASKED_MAX 16
void ob_tags_ask(ob_tags *tags, const ob_log_query *query);
/* Are all of `asked` among them? */
bool ob_tags_have(const ob_tags *tags, const ob_tags *asked);

#endif
