/* ask.c - what is asked of providers, as it is told; a call of the gateway's
 * own, by the journal. */
#include "edge.h"

/* More than a request without a body takes. */
#define REQUEST_ROOM ((size_t)64 * 1024)
#define HEADERS_MAX  64

void edge_write_headers(ob_json *json, const ob_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ob_json_open(json, '[');
        ob_json_string(json, headers[i].name);
        ob_json_string(json, headers[i].value);
        ob_json_close(json, ']');
    }
}

/* The key may stand in the URL. */
void edge_write_request(ob_json *json, const ob_upstream_request *request)
{
    ob_buffer url = {0};
    ob_buffer_append_str(&url, request->tls ? "https://" : "http://");
    ob_buffer_append(&url, request->authority);
    ob_buffer_append(&url, request->target);
    ob_json_member(json, "url", ob_buffer_slice(&url));
    ob_json_member(json, "method", request->method);
    ob_json_name(json, "headers");
    ob_json_open(json, '[');
    edge_write_headers(json, request->headers, request->header_count);
    ob_json_close(json, ']');
    if (url.data)
        ob_wipe(url.data, url.capacity);
    ob_buffer_deinit(&url);
}

static void write_question(ob_buffer *out, const ob_upstream_request *request,
                           const edge_question *question)
{
    ob_json json = {.out = out};
    ob_json_open(&json, '{');
    edge_write_request(&json, request);
    ob_json_member_i64(&json, "ms", question->ms_max);
    ob_json_member_i64(&json, "bytes_max", (int64_t)question->bytes_max);
    ob_json_close(&json, '}');
}

static ob_status fetch(const ob_upstream_request *request,
                       const edge_question *question, yyjson_val **answer,
                       ob_slice *why)
{
    ob_buffer text = {0};
    /* All at once: what is reallocated on the way is not wiped. */
    if (ob_buffer_reserve(&text, REQUEST_ROOM))
        return OB_NO_MEMORY;
    write_question(&text, request, question);
    ob_status status = edge_ask(edge_journal_running, EDGE_FETCH,
                                ob_buffer_slice(&text), answer, why);
    ob_wipe(text.data, text.capacity);
    ob_buffer_deinit(&text);
    return status;
}

static void judge(const edge_question *question, yyjson_val *answer,
                  edge_said *said)
{
    ob_header headers[HEADERS_MAX];
    size_t count = 0;
    yyjson_val *pair;
    yyjson_arr_iter iter = yyjson_arr_iter_with(ob_json_get(answer, "headers"));
    while (count < HEADERS_MAX && (pair = yyjson_arr_iter_next(&iter)))
        headers[count++] = (ob_header){ob_json_text(yyjson_arr_get(pair, 0)),
                                       ob_json_text(yyjson_arr_get(pair, 1))};
    said->status = (int)ob_json_get_i64(answer, "status", 0);
    said->body = ob_json_get_text(answer, "body");
    said->verdict = ob_probe_judge(question->provider, said->status, headers,
                                   count, said->body, question->now_ms);
}

ob_status edge_ask_provider(const edge_question *question, ob_arena *arena,
                            edge_said *said)
{
    ob_upstream_request request;
    yyjson_val *answer = NULL;
    ob_slice why = {NULL, 0};
    *said = (edge_said){0};
    ob_status status =
        ob_probe_request(question->config, question->provider, question->query,
                         &question->key->secret, arena, &request);
    if (status == OB_OK)
        status = fetch(&request, question, &answer, &why);
    if (status == OB_OK)
        judge(question, answer, said);
    if (status != OB_IO)
        return status;
    bool late = ob_slice_find_nocase(why, OB_S("timeout")) != OB_NOWHERE;
    said->verdict =
        ob_probe_failed(late ? OB_REASON_SILENT : OB_REASON_UNREACHABLE);
    return OB_OK;
}

ob_status edge_probe(edge *self, int64_t key_id, int64_t now_ms,
                     edge_said *said)
{
    ob_arena arena;
    const ob_key *key = ob_pool_find(self->pool, key_id);
    const ob_provider *provider =
        key ? ob_config_provider(self->config,
                                 ob_pool_group_slug(self->pool, key->group))
            : NULL;
    if (!provider)
        return OB_NOT_FOUND;
    if (key->sealed)
        return edge_journal_waits(edge_journal_running) ? OB_AGAIN : OB_IO;
    ob_arena_init(&arena, 0);
    const edge_question question = {.config = self->config,
                                    .provider = provider,
                                    .key = key,
                                    .ms_max =
                                        self->config->timeouts.first_byte_ms,
                                    .bytes_max = OB_PROBE_BODY_BYTES_MAX,
                                    .now_ms = now_ms};
    ob_status status = edge_ask_provider(&question, &arena, said);
    ob_arena_deinit(&arena);
    return status;
}
