#include "page.h"

#include "keylist.h"
#include "task.h"

void ob_html_append(ob_buffer *out, ob_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            ob_buffer_append_str(out, "&amp;");
            break;
        case '<':
            ob_buffer_append_str(out, "&lt;");
            break;
        case '>':
            ob_buffer_append_str(out, "&gt;");
            break;
        case '"':
            ob_buffer_append_str(out, "&quot;");
            break;
        case '\'':
            ob_buffer_append_str(out, "&#39;");
            break;
        default:
            ob_buffer_append_char(out, text.ptr[i]);
        }
    }
}

static void begin(ob_buffer *out)
{
    ob_buffer_append_str(
        out, "<!doctype html>\n<html lang=\"en\">\n<head>\n"
             "<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width\">\n"
             "<title>One Balance</title>\n</head>\n<body>\n"
             "<h1>One Balance</h1>\n");
}

static void end(ob_buffer *out)
{
    ob_buffer_append_str(out, "</body>\n</html>\n");
}

void ob_page_sign_in(ob_exchange *exchange, int status, unsigned retry_after_s,
                     const char *problem)
{
    ob_buffer out = {0};
    begin(&out);
    if (problem) {
        ob_buffer_append_str(&out, "<p role=\"alert\">");
        ob_html_append(&out, ob_slice_str(problem));
        ob_buffer_append_str(&out, "</p>\n");
    }
    ob_buffer_append_str(
        &out, "<form method=\"post\" action=\"/login\">\n"
              "<label>Auth key <input type=\"password\" name=\"auth_key\" "
              "required autofocus autocomplete=\"current-password\"></label>\n"
              "<button>Sign in</button>\n</form>\n");
    end(&out);
    ob_reply_html(exchange, status, retry_after_s, ob_buffer_slice(&out));
    ob_buffer_deinit(&out);
}

static void append_cell(ob_buffer *out, size_t number)
{
    ob_buffer_append_str(out, "<td>");
    ob_buffer_append_u64(out, number);
    ob_buffer_append_str(out, "</td>");
}

static void append_provider(ob_buffer *out, const ob_provider *provider,
                            ob_pool_counts counts)
{
    ob_buffer_append_str(out, "<tr><th scope=\"row\">");
    ob_html_append(out, provider->name);
    ob_buffer_append_str(out, "</th><td><code>");
    ob_html_append(out, provider->slug);
    ob_buffer_append_str(out, "</code></td>");
    append_cell(out, counts.active);
    append_cell(out, counts.cooling);
    append_cell(out, counts.blocked);
    ob_buffer_append_str(out, "</tr>\n");
}

static ob_status overview_work(ob_task *task)
{
    const ob_config *config = task->snapshot->config;
    ob_shared_pool shared = {task->gateway->pool, &task->gateway->pool_lock};
    ob_buffer *out = &task->out;
    begin(out);
    ob_buffer_append_str(
        out, "<form method=\"post\" action=\"/logout\">"
             "<button>Sign out</button></form>\n"
             "<table>\n<caption>Provider keys</caption>\n"
             "<tr><th>Provider</th><th>Name in paths</th><th>Active</th>"
             "<th>Cooling</th><th>Blocked</th></tr>\n");
    for (size_t i = 0; i < config->provider_count; i++)
        append_provider(out, &config->providers[i],
                        ob_keylist_count(shared,
                                         config->providers[i].pool_group,
                                         task->now_ms)
                            .counts);
    ob_buffer_append_str(
        out, "</table>\n<p>Keys are managed through the JSON API under "
             "<code>/admin/api</code>, for example <a "
             "href=\"/admin/api/keys\">/admin/api/keys</a>, and with "
             "<code>one-balance keys</code>.</p>\n");
    end(out);
    return out->failed ? OB_NO_MEMORY : OB_OK;
}

static void overview_answer(ob_task *task)
{
    ob_reply_html(task->exchange, 200, 0, ob_buffer_slice(&task->out));
}

void ob_page_overview(ob_gateway *gateway, ob_exchange *exchange)
{
    static const ob_task_kind kind = {sizeof(ob_task), overview_work, NULL,
                                      overview_answer, NULL};
    ob_task *task = ob_task_new(gateway, exchange, &kind);
    if (task)
        ob_task_start(task);
}
