#include "record.h"

const char *ob_fault_slug(ob_fault fault)
{
    static const char *const slugs[] = {
#define OB_FAULT(name, slug) slug,
#include "tbl/fault.def"
#undef OB_FAULT
    };
    return slugs[fault];
}

ob_fault ob_fault_of_status(int status)
{
    switch (status) {
    case 401:
        return OB_FAULT_UNAUTHORIZED;
    case 403:
        return OB_FAULT_NOT_ALLOWED;
    case 404:
        return OB_FAULT_NOT_FOUND;
    case 408:
        return OB_FAULT_TOO_SLOW;
    case 413:
        return OB_FAULT_TOO_LARGE;
    case 503:
        return OB_FAULT_NO_MEMORY;
    default:
        return status >= 400 ? OB_FAULT_BAD_REQUEST : OB_FAULT_NONE;
    }
}

static void write_digits(uint64_t number, char *out, size_t count)
{
    static const char digits[] = OB_BASE32_DIGITS;
    for (; count--; number >>= 5)
        out[count] = digits[number & 31];
}

void ob_request_id_write(int64_t now_ms, uint64_t first, uint64_t second,
                         char out[OB_REQUEST_ID_LEN])
{
    write_digits((uint64_t)now_ms, out, OB_REQUEST_ID_TIME);
    write_digits(first, out + OB_REQUEST_ID_TIME, 8);
    write_digits(second, out + OB_REQUEST_ID_TIME + 8, 7);
}

/* ---- filling ---- */

void ob_record_clear(ob_record *record)
{
    record->first_byte_ms = 0;
    record->attempt_count = 0;
    record->fault = OB_FAULT_NONE;
    record->usage_later = false;
    record->usage = (ob_usage){.input = -1,
                               .output = -1,
                               .cached = -1,
                               .cache_written = -1,
                               .reasoning = -1};
}

size_t ob_record_kept(const ob_record *record)
{
    return record->attempt_count < OB_RECORD_ATTEMPTS_MAX
               ? record->attempt_count
               : OB_RECORD_ATTEMPTS_MAX;
}

const ob_record_attempt *ob_record_last(const ob_record *record)
{
    size_t kept = ob_record_kept(record);
    return kept ? &record->attempts[kept - 1] : NULL;
}

static ob_record_attempt *under_way(ob_record *record)
{
    return (ob_record_attempt *)ob_record_last(record);
}

void ob_record_send(ob_record *record, size_t target, int64_t key_id,
                    ob_slice secret, int64_t now_ms)
{
    record->attempt_count++;
    ob_record_attempt *attempt = under_way(record);
    attempt->key_id = key_id;
    attempt->began_ms = now_ms;
    attempt->ended_ms = 0;
    attempt->status = 0;
    attempt->action = OB_ACTION_DELIVER;
    attempt->reason = OB_REASON_OK;
    attempt->target = (uint8_t)target;
    attempt->words_len = 0;
    ob_secret_mask(secret, attempt->key);
}

/* Not in the middle of a character. */
static ob_slice cut_words(ob_slice words)
{
    if (words.len <= OB_RECORD_WORDS_MAX)
        return words;
    words.len = OB_RECORD_WORDS_MAX;
    while (words.len && ((unsigned char)words.ptr[words.len] & 0xc0) == 0x80)
        words.len--;
    return words;
}

void ob_record_judge(ob_record *record, int status, ob_action action,
                     ob_reason reason, ob_slice words, int64_t now_ms)
{
    ob_record_attempt *attempt = under_way(record);
    if (!attempt)
        return;
    words = cut_words(words);
    attempt->status = status;
    attempt->action = action;
    attempt->reason = reason;
    attempt->words_len = (uint8_t)words.len;
    attempt->ended_ms = now_ms;
    if (words.len)
        memcpy(attempt->words, words.ptr, words.len);
}

void ob_record_end(ob_record *record, int64_t now_ms)
{
    ob_record_attempt *attempt = under_way(record);
    if (attempt && !attempt->ended_ms)
        attempt->ended_ms = now_ms;
}

/* ---- handing on ---- */

#define TEXTS   10 /* of an entry */
#define EACH    4  /* of an attempt */
#define ALIGNED 8

/* The entry itself, its attempts, then all texts. Slices are stored as they
 * stand: of them only the lengths are read. */
static void texts_of(ob_entry *entry, ob_slice *texts[TEXTS])
{
    texts[0] = &entry->request_id;
    texts[1] = &entry->auth_key;
    texts[2] = &entry->route;
    texts[3] = &entry->provider;
    texts[4] = &entry->asked;
    texts[5] = &entry->model;
    texts[6] = &entry->metadata;
    texts[7] = &entry->request_body;
    texts[8] = &entry->response_body;
    texts[9] = &entry->answer;
}

static void texts_of_attempt(ob_entry_attempt *attempt, ob_slice *texts[EACH])
{
    texts[0] = &attempt->provider;
    texts[1] = &attempt->model;
    texts[2] = &attempt->key;
    texts[3] = &attempt->words;
}

static size_t fixed_size(const ob_entry *entry)
{
    return offsetof(ob_entry, attempts) +
           entry->kept * sizeof(entry->attempts[0]);
}

size_t ob_entry_size(const ob_entry *entry)
{
    ob_slice *texts[TEXTS];
    size_t size = fixed_size(entry);
    texts_of((ob_entry *)entry, texts);
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i]->len;
    for (size_t i = 0; i < entry->kept; i++) {
        const ob_entry_attempt *attempt = &entry->attempts[i];
        size += attempt->provider.len + attempt->model.len + attempt->key.len +
                attempt->words.len;
    }
    return (size + ALIGNED - 1) / ALIGNED * ALIGNED;
}

static char *append(char *out, ob_slice text)
{
    if (text.len)
        memcpy(out, text.ptr, text.len);
    return out + text.len;
}

void ob_entry_write(const ob_entry *entry, char *out)
{
    ob_slice *texts[TEXTS];
    size_t fixed = fixed_size(entry);
    memcpy(out, entry, fixed);
    out += fixed;
    texts_of((ob_entry *)entry, texts);
    for (size_t i = 0; i < TEXTS; i++)
        out = append(out, *texts[i]);
    for (size_t i = 0; i < entry->kept; i++) {
        const ob_entry_attempt *attempt = &entry->attempts[i];
        out = append(out, attempt->provider);
        out = append(out, attempt->model);
        out = append(out, attempt->key);
        out = append(out, attempt->words);
    }
}

static const char *point(const char *at, ob_slice *text)
{
    text->ptr = text->len ? at : NULL;
    return at + text->len;
}

void ob_entry_read(const char *bytes, ob_entry *entry)
{
    ob_slice *texts[TEXTS];
    ob_slice *each[EACH];
    memcpy(entry, bytes, offsetof(ob_entry, attempts));
    OB_ASSERT(entry->kept <= OB_RECORD_ATTEMPTS_MAX);
    memcpy(entry->attempts, bytes + offsetof(ob_entry, attempts),
           entry->kept * sizeof(entry->attempts[0]));
    const char *at = bytes + fixed_size(entry);
    texts_of(entry, texts);
    for (size_t i = 0; i < TEXTS; i++)
        at = point(at, texts[i]);
    for (size_t i = 0; i < entry->kept; i++) {
        texts_of_attempt(&entry->attempts[i], each);
        for (size_t k = 0; k < EACH; k++)
            at = point(at, each[k]);
    }
}

void ob_entry_read_usage(ob_entry *entry)
{
    ob_usage_watch watch;
    if (!entry->answer.len)
        return;
    ob_usage_watch_init(&watch, false);
    ob_usage_watch_feed(&watch, entry->answer);
    entry->usage = ob_usage_watch_end(&watch);
    entry->answer.len = 0;
}

ob_slice ob_entry_error(const ob_entry *entry)
{
    if (entry->fault != OB_FAULT_NONE)
        return ob_slice_str(ob_fault_slug(entry->fault));
    if (entry->status < 400)
        return (ob_slice){NULL, 0};
    if (!entry->kept)
        return ob_slice_str(ob_fault_slug(ob_fault_of_status(entry->status)));
    ob_reason reason = entry->attempts[entry->kept - 1].reason;
    return ob_slice_str(reason == OB_REASON_OK
                            ? ob_reason_slug(OB_REASON_PROVIDER_ERROR)
                            : ob_reason_slug(reason));
}
