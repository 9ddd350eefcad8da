/* link.c - receives a provider's answer over a link. */
#include "../core/websocket.h"
#include "origin.h"

#define RESPONSE_HEAD_BYTES_MAX ((size_t)128 * 1024)

/* ---- receiving ---- */

/* The answer is whole: the link is kept where that is safe. */
static void finish(ob_link *link, bool leftover)
{
    ob_attempt *attempt = link->attempt;
    bool keep = link->keep_alive && !leftover && !link->paused &&
                attempt->sent == attempt->total && !link->write_failed &&
                !ob_socket_pending(&link->socket);
    link->attempt = NULL;
    attempt->link = NULL;
    if (keep) {
        link->reused = true;
        ob_origin_keep(link->origin, link);
    } else {
        ob_link_close(link);
    }
    ob_attempt_release(attempt);
    attempt->events->end(attempt);
}

/* False: the attempt has been taken away from the link. */
static bool give_body(ob_link *link, char *bytes, size_t len)
{
    ob_attempt *attempt = link->attempt;
    if (!len)
        return true;
    if (attempt->progressed)
        ob_deadline_set(attempt->loop, &attempt->deadline,
                        attempt->timeouts.idle_ms);
    attempt->events->body(attempt, bytes, len);
    return link->attempt == attempt && attempt->active;
}

/* Leaves out what `connection` names: it was meant for this hop alone. */
static size_t drop_hop_fields(ob_header *fields, size_t count)
{
    ob_slice list = ob_headers_get(fields, count, OB_S("connection"));
    size_t kept = 0;
    if (!list.ptr || ob_slice_eq_nocase(list, OB_S("keep-alive")) ||
        ob_slice_eq_nocase(list, OB_S("close")))
        return count;
    for (size_t i = 0; i < count; i++)
        if (!ob_slice_lists(list, fields[i].name))
            fields[kept++] = fields[i];
    return kept;
}

static bool give_head(ob_link *link, const char *base)
{
    ob_attempt *attempt = link->attempt;
    ob_head *head = link->parse.head;
    ob_header fields[OB_HEADERS_MAX];
    link->parse.head = NULL;
    link->head_done = true;
    link->framing = head->framing;
    link->body_left = head->content_length;
    link->keep_alive = link->keep_alive && head->keep_alive;
    ob_head_fields(head, base, fields);
    size_t count = drop_hop_fields(fields, head->count);
    attempt->events->head(attempt, head, fields, count);
    ob_loop_give_head(link->loop, head);
    return link->attempt == attempt && attempt->active;
}

/* Is the 101 what the attempt has asked for? */
static bool may_switch(const ob_link *link, const char *base)
{
    const ob_attempt *attempt = link->attempt;
    const ob_head *head = link->parse.head;
    ob_header fields[OB_HEADERS_MAX];
    if (!attempt->websocket || !head->upgrade || !ob_attempt_is_sent(attempt))
        return false;
    ob_head_fields(head, base, fields);
    return ob_websocket_accepted(fields, head->count);
}

/* Does the head mean what it would mean without a word of another protocol?
 * Who was asked to switch may offer it with a refusal. */
static bool is_understood(const ob_link *link, const char *base)
{
    const ob_head *head = link->parse.head;
    if (head->status == 101)
        return may_switch(link, base);
    return !head->upgrade || link->attempt->websocket;
}

static void keep_partial(ob_link *link, ob_slice input)
{
    ob_buffer_append(&link->in, input);
    link->fed = input.len;
    if (link->in.failed || input.len > RESPONSE_HEAD_BYTES_MAX)
        ob_link_failed(link);
}

/* Returns how many bytes of `input` are done with; 0 stops. */
static size_t receive_head(ob_link *link, ob_slice input)
{
    ob_parse *parse = &link->parse;
    ob_head *head = parse->head;
    size_t used = 0;
    const char *why;
    if (ob_parse_feed(parse, input.ptr, (char *)input.ptr + link->fed,
                      input.len - link->fed, &used, &why) != OB_OK ||
        (head->complete && !is_understood(link, input.ptr))) {
        ob_link_failed(link);
        return 0;
    }
    used += link->fed;
    if (!head->complete) {
        keep_partial(link, input);
        return 0;
    }
    link->fed = 0;
    link->switched = head->status == 101;
    if (link->switched) {
        /* What follows has no frame: as a body up to the end. */
        head->framing = OB_FRAMING_CLOSE;
        link->keep_alive = false;
    } else if (head->status / 100 == 1) {
        /* 100 and 103 are between the provider and us. */
        ob_loop_give_head(link->loop, head);
        parse->head = NULL;
        ob_link_begin_message(link);
        return link->state == OB_LINK_BUSY ? used : 0;
    }
    char *body = parse->body;
    size_t body_len = parse->body_len;
    bool chunked = head->framing == OB_FRAMING_CHUNKED;
    bool none = head->framing == OB_FRAMING_NONE;
    if (!give_head(link, input.ptr))
        return 0;
    if (chunked && !give_body(link, body, body_len))
        return 0;
    if (none || (chunked && parse->message_end)) {
        finish(link, used < input.len);
        return 0;
    }
    return used;
}

static size_t receive_chunked(ob_link *link, ob_slice input)
{
    size_t used = 0;
    const char *why;
    if (ob_parse_feed(&link->parse, NULL, (char *)input.ptr, input.len, &used,
                      &why) != OB_OK) {
        ob_link_failed(link);
        return 0;
    }
    bool end = link->parse.message_end;
    if (!give_body(link, link->parse.body, link->parse.body_len))
        return 0;
    if (end) {
        finish(link, used < input.len);
        return 0;
    }
    return used;
}

static size_t receive_body(ob_link *link, ob_slice input)
{
    if (link->framing == OB_FRAMING_CHUNKED)
        return receive_chunked(link, input);
    if (link->framing == OB_FRAMING_CLOSE)
        return give_body(link, (char *)input.ptr, input.len) ? input.len : 0;
    ob_slice part = ob_slice_head(input, link->body_left);
    link->body_left -= part.len;
    if (!give_body(link, (char *)part.ptr, part.len))
        return 0;
    if (!link->body_left) {
        finish(link, part.len < input.len);
        return 0;
    }
    return part.len;
}

static void receive(ob_link *link, ob_slice input)
{
    while (input.len) {
        size_t used = link->head_done ? receive_body(link, input)
                                      : receive_head(link, input);
        if (!used)
            return;
        input = ob_slice_from(input, used);
    }
    if (link->head_done)
        ob_buffer_deinit(&link->in);
}

static void receive_more(ob_link *link, ob_slice bytes)
{
    if (!ob_buffer_slice(&link->in).len) {
        receive(link, bytes);
        return;
    }
    ob_buffer_append(&link->in, bytes);
    if (link->in.failed) {
        ob_link_failed(link);
        return;
    }
    /* They are taken out first: before receive() returns, the link may serve
     * another attempt. A head that is still not complete is kept anew. */
    ob_buffer in = link->in;
    link->in = (ob_buffer){0};
    receive(link, ob_buffer_slice(&in));
    ob_buffer_deinit(&in);
}

static void read_end(ob_link *link, bool proper)
{
    bool whole = proper && link->head_done &&
                 link->framing == OB_FRAMING_CLOSE && link->attempt;
    if (!whole) {
        ob_link_failed(link);
        return;
    }
    link->keep_alive = false;
    finish(link, false);
}

void ob_link_read(ob_link *link)
{
    ob_loop *loop = link->loop;
    do {
        ssize_t count =
            ob_socket_read(&link->socket, loop->read_buffer, OB_READ_BYTES);
        if (count == OB_SOCKET_AGAIN)
            return;
        /* Nobody asked for what an idle link sends. */
        if (count <= 0 || link->state == OB_LINK_IDLE) {
            read_end(link, count == 0);
            return;
        }
        link->answered = true;
        receive_more(link, ob_slice_make(loop->read_buffer, (size_t)count));
    } while (link->state == OB_LINK_BUSY && !link->paused &&
             ob_socket_pending(&link->socket));
}
