/*
 * import_others.c - tables of other programs: gpt-load, one-api and new-api,
 * gemini-balance. Their providers are told by URLs.
 */
#include <stdio.h>
#include <yyjson.h>

#include "../core/authkey.h"
#include "import_sql.h"

/* ------------------------------------------------------- gpt-load */

/* Source: gpt-load, internal/models/types.go (APIKey, Group), versions 1.x. */
#define GPT_LOAD                                                               \
    "SELECT k.*, g.upstreams AS group_upstreams, g.name AS group_name, "       \
    "strftime('%s', k.created_at) AS created_s "                               \
    "FROM api_keys AS k LEFT JOIN \"groups\" AS g ON g.id = k.group_id "       \
    "ORDER BY k.id"

static bool is_hex(ob_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ob_lower(text.ptr[i]);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text.len % 2 == 0;
}

/*
 * With an ENCRYPTION_KEY a value is the hexadecimal text of a nonce, the
 * ciphertext and a tag (12 and 16 bytes). Keys of providers may look so too;
 * key_hash is the plain SHA-256 of those in clear.
 * Source: gpt-load, internal/encryption/encryption.go.
 */
static bool is_encrypted(ob_slice value, ob_slice hash)
{
    uint8_t sum[OB_AUTHKEY_HASH_SIZE];
    char text[2 * sizeof(sum) + 1];
    if (value.len <= 2 * (12 + 16) || !is_hex(value))
        return false;
    ob_sha256(value, sum);
    for (size_t i = 0; i < sizeof(sum); i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    return !ob_slice_eq_nocase(hash, ob_slice_str(text));
}

/* The first of [{"url": "https://…", "weight": 1}, …]. */
static yyjson_doc *read_upstream(ob_slice json, ob_import_row *row)
{
    yyjson_doc *doc = yyjson_read(json.ptr, json.len, 0);
    yyjson_val *url =
        yyjson_obj_get(yyjson_arr_get_first(yyjson_doc_get_root(doc)), "url");
    row->url = yyjson_is_str(url)
                   ? ob_slice_make(yyjson_get_str(url), yyjson_get_len(url))
                   : OB_S("");
    /* A row of a group that is gone has none, and is refused as it is. */
    if (!row->url.len)
        row->url = OB_S("none");
    return doc;
}

static void read_gpt_load_columns(sqlite3_stmt *rows, ob_import_row *row)
{
    ob_slice status =
        ob_import_column_text(rows, ob_import_column(rows, "status"));
    row->key = ob_import_column_text(rows, ob_import_column(rows, "key_value"));
    row->remark = ob_import_column_text(rows, ob_import_column(rows, "notes"));
    if (!row->remark.len)
        row->remark =
            ob_import_column_text(rows, ob_import_column(rows, "group_name"));
    row->status =
        ob_slice_eq(status, OB_S("invalid")) ? OB_S("blocked") : status;
    row->created_at =
        ob_import_column_number(rows, ob_import_column(rows, "created_s"));
}

static ob_status read_gpt_load(ob_importer *importer, sqlite3_stmt *rows,
                               size_t number, void *context)
{
    ob_import_row row;
    ob_import_row_init(&row, number);
    read_gpt_load_columns(rows, &row);
    if (is_encrypted(row.key, ob_import_column_text(
                                  rows, ob_import_column(rows, "key_hash"))))
        return ob_store_fail(importer->error, OB_INVALID,
                             "its keys are encrypted under gpt-load's "
                             "ENCRYPTION_KEY: import the list that gpt-load "
                             "exports of each group (keys-GROUP-all.txt)");
    yyjson_doc *doc = read_upstream(
        ob_import_column_text(rows, ob_import_column(rows, "group_upstreams")),
        &row);
    ob_status status = ob_import_add(importer, &row);
    yyjson_doc_free(doc);
    return status;
}

ob_status ob_import_gpt_load(ob_importer *importer, sqlite3 *db)
{
    importer->result->read_as = "gpt-load's database";
    ob_import_left_out(importer, "its groups, proxy keys and counters");
    return ob_import_rows(importer, db, GPT_LOAD, read_gpt_load, NULL);
}

/* ------------------------------------------------------- one-api, new-api */

/*
 * Where a channel without a base_url goes. Beyond 25 the two programs count
 * differently; types whose key is more than a token (Azure, AWS, Vertex AI) and
 * relays have no entry.
 * Sources: one-api, relay/channeltype/define.go and url.go; new-api,
 * constant/channel.go.
 */
typedef struct channel_type {
    int64_t one_api; /* 0: it has none */
    int64_t new_api;
    const char *url;
} channel_type;

static const channel_type types[] = {
    {1, 1, "https://api.openai.com"},
    {14, 14, "https://api.anthropic.com"},
    {16, 16, "https://open.bigmodel.cn"},
    {17, 17, "https://dashscope.aliyuncs.com"},
    {20, 20, "https://openrouter.ai"},
    {24, 24, "https://generativelanguage.googleapis.com"},
    {25, 25, "https://api.moonshot.cn"},
    {0, 27, "https://api.perplexity.ai"},
    {28, 42, "https://api.mistral.ai"},
    {29, 0, "https://api.groq.com"},
    {35, 34, "https://api.cohere.com"},
    {36, 43, "https://api.deepseek.com"},
    {0, 40, "https://api.siliconflow.cn"},
    {0, 48, "https://api.x.ai"},
    {0, 56, "https://api.replicate.com"},
};

static ob_slice url_of_type(int64_t type, bool new_api)
{
    for (size_t i = 0; i < OB_LEN(types); i++)
        if (type && type == (new_api ? types[i].new_api : types[i].one_api))
            return ob_slice_str(types[i].url);
    return OB_S("");
}

/* A status of theirs: 1 enabled, 2 disabled by a person, 3 by the program. */
static void set_status(ob_import_row *row, int64_t status)
{
    row->status = status == 1 ? OB_S("active") : OB_S("blocked");
    row->blocked_reason = status == 2 ? OB_S("by_hand") : OB_S("");
}

/* A channel of several keys says of each what became of it:
 * {"is_multi_key":true,"multi_key_status_list":{"3":2}}, counted from 0.
 * Source: new-api, model/channel.go, ChannelInfo. */
static int64_t status_of_part(yyjson_val *info, size_t index, int64_t whole)
{
    char name[24];
    snprintf(name, sizeof(name), "%zu", index);
    yyjson_val *status =
        yyjson_obj_get(yyjson_obj_get(info, "multi_key_status_list"), name);
    return whole == 1 && yyjson_is_int(status) ? yyjson_get_sint(status)
                                               : whole;
}

static ob_status add_parts(ob_importer *importer, ob_import_row *row,
                           int64_t whole, ob_slice channel_info)
{
    yyjson_doc *doc = yyjson_read(channel_info.ptr, channel_info.len, 0);
    yyjson_val *info = yyjson_doc_get_root(doc);
    ob_slice rest = ob_slice_trim(row->key);
    ob_status status = OB_OK;
    for (size_t i = 0; rest.ptr && status == OB_OK; i++) {
        row->key = ob_slice_trim(ob_slice_cut(&rest, '\n'));
        if (!row->key.len)
            continue;
        set_status(row, status_of_part(info, i, whole));
        status = ob_import_add(importer, row);
    }
    yyjson_doc_free(doc);
    return status;
}

static ob_slice text_of(sqlite3_stmt *rows, const char *name)
{
    return ob_import_column_text(rows, ob_import_column(rows, name));
}

static int64_t number_of(sqlite3_stmt *rows, const char *name)
{
    int column = ob_import_column(rows, name);
    return column < 0 ? 0 : sqlite3_column_int64(rows, column);
}

static ob_status read_channel(ob_importer *importer, sqlite3_stmt *rows,
                              size_t number, void *context)
{
    const bool *new_api = context;
    char why[96];
    ob_import_row row;
    ob_import_row_init(&row, number);
    row.key = text_of(rows, "key");
    row.remark = text_of(rows, "remark");
    if (!row.remark.len)
        row.remark = text_of(rows, "name");
    row.created_at =
        ob_import_column_number(rows, ob_import_column(rows, "created_time"));
    row.url = ob_slice_trim(text_of(rows, "base_url"));
    int64_t type = number_of(rows, "type");
    if (!row.url.len)
        row.url = url_of_type(type, *new_api);
    if (!row.url.len) {
        snprintf(why, sizeof(why),
                 "channels of type %lld are not taken over: no provider here "
                 "is like them",
                 (long long)type);
        ob_import_refuse(importer, number, row.key, why);
        return OB_OK;
    }
    ob_import_order(importer, &row, number_of(rows, "priority"),
                    number_of(rows, "weight"));
    return add_parts(importer, &row, number_of(rows, "status"),
                     text_of(rows, "channel_info"));
}

ob_status ob_import_channels(ob_importer *importer, sqlite3 *db)
{
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(db, "SELECT * FROM channels", -1, &rows, NULL) !=
        SQLITE_OK)
        return ob_store_fail(importer->error, OB_INVALID,
                             "the table `channels` cannot be read");
    bool known = ob_import_column(rows, "key") >= 0 &&
                 ob_import_column(rows, "type") >= 0 &&
                 ob_import_column(rows, "status") >= 0;
    /* Only new-api has it. */
    bool new_api = ob_import_column(rows, "auto_ban") >= 0;
    sqlite3_finalize(rows);
    if (!known)
        return ob_store_fail(importer->error, OB_INVALID,
                             "the table `channels` is not that of one-api or "
                             "new-api: it lacks key, type or status");
    importer->result->read_as =
        new_api ? "new-api's database" : "one-api's database";
    ob_import_left_out(importer,
                       "users, tokens, groups, models and model mappings of "
                       "its channels");
    return ob_import_rows(importer, db, "SELECT * FROM channels ORDER BY id",
                          read_channel, &new_api);
}

/* ------------------------------------------------------- gemini-balance */

static ob_status read_setting(ob_importer *importer, sqlite3_stmt *rows,
                              size_t number, void *context)
{
    return ob_import_setting(importer, ob_sql_slice(rows, 0),
                             ob_sql_slice(rows, 1), context);
}

/* Source: gemini-balance, app/database/models.py, Settings. */
ob_status ob_import_gemini_balance(ob_importer *importer, sqlite3 *db)
{
    size_t number = 0;
    importer->result->read_as = "gemini-balance's database";
    return ob_import_rows(importer, db,
                          "SELECT \"key\", value FROM t_settings ORDER BY id",
                          read_setting, &number);
}
