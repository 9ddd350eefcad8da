/* call_answer.c - the gateway's own answers: what it says itself, and what
 * handlers say, which are run again until they have all (journal.h). */
#include "call_inside.h"

/* ---- telling ---- */

void edge_tell_begin(edge *self, ob_json *json)
{
    ob_buffer_clear(&self->told);
    ob_buffer_clear(&self->body);
    *json = (ob_json){.out = &self->told};
    ob_json_open(json, '{');
}

void edge_wipe_told(edge *self)
{
    if (self->told.data)
        ob_wipe(self->told.data, self->told.capacity);
    ob_buffer_clear(&self->told);
}

void edge_tell_head(const edge_call *call, ob_json *json, int status,
                    const ob_header *headers, size_t count, bool cors)
{
    ob_header more[OB_CORS_HEADERS_MAX];
    ob_header id = {OB_S("x-request-id"), edge_call_id(call)};
    ob_json_member_i64(json, "status", status);
    ob_json_name(json, "headers");
    ob_json_open(json, '[');
    edge_write_headers(json, headers, count);
    if (cors)
        edge_write_headers(
            json, more,
            ob_cors_headers(call->call.headers, call->call.header_count, more));
    edge_write_headers(json, &id, 1);
    ob_json_close(json, ']');
}

void edge_tell_answer(edge *self, edge_call *call, int status,
                      const ob_header *headers, size_t count, ob_slice body)
{
    ob_json json;
    edge_tell_begin(self, &json);
    edge_tell_head(call, &json, status, headers, count, false);
    ob_json_close(&json, '}');
    ob_buffer_append(&self->body, body);
    call->over = true;
}

edge_do edge_tell_reply(edge *self, edge_call *call, ob_reply *reply)
{
    edge_tell_answer(self, call, reply->status, reply->headers,
                     reply->header_count, ob_buffer_slice(&reply->body));
    ob_reply_deinit(reply);
    /* What a relay says of it goes before. */
    edge_call_log(self, call, reply->status,
                  call->running ? OB_FAULT_NONE
                                : ob_fault_of_status(reply->status),
                  (ob_slice){NULL, 0}, call->moved_ms);
    return EDGE_ANSWER;
}

edge_do edge_refuse(edge *self, edge_call *call, int status, ob_dialect dialect,
                    ob_slice message, int64_t retry_after_s)
{
    ob_reply reply = {0};
    ob_service_refuse(&call->call, status, dialect, message, retry_after_s,
                      edge_call_id(call), &reply);
    return edge_tell_reply(self, call, &reply);
}

/* ---- handlers ---- */

/* A fault of ours: no request brings it about. */
static edge_do give_up(edge *self, edge_call *call, const char *why)
{
    return edge_refuse(self, call, 500, OB_DIALECT_NONE, ob_slice_str(why), 0);
}

static edge_do run(edge *self, edge_call *call)
{
    edge_wipe_told(self);
    call->over = false;
    if (edge_journal_begin(call->journal) != OB_OK)
        return give_up(self, call, "The gateway asked for too much.");
    call->handler(self, call);
    edge_journal_running = NULL;
    if (edge_journal_waits(call->journal)) {
        ob_json json;
        call->over = false;
        edge_tell_begin(self, &json);
        ob_json_name(&json, "asked");
        edge_journal_tell(call->journal, &self->told);
        ob_buffer_append_char(&self->told, '}');
        return EDGE_ASK;
    }
    return call->over ? EDGE_ANSWER
                      : give_up(self, call, "The gateway had no answer.");
}

edge_do edge_handle(edge *self, edge_call *call, edge_handler handler)
{
    uint8_t seed[EDGE_SEED_BYTES];
    edge_draw_seed(self, seed);
    call->handler = handler;
    call->journal = edge_journal_new(seed);
    ob_wipe(seed, sizeof(seed));
    if (!call->journal)
        return give_up(self, call, "The gateway is out of memory.");
    return run(self, call);
}

edge_do edge_results(edge *self, edge_call *call, ob_slice json, int64_t now_ms)
{
    call->moved_ms = now_ms;
    if (edge_journal_take(call->journal, json) != OB_OK)
        return give_up(self, call, "The gateway was answered strangely.");
    return run(self, call);
}
