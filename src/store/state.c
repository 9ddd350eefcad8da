/* state.c - what the gateway learned: counters, cool-downs, the evidence;
 * the audit log and the settings. */
#include "database.h"

/* How many old lines may go with every commit, beside twice what it adds:
 * small steps, yet faster than any growth. */
#define TRIM_STEP 200

/* ------------------------------------------------------- the message */

ob_status ob_key_state_init(ob_key_state *state, const ob_key *key,
                            int64_t now_ms)
{
    size_t count = 0;
    size_t bytes = 0;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next) {
        if (rest->until_ms <= now_ms)
            continue;
        count++;
        bytes += rest->model.len;
    }
    ob_stored_cooldown *copies = NULL;
    if (count && !(copies = malloc(count * sizeof(*copies) + bytes)))
        return OB_NO_MEMORY;
    char *text = copies ? (char *)(copies + count) : NULL;
    size_t at = 0;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next) {
        if (rest->until_ms <= now_ms)
            continue;
        if (rest->model.len)
            memcpy(text, rest->model.ptr, rest->model.len);
        copies[at++] = (ob_stored_cooldown){
            {text, rest->model.len}, rest->until_ms, rest->reason};
        text += rest->model.len;
    }
    *state = (ob_key_state){.id = key->id,
                            .status = key->status,
                            .blocked_reason = key->blocked_reason,
                            .total_cooling_ms = key->total_cooling_ms,
                            .cooldowns = copies,
                            .cooldown_count = count};
    return OB_OK;
}

void ob_key_state_deinit(ob_key_state *state)
{
    free(state->cooldowns);
    state->cooldowns = NULL;
    state->cooldown_count = 0;
}

/* ------------------------------------------------------- saving */

static ob_status add_cooldown(ob_store *store, int64_t id,
                              const ob_stored_cooldown *rest,
                              ob_store_error *error)
{
    if (rest->model.len > OB_MODEL_BYTES_MAX)
        return ob_store_fail(error, OB_INVALID,
                             "a model's name is longer than 256 bytes");
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_ADD_COOLDOWN, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    ob_sql_text(statement, 2, rest->model);
    sqlite3_bind_int64(statement, 3, rest->until_ms);
    ob_sql_text(statement, 4, ob_slice_str(ob_reason_slug(rest->reason)));
    return ob_sql_run(store, statement, error);
}

ob_status ob_store_put_cooldowns(ob_store *store, int64_t id,
                                 const ob_stored_cooldown *cooldowns,
                                 size_t count, ob_store_error *error)
{
    if (count > OB_COOLDOWNS_PER_KEY_MAX)
        return ob_store_fail(error, OB_INVALID,
                             "more than 64 cool-downs of one key");
    sqlite3_stmt *statement =
        ob_sql_take(store, OB_SQL_REMOVE_COOLDOWNS, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    ob_status status = ob_sql_run(store, statement, error);
    for (size_t i = 0; i < count && status == OB_OK; i++)
        status = add_cooldown(store, id, &cooldowns[i], error);
    return status;
}

static ob_status save_total(ob_store *store, const ob_key_state *state,
                            ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SAVE_TOTAL, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, state->id);
    sqlite3_bind_int64(statement, 2, state->total_cooling_ms);
    return ob_sql_run(store, statement, error);
}

static ob_status save_status(ob_store *store, const ob_key_state *state,
                             ob_store_error *error)
{
    bool blocked = state->status == OB_KEY_BLOCKED;
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SET_STATUS, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, state->id);
    ob_sql_text(statement, 2, ob_slice_str(ob_status_word(state->status)));
    ob_sql_text(
        statement, 3,
        ob_slice_str(blocked ? ob_reason_slug(state->blocked_reason) : ""));
    return ob_sql_run(store, statement, error);
}

/* OB_NOT_FOUND: the key is not there. */
static ob_status read_decided(ob_store *store, int64_t id, int64_t *decided,
                              ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_HAS_KEY, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, id);
    ob_status status = ob_sql_step(store, statement, error);
    if (status != OB_OK)
        return status;
    *decided = sqlite3_column_int64(statement, 0);
    ob_sql_end(statement);
    return OB_OK;
}

static ob_status save_state(ob_store *store, const ob_key_state *state,
                            int64_t seen, ob_store_error *error)
{
    int64_t decided;
    ob_status status = read_decided(store, state->id, &decided, error);
    if (status != OB_OK)
        return status == OB_NOT_FOUND ? OB_OK : status;
    status = save_total(store, state, error);
    /* A person knew more than these states did when they were collected. */
    if (status != OB_OK || decided > seen)
        return status;
    status = save_status(store, state, error);
    if (status != OB_OK)
        return status;
    return ob_store_put_cooldowns(store, state->id, state->cooldowns,
                                  state->cooldown_count, error);
}

static ob_status save_all(ob_store *store, int64_t seen,
                          const ob_key_state *states, size_t count,
                          const ob_change *changes, size_t change_count,
                          ob_store_error *error)
{
    ob_status status = ob_store_revise(store, error);
    for (size_t i = 0; i < count && status == OB_OK; i++)
        status = save_state(store, &states[i], seen, error);
    for (size_t i = 0; i < change_count && status == OB_OK; i++)
        status = ob_store_add_change(store, &changes[i], error);
    if (change_count && status == OB_OK)
        status = ob_store_trim_changes(store, change_count, error);
    return status;
}

ob_status ob_store_save_states(ob_store *store, int64_t seen,
                               const ob_key_state *states, size_t count,
                               const ob_change *changes, size_t change_count,
                               ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = save_all(store, seen, states, count, changes, change_count, error);
    if (status != OB_OK) {
        ob_store_rollback(store);
        return status;
    }
    status = ob_store_commit(store, error);
    /* What follows in the same transaction is told apart by its number. */
    store->revised = false;
    return status;
}

/* ------------------------------------------------------- usage */

static uint8_t *put_number(uint8_t *out, uint64_t number)
{
    for (int shift = 0; shift < 64; shift += 8)
        *out++ = (uint8_t)(number >> shift);
    return out;
}

static const uint8_t *take_number(const uint8_t *in, uint64_t *number)
{
    *number = 0;
    for (int shift = 0; shift < 64; shift += 8)
        *number |= (uint64_t)*in++ << shift;
    return in;
}

ob_status ob_store_save_usage(ob_store *store, int64_t chunk,
                              const ob_key_usage usage[OB_USAGE_CHUNK],
                              ob_store_error *error)
{
    uint8_t counters[OB_USAGE_BYTES];
    uint8_t *out = counters;
    for (size_t i = 0; i < OB_USAGE_CHUNK; i++) {
        out = put_number(out, usage[i].requests);
        out = put_number(out, usage[i].failures);
        out = put_number(out, (uint64_t)usage[i].last_used_ms);
    }
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SAVE_USAGE, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, chunk);
    ob_sql_blob(statement, 2, counters, sizeof(counters));
    return ob_sql_run(store, statement, error);
}

void ob_usage_read(ob_slice counters, ob_key_record *record)
{
    uint64_t last_used_ms;
    if (counters.len != OB_USAGE_BYTES / OB_USAGE_CHUNK)
        return;
    const uint8_t *in = (const uint8_t *)counters.ptr;
    in = take_number(in, &record->requests);
    in = take_number(in, &record->failures);
    (void)take_number(in, &last_used_ms);
    record->last_used_ms = (int64_t)last_used_ms;
}

/* ------------------------------------------------------- evidence */

ob_status ob_store_add_change(ob_store *store, const ob_change *change,
                              ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_ADD_CHANGE, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, change->key_id);
    sqlite3_bind_int64(statement, 2, change->at_ms);
    ob_sql_text(statement, 3, ob_slice_str(ob_action_slug(change->action)));
    ob_sql_text(statement, 4, ob_slice_str(ob_reason_slug(change->reason)));
    sqlite3_bind_int(statement, 5, change->status);
    ob_sql_text(statement, 6, ob_slice_str(change->model));
    sqlite3_bind_int64(statement, 7, change->until_ms);
    ob_sql_text(statement, 8, ob_slice_str(change->words));
    ob_sql_text(statement, 9, ob_slice_str(change->request_id));
    return ob_sql_run(store, statement, error);
}

static ob_status trim(ob_store *store, ob_sql sql, size_t added,
                      ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, sql, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, OB_CHANGES_KEPT);
    sqlite3_bind_int64(statement, 2, TRIM_STEP + 2 * (int64_t)added);
    return ob_sql_run(store, statement, error);
}

ob_status ob_store_trim_changes(ob_store *store, size_t added,
                                ob_store_error *error)
{
    return trim(store, OB_SQL_TRIM_CHANGES, added, error);
}

static ob_status add_audit(ob_store *store, const ob_audit_line *line,
                           ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_ADD_AUDIT, error);
    if (!statement)
        return OB_IO;
    sqlite3_bind_int64(statement, 1, line->at_ms);
    ob_sql_text(statement, 2, line->act);
    sqlite3_bind_int64(statement, 3, line->key_id);
    ob_sql_text(statement, 4, line->who);
    ob_sql_text(statement, 5, line->detail);
    ob_status status = ob_sql_run(store, statement, error);
    return status == OB_OK ? trim(store, OB_SQL_TRIM_AUDIT, 1, error) : status;
}

ob_status ob_store_note(ob_store *store, const ob_audit_line *line,
                        ob_store_error *error)
{
    ob_status status = ob_store_begin(store, error);
    if (status != OB_OK)
        return status;
    status = add_audit(store, line, error);
    if (status == OB_OK)
        return ob_store_commit(store, error);
    ob_store_rollback(store);
    return status;
}

ob_status ob_store_audit(ob_store *store, ob_slice act, int64_t key_id,
                         ob_slice who, int64_t now_ms, ob_store_error *error)
{
    ob_audit_line line = {
        .at_ms = now_ms, .act = act, .key_id = key_id, .who = who};
    return ob_store_note(store, &line, error);
}

/* ------------------------------------------------------- settings */

ob_status ob_store_get(ob_store *store, const char *name, char **value,
                       ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_GET_SETTING, error);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 1, ob_slice_str(name));
    ob_status status = ob_sql_step(store, statement, error);
    if (status == OB_NOT_FOUND)
        return ob_store_fail(error, status, "no setting %s", name);
    if (status != OB_OK)
        return status;
    ob_slice stored = ob_sql_slice(statement, 0);
    char *copy = malloc(stored.len + 1);
    if (copy) {
        memcpy(copy, stored.ptr, stored.len);
        copy[stored.len] = 0;
        *value = copy;
    }
    ob_sql_end(statement);
    return copy ? OB_OK : ob_store_fail(error, OB_NO_MEMORY, "out of memory");
}

ob_status ob_store_set(ob_store *store, const char *name, ob_slice value,
                       ob_store_error *error)
{
    sqlite3_stmt *statement = ob_sql_take(store, OB_SQL_SET_SETTING, error);
    if (!statement)
        return OB_IO;
    ob_sql_text(statement, 1, ob_slice_str(name));
    ob_sql_blob(statement, 2, value.ptr, value.len);
    return ob_sql_run(store, statement, error);
}
