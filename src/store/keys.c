/* keys.c - adding, removing and loading keys, and what people decide. */
#include "adding.h"

#include "../core/base/arena.h"
#include "../core/base/buffer.h"

#define ADDITIONAL_BYTES_MAX 256
#define SLUG_BYTES_MAX       128
#define COOLDOWN_BYTES_MAX   (64 * 1024)
/* A reader that stays away longer than this misses removals. */
#define REMOVED_KEPT_MS (30 * 24 * 3600 * 1000LL)

/* ------------------------------------------------------- sealing */

ob_slice ob_key_place(ob_slice provider, ob_slice fingerprint, char *out)
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
    return ob_unseal(sealer, sealed, ob_key_place(provider, fingerprint, room),
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

const char *ob_new_key_refusal(const ob_new_key *key)
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

static ob_status add_one(ob_adding *adding, const ob_new_key *key,
                         ob_store_error *error)
{
    ob_status status = ob_adding_put(adding, key, error);
    if (status == OB_OK)
        status = ob_adding_flush(adding, error);
    if (status == OB_OK && ob_adding_count(adding).known)
        status = OB_EXISTS;
    return status;
}

ob_status ob_store_add_key(ob_store *store, const ob_new_key *key,
                           int64_t now_ms, ob_store_error *error)
{
    const char *why = ob_adding_refusal(key);
    if (why)
        return ob_store_fail(error, OB_INVALID, "%s", why);
    ob_adding *adding = ob_adding_new(store, now_ms);
    if (!adding)
        return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    ob_status status = ob_store_begin(store, error);
    if (status == OB_OK) {
        status = add_one(adding, key, error);
        if (status != OB_OK && status != OB_EXISTS) {
            ob_store_rollback(store);
        } else {
            ob_status committed = ob_store_commit(store, error);
            status = committed == OB_OK ? status : committed;
        }
    }
    ob_adding_free(adding);
    return status;
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

static ob_status add_text(ob_adding *adding, ob_new_key *key, ob_slice text,
                          ob_add_result *result, ob_store_error *error)
{
    ob_status status = OB_OK;
    while (text.ptr && status == OB_OK) {
        ob_slice line = ob_slice_cut(&text, '\n');
        while (line.ptr && status == OB_OK) {
            key->secret = ob_slice_trim(ob_slice_cut(&line, ','));
            if (key->secret.len == 0)
                continue;
            const char *why = ob_key_refusal(key->secret);
            if (why)
                ob_store_note_refusal(result, key->secret, why);
            else
                status = ob_adding_put(adding, key, error);
        }
    }
    return status == OB_OK ? ob_adding_flush(adding, error) : status;
}

/* Is it too much for this store? */
static ob_status measure(ob_adding *adding, const ob_new_key *like,
                         ob_slice text, ob_store_error *error)
{
    ob_new_key key = *like;
    ob_add_result refused = {.refusals_max = 0};
    if (!ob_adding_measure(adding))
        return OB_OK;
    ob_status status = add_text(adding, &key, text, &refused, error);
    return status == OB_OK ? ob_adding_measured(adding, error) : status;
}

ob_status ob_store_add_keys(ob_store *store, const ob_new_key *like,
                            ob_slice text, int64_t now_ms,
                            ob_add_result *result, ob_store_error *error)
{
    ob_new_key key = {.provider = like->provider,
                      .remark = like->remark,
                      .order = like->order};
    result->added = result->known = result->refused = 0;
    const char *why = ob_new_key_refusal(&key);
    if (why)
        return ob_store_fail(error, OB_INVALID, "%s", why);
    ob_adding *adding = ob_adding_new(store, now_ms);
    if (!adding)
        return ob_store_fail(error, OB_NO_MEMORY, "out of memory");
    /* Some editors put a byte order mark before a text. */
    if (ob_slice_starts(text, OB_S("\xef\xbb\xbf")))
        text = ob_slice_from(text, 3);
    ob_status status = measure(adding, &key, text, error);
    if (status == OB_OK)
        status = ob_store_begin(store, error);
    if (status == OB_OK) {
        status = add_text(adding, &key, text, result, error);
        result->added = ob_adding_count(adding).added;
        result->known = ob_adding_count(adding).known;
        if (status == OB_OK)
            status = ob_store_commit(store, error);
        else
            ob_store_rollback(store);
    }
    ob_adding_free(adding);
    return status;
}

/* ------------------------------------------------------- many at once */

/* Keys by their ids, and what is done to them all. */
typedef struct many {
    ob_store *store;
    ob_buffer ids; /* a JSON array */
    int64_t now_ms;
    ob_store_error *error;
} many;

static ob_status many_begin(many *of, ob_store *store, const int64_t *ids,
                            size_t count, int64_t now_ms, ob_store_error *error)
{
    *of = (many){.store = store, .now_ms = now_ms, .error = error};
    ob_buffer_append_char(&of->ids, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            ob_buffer_append_char(&of->ids, ',');
        ob_buffer_append_i64(&of->ids, ids[i]);
    }
    ob_buffer_append_char(&of->ids, ']');
    ob_status status = of->ids.failed
                           ? ob_store_fail(error, OB_NO_MEMORY, "out of memory")
                           : ob_store_begin(store, error);
    if (status != OB_OK)
        ob_buffer_deinit(&of->ids);
    return status;
}

static ob_status many_end(many *of, ob_status status)
{
    ob_buffer_deinit(&of->ids);
    if (status == OB_OK)
        return ob_store_commit(of->store, of->error);
    ob_store_rollback(of->store);
    return status;
}

/* A statement whose first value are the ids. */
static sqlite3_stmt *take(many *of, ob_sql sql)
{
    sqlite3_stmt *statement = ob_sql_take(of->store, sql, of->error);
    if (statement)
        ob_sql_text(statement, 1, ob_buffer_slice(&of->ids));
    return statement;
}

static ob_status run(many *of, ob_sql sql)
{
    sqlite3_stmt *statement = take(of, sql);
    return statement ? ob_sql_run(of->store, statement, of->error) : OB_IO;
}

/* How many of them are there? */
static ob_status count_keys(many *of, size_t *count)
{
    sqlite3_stmt *statement = take(of, OB_SQL_COUNT_KEYS);
    if (!statement)
        return OB_IO;
    ob_status status = ob_sql_step(of->store, statement, of->error);
    if (status != OB_OK)
        return status == OB_NOT_FOUND ? OB_INVALID : status;
    *count = (size_t)sqlite3_column_int64(statement, 0);
    ob_sql_end(statement);
    return OB_OK;
}

/* ------------------------------------------------------- removing */

static ob_status trim_removed(many *of)
{
    sqlite3_stmt *statement =
        ob_sql_take(of->store, OB_SQL_TRIM_REMOVED, of->error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, of->now_ms - REMOVED_KEPT_MS);
    return ob_sql_run(of->store, statement, of->error);
}

static ob_status bury(many *of)
{
    sqlite3_stmt *statement = take(of, OB_SQL_ADD_REMOVED);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 2, of->now_ms);
    return ob_sql_run(of->store, statement, of->error);
}

static ob_status remove_keys(many *of, size_t *removed)
{
    ob_status status = count_keys(of, removed);
    if (status == OB_OK)
        status = trim_removed(of);
    if (status != OB_OK || !*removed)
        return status;
    status = ob_store_revise(of->store, of->error);
    if (status == OB_OK)
        status = bury(of);
    if (status == OB_OK)
        status = run(of, OB_SQL_REMOVE_RESTS);
    return status == OB_OK ? run(of, OB_SQL_REMOVE_KEYS) : status;
}

ob_status ob_store_remove_keys(ob_store *store, const int64_t *ids,
                               size_t count, int64_t now_ms, size_t *removed,
                               ob_store_error *error)
{
    many of;
    *removed = 0;
    ob_status status = many_begin(&of, store, ids, count, now_ms, error);
    if (status != OB_OK)
        return status;
    status = many_end(&of, remove_keys(&of, removed));
    if (status != OB_OK)
        *removed = 0;
    return status;
}

/* ------------------------------------------------------- deciding */

static const char *patch_refusal(const ob_key_patch *patch)
{
    if (patch->remark && patch->remark->len > OB_REMARK_BYTES_MAX)
        return "the remark is longer than 1024 bytes";
    if (patch->cooldown_count > OB_COOLDOWNS_PER_KEY_MAX)
        return "more than 64 cool-downs of one key";
    for (size_t i = 0; i < patch->cooldown_count; i++)
        if (patch->cooldowns[i].model.len > OB_MODEL_BYTES_MAX)
            return "a model's name is longer than 256 bytes";
    return order_refusal(&patch->order);
}

/* Remark, priority and weight. */
static ob_status set_notes(many *of, const ob_key_patch *patch)
{
    sqlite3_stmt *statement = take(of, OB_SQL_SET_NOTES);
    if (!statement)
        return OB_IO;
    if (patch->remark)
        ob_sql_text(statement, 2, *patch->remark);
    bind_or_null(statement, 3, patch->order.priority);
    bind_or_null(statement, 4, patch->order.weight);
    return ob_sql_run(of->store, statement, of->error);
}

/* Evidence of each key and each cool-down of `rests`. */
static ob_status note(many *of, ob_action action, ob_slice rests)
{
    sqlite3_stmt *statement = take(of, OB_SQL_ADD_CHANGES);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 2, of->now_ms);
    ob_sql_text(statement, 3, ob_slice_str(ob_action_slug(action)));
    ob_sql_text(statement, 4, rests);
    ob_sql_text(statement, 5, OB_S("by a person"));
    return ob_sql_run(of->store, statement, of->error);
}

#define NO_RESTS OB_S("[[\"\",0]]")

static ob_status set_status(many *of, ob_key_status wanted)
{
    bool blocked = wanted == OB_KEY_BLOCKED;
    sqlite3_stmt *statement = take(of, OB_SQL_DECIDE_STATUS);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 2, ob_slice_str(ob_status_word(wanted)));
    ob_sql_text(statement, 3,
                ob_slice_str(blocked ? ob_reason_slug(OB_REASON_PERSON) : ""));
    ob_status status = ob_sql_run(of->store, statement, of->error);
    if (status == OB_OK && !blocked)
        status = run(of, OB_SQL_REMOVE_RESTS);
    return status == OB_OK
               ? note(of, blocked ? OB_ACTION_BLOCK : OB_ACTION_DELIVER,
                      NO_RESTS)
               : status;
}

static void write_rests(ob_buffer *out, const ob_key_patch *patch)
{
    for (size_t i = 0; i < patch->cooldown_count; i++) {
        const ob_stored_cooldown *rest = &patch->cooldowns[i];
        ob_buffer_append_str(out, i ? ",[" : "[[");
        ob_buffer_append_json(out, rest->model);
        ob_buffer_append_char(out, ',');
        ob_buffer_append_i64(out, rest->until_ms);
        ob_buffer_append_char(out, ',');
        ob_buffer_append_json(out, ob_slice_str(ob_reason_slug(rest->reason)));
        ob_buffer_append_char(out, ']');
    }
    ob_buffer_append_char(out, ']');
}

static ob_status add_rests(many *of, ob_slice rests)
{
    sqlite3_stmt *statement = take(of, OB_SQL_ADD_RESTS);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 2, rests);
    ob_status status = ob_sql_run(of->store, statement, of->error);
    return status == OB_OK ? note(of, OB_ACTION_COOL, rests) : status;
}

static ob_status set_cooldowns(many *of, const ob_key_patch *patch)
{
    ob_buffer rests = {0};
    ob_status status = run(of, OB_SQL_REMOVE_RESTS);
    if (status != OB_OK)
        return status;
    if (!patch->cooldown_count)
        return note(of, OB_ACTION_DELIVER, NO_RESTS);
    write_rests(&rests, patch);
    status = rests.failed
                 ? ob_store_fail(of->error, OB_NO_MEMORY, "out of memory")
                 : add_rests(of, ob_buffer_slice(&rests));
    ob_buffer_deinit(&rests);
    return status;
}

static ob_status decide(many *of, const ob_key_patch *patch, size_t count)
{
    ob_status status = ob_store_revise(of->store, of->error);
    if (status == OB_OK &&
        (patch->remark || patch->order.priority || patch->order.weight))
        status = set_notes(of, patch);
    if (status != OB_OK || (!patch->status && !patch->set_cooldowns))
        return status;
    status = run(of, OB_SQL_DECIDE);
    if (status == OB_OK && patch->status)
        status = set_status(of, *patch->status);
    if (status == OB_OK && patch->set_cooldowns)
        status = set_cooldowns(of, patch);
    return status == OB_OK ? ob_store_trim_changes(of->store, count, of->error)
                           : status;
}

ob_status ob_store_patch_keys(ob_store *store, const int64_t *ids, size_t count,
                              const ob_key_patch *patch, int64_t now_ms,
                              size_t *changed, ob_store_error *error)
{
    many of;
    const char *why = patch_refusal(patch);
    *changed = 0;
    ob_status status = many_begin(&of, store, ids, count, now_ms, error);
    if (status != OB_OK)
        return status;
    status = count_keys(&of, changed);
    if (status == OB_OK && *changed)
        status = why ? ob_store_fail(error, OB_INVALID, "%s", why)
                     : decide(&of, patch, *changed);
    return many_end(&of, status);
}

ob_status ob_store_patch_key(ob_store *store, int64_t id,
                             const ob_key_patch *patch, int64_t now_ms,
                             ob_store_error *error)
{
    size_t changed;
    ob_status status =
        ob_store_patch_keys(store, &id, 1, patch, now_ms, &changed, error);
    if (status == OB_OK && !changed)
        return ob_store_fail(error, OB_NOT_FOUND, "no key has the id %lld",
                             (long long)id);
    return status;
}

/* ------------------------------------------------------- loading */

typedef struct loading {
    ob_store *store;
    ob_store_visit visit;
    void *context;
    ob_arena arena; /* of one key */
    size_t damaged;
} loading;

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* {NULL, 0}: memory is out, or it is none. */
static ob_slice read_model(ob_arena *arena, ob_slice hex)
{
    size_t len = hex.len / 2;
    char *model =
        len <= OB_MODEL_BYTES_MAX ? ob_arena_alloc(arena, len + 1) : NULL;
    for (size_t i = 0; model && i < len; i++) {
        int high = hex_digit(hex.ptr[2 * i]);
        int low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return (ob_slice){NULL, 0};
        model[i] = (char)(high << 4 | low);
    }
    return ob_slice_make(model, model ? len : 0);
}

/* "hex(model) until_ms reason,…" */
static void read_cooldowns(loading *load, ob_slice text, ob_stored_key *key)
{
    size_t count = 0;
    if (!text.len)
        return;
    ob_stored_cooldown *all =
        ob_arena_alloc(&load->arena, OB_COOLDOWNS_PER_KEY_MAX * sizeof(*all));
    while (all && text.ptr && count < OB_COOLDOWNS_PER_KEY_MAX) {
        ob_slice rest = ob_slice_cut(&text, ',');
        ob_slice model = read_model(&load->arena, ob_slice_cut(&rest, ' '));
        uint64_t until_ms = 0;
        if (!model.ptr || ob_slice_u64(ob_slice_cut(&rest, ' '), &until_ms) ||
            until_ms > INT64_MAX)
            continue;
        all[count++] = (ob_stored_cooldown){model, (int64_t)until_ms,
                                            ob_reason_from_word(rest)};
    }
    key->cooldowns = all;
    key->cooldown_count = all ? count : 0;
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

/* OB_LIMIT: no more keys are opened, in a Worker. */
static ob_status visit_row(loading *load, sqlite3_stmt *row)
{
    char secret[OB_KEY_BYTES_MAX];
    ob_stored_key key = {.record.id = sqlite3_column_int64(row, 0)};
    ob_slice sealed = ob_sql_slice(row, 3);
    ob_slice fingerprint = ob_sql_slice(row, 2);
    read_record(row, &key);
    ob_status status = ob_key_unseal(load->store->sealer, key.provider,
                                     fingerprint, sealed, secret);
    if (status != OB_OK) {
        load->damaged++;
        return status == OB_LIMIT ? status : OB_OK;
    }
    size_t len = sealed.len - OB_SEAL_OVERHEAD;
    key.record.secret = ob_slice_make(secret, len);
    read_cooldowns(load, ob_sql_slice(row, 11), &key);
    ob_usage_read(ob_sql_slice(row, 12), &key.record);
    load->visit(load->context, &key);
    ob_wipe(secret, len);
    ob_arena_reset(&load->arena);
    return OB_OK;
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
        status = visit_row(load, rows);
        if (status != OB_OK) {
            ob_sql_end(rows);
            return ob_store_fail(error, status,
                                 "there are more keys than one request opens");
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
    loading load = {.store = store, .visit = visit, .context = context};
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
