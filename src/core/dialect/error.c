#include "error.h"

/*
 * How each dialect names a status. Sources: OpenAI's "Error codes", Anthropic's
 * "Errors", Google's "google.rpc.Code" and the Gemini API's "Troubleshooting
 * guide".
 */
typedef struct error_names {
    int status;
    const char *openai_type;
    const char *openai_code; /* NULL: null */
    const char *anthropic;
    const char *google;
} error_names;

static const error_names names[] = {
    {400, "invalid_request_error", NULL, "invalid_request_error",
     "INVALID_ARGUMENT"},
    {401, "invalid_request_error", "invalid_api_key", "authentication_error",
     "UNAUTHENTICATED"},
    {403, "invalid_request_error", "permission_denied", "permission_error",
     "PERMISSION_DENIED"},
    {404, "invalid_request_error", "not_found", "not_found_error", "NOT_FOUND"},
    {408, "invalid_request_error", "timeout", "invalid_request_error",
     "DEADLINE_EXCEEDED"},
    {413, "invalid_request_error", "request_too_large", "request_too_large",
     "INVALID_ARGUMENT"},
    {429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error",
     "RESOURCE_EXHAUSTED"},
    {500, "server_error", "internal_error", "api_error", "INTERNAL"},
    {501, "server_error", "not_implemented", "api_error", "UNIMPLEMENTED"},
    {502, "server_error", "bad_gateway", "api_error", "UNAVAILABLE"},
    {503, "server_error", "service_unavailable", "overloaded_error",
     "UNAVAILABLE"},
    {504, "server_error", "timeout", "timeout_error", "DEADLINE_EXCEEDED"},
    {529, "server_error", "overloaded", "overloaded_error", "UNAVAILABLE"},
};

/* Unknown statuses are named by their class: as 400, or as 500. */
static const error_names *find_names(int status)
{
    const error_names *found = &names[0];
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (names[i].status == status ||
            (names[i].status == 500 && status >= 500))
            found = &names[i];
    return found;
}

static void append_code(ob_buffer *out, const char *code)
{
    if (code)
        ob_buffer_append_json(out, ob_slice_str(code));
    else
        ob_buffer_append_str(out, "null");
}

static void write_openai(ob_buffer *out, const error_names *e, ob_slice message)
{
    ob_buffer_append_str(out, "{\"error\":{\"message\":");
    ob_buffer_append_json(out, message);
    ob_buffer_append_str(out, ",\"type\":\"");
    ob_buffer_append_str(out, e->openai_type);
    ob_buffer_append_str(out, "\",\"param\":null,\"code\":");
    append_code(out, e->openai_code);
    ob_buffer_append_str(out, "}}");
}

static void write_anthropic(ob_buffer *out, const error_names *e,
                            ob_slice message, ob_slice request_id)
{
    ob_buffer_append_str(out, "{\"type\":\"error\",\"error\":{\"type\":\"");
    ob_buffer_append_str(out, e->anthropic);
    ob_buffer_append_str(out, "\",\"message\":");
    ob_buffer_append_json(out, message);
    ob_buffer_append_str(out, "},\"request_id\":");
    if (request_id.len)
        ob_buffer_append_json(out, request_id);
    else
        ob_buffer_append_str(out, "null");
    ob_buffer_append_char(out, '}');
}

static void write_gemini(ob_buffer *out, const error_names *e, int status,
                         ob_slice message)
{
    ob_buffer_append_str(out, "{\"error\":{\"code\":");
    ob_buffer_append_i64(out, status);
    ob_buffer_append_str(out, ",\"message\":");
    ob_buffer_append_json(out, message);
    ob_buffer_append_str(out, ",\"status\":\"");
    ob_buffer_append_str(out, e->google);
    ob_buffer_append_str(out, "\"}}");
}

void ob_error_write(ob_buffer *out, ob_dialect dialect, int status,
                    ob_slice message, ob_slice request_id)
{
    const error_names *e = find_names(status);
    switch (dialect) {
    case OB_DIALECT_ANTHROPIC:
        write_anthropic(out, e, message, request_id);
        return;
    case OB_DIALECT_GEMINI:
        write_gemini(out, e, status, message);
        return;
    case OB_DIALECT_NONE:
    case OB_DIALECT_OPENAI:
    case OB_DIALECT_RESPONSES:
        write_openai(out, e, message);
        return;
    }
}

/* The Responses API's streams have an event type of their own for errors. Its
 * number in the stream is not known here; readers take it as it comes. */
static void write_responses_event(ob_buffer *out, const error_names *e,
                                  ob_slice message)
{
    ob_buffer_append_str(out, "event: error\ndata: {\"type\":\"error\","
                              "\"code\":");
    append_code(out, e->openai_code ? e->openai_code : e->openai_type);
    ob_buffer_append_str(out, ",\"message\":");
    ob_buffer_append_json(out, message);
    ob_buffer_append_str(out, ",\"param\":null,\"sequence_number\":0}");
}

void ob_error_write_event(ob_buffer *out, ob_dialect dialect, int status,
                          ob_slice message, ob_slice request_id)
{
    /* The stream may have been cut inside an event: that one ends here. */
    ob_buffer_append_str(out, "\n\n");
    if (dialect == OB_DIALECT_RESPONSES) {
        write_responses_event(out, find_names(status), message);
    } else {
        if (dialect == OB_DIALECT_ANTHROPIC)
            ob_buffer_append_str(out, "event: error\n");
        ob_buffer_append_str(out, "data: ");
        ob_error_write(out, dialect, status, message, request_id);
    }
    ob_buffer_append_str(out, "\n\n");
}
