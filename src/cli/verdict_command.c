#include "verdict_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <yyjson.h>

#include "../core/base/buffer.h"
#include "../core/verdict.h"

#define LINE_BYTES_MAX (8u * 1024 * 1024)
#define HEADERS_MAX    256

static const char help[] =
    "usage: one-balance verdict < RESPONSES\n"
    "\n"
    "Says what would be done with upstream responses, without any upstream.\n"
    "Reads JSON Lines on standard input, one response a line:\n"
    "\n"
    "  provider   slug, \"openai\"\n"
    "  model      the model that was asked for; optional\n"
    "  status     HTTP status, 100 to 599\n"
    "  headers    object of the response's header fields; optional\n"
    "  body       the response's body: a string, or JSON as it stands\n"
    "  now        unix seconds; optional, the clock's by default\n"
    "  id         echoed; optional\n"
    "\n"
    "Prints one JSON line for each, in order:\n"
    "\n"
    "  action     deliver, deliver_network, cool, exhausted, deny_model,\n"
    "             block or retry\n"
    "  scope      \"model\", \"key\" or null\n"
    "  seconds    how long the key rests, or null\n"
    "  reason     why\n"
    "\n"
    "A line that cannot be judged gives {\"error\": ...}, and exit code 1 at\n"
    "the end.\n"
    "\n"
    "  echo '{\"provider\":\"openai\",\"status\":429,\"headers\":"
    "{\"retry-after\":\"20\"},\"body\":\"\"}' | one-balance verdict\n";

/* One line, taken apart. The slices are the document's or `scratch`. */
typedef struct request {
    ob_response response;
    ob_header headers[HEADERS_MAX];
    int64_t now_ms;
    char *scratch; /* a body that came as JSON; freed by its owner */
} request;

static ob_slice text_of(yyjson_val *value)
{
    return yyjson_is_str(value)
               ? ob_slice_make(yyjson_get_str(value), yyjson_get_len(value))
               : (ob_slice){NULL, 0};
}

static bool is_absent(yyjson_val *value)
{
    return !value || yyjson_is_null(value);
}

static const char *read_headers(request *r, yyjson_val *object)
{
    size_t i, max;
    yyjson_val *name, *value;
    if (is_absent(object))
        return NULL;
    if (!yyjson_is_obj(object))
        return "\"headers\" must be an object of strings";
    if (yyjson_obj_size(object) > HEADERS_MAX)
        return "\"headers\" has more than 256 members";
    yyjson_obj_foreach(object, i, max, name, value)
    {
        if (!yyjson_is_str(value))
            return "\"headers\" must be an object of strings";
        r->headers[r->response.header_count++] =
            (ob_header){text_of(name), text_of(value)};
    }
    return NULL;
}

static const char *read_body(request *r, yyjson_val *body)
{
    if (is_absent(body))
        return NULL;
    if (yyjson_is_str(body)) {
        r->response.body = text_of(body);
        return NULL;
    }
    size_t length = 0;
    r->scratch = yyjson_val_write(body, 0, &length);
    if (!r->scratch)
        return "out of memory";
    r->response.body = ob_slice_make(r->scratch, length);
    return NULL;
}

static const char *read_now(request *r, yyjson_val *now)
{
    if (is_absent(now)) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        r->now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
        return NULL;
    }
    double seconds = yyjson_get_num(now);
    if (!yyjson_is_num(now) || !(seconds >= 0 && seconds < 1e10))
        return "\"now\" must be unix seconds, such as 1782907200";
    r->now_ms = (int64_t)(seconds * 1000 + 0.5);
    return NULL;
}

/* NULL, or what is wrong with the line. */
static const char *read_request(request *r, yyjson_val *root)
{
    if (!yyjson_is_obj(root))
        return "not a JSON object";
    yyjson_val *provider = yyjson_obj_get(root, "provider");
    yyjson_val *model = yyjson_obj_get(root, "model");
    yyjson_val *status = yyjson_obj_get(root, "status");
    if (!yyjson_is_str(provider))
        return "\"provider\" must be a string, such as \"openai\"";
    if (!is_absent(model) && !yyjson_is_str(model))
        return "\"model\" must be a string or null";
    if (!yyjson_is_int(status) || yyjson_get_sint(status) < 100 ||
        yyjson_get_sint(status) > 599)
        return "\"status\" must be an HTTP status, 100 to 599";
    r->response.provider = text_of(provider);
    r->response.model = text_of(model);
    r->response.status = (int)yyjson_get_sint(status);
    r->response.headers = r->headers;
    r->response.daily_reset =
        ob_slice_starts(r->response.provider, OB_S("google-")) ? OB_ZONE_PACIFIC
                                                               : OB_ZONE_UTC;
    const char *wrong = read_headers(r, yyjson_obj_get(root, "headers"));
    if (!wrong)
        wrong = read_now(r, yyjson_obj_get(root, "now"));
    return wrong ? wrong : read_body(r, yyjson_obj_get(root, "body"));
}

static void write_string(ob_buffer *out, const char *name, const char *text)
{
    ob_buffer_append_str(out, name);
    if (text)
        ob_buffer_append_json(out, ob_slice_str(text));
    else
        ob_buffer_append_str(out, "null");
}

static void write_seconds(ob_buffer *out, int64_t ms)
{
    char text[32];
    ob_buffer_append_str(out, ",\"seconds\":");
    if (ms <= 0) {
        ob_buffer_append_str(out, "null");
        return;
    }
    int length = ms % 1000
                     ? snprintf(text, sizeof(text), "%" PRId64 ".%03d",
                                ms / 1000, (int)(ms % 1000))
                     : snprintf(text, sizeof(text), "%" PRId64, ms / 1000);
    ob_buffer_append(out, ob_slice_make(text, (size_t)length));
}

static void write_id(ob_buffer *out, yyjson_val *id)
{
    size_t length;
    if (!id)
        return;
    char *text = yyjson_val_write(id, 0, &length);
    if (!text)
        return;
    ob_buffer_append_str(out, "\"id\":");
    ob_buffer_append(out, ob_slice_make(text, length));
    ob_buffer_append_str(out, ",");
    free(text);
}

static void write_verdict(ob_buffer *out, const ob_verdict *v)
{
    write_string(out, "\"action\":", ob_action_slug(v->action));
    write_string(out, ",\"scope\":", ob_scope_slug(v->scope));
    write_seconds(out, v->cool_ms);
    write_string(out, ",\"reason\":", ob_reason_slug(v->reason));
}

static bool print_line(ob_buffer *out)
{
    ob_buffer_append_str(out, "}\n");
    ob_slice line = ob_buffer_slice(out);
    return !out->failed && fwrite(line.ptr, 1, line.len, stdout) == line.len;
}

static bool judge_root(ob_buffer *out, yyjson_val *root)
{
    /* Its headers make it too large for the stack of a small machine. */
    request *r = calloc(1, sizeof(*r));
    const char *wrong = r ? read_request(r, root) : "out of memory";
    if (wrong) {
        write_string(out, "\"error\":", wrong);
    } else {
        ob_verdict v = ob_verdict_judge(&r->response, r->now_ms);
        write_verdict(out, &v);
    }
    if (r)
        free(r->scratch);
    free(r);
    return !wrong;
}

static bool judge_line(ob_slice line)
{
    ob_buffer out = {0};
    yyjson_doc *doc =
        yyjson_read(line.ptr, line.len, YYJSON_READ_ALLOW_INVALID_UNICODE);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool judged = false;
    ob_buffer_append_str(&out, "{");
    write_id(&out, yyjson_obj_get(root, "id"));
    if (doc)
        judged = judge_root(&out, root);
    else
        write_string(&out, "\"error\":", "not a line of JSON");
    judged = print_line(&out) && judged;
    yyjson_doc_free(doc);
    ob_buffer_deinit(&out);
    return judged;
}

static bool refuse_line(void)
{
    puts("{\"error\":\"the line is longer than 8 MiB\"}");
    return false;
}

/* The rest of a line that is too long is read and forgotten. */
static int skip_line(void)
{
    int c;
    do
        c = getchar_unlocked();
    while (c != '\n' && c != EOF);
    return c;
}

/* Reads one line into `line`, LINE_BYTES_MAX at most. Returns the byte that
 * ended it; *too_long when it had more. */
static int read_line(char *line, size_t *length, bool *too_long)
{
    int c;
    *length = 0;
    *too_long = false;
    while ((c = getchar_unlocked()) != '\n' && c != EOF) {
        if (*length == LINE_BYTES_MAX) {
            *too_long = true;
            return skip_line();
        }
        line[(*length)++] = (char)c;
    }
    return c;
}

static int judge_input(void)
{
    char *line = malloc(LINE_BYTES_MAX);
    bool all = line != NULL, too_long;
    bool first = true;
    size_t length;
    for (int end = 0; line && end != EOF; first = false) {
        end = read_line(line, &length, &too_long);
        ob_slice text = ob_slice_trim(ob_slice_make(line, length));
        if (first && ob_slice_starts(text, OB_S("\xef\xbb\xbf")))
            text = ob_slice_from(text, 3);
        if (too_long)
            all = refuse_line();
        else if (text.len)
            all = judge_line(text) && all;
        /* Whoever asks line by line waits for each answer. */
        fflush(stdout);
    }
    free(line);
    return all && !ferror(stdin) && !ferror(stdout) ? 0 : 1;
}

int ob_verdict_command(int argc, char **argv)
{
    if (argc == 2 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr,
                "one-balance verdict: it takes no arguments, but \"%s\" was "
                "given; responses are read from standard input (see --help)\n",
                argv[1]);
        return 2;
    }
    return judge_input();
}
