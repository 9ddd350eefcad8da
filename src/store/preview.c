/* preview.c - what adding keys would do. */
#include "database.h"

/* Fingerprints a statement takes; D1 takes 2 MB. */
#define AT_ONCE ((size_t)10000)

typedef struct fingerprint {
    uint8_t bytes[OB_FINGERPRINT_BYTES];
} fingerprint;

static int by_bytes(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(fingerprint));
}

/* Each one once; returns how many that are. */
static size_t keep_once(fingerprint *all, size_t count)
{
    size_t kept = 0;
    qsort(all, count, sizeof(*all), by_bytes);
    for (size_t i = 0; i < count; i++)
        if (!kept || by_bytes(&all[i], &all[kept - 1]) != 0)
            all[kept++] = all[i];
    return kept;
}

static ob_status count_known(ob_store *store, const fingerprint *some,
                             size_t count, size_t *known, ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_COUNT_PRINTS, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, (int64_t)count);
    ob_sql_blob(statement, 2, some, count * sizeof(*some));
    ob_status status = ob_sql_step(store, statement, error);
    if (status != OB_OK)
        return status == OB_NOT_FOUND ? OB_INVALID : status;
    *known += (size_t)sqlite3_column_int64(statement, 0);
    ob_sql_end(statement);
    return OB_OK;
}

static ob_status count_kinds(ob_store *store, fingerprint *all, size_t count,
                             ob_preview *preview, ob_store_error *error)
{
    ob_status status = OB_OK;
    size_t kept = keep_once(all, count);
    for (size_t at = 0; at < kept && status == OB_OK; at += AT_ONCE)
        status = count_known(store, all + at,
                             kept - at < AT_ONCE ? kept - at : AT_ONCE,
                             &preview->known, error);
    preview->twice = count - kept;
    preview->fresh = kept - preview->known;
    return status;
}

/* How many keys a text can hold at most. */
static size_t count_parts(ob_slice text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n' || text.ptr[i] == ',';
    return count;
}

static ob_status take_fingerprints(ob_store *store, ob_slice provider,
                                   ob_slice text, fingerprint *all,
                                   size_t *count, ob_add_result *refusals)
{
    while (text.ptr) {
        ob_slice line = ob_slice_cut(&text, '\n');
        while (line.ptr) {
            ob_slice secret = ob_slice_trim(ob_slice_cut(&line, ','));
            const char *why = secret.len ? ob_key_refusal(secret) : NULL;
            if (why)
                ob_store_note_refusal(refusals, secret, why);
            if (why || !secret.len)
                continue;
            ob_status status = ob_fingerprint(store->sealer, provider, secret,
                                              all[*count].bytes);
            if (status != OB_OK)
                return status;
            ++*count;
        }
    }
    return OB_OK;
}

ob_status ob_store_preview_keys(ob_store *store, ob_slice provider,
                                ob_slice text, ob_preview *preview,
                                ob_add_result *refusals, ob_store_error *error)
{
    size_t count = 0;
    *preview = (ob_preview){0, 0, 0};
    refusals->refused = 0;
    if (ob_slice_starts(text, OB_S("\xef\xbb\xbf")))
        text = ob_slice_from(text, 3);
    fingerprint *all = malloc(count_parts(text) * sizeof(*all));
    if (!all)
        return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    ob_status status =
        take_fingerprints(store, provider, text, all, &count, refusals);
    if (status != OB_OK)
        (void)ob_store_fail(error, status, "cannot compute a fingerprint");
    else
        status = count_kinds(store, all, count, preview, error);
    free(all);
    return status;
}
