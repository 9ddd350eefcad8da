/* keys.c - adding, removing and loading keys, and what people decide. */
#include "database.h"

#include "../core/base/arena.h"

#define ADDITIONAL_BYTES_MAX 256
#define SLUG_BYTES_MAX       128
#define COOLDOWN_BYTES_MAX   (64 * 1024)
/* A reader that stays away longer than this misses removals. */
#define REMOVED_KEPT_MS (30 * 24 * 3600 * 1000LL)

/* ------------------------------------------------------- sealing */

/* Binds a sealed secret to its provider and its row: "slug NUL fingerprint". */
static ob_slice additional(ob_slice provider, ob_slice fingerprint, char *out)
{
    OB_ASSERT(provider.len + 1 + fingerprint.len <= ADDITIONAL_BYTES_MAX);
    memcpy(out, provider.ptr, provider.len);
    out[provider.len] = 0;
    memcpy(out + provider.len + 1, fingerprint.ptr, fingerprint.len);
    return ob_slice_make(out, provider.len + 1 + fingerprint.len);
}

ob_status ob_key_unseal(ob_sealer *sealer, ob_slice provider,
                        ob_slice fingerprint, ob_slice sealed, char *secret)
{
    char room[ADDITIONAL_BYTES_MAX];
    if (provider.len > SLUG_BYTES_MAX ||
        fingerprint.len != OB_FINGERPRINT_BYTES ||
        sealed.len > OB_KEY_BYTES_MAX + OB_SEAL_OVERHEAD)
        return OB_INVALID;
    return ob_unseal(sealer, sealed, additional(provider, fingerprint, room),
                     secret);
}

/* ------------------------------------------------------- adding */

const char *ob_key_refusal(ob_slice secret)
{
    if (secret.len == 0)
        return "empty";
    if (secret.len > OB_KEY_BYTES_MAX)
        return "longer than 4096 bytes";
    if (ob_slice_find(secret, OB_S("\xe2\x80\xa6")) != OB_NOWHERE)
        return "a mask, not the key itself: export it with --secrets";
    for (size_t i = 0; i < secret.len; i++) {
        uint8_t c = (uint8_t)secret.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return "a control character inside";
        if (c == ' ')
            return "a space inside";
        if (c > 0x7f)
            return "a character outside ASCII inside";
    }
    if (secret.ptr[0] == '"' || secret.ptr[0] == '\'')
        return "a quotation mark at its beginning";
    return NULL;
}

static const char *order_refusal(const ob_key_order *order)
{
    if (order->priority && *order->priority > OB_PRIORITY_MAX)
        return "the priority must be a whole number from 0 to 7";
    if (order->weight && (*order->weight < 1 || *order->weight > OB_WEIGHT_MAX))
        return "the weight must be a whole number from 1 to 100";
    return NULL;
}

static const char *place_refusal(const ob_new_key *key)
{
    if (key->provider.len == 0 || key->provider.len > SLUG_BYTES_MAX)
        return "the provider's name is empty or longer than 128 bytes";
    if (key->remark.len > OB_REMARK_BYTES_MAX)
        return "the remark is longer than 1024 bytes";
    return order_refusal(&key->order);
}

/* NULL where nothing is said: SQL's ifnull() then keeps what is there. */
static void bind_or_null(sqlite3_stmt *statement, int at, const uint8_t *number)
{
    if (number)
        sqlite3_bind_int(statement, at, *number);
    else
        sqlite3_bind_null(statement, at);
}

static ob_status insert_key(ob_store *store, const ob_new_key *key,
                            const uint8_t *fingerprint, int64_t now_ms,
                            ob_store_error *error)
{
    uint8_t sealed[OB_KEY_BYTES_MAX + OB_SEAL_OVERHEAD];
    char room[ADDITIONAL_BYTES_MAX];
    int64_t revision;
    ob_slice place =
        ob_slice_make((const char *)fingerprint, OB_FINGERPRINT_BYTES);
    ob_status status = ob_seal(store->sealer, key->secret,
                               additional(key->provider, place, room), sealed);
    if (status != OB_OK)
        return ob_store_fail(error, status, "cannot seal: no randomness");
    status = ob_store_next_revision(store, &revision, error);
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_INSERT_KEY, error);
    if (status != OB_OK || !statement)
        return status != OB_OK ? status : OB_IO;
    bool blocked = key->status == OB_KEY_BLOCKED;
    ob_sql_text(statement, 1, key->provider);
    ob_sql_blob(statement, 2, fingerprint, OB_FINGERPRINT_BYTES);
    ob_sql_blob(statement, 3, sealed, key->secret.len + OB_SEAL_OVERHEAD);
    ob_sql_text(statement, 4, ob_slice_str(ob_status_word(key->status)));
    ob_sql_text(
        statement, 5,
        ob_slice_str(blocked ? ob_reason_slug(key->blocked_reason) : ""));
    ob_sql_text(statement, 6, key->remark);
    sqlite3_bind_int64(statement, 7,
                       key->created_at ? key->created_at : now_ms / 1000);
    sqlite3_bind_int64(statement, 8, key->total_cooling_ms);
    sqlite3_bind_int64(statement, 9, revision);
    const ob_key_order *order = &key->order;
    sqlite3_bind_int(statement, 10, order->priority ? *order->priority : 0);
    sqlite3_bind_int(statement, 11, order->weight ? *order->weight : 1);
    status = ob_sql_run(store, statement, error);
    if (status != OB_OK)
        return status;
    return sqlite3_changes(store->db) ? OB_OK : OB_EXISTS;
}

/* A known key stays as it is, but for what is said of it anew. */
static ob_status set_known(ob_store *store, const uint8_t *fingerprint,
                           const ob_new_key *key, ob_store_error *error)
{
    int64_t revision;
    if (!key->remark.len && !key->order.priority && !key->order.weight)
        return OB_OK;
    ob_status status = ob_store_next_revision(store, &revision, error);
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SET_KNOWN, error);
    if (status != OB_OK || !statement)
        return status != OB_OK ? status : OB_IO;
    ob_sql_blob(statement, 1, fingerprint, OB_FINGERPRINT_BYTES);
    if (key->remark.len)
        ob_sql_text(statement, 2, key->remark);
    bind_or_null(statement, 3, key->order.priority);
    bind_or_null(statement, 4, key->order.weight);
    sqlite3_bind_int64(statement, 5, revision);
    return ob_sql_run(store, statement, error);
}

static ob_status add_key(ob_store *store, const ob_new_key *key, int64_t now_ms,
                         ob_store_error *error)
{
    uint8_t fingerprint[OB_FINGERPRINT_BYTES];
    ob_status status =
        ob_fingerprint(store->sealer, key->provider, key->secret, fingerprint);
    if (status != OB_OK)
        return ob_store_fail(error, status, "cannot compute a fingerprint");
    status = insert_key(store, key, fingerprint, now_ms, error);
    if (status == OB_EXISTS) {
        status = set_known(store, fingerprint, key, error);
        return status == OB_OK ? OB_EXISTS : status;
    }
    if (status == OB_OK && key->cooldown_count)
        status =
            ob_store_put_cooldowns(store, sqlite3_last_insert_rowid(store->db),
                                   key->cooldowns, key->cooldown_count, error);
    return status;
}

ob_status ob_store_add_key(ob_store *store, const ob_new_key *key,
                           int64_t now_ms, ob_store_error *error)
{
    const char *why = place_refusal(key);
    if (!why)
        why = ob_key_refusal(key->secret);
    if (why)
        return ob_store_fail(error, OB_INVALID, "%s", why);
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = add_key(store, key, now_ms, error);
    if (status != OB_OK && status != OB_EXISTS) {
        ob_store_rollback(store);
        return status;
    }
    ob_status committed = ob_store_commit(store, error);
    return committed == OB_OK ? status : committed;
}

void ob_store_note_refusal(ob_add_result *result, ob_slice secret,
                           const char *why)
{
    if (result->refused < result->refusals_max) {
        ob_refused_key *refusal = &result->refusals[result->refused];
        ob_secret_mask(secret, refusal->masked);
        refusal->why = why;
    }
    result->refused++;
}

static ob_status add_text(ob_store *store, ob_new_key *key, ob_slice text,
                          int64_t now_ms, ob_add_result *result,
                          ob_store_error *error)
{
    while (text.ptr) {
        ob_slice line = ob_slice_cut(&text, '\n');
        while (line.ptr) {
            key->secret = ob_slice_trim(ob_slice_cut(&line, ','));
            if (key->secret.len == 0)
                continue;
            const char *why = ob_key_refusal(key->secret);
            if (why) {
                ob_store_note_refusal(result, key->secret, why);
                continue;
            }
            ob_status status = add_key(store, key, now_ms, error);
            if (status != OB_OK && status != OB_EXISTS)
                return status;
            result->added += status == OB_OK;
            result->known += status == OB_EXISTS;
        }
    }
    return OB_OK;
}

ob_status ob_store_add_keys(ob_store *store, const ob_new_key *like,
                            ob_slice text, int64_t now_ms,
                            ob_add_result *result, ob_store_error *error)
{
    ob_new_key key = {.provider = like->provider,
                      .remark = like->remark,
                      .order = like->order};
    result->added = result->known = result->refused = 0;
    const char *why = place_refusal(&key);
    if (why)
        return ob_store_fail(error, OB_INVALID, "%s", why);
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    /* Some editors put a byte order mark before a text. */
    if (ob_slice_starts(text, OB_S("\xef\xbb\xbf")))
        text = ob_slice_from(text, 3);
    status = add_text(store, &key, text, now_ms, result, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

/* ------------------------------------------------------- removing */

static ob_status run_on_id(ob_store *store, ob_sql sql, int64_t id,
                           ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, sql, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    return ob_sql_run(store, statement, error);
}

static ob_status bury(ob_store *store, int64_t id, int64_t now_ms,
                      ob_store_error *error)
{
    int64_t revision;
    ob_status status = ob_store_next_revision(store, &revision, error);
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_ADD_REMOVED, error);
    if (status != OB_OK || !statement)
        return status != OB_OK ? status : OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, revision);
    sqlite3_bind_int64(statement, 3, now_ms);
    return ob_sql_run(store, statement, error);
}

static ob_status remove_keys(ob_store *store, const int64_t *ids, size_t count,
                             int64_t now_ms, size_t *removed,
                             ob_store_error *error)
{
    ob_status status =
        run_on_id(store, OB_SQL_TRIM_REMOVED, now_ms - REMOVED_KEPT_MS, error);
    for (size_t i = 0; i < count && status == OB_OK; i++) {
        status = run_on_id(store, OB_SQL_REMOVE_KEY, ids[i], error);
        if (status != OB_OK || sqlite3_changes(store->db) == 0)
            continue;
        ++*removed;
        status = run_on_id(store, OB_SQL_REMOVE_COOLDOWNS, ids[i], error);
        if (status == OB_OK)
            status = bury(store, ids[i], now_ms, error);
    }
    return status;
}

ob_status ob_store_remove_keys(ob_store *store, const int64_t *ids,
                               size_t count, int64_t now_ms, size_t *removed,
                               ob_store_error *error)
{
    *removed = 0;
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = remove_keys(store, ids, count, now_ms, removed, error);
    if (status == OB_OK)
        status = ob_store_commit(store, error);
    else
        ob_store_rollback(store);
    if (status != OB_OK)
        *removed = 0;
    return status;
}

/* ------------------------------------------------------- deciding */

static ob_status has_key(ob_store *store, int64_t id, ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_HAS_KEY, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    ob_status status = ob_sql_step(store, statement, error);
    if (status == OB_OK)
        ob_sql_end(statement);
    if (status == OB_NOT_FOUND)
        return ob_store_fail(error, status, "no key has the id %lld",
                             (long long)id);
    return status;
}

/* Remark, priority and weight. */
static ob_status set_notes(ob_store *store, int64_t id,
                           const ob_key_patch *patch, int64_t revision,
                           ob_store_error *error)
{
    const char *why = order_refusal(&patch->order);
    if (patch->remark && patch->remark->len > OB_REMARK_BYTES_MAX)
        why = "the remark is longer than 1024 bytes";
    if (why)
        return ob_store_fail(error, OB_INVALID, "%s", why);
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SET_NOTES, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    if (patch->remark)
        ob_sql_text(statement, 2, *patch->remark);
    bind_or_null(statement, 3, patch->order.priority);
    bind_or_null(statement, 4, patch->order.weight);
    sqlite3_bind_int64(statement, 5, revision);
    return ob_sql_run(store, statement, error);
}

static ob_status set_status(ob_store *store, int64_t id, ob_key_status wanted,
                            ob_change *change, ob_store_error *error)
{
    bool blocked = wanted == OB_KEY_BLOCKED;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SET_STATUS, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    ob_sql_text(statement, 2, ob_slice_str(ob_status_word(wanted)));
    ob_sql_text(statement, 3,
                ob_slice_str(blocked ? ob_reason_slug(OB_REASON_PERSON) : ""));
    ob_status status = ob_sql_run(store, statement, error);
    if (status == OB_OK && !blocked)
        status = run_on_id(store, OB_SQL_REMOVE_COOLDOWNS, id, error);
    change->action = blocked ? OB_ACTION_BLOCK : OB_ACTION_DELIVER;
    return status == OB_OK ? ob_store_add_change(store, change, error) : status;
}

static ob_status set_cooldowns(ob_store *store, const ob_key_patch *patch,
                               ob_change *change, ob_store_error *error)
{
    ob_status status = ob_store_put_cooldowns(
        store, change->key_id, patch->cooldowns, patch->cooldown_count, error);
    if (patch->cooldown_count == 0 && status == OB_OK) {
        change->action = OB_ACTION_DELIVER;
        return ob_store_add_change(store, change, error);
    }
    for (size_t i = 0; i < patch->cooldown_count && status == OB_OK; i++) {
        ob_slice model = patch->cooldowns[i].model;
        change->action = OB_ACTION_COOL;
        change->until_ms = patch->cooldowns[i].until_ms;
        memcpy(change->model, model.ptr, model.len);
        change->model[model.len] = 0;
        status = ob_store_add_change(store, change, error);
    }
    return status;
}

static ob_status decide(ob_store *store, int64_t id, int64_t revision,
                        ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_DECIDE, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, revision);
    return ob_sql_run(store, statement, error);
}

static ob_status patch_key(ob_store *store, int64_t id,
                           const ob_key_patch *patch, int64_t now_ms,
                           ob_store_error *error)
{
    ob_change change = {.key_id = id,
                        .at_ms = now_ms,
                        .reason = OB_REASON_PERSON,
                        .words = "by a person"};
    int64_t revision;
    ob_status status = has_key(store, id, error);
    if (status == OB_OK)
        status = ob_store_next_revision(store, &revision, error);
    if (status == OB_OK &&
        (patch->remark || patch->order.priority || patch->order.weight))
        status = set_notes(store, id, patch, revision, error);
    if (status == OB_OK && (patch->status || patch->set_cooldowns))
        status = decide(store, id, revision, error);
    if (status == OB_OK && patch->status)
        status = set_status(store, id, *patch->status, &change, error);
    if (status == OB_OK && patch->set_cooldowns)
        status = set_cooldowns(store, patch, &change, error);
    return status;
}

ob_status ob_store_patch_key(ob_store *store, int64_t id,
                             const ob_key_patch *patch, int64_t now_ms,
                             ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = patch_key(store, id, patch, now_ms, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

static ob_status patch_all(ob_store *store, const int64_t *ids, size_t count,
                           const ob_key_patch *patch, int64_t now_ms,
                           size_t *changed, ob_store_error *error)
{
    ob_status status = OB_OK;
    for (size_t i = 0; i < count && status == OB_OK; i++) {
        status = patch_key(store, ids[i], patch, now_ms, error);
        *changed += status == OB_OK;
        if (status == OB_NOT_FOUND)
            status = OB_OK;
    }
    return status == OB_OK ? ob_store_trim_changes(store, count, error)
                           : status;
}

ob_status ob_store_patch_keys(ob_store *store, const int64_t *ids, size_t count,
                              const ob_key_patch *patch, int64_t now_ms,
                              size_t *changed, ob_store_error *error)
{
    *changed = 0;
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = patch_all(store, ids, count, patch, now_ms, changed, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

/* ------------------------------------------------------- loading */

typedef struct loading {
    ob_store *store;
    ob_store_visit visit;
    void *context;
    ob_arena arena; /* of one key */
    size_t damaged;
    int64_t chunk; /* whose counters `usage` holds; -1: none */
    ob_key_usage usage[OB_USAGE_CHUNK];
} loading;

static ob_status load_cooldowns(loading *load, ob_stored_key *key,
                                ob_store_error *error)
{
    ob_store *store = load->store;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_LOAD_COOLDOWNS, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, key->record.id);
    ob_status status = ob_sql_step(store, statement, error);
    if (status != OB_OK)
        return status == OB_NOT_FOUND ? OB_OK : status;
    ob_stored_cooldown *all =
        ob_arena_alloc(&load->arena, OB_COOLDOWNS_PER_KEY_MAX * sizeof(*all));
    size_t count = 0;
    while (all && status == OB_OK && count < OB_COOLDOWNS_PER_KEY_MAX) {
        ob_slice model =
            ob_slice_head(ob_sql_slice(statement, 0), OB_MODEL_BYTES_MAX);
        all[count].model = ob_arena_dup(&load->arena, model);
        all[count].until_ms = sqlite3_column_int64(statement, 1);
        all[count].reason = ob_reason_from_word(ob_sql_slice(statement, 2));
        count += all[count].model.ptr != NULL;
        status = ob_sql_step(store, statement, error);
    }
    if (status == OB_OK)
        ob_sql_end(statement);
    else if (status != OB_NOT_FOUND)
        return status;
    key->cooldowns = all;
    key->cooldown_count = count;
    return OB_OK;
}

static void read_record(sqlite3_stmt *row, ob_stored_key *key)
{
    ob_key_record *record = &key->record;
    key->provider = ob_sql_slice(row, 1);
    record->status = ob_status_from_word(ob_sql_slice(row, 4));
    record->blocked_reason = ob_reason_from_word(ob_sql_slice(row, 5));
    record->remark = ob_sql_slice(row, 6);
    record->created_at = sqlite3_column_int64(row, 7);
    record->total_cooling_ms = sqlite3_column_int64(row, 8);
    record->priority = (uint8_t)sqlite3_column_int(row, 9);
    record->weight = (uint8_t)sqlite3_column_int(row, 10);
}

static ob_status load_usage(loading *load, ob_key_record *record,
                            ob_store_error *error)
{
    int64_t chunk = record->id / OB_USAGE_CHUNK;
    if (record->id < 0)
        return OB_OK;
    if (load->chunk != chunk) {
        ob_status status =
            ob_store_load_usage(load->store, chunk, load->usage, error);
        if (status != OB_OK)
            return status;
        load->chunk = chunk;
    }
    const ob_key_usage *usage = &load->usage[record->id % OB_USAGE_CHUNK];
    record->requests = usage->requests;
    record->failures = usage->failures;
    record->last_used_ms = usage->last_used_ms;
    return OB_OK;
}

static ob_status visit_row(loading *load, sqlite3_stmt *row,
                           ob_store_error *error)
{
    char secret[OB_KEY_BYTES_MAX];
    ob_stored_key key = {.record.id = sqlite3_column_int64(row, 0)};
    ob_slice sealed = ob_sql_slice(row, 3);
    ob_slice fingerprint = ob_sql_slice(row, 2);
    read_record(row, &key);
    if (ob_key_unseal(load->store->sealer, key.provider, fingerprint, sealed,
                      secret) != OB_OK) {
        load->damaged++;
        return OB_OK;
    }
    size_t len = sealed.len - OB_SEAL_OVERHEAD;
    key.record.secret = ob_slice_make(secret, len);
    ob_status status = load_cooldowns(load, &key, error);
    if (status == OB_OK)
        status = load_usage(load, &key.record, error);
    if (status == OB_OK)
        load->visit(load->context, &key);
    ob_wipe(secret, len);
    ob_arena_reset(&load->arena);
    return status;
}

static ob_status visit_keys(loading *load, int64_t since, ob_store_error *error)
{
    ob_store *store = load->store;
    sqlite3_stmt *rows =
        ob_sql_take(store, since ? OB_SQL_LOAD_SINCE : OB_SQL_LOAD_ALL, error);
    if (!rows)
        return OB_IO;
    if (since)
        sqlite3_bind_int64(rows, 1, since);
    for (;;) {
        ob_status status = ob_sql_step(store, rows, error);
        if (status != OB_OK)
            return status == OB_NOT_FOUND ? OB_OK : status;
        status = visit_row(load, rows, error);
        if (status != OB_OK) {
            ob_sql_end(rows);
            return status;
        }
    }
}

static ob_status visit_removed(loading *load, int64_t since,
                               ob_store_error *error)
{
    ob_store *store = load->store;
    sqlite3_stmt *rows = ob_sql_take(store, OB_SQL_LOAD_REMOVED, error);
    if (!rows)
        return OB_IO;
    sqlite3_bind_int64(rows, 1, since);
    ob_status status;
    while ((status = ob_sql_step(store, rows, error)) == OB_OK) {
        ob_stored_key key = {.record.id = sqlite3_column_int64(rows, 0),
                             .removed = true};
        load->visit(load->context, &key);
    }
    return status == OB_NOT_FOUND ? OB_OK : status;
}

ob_status ob_store_load(ob_store *store, int64_t *revision,
                        ob_store_visit visit, void *context,
                        ob_store_error *error)
{
    loading load = {
        .store = store, .visit = visit, .context = context, .chunk = -1};
    int64_t newest = 0;
    error->message[0] = 0;
    ob_status status = ob_store_begin_read(store, error);
    if (status != OB_OK)
        return status;
    ob_arena_init(&load.arena, COOLDOWN_BYTES_MAX);
    status = ob_store_revision(store, &newest, error);
    if (status == OB_OK)
        status = visit_keys(&load, *revision, error);
    if (status == OB_OK && *revision)
        status = visit_removed(&load, *revision, error);
    ob_arena_deinit(&load.arena);
    if (status != OB_OK) {
        ob_store_rollback(store);
        return status;
    }
    status = ob_store_commit(store, error);
    if (status == OB_OK)
        *revision = newest;
    if (status == OB_OK && load.damaged)
        ob_store_fail(error, OB_OK,
                      "%zu keys are damaged or were sealed elsewhere and "
                      "cannot be opened",
                      load.damaged);
    return status;
}
