/* load.c - the configuration at the start, and what D1 has. */
#include "edge.h"

#include "../src/core/providers_data.h"
#include "../src/store/seal.h"

/* So long a pool is used before it is looked at again. */
#define LIFE_MS 60000
/* Between tries where D1 does not answer. */
#define AGAIN_MS 5000

/* ---- start ---- */

static void say(edge *self, const char *text)
{
    ob_buffer_clear(&self->told);
    ob_buffer_append_str(&self->told, text);
}

static ob_slice environment(void *context, ob_slice name)
{
    yyjson_val *value = yyjson_obj_getn(context, name.ptr, name.len);
    return yyjson_is_str(value) ? ob_json_text(value) : (ob_slice){NULL, 0};
}

static ob_status read_config(edge *self, yyjson_val *root)
{
    ob_config_error error;
    ob_slice builtin = ob_slice_make((const char *)ob_providers_jsonc,
                                     ob_providers_jsonc_size);
    ob_status status = ob_config_parse(
        ob_json_get_text(root, "config"), builtin, environment,
        ob_json_get(root, "environment"), &self->config, &error);
    if (status == OB_OK)
        return OB_OK;
    say(self, "one-balance.jsonc: ");
    if (status == OB_INVALID && error.line) {
        ob_buffer_append_str(&self->told, "line ");
        ob_buffer_append_u64(&self->told, error.line);
        ob_buffer_append_str(&self->told, ": ");
    }
    ob_buffer_append_str(&self->told, status == OB_INVALID
                                          ? error.message
                                          : ob_status_text(status));
    return status;
}

static ob_status read_authkeys(edge *self, yyjson_val *root)
{
    ob_slice text = ob_json_get_text(root, "auth_key");
    ob_slice slugs[512];
    ob_authkey_error error = {0};
    size_t count = self->config->provider_count;
    for (size_t i = 0; i < count && i < OB_LEN(slugs); i++)
        slugs[i] = self->config->providers[i].slug;
    if (!ob_slice_trim(text).len) {
        say(self, "AUTH_KEY is not set: \"wrangler secret put AUTH_KEY\" "
                  "sets it.");
        return OB_INVALID;
    }
    ob_status status = ob_authkeys_parse(
        text, slugs, count < OB_LEN(slugs) ? count : OB_LEN(slugs),
        &self->environment, &error);
    if (status == OB_OK)
        return edge_auth_set(self, NULL);
    say(self, "AUTH_KEY, at byte ");
    ob_buffer_append_u64(&self->told, error.position);
    ob_buffer_append_str(&self->told, ": ");
    ob_buffer_append_str(&self->told, error.message);
    return status;
}

static uint64_t read_hex(ob_slice digits)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = ob_lower(digits.ptr[i]);
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

static ob_status bind_groups(edge *self)
{
    ob_status status = OB_OK;
    ob_config *config = self->config;
    for (size_t i = 0; i < config->provider_count && status == OB_OK; i++)
        status = ob_pool_group(self->pool, config->providers[i].slug,
                               &config->providers[i].pool_group);
    return status;
}

/* A MASTER_KEY that is none is told of by the shell, which seals with it. */
static void read_master(edge *self, yyjson_val *root)
{
    uint8_t master[OB_MASTER_BYTES];
    ob_slice text =
        ob_json_get_text(ob_json_get(root, "environment"), "MASTER_KEY");
    if (ob_master_parse(text, master) == OB_OK)
        self->sealer = ob_sealer_new(master);
    ob_wipe(master, sizeof(master));
}

const ob_prices *edge_prices(edge *self, const ob_provider *provider)
{
    const ob_config *config = self->config;
    if (!provider)
        return NULL;
    if (!self->prices)
        self->prices = calloc(config->provider_count, sizeof(*self->prices));
    if (!self->prices)
        return NULL;
    ob_prices **prices = &self->prices[provider - config->providers];
    ob_slice all =
        ob_slice_make((const char *)ob_prices_text, ob_prices_text_size);
    if (!*prices &&
        ob_prices_parse(ob_prices_of(all, provider->slug), prices) != OB_OK)
        *prices = NULL;
    return *prices;
}

static void free_prices(edge *self)
{
    for (size_t i = 0; self->prices && i < self->config->provider_count; i++)
        ob_prices_free(self->prices[i]);
    free(self->prices);
}

/* All isolates call a conversation the same. */
static ob_siphash_key affinity_key(yyjson_val *root)
{
    yyjson_val *names = ob_json_get(root, "environment");
    ob_buffer text = {0};
    uint8_t hash[OB_AUTHKEY_HASH_SIZE];
    ob_siphash_key key;
    ob_buffer_append_str(&text, "one-balance affinity 1 ");
    ob_buffer_append(&text,
                     ob_slice_trim(ob_json_get_text(names, "MASTER_KEY")));
    ob_sha256(ob_buffer_slice(&text), hash);
    memcpy(key.words, hash, sizeof(key.words));
    ob_wipe(text.data, text.capacity);
    ob_buffer_deinit(&text);
    return key;
}

static ob_status start(edge *self, yyjson_val *root)
{
    ob_slice seed = ob_json_get_text(root, "seed");
    ob_status status = ob_allowances_init(&self->allowances);
    if (status == OB_OK)
        status = read_config(self, root);
    if (status == OB_OK)
        status = read_authkeys(self, root);
    if (status != OB_OK)
        return status;
    read_master(self, root);
    self->random.words[0] = read_hex(ob_slice_head(seed, 16));
    self->random.words[1] = read_hex(ob_slice_from(seed, 16));
    self->config->affinity_key = affinity_key(root);
    self->saved.slot = (unsigned)(edge_draw(self) % EDGE_SLOTS);
    self->pool = ob_pool_new();
    if (!self->pool)
        return OB_NO_MEMORY;
    /* Without memory there is none: it costs no request. */
    self->log = edge_log_new(self->config);
    return bind_groups(self);
}

ob_status edge_start(edge *self, ob_slice json)
{
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, 0);
    say(self, "The settings of the Worker cannot be read.");
    ob_status status = OB_INVALID;
    if (doc)
        status = start(self, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (status == OB_OK)
        say(self, self->config->keys.revive ? "{\"crons\":[\"" EDGE_CRON "\"]}"
                                            : "{\"crons\":[]}");
    return status;
}

void edge_deinit(edge *self)
{
    while (self->calls)
        edge_close(self, self->calls, 0);
    edge_auth_release(self, self->auth);
    ob_allowances_deinit(&self->allowances);
    ob_authkeys_free(self->environment);
    ob_pool_free(self->pool);
    edge_admin_free(self->admin);
    ob_sealer_free(self->sealer);
    edge_log_free(self->log);
    free_prices(self);
    edge_lists_free(self);
    ob_config_free(self->config);
    ob_buffer_deinit(&self->told);
    ob_buffer_deinit(&self->body);
    *self = (edge){0};
}

/* ---- queries ---- */

int edge_due(edge *self, int64_t now_ms)
{
    if (!self->loaded_ms)
        return 2;
    if (now_ms - self->loaded_ms < LIFE_MS ||
        now_ms - self->tried_ms < AGAIN_MS)
        return 0;
    self->tried_ms = now_ms;
    return 1;
}

/* One query with at most one number. */
static void write_query(ob_json *json, const char *sql, const int64_t *number)
{
    edge_statement(json, sql);
    if (number)
        ob_json_i64(json, *number);
    edge_statement_end(json);
}

enum {
    REVISION,
    KEYS,
    REMOVED,
    RESTS,
    AUTH,
    SAVED = AUTH + EDGE_AUTH_RESULTS,
    RESULTS
};
_Static_assert(RESULTS == EDGE_LOAD_QUERIES, "edge.h tells another number");

/* Members of a key in a text. */
enum {
    KEY_ID,
    KEY_PROVIDER,
    KEY_SEALED,
    KEY_FINGERPRINT,
    KEY_STATUS,
    KEY_BLOCKED_REASON,
    KEY_CREATED_AT,
    KEY_TOTAL_COOLING_MS,
    KEY_PRIORITY,
    KEY_WEIGHT,
    KEY_DECIDED,
    KEY_REMARK,
    KEY_MEMBERS
};

/* Many keys are one text, of which D1 and JavaScript make no objects; not all
 * of them, for D1 gives no text of 2 MB. */
#define KEYS_TEXT                                                              \
    "'[' || group_concat(json_array(id, provider, hex(sealed), "               \
    "hex(fingerprint), status, blocked_reason, created_at, total_cooling_ms, " \
    "priority, weight, decided, remark)) || ']'"

static const char changed_keys_sql[] =
    "SELECT " KEYS_TEXT " AS keys FROM keys WHERE revision > ?1 "
    "GROUP BY id / 128";
/* Grouped, each row would be read, and paid for, twice. */
static const char all_keys_sql[] =
    "WITH RECURSIVE part (first) AS (SELECT min(id) FROM keys UNION ALL "
    "SELECT (SELECT min(id) FROM keys WHERE id >= first + 128) FROM part "
    "WHERE first IS NOT NULL) SELECT (SELECT " KEYS_TEXT " FROM keys "
    "WHERE id BETWEEN first AND first + 127) AS keys FROM part "
    "WHERE first IS NOT NULL";

void edge_load_queries(edge *self, int64_t now_ms)
{
    ob_buffer_clear(&self->told);
    ob_json json = {.out = &self->told};
    ob_json_open(&json, '[');
    write_query(&json, "SELECT number FROM revision", NULL);
    if (self->loaded_ms)
        write_query(&json, changed_keys_sql, &self->revision);
    else
        write_query(&json, all_keys_sql, NULL);
    write_query(&json, "SELECT id FROM removed_keys WHERE revision > ?1",
                &self->revision);
    write_query(&json,
                "SELECT key_id, model, until_ms, reason FROM cooldowns "
                "WHERE until_ms > ?1",
                &now_ms);
    edge_auth_queries(self, &json);
    edge_saved_query(self, &json);
    ob_json_close(&json, ']');
}

/* ---- keys ---- */

static ob_status load_key(edge *self, yyjson_val *row)
{
    ob_buffer sealed = {0};
    ob_key_record record = {
        .id = edge_number_at(row, KEY_ID),
        .sealed = true,
        .remark = edge_text_at(row, KEY_REMARK),
        .status = ob_slice_eq(edge_text_at(row, KEY_STATUS), OB_S("blocked"))
                      ? OB_KEY_BLOCKED
                      : OB_KEY_ACTIVE,
        .blocked_reason =
            ob_reason_from_word(edge_text_at(row, KEY_BLOCKED_REASON)),
        .created_at = edge_number_at(row, KEY_CREATED_AT),
        .total_cooling_ms = edge_number_at(row, KEY_TOTAL_COOLING_MS),
        .priority = (uint8_t)edge_number_at(row, KEY_PRIORITY),
        .weight = (uint8_t)edge_number_at(row, KEY_WEIGHT)};
    ob_status status = ob_pool_group(
        self->pool, edge_text_at(row, KEY_PROVIDER), &record.group);
    if (status != OB_OK)
        return status;
    /* Both are needed to open it. */
    ob_buffer_append(&sealed, edge_text_at(row, KEY_SEALED));
    ob_buffer_append_char(&sealed, ' ');
    ob_buffer_append(&sealed, edge_text_at(row, KEY_FINGERPRINT));
    record.secret = ob_buffer_slice(&sealed);
    status = sealed.failed ? OB_NO_MEMORY : ob_pool_put(self->pool, &record);
    ob_buffer_deinit(&sealed);
    /* A person has decided: rests that were known before are not heeded. */
    if (status == OB_OK && edge_number_at(row, KEY_DECIDED) > self->revision)
        ob_pool_clear_cooldowns(self->pool,
                                ob_pool_find(self->pool, record.id));
    return status;
}

static ob_status load_list(edge *self, yyjson_val *list)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    yyjson_val *row;
    ob_status status = yyjson_is_arr(list) ? OB_OK : OB_INVALID;
    while (status == OB_OK && (row = yyjson_arr_iter_next(&iter)))
        status = yyjson_arr_size(row) == KEY_MEMBERS ? load_key(self, row)
                                                     : OB_INVALID;
    return status;
}

static ob_status load_keys(edge *self, yyjson_val *rows)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    ob_status status = OB_OK;
    while (status == OB_OK && (row = yyjson_arr_iter_next(&iter))) {
        ob_slice text = ob_json_get_text(row, "keys");
        yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
        status = load_list(self, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    return status;
}

static void remove_keys(edge *self, yyjson_val *rows)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    while ((row = yyjson_arr_iter_next(&iter)))
        ob_pool_remove(self->pool, ob_json_get_i64(row, "id", 0));
}

/* What another isolate has learned. A rest that this one knows for longer
 * stays. */
static void load_rest(edge *self, yyjson_val *row, int64_t now_ms)
{
    ob_key *key = ob_pool_find(self->pool, ob_json_get_i64(row, "key_id", 0));
    ob_slice model = ob_json_get_text(row, "model");
    int64_t until_ms = ob_json_get_i64(row, "until_ms", 0);
    if (!key)
        return;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next)
        if (ob_slice_eq(rest->model, model) && rest->until_ms >= until_ms)
            return;
    ob_pool_set_cooldown(self->pool, key, model, until_ms,
                         ob_reason_from_word(ob_json_get_text(row, "reason")),
                         now_ms);
}

static void load_rests(edge *self, yyjson_val *rows, int64_t now_ms)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(rows);
    yyjson_val *row;
    while ((row = yyjson_arr_iter_next(&iter)))
        load_rest(self, row, now_ms);
}

/* The rows of each query. */
static ob_status take_rows(edge *self, yyjson_val *rows[RESULTS],
                           int64_t now_ms)
{
    for (size_t i = 0; i < RESULTS; i++)
        if (!yyjson_is_arr(rows[i]))
            return OB_INVALID;
    yyjson_val *revision = yyjson_arr_get_first(rows[REVISION]);
    if (!revision)
        return OB_INVALID;
    ob_status status = load_keys(self, rows[KEYS]);
    if (status != OB_OK)
        return status;
    remove_keys(self, rows[REMOVED]);
    load_rests(self, rows[RESTS], now_ms);
    status = edge_auth_load(self, &rows[AUTH], now_ms);
    if (status != OB_OK)
        return status;
    if (!self->loaded_ms)
        edge_saved_load(self, rows[SAVED], now_ms);
    self->revision = ob_json_get_i64(revision, "number", self->revision);
    self->loaded_ms = now_ms;
    return OB_OK;
}

/* The rows are the member `rows` of each result. */
static ob_status take_results(edge *self, yyjson_val *results, int64_t now_ms)
{
    yyjson_val *rows[RESULTS];
    if (yyjson_arr_size(results) != RESULTS)
        return OB_INVALID;
    for (size_t i = 0; i < RESULTS; i++)
        rows[i] = yyjson_obj_get(yyjson_arr_get(results, i), "rows");
    return take_rows(self, rows, now_ms);
}

ob_status edge_load_now(edge *self, edge_journal *journal, unsigned what,
                        int64_t now_ms, ob_slice *why)
{
    yyjson_val *results = NULL;
    *why = OB_S("too many statements");
    if (edge_journal_has_done(journal, what))
        return OB_OK;
    edge_load_queries(self, now_ms);
    /* A load behind a write is another one than that before it. */
    if (what == EDGE_HAS_FOLLOWED)
        ob_buffer_append_char(&self->told, ' ');
    ob_status status = edge_ask(journal, EDGE_READ_SQL,
                                ob_buffer_slice(&self->told), &results, why);
    ob_buffer_clear(&self->told);
    if (status != OB_OK)
        return status;
    edge_journal_note_done(journal, what);
    *why = OB_S("its tables are not as expected");
    return take_results(self, results, now_ms);
}

static ob_status take_all(edge *self, yyjson_val *root, int64_t now_ms)
{
    yyjson_val *rows[RESULTS];
    if (yyjson_arr_size(root) != RESULTS)
        return OB_INVALID;
    for (size_t i = 0; i < RESULTS; i++)
        rows[i] = yyjson_arr_get(root, i);
    return take_rows(self, rows, now_ms);
}

ob_status edge_load(edge *self, ob_slice json, int64_t now_ms)
{
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, 0);
    ob_status status = take_all(self, yyjson_doc_get_root(doc), now_ms);
    yyjson_doc_free(doc);
    return status;
}
