/*
 * auth.c - who may call, and how much: AUTH_KEY's keys and those of D1.
 *
 * Requests and tokens of a minute are counted by each isolate for itself. What
 * was spent of a budget is added to its row, so that isolates add up, and read
 * back with each load.
 */
#include "edge.h"

/* Between two writes of what was spent. */
#define SPENT_MS 60000
/* Auth keys whose spending one batch writes; others follow with the next. */
#define SPENT_MAX 20

/* ---- those in force ---- */

void edge_auth_release(edge *self, edge_auth *auth)
{
    if (!auth || --auth->references)
        return;
    ob_allowances_unbind(&self->allowances, auth->keys);
    ob_authkeys_free(auth->keys);
    free(auth);
}

edge_auth *edge_auth_hold(edge *self)
{
    self->auth->references++;
    return self->auth;
}

ob_status edge_auth_set(edge *self, const ob_authkeys *stored)
{
    edge_auth *auth = calloc(1, sizeof(*auth));
    if (!auth)
        return OB_NO_MEMORY;
    ob_status status = ob_authkeys_join(self->environment, stored, &auth->keys);
    if (status == OB_OK)
        status = ob_allowances_bind(&self->allowances, auth->keys);
    if (status != OB_OK) {
        ob_authkeys_free(auth->keys);
        free(auth);
        return status;
    }
    edge_auth_release(self, self->auth);
    auth->references = 1;
    self->auth = auth;
    return OB_OK;
}

/* ---- loading ---- */

enum { REVISION, KEYS, SPENT };

/* Members of an auth key's text. */
enum {
    AUTH_ID,
    AUTH_NAME,
    AUTH_HASH,
    AUTH_SHOWN,
    AUTH_PERMISSIONS,
    AUTH_EXPIRES_AT,
    AUTH_CREATED_AT,
    AUTH_REQUESTS_MINUTE,
    AUTH_TOKENS_MINUTE,
    AUTH_MICRO_USD_DAY,
    AUTH_MICRO_USD_MONTH,
    AUTH_MEMBERS
};

/* The rows of those that are known to have a budget. */
static void query_spent(const edge *self, ob_json *json)
{
    const ob_authkeys *keys = self->auth->keys;
    ob_buffer hashes = {0};
    for (size_t i = 0; i < keys->count; i++) {
        if (!ob_allowance_has_budget(&keys->keys[i].limits))
            continue;
        ob_buffer_append_str(&hashes,
                             hashes.start == hashes.end ? "[\"" : ",\"");
        edge_append_hex(&hashes, ob_slice_make((const char *)keys->keys[i].hash,
                                               OB_AUTHKEY_HASH_SIZE));
        ob_buffer_append_char(&hashes, '"');
    }
    ob_buffer_append_str(&hashes, hashes.start == hashes.end ? "[]" : "]");
    edge_statement(json,
                   "SELECT hex(hash) AS hash, day, month, micro_usd_day, "
                   "micro_usd_month, last_used_at FROM allowances WHERE hash "
                   "IN (SELECT unhex(value) FROM json_each(?1))");
    ob_json_string(json, ob_buffer_slice(&hashes));
    edge_statement_end(json);
    ob_buffer_deinit(&hashes);
}

/* The same before any is known. */
static void query_all_spent(ob_json *json)
{
    edge_statement(json,
                   "SELECT hex(hash) AS hash, day, month, micro_usd_day, "
                   "micro_usd_month, last_used_at FROM allowances WHERE hash "
                   "IN (SELECT hash FROM auth_keys WHERE revoked_at = 0 AND "
                   "micro_usd_day + micro_usd_month > 0)");
    edge_statement_end(json);
}

void edge_auth_queries(const edge *self, ob_json *json)
{
    edge_statement(
        json, "SELECT coalesce(max(revision), 0) AS number FROM auth_keys");
    edge_statement_end(json);
    edge_statement(json,
                   "SELECT json_array(id, name, hex(hash), shown, permissions, "
                   "expires_at, created_at, requests_minute, tokens_minute, "
                   "micro_usd_day, micro_usd_month) AS key FROM auth_keys "
                   "WHERE revoked_at = 0 AND "
                   "(SELECT max(revision) FROM auth_keys) > ?1 ORDER BY id");
    ob_json_i64(json, self->auth_revision);
    edge_statement_end(json);
    if (self->loaded_ms)
        query_spent(self, json);
    else
        query_all_spent(json);
}

static uint32_t small_at(yyjson_val *row, size_t at)
{
    int64_t number = edge_number_at(row, at);
    return number < 0 ? 0 : number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* One that cannot be read is left out: nobody gets more than was meant. */
static ob_status add_key(ob_authkeys *keys, yyjson_val *row)
{
    ob_authkey key = {
        .from = OB_AUTHKEY_CONSOLE,
        .id = edge_number_at(row, AUTH_ID),
        .expires_at = edge_number_at(row, AUTH_EXPIRES_AT),
        .created_at = edge_number_at(row, AUTH_CREATED_AT),
        .limits = {.requests_minute = small_at(row, AUTH_REQUESTS_MINUTE),
                   .tokens_minute = small_at(row, AUTH_TOKENS_MINUTE),
                   .micro_usd_day = edge_number_at(row, AUTH_MICRO_USD_DAY),
                   .micro_usd_month =
                       edge_number_at(row, AUTH_MICRO_USD_MONTH)}};
    if (yyjson_arr_size(row) != AUTH_MEMBERS ||
        edge_read_hex(edge_text_at(row, AUTH_HASH), key.hash,
                      sizeof(key.hash)) != OB_OK)
        return OB_OK;
    ob_status status = ob_authkeys_add(keys, &key, edge_text_at(row, AUTH_NAME),
                                       edge_text_at(row, AUTH_SHOWN),
                                       edge_text_at(row, AUTH_PERMISSIONS));
    return status == OB_NO_MEMORY ? status : OB_OK;
}

static ob_status read_keys(yyjson_val *rows, ob_authkeys *keys)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    ob_status status = OB_OK;
    while (status == OB_OK && (row = yyjson_arr_iter_next(&iter)) &&
           keys->count < OB_AUTHKEYS_MAX) {
        ob_slice text = ob_json_get_text(row, "key");
        yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
        status = add_key(keys, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    return status;
}

static ob_status load_keys(edge *self, yyjson_val *rows)
{
    ob_authkeys *stored = ob_authkeys_new(yyjson_arr_size(rows));
    if (!stored)
        return OB_NO_MEMORY;
    ob_status status = read_keys(rows, stored);
    if (status == OB_OK)
        status = edge_auth_set(self, stored);
    ob_authkeys_free(stored);
    return status;
}

static void load_spent(edge *self, yyjson_val *rows, int64_t now_ms)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    while ((row = yyjson_arr_iter_next(&iter))) {
        ob_allowance_row own = {
            .kept = {.day = (int32_t)ob_json_get_i64(row, "day", 0),
                     .month = (int32_t)ob_json_get_i64(row, "month", 0),
                     .micro_usd_day = ob_json_get_i64(row, "micro_usd_day", 0),
                     .micro_usd_month =
                         ob_json_get_i64(row, "micro_usd_month", 0),
                     .last_used_s = ob_json_get_i64(row, "last_used_at", 0)}};
        if (edge_read_hex(ob_json_get_text(row, "hash"), own.hash,
                          sizeof(own.hash)) == OB_OK)
            ob_allowances_hear(&self->allowances, &own, now_ms);
    }
}

ob_status edge_auth_load(edge *self, yyjson_val *results[EDGE_AUTH_RESULTS],
                         int64_t now_ms)
{
    int64_t revision =
        ob_json_get_i64(yyjson_arr_get_first(results[REVISION]), "number", 0);
    ob_status status = OB_OK;
    if (revision > self->auth_revision)
        status = load_keys(self, results[KEYS]);
    if (status != OB_OK)
        return status;
    self->auth_revision = revision;
    load_spent(self, results[SPENT], now_ms);
    return OB_OK;
}

/* ---- what was spent ---- */

static const char spent_sql[] =
    "INSERT INTO allowances (hash, day, month, micro_usd_day, "
    "micro_usd_month, last_used_at) SELECT unhex(value->>0), value->>1, "
    "value->>2, value->>3, value->>4, value->>5 FROM json_each(?1) WHERE true "
    "ON CONFLICT (hash) DO UPDATE SET "
    "micro_usd_day = excluded.micro_usd_day + "
    "iif(day < excluded.day, 0, micro_usd_day), "
    "micro_usd_month = excluded.micro_usd_month + "
    "iif(month < excluded.month, 0, micro_usd_month), "
    "day = max(day, excluded.day), month = max(month, excluded.month), "
    "last_used_at = max(last_used_at, excluded.last_used_at)";

static void write_spent(ob_json *rows, const ob_allowance_row *row)
{
    ob_buffer hash = {0};
    edge_append_hex(&hash,
                    ob_slice_make((const char *)row->hash, sizeof(row->hash)));
    ob_json_open(rows, '[');
    ob_json_string(rows, ob_buffer_slice(&hash));
    ob_json_i64(rows, row->kept.day);
    ob_json_i64(rows, row->kept.month);
    ob_json_i64(rows, row->kept.micro_usd_day);
    ob_json_i64(rows, row->kept.micro_usd_month);
    ob_json_i64(rows, row->kept.last_used_s);
    ob_json_close(rows, ']');
    ob_buffer_deinit(&hash);
}

void edge_auth_writes(edge *self, ob_json *json, int64_t now_ms)
{
    ob_allowance_row rows[SPENT_MAX];
    if (now_ms - self->spent_ms < SPENT_MS)
        return;
    size_t count = ob_allowances_tell(&self->allowances, rows, SPENT_MAX);
    if (!count)
        return;
    ob_buffer text = {0};
    ob_json list = {.out = &text};
    ob_json_open(&list, '[');
    for (size_t i = 0; i < count; i++)
        write_spent(&list, &rows[i]);
    ob_json_close(&list, ']');
    edge_statement_rows(json, spent_sql, &text);
    ob_buffer_deinit(&text);
    self->spent_ms = now_ms;
}
