#include "head.h"

static ob_parse *self(llhttp_t *parser)
{
    return parser->data;
}

/* Extends the span (at, len), which begins where nothing is yet. */
static void extend(ob_head *head, uint32_t *at, uint32_t *len,
                   const char *bytes, size_t length)
{
    uint32_t offset = (uint32_t)(bytes - head->base);
    if (*len == 0)
        *at = offset;
    else if (*at + *len != offset)
        head->broken = true;
    *len += (uint32_t)length;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    ob_head *head = self(parser)->head;
    extend(head, &head->target_at, &head->target_len, at, len);
    return 0;
}

/* NULL for trailers, which are dropped, and for fields over the limit. */
static ob_head_field *field(llhttp_t *parser)
{
    ob_head *head = self(parser)->head;
    if (!head || head->complete)
        return NULL;
    if (head->count == OB_HEADERS_MAX) {
        head->broken = true;
        return NULL;
    }
    return &head->fields[head->count];
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    ob_head_field *f = field(parser);
    if (f)
        extend(self(parser)->head, &f->name_at, &f->name_len, at, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    ob_head_field *f = field(parser);
    if (f)
        extend(self(parser)->head, &f->value_at, &f->value_len, at, len);
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    ob_head *head = self(parser)->head;
    if (!field(parser))
        return 0;
    head->count++;
    if (head->count < OB_HEADERS_MAX)
        head->fields[head->count] = (ob_head_field){0};
    return 0;
}

/* 1xx, 204, 304 and answers to HEAD have no body, whatever they say. */
static bool is_bodiless(const ob_parse *parse)
{
    uint16_t status = parse->parser.status_code;
    return parse->no_body || status / 100 == 1 || status == 204 ||
           status == 304;
}

static ob_framing framing_of(ob_parse *parse)
{
    llhttp_t *parser = &parse->parser;
    if (parser->type == HTTP_RESPONSE && is_bodiless(parse))
        return OB_FRAMING_NONE;
    if (parser->flags & F_CHUNKED)
        return OB_FRAMING_CHUNKED;
    if (parser->flags & F_CONTENT_LENGTH)
        return parser->content_length ? OB_FRAMING_LENGTH : OB_FRAMING_NONE;
    return parser->type == HTTP_REQUEST ? OB_FRAMING_NONE : OB_FRAMING_CLOSE;
}

static int on_headers_complete(llhttp_t *parser)
{
    ob_parse *parse = self(parser);
    ob_head *head = parse->head;
    head->complete = true;
    head->minor = parser->http_minor;
    head->method = parser->method;
    head->status = parser->status_code;
    head->upgrade = parser->upgrade;
    /* Or the parser would take a body for the other protocol's bytes. */
    parser->upgrade = 0;
    head->keep_alive = llhttp_should_keep_alive(parser);
    head->framing = framing_of(parse);
    head->content_length = parser->content_length;
    if (parser->http_major != 1 || parser->http_minor > 1)
        head->broken = true;
    /* 1: the parser shall stop here; bodies with a length are counted by
     * their reader. */
    return head->framing == OB_FRAMING_CHUNKED ? 0 : 1;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    ob_parse *parse = self(parser);
    if (!parse->body)
        parse->body = (char *)at;
    else
        memmove(parse->body + parse->body_len, at, len);
    parse->body_len += len;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    self(parser)->message_end = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void ob_parse_init(ob_parse *parse, llhttp_type_t type)
{
    *parse = (ob_parse){0};
    llhttp_init(&parse->parser, type, &settings);
    parse->parser.data = parse;
}

void ob_parse_begin(ob_parse *parse, ob_head *head, bool no_body)
{
    llhttp_type_t type = parse->parser.type;
    /* Fields are written before they are counted: only the first is zeroed
     * here, each next one when its predecessor is complete. */
    head->base = NULL;
    head->length = head->target_at = head->target_len = head->count = 0;
    head->complete = head->broken = head->expects_continue = false;
    head->fields[0] = (ob_head_field){0};
    llhttp_init(&parse->parser, type, &settings);
    parse->parser.data = parse;
    parse->head = head;
    parse->no_body = no_body;
    parse->message_end = false;
}

static bool is_hop(ob_slice name, const char *expected)
{
    return ob_slice_eq_nocase(name, ob_slice_str(expected));
}

/* What llhttp leaves to its user. */
static const char *check_fields(ob_head *head, const char *base)
{
    size_t codings = 0;
    if (head->broken)
        return "too many header fields, a folded one, or not HTTP/1.1";
    for (uint32_t i = 0; i < head->count; i++) {
        const ob_head_field *f = &head->fields[i];
        ob_slice name = ob_slice_make(base + f->name_at, f->name_len);
        ob_slice value =
            ob_slice_trim(ob_slice_make(base + f->value_at, f->value_len));
        if (name.len == 6 && is_hop(name, "expect"))
            head->expects_continue = is_hop(value, "100-continue");
        if (name.len != 17 || !is_hop(name, "transfer-encoding"))
            continue;
        codings++;
        if (codings > 1 || !is_hop(value, "chunked") || head->minor == 0)
            return "a transfer-encoding other than chunked";
    }
    return NULL;
}

ob_status ob_parse_feed(ob_parse *parse, const char *base, char *bytes,
                        size_t len, size_t *used, const char **why)
{
    ob_head *head = parse->head;
    bool was_complete = !head || head->complete;
    if (parse->message_end) {
        *used = 0;
        *why = "bytes behind the end of the message";
        return OB_INVALID;
    }
    if (head)
        head->base = base;
    parse->body = NULL;
    parse->body_len = 0;
    llhttp_errno_t error = llhttp_execute(&parse->parser, bytes, len);
    *used = len;
    if (error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE) {
        *used = (size_t)(llhttp_get_error_pos(&parse->parser) - bytes);
    } else if (error != HPE_OK) {
        *why = llhttp_get_error_reason(&parse->parser);
        return OB_INVALID;
    }
    if (was_complete || !head->complete)
        return OB_OK;
    if (head->framing != OB_FRAMING_CHUNKED)
        parse->message_end = head->framing == OB_FRAMING_NONE;
    *why = check_fields(head, base);
    return *why ? OB_INVALID : OB_OK;
}

void ob_head_fields(const ob_head *head, const char *base, ob_header *fields)
{
    for (uint32_t i = 0; i < head->count; i++) {
        const ob_head_field *f = &head->fields[i];
        fields[i].name = ob_slice_make(base + f->name_at, f->name_len);
        fields[i].value =
            ob_slice_trim(ob_slice_make(base + f->value_at, f->value_len));
    }
}
