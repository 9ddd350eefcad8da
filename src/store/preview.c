/* preview.c - what adding keys would do. */
#include "database.h"

typedef struct fingerprint {
    uint8_t bytes[OB_FINGERPRINT_BYTES];
} fingerprint;

static int by_bytes(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(fingerprint));
}

static ob_status is_known(ob_store *store, const fingerprint *of, bool *known,
                          ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_FIND_KEY, error);
    if (!statement)
        return OB_IO;
    ob_sql_blob(statement, 1, of->bytes, sizeof(of->bytes));
    ob_status status = ob_sql_step(store, statement, error);
    *known = status == OB_OK;
    if (status == OB_OK)
        ob_sql_end(statement);
    return status == OB_NOT_FOUND ? OB_OK : status;
}

static ob_status count_kinds(ob_store *store, fingerprint *all, size_t count,
                             ob_preview *preview, ob_store_error *error)
{
    ob_status status = OB_OK;
    qsort(all, count, sizeof(*all), by_bytes);
    for (size_t i = 0; i < count && status == OB_OK; i++) {
        bool known = false;
        if (i && by_bytes(&all[i], &all[i - 1]) == 0) {
            preview->twice++;
            continue;
        }
        status = is_known(store, &all[i], &known, error);
        preview->known += known;
        preview->fresh += status == OB_OK && !known;
    }
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
