/* call_relay.c - the relay's steps of a request, and what follows a committed
 * head. */
#include "call_inside.h"

#include "../src/core/dialect/error.h"

/* ---- what the relay decides ---- */

/* Is the body the caller's, whole and as it came? Then it need not be copied
 * out. */
static bool is_same_body(const edge_call *call)
{
    const ob_slice *parts = call->room.body;
    return parts[0].ptr == call->call.body.ptr &&
           parts[0].len == call->call.body.len && !parts[1].len &&
           !parts[2].len;
}

static edge_do send(edge *self, edge_call *call)
{
    const ob_upstream_request *request = &call->room;
    ob_json json;
    edge_tell_begin(self, &json);
    edge_write_request(&json, request);
    ob_json_member_i64(&json, "ms", self->config->timeouts.first_byte_ms);
    ob_json_name(&json, "same");
    ob_json_bool(&json, is_same_body(call));
    ob_json_close(&json, '}');
    for (size_t i = 0; !is_same_body(call) && i < OB_LEN(request->body); i++)
        ob_buffer_append(&self->body, request->body[i]);
    return EDGE_SEND;
}

/* The key as load.c keeps it: "<sealed> <fingerprint>". */
static edge_do open_key(edge *self, edge_call *call,
                        const ob_relay_action *action)
{
    const ob_key *key = ob_pool_find(self->pool, action->key_id);
    ob_slice fingerprint = action->body;
    ob_slice sealed = ob_slice_cut(&fingerprint, ' ');
    ob_json json;
    edge_tell_begin(self, &json);
    ob_json_member(&json, "provider",
                   ob_pool_group_slug(self->pool, key->group));
    ob_json_member(&json, "sealed", sealed);
    ob_json_member(&json, "fingerprint", fingerprint);
    ob_json_close(&json, '}');
    return EDGE_OPEN;
}

static void write_masked(edge *self, edge_call *call)
{
    ob_slice bytes;
    while (ob_mask_take(&call->mask, &bytes)) {
        ob_buffer_append(&self->body, bytes);
        call->bytes_out += bytes.len;
    }
}

/* Must the core see what follows? It masks the key in texts, and says at their
 * end that it is none; the rest, sounds and images, costs less untouched. */
static bool sees(const edge_call *call)
{
    const ob_relay *relay = &call->relay;
    return relay->translates || relay->watched || relay->is_stream ||
           relay->is_json || (call->is_text && call->length < 0);
}

static edge_do answer(edge *self, edge_call *call,
                      const ob_relay_action *action)
{
    bool commits = action->what == OB_DO_COMMIT;
    ob_json json;
    edge_tell_begin(self, &json);
    edge_tell_head(call, &json, action->status, action->headers,
                   action->header_count, true);
    if (call->relay.translates)
        call->length = -1;
    call->seen = sees(call);
    ob_json_name(&json, "seen");
    ob_json_bool(&json, call->seen);
    if (call->length >= 0)
        ob_json_member_i64(&json, "length", call->length);
    ob_json_close(&json, '}');
    call->committed = commits;
    call->over = !commits;
    call->status = action->status;
    if (!commits) {
        edge_call_log(self, call, action->status, OB_FAULT_NONE, action->body,
                      call->moved_ms);
        ob_buffer_append(&self->body, action->body);
        return EDGE_ANSWER;
    }
    call->mask = (ob_mask){.secret = call->relay.secret};
    ob_mask_feed(&call->mask, (char *)action->body.ptr, action->body.len);
    write_masked(self, call);
    /* What is held back would come behind what passes untouched. */
    if (!call->seen) {
        ob_mask_end(&call->mask);
        write_masked(self, call);
    }
    ob_relay_drop_held(&call->relay);
    return EDGE_COMMIT;
}

static edge_do wait_for(edge *self, int64_t wake_at_ms, int64_t now_ms)
{
    ob_json json;
    int64_t ms = wake_at_ms - now_ms;
    edge_tell_begin(self, &json);
    ob_json_member_i64(&json, "ms", ms > 0 ? ms : 1);
    ob_json_close(&json, '}');
    return EDGE_WAIT;
}

edge_do edge_perform(edge *self, edge_call *call, const ob_relay_action *action,
                     int64_t now_ms)
{
    call->moved_ms = now_ms;
    switch (action->what) {
    case OB_DO_READ:
        break;
    case OB_DO_SEND:
        return send(self, call);
    case OB_DO_OPEN:
        return open_key(self, call, action);
    case OB_DO_WAIT:
        return wait_for(self, action->wake_at_ms, now_ms);
    case OB_DO_COMMIT:
        return answer(self, call, action);
    case OB_DO_DELIVER:
        edge_call_account(self, call, now_ms);
        return answer(self, call, action);
    case OB_DO_REJECT:
        edge_call_account(self, call, now_ms);
        return edge_refuse(self, call, action->status,
                           call->relay.route.dialect, action->message,
                           action->retry_after_s);
    }
    return EDGE_READ;
}

#define STEP(step)                                                             \
    do {                                                                       \
        ob_relay_action action;                                                \
        step;                                                                  \
        return edge_perform(self, call, &action, now_ms);                      \
    } while (0)

edge_do edge_wake(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_wake(&call->relay, self->pool, now_ms, &call->room, &action));
}

edge_do edge_opened(edge *self, edge_call *call, ob_slice secret,
                    int64_t now_ms)
{
    if (secret.len &&
        ob_pool_open(self->pool, call->relay.key_id, secret) != OB_OK)
        return edge_refuse(self, call, 503, call->relay.route.dialect,
                           OB_S("The gateway is out of memory."), 0);
    STEP(ob_relay_opened(&call->relay, self->pool, now_ms, &call->room,
                         &action));
}

#define HEADERS_MAX 128
/* JavaScript's numbers are whole up to there. */
#define LENGTH_MAX ((uint64_t)1 << 53)

/* By what the caller knows whether it has all of the answer. The length of a
 * packed one is another one: the shell unpacks it. */
static void note_body(edge_call *call, const ob_header *headers, size_t count)
{
    ob_slice length = ob_headers_get(headers, count, OB_S("content-length"));
    ob_slice type = ob_headers_get(headers, count, OB_S("content-type"));
    ob_slice packed = ob_headers_get(headers, count, OB_S("content-encoding"));
    uint64_t bytes = 0;
    bool told = length.ptr && !packed.len &&
                ob_slice_u64(length, &bytes) == OB_OK && bytes < LENGTH_MAX;
    call->length = told ? (int64_t)bytes : -1;
    call->is_text = ob_slice_starts_nocase(type, OB_S("text/")) ||
                    ob_slice_find_nocase(type, OB_S("json")) != OB_NOWHERE;
}

edge_do edge_head(edge *self, edge_call *call, int status, ob_slice text,
                  int64_t now_ms)
{
    ob_header headers[HEADERS_MAX];
    ob_relay_action action;
    yyjson_doc *doc = yyjson_read(text.ptr, text.len, 0);
    size_t count =
        edge_read_headers(yyjson_doc_get_root(doc), headers, HEADERS_MAX);
    note_body(call, headers, count);
    if (status == 101)
        ob_relay_switched(&call->relay, self->pool, headers, count, now_ms,
                          &call->room, &action);
    else
        ob_relay_head(&call->relay, self->pool, status, headers, count, true,
                      now_ms, &call->room, &action);
    yyjson_doc_free(doc);
    return edge_perform(self, call, &action, now_ms);
}

edge_do edge_body(edge *self, edge_call *call, ob_slice bytes, int64_t now_ms)
{
    STEP(ob_relay_body(&call->relay, self->pool, bytes, now_ms, &call->room,
                       &action));
}

edge_do edge_end(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_end(&call->relay, self->pool, now_ms, &call->room, &action));
}

edge_do edge_failed(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_failed(&call->relay, self->pool, OB_FAILURE_CUT, now_ms,
                         &call->room, &action));
}

edge_do edge_late(edge *self, edge_call *call, int64_t now_ms)
{
    STEP(ob_relay_late(&call->relay, self->pool, now_ms, &call->room, &action));
}

/* ---- after the commit ---- */

static void mask(edge *self, edge_call *call, ob_slice bytes)
{
    ob_mask_feed(&call->mask, (char *)bytes.ptr, bytes.len);
    write_masked(self, call);
}

void edge_pass(edge *self, edge_call *call, ob_slice bytes)
{
    ob_buffer_clear(&self->body);
    ob_relay_passed(&call->relay, bytes);
    mask(self, call, ob_relay_translate(&call->relay, bytes));
}

/* The provider broke off. An answer with a length tells that by itself, and
 * words would stand for bytes of it. Another one ends in workerd as if it were
 * whole, however it is given up, so its text must not look so. */
static void tell_cut(edge *self, edge_call *call)
{
    static const ob_slice why =
        OB_S_INIT("The provider broke off its answer: it is not complete.");
    ob_dialect dialect = call->relay.route.dialect;
    if (call->length >= 0)
        return;
    if (call->relay.is_stream) {
        ob_error_write_event(&self->body, dialect, 502, why,
                             edge_call_id(call));
    } else if (call->seen) {
        ob_buffer_append_char(&self->body, '\n');
        ob_error_write(&self->body, dialect, 502, why, edge_call_id(call));
        ob_buffer_append_char(&self->body, '\n');
    }
}

bool edge_finish(edge *self, edge_call *call, bool whole, int64_t now_ms)
{
    ob_buffer_clear(&self->body);
    if (call->over)
        return whole;
    call->over = true;
    bool broke = !whole;
    if (whole)
        mask(self, call, ob_relay_translate_end(&call->relay, &whole));
    ob_mask_end(&call->mask);
    write_masked(self, call);
    if (broke)
        tell_cut(self, call);
    if (whole && !call->seen && call->length >= 0)
        call->bytes_out = (uint64_t)call->length;
    ob_relay_finish(&call->relay, self->pool, now_ms);
    edge_call_log(self, call, call->status,
                  whole ? OB_FAULT_NONE : OB_FAULT_CUT, (ob_slice){NULL, 0},
                  now_ms);
    edge_call_account(self, call, now_ms);
    return whole;
}
