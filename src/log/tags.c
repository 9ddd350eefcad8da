/*
 * tags.c - what a row may be asked by, as numbers of 48 bits: four for the
 * kind, the rest a hash. A hash that two texts share would show a row too many
 * once in millions of years of use.
 */
#include "tags.h"

#define VALUE_BITS      44
#define REQUEST_ID_BITS 8 /* of milliseconds */
#define VALUE_MASK      (((uint64_t)1 << VALUE_BITS) - 1)

static int64_t tag(ob_tag_kind kind, uint64_t value)
{
    return (int64_t)((uint64_t)kind << VALUE_BITS | (value & VALUE_MASK));
}

int64_t ob_tag_of(ob_tag_kind kind, ob_slice text)
{
    uint64_t hash = ob_slice_hash(text, (uint64_t)kind);
    return tag(kind, hash ^ hash >> VALUE_BITS);
}

/* "0123456789abcdefghjkmnpqrstvwxyz" */
static int digit(char c)
{
    static const char digits[] = OB_BASE32_DIGITS;
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool ob_is_request_id(ob_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (digit(text.ptr[i]) < 0)
            return false;
    return text.len == OB_REQUEST_ID_LEN;
}

int64_t ob_tag_of_request_id(ob_slice request_id)
{
    uint64_t value = 0;
    for (size_t i = 0; i < OB_REQUEST_ID_TIME && i < request_id.len; i++)
        value = value << 5 | (uint64_t)(digit(request_id.ptr[i]) & 31);
    return tag(OB_TAG_REQUEST_ID, value >> REQUEST_ID_BITS);
}

void ob_tags_add(ob_tags *tags, int64_t added)
{
    for (size_t i = 0; i < tags->count; i++)
        if (tags->tags[i] == added)
            return;
    if (tags->count < OB_TAGS_MAX)
        tags->tags[tags->count++] = added;
}

void ob_tags_add_text(ob_tags *tags, ob_tag_kind kind, ob_slice text)
{
    if (text.len)
        ob_tags_add(tags, ob_tag_of(kind, text));
}

void ob_tags_add_key(ob_tags *tags, int64_t key_id)
{
    if (key_id)
        ob_tags_add(tags, tag(OB_TAG_KEY, (uint64_t)key_id));
}

void ob_tags_add_status(ob_tags *tags, int status)
{
    char text[20];
    size_t len = ob_write_u64(text, (uint64_t)status);
    ob_tags_add_text(tags, OB_TAG_STATUS, ob_slice_make(text, len));
    memcpy(text, "0xx", 3);
    text[0] = (char)('0' + status / 100 % 10);
    ob_tags_add_text(tags, OB_TAG_STATUS, ob_slice_make(text, 3));
}

static bool is_word(char c)
{
    c = ob_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || (unsigned char)c >= 0x80;
}

ob_slice ob_word_next(ob_slice *rest, char room[OB_WORD_BYTES_MAX])
{
    size_t from = 0;
    size_t len = 0;
    if (!rest->len)
        return ob_slice_make(room, 0);
    while (from < rest->len && !is_word(rest->ptr[from]))
        from++;
    size_t to = from;
    for (; to < rest->len && is_word(rest->ptr[to]); to++)
        if (len < OB_WORD_BYTES_MAX)
            room[len++] = ob_lower(rest->ptr[to]);
    *rest = ob_slice_from(*rest, to);
    return ob_slice_make(room, len);
}

void ob_tags_add_words(ob_tags *tags, ob_slice text, size_t max)
{
    char room[OB_WORD_BYTES_MAX];
    for (; max; max--) {
        ob_slice word = ob_word_next(&text, room);
        if (!word.len)
            return;
        ob_tags_add_text(tags, OB_TAG_WORD, word);
    }
}

/* ---- rows, and questions ---- */

void ob_tags_add_attempt(ob_tags *tags, ob_slice provider, ob_slice model,
                         int64_t key_id, ob_slice verdict)
{
    ob_tags_add_text(tags, OB_TAG_PROVIDER, provider);
    ob_tags_add_text(tags, OB_TAG_MODEL, model);
    ob_tags_add_key(tags, key_id);
    ob_tags_add_text(tags, OB_TAG_VERDICT, verdict);
}

void ob_tags_add_row(ob_tags *tags, const ob_log_row *row)
{
    ob_tags_add_text(tags, OB_TAG_PROVIDER, row->provider);
    ob_tags_add_text(tags, OB_TAG_MODEL, row->asked);
    ob_tags_add_text(tags, OB_TAG_MODEL, row->model);
    ob_tags_add_text(tags, OB_TAG_AUTH_KEY, row->auth_key);
    ob_tags_add_text(tags, OB_TAG_ERROR, row->error);
    ob_tags_add_status(tags, row->status);
    if (ob_is_request_id(row->request_id))
        ob_tags_add(tags, ob_tag_of_request_id(row->request_id));
    ob_tags_add_words(tags, row->metadata, OB_WORDS_TAGGED);
}

void ob_tags_ask(ob_tags *tags, const ob_log_query *query)
{
    ob_tags_add_text(tags, OB_TAG_PROVIDER, query->provider);
    ob_tags_add_text(tags, OB_TAG_MODEL, query->model);
    ob_tags_add_text(tags, OB_TAG_AUTH_KEY, query->auth_key);
    ob_tags_add_text(tags, OB_TAG_STATUS, query->status);
    ob_tags_add_text(tags, OB_TAG_VERDICT, query->verdict);
    ob_tags_add_text(tags, OB_TAG_ERROR, query->error);
    ob_tags_add_key(tags, query->key_id);
    if (ob_is_request_id(query->q))
        ob_tags_add(tags, ob_tag_of_request_id(query->q));
    else
        ob_tags_add_words(tags, query->q, OB_TAGS_ASKED_MAX - tags->count);
}

static bool has(const ob_tags *tags, int64_t wanted)
{
    for (size_t i = 0; i < tags->count; i++)
        if (tags->tags[i] == wanted)
            return true;
    return false;
}

bool ob_tags_have(const ob_tags *tags, const ob_tags *asked)
{
    for (size_t i = 0; i < asked->count; i++)
        if (!has(tags, asked->tags[i]))
            return false;
    return true;
}
