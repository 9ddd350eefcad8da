#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX 2048
#define MESSAGE_BYTES  1500

/* Prose as it stands in JSON: with escapes, which a scanner must mind. */
static const char prose[] =
    "The report says \\\"no change\\\", but the tables of the second part "
    "tell another story:\\n\\n1. requests grew by a third, and\\n2. the time "
    "that each of them took fell.\\n\\nPlease find the rows which disagree "
    "with the summary, and quote them as they are. ";

static const char separator[] = "\"},{\"role\":\"user\",\"content\":\"";

/* Fills `at` to `end` with turns of a conversation. An escape is never cut:
 * its place is taken by plain letters. */
static void fill(char *at, const char *end)
{
    size_t in_message = 0, n;
    const char *text = prose;
    while (at < end) {
        size_t room = (size_t)(end - at);
        if (in_message >= MESSAGE_BYTES && room > 2 * sizeof separator) {
            memcpy(at, separator, sizeof separator - 1);
            at += sizeof separator - 1;
            in_message = 0;
            continue;
        }
        n = *text == '\\' ? 2 : 1;
        if (n > room) {
            *at++ = '.';
            continue;
        }
        memcpy(at, text, n);
        at += n;
        in_message += n;
        text = text[n] ? text + n : prose;
    }
}

char *request_new(const request_form *form, size_t *len)
{
    char first[160], last[160], every[48] = "";
    if (form->every_us) {
        snprintf(every, sizeof every, "\"user\":\"every=%u\",", form->every_us);
    }
    snprintf(first, sizeof first,
             "{%s%s%s\"temperature\":0.7,\"messages\":[{\"role\":\"user\","
             "\"content\":\"",
             form->model_last ? "" : "\"model\":\"gpt-4o-mini\",",
             form->stream ? "\"stream\":true," : "", every);
    snprintf(last, sizeof last, "\"}]%s}",
             form->model_last ? ",\"model\":\"gpt-4o-mini\"" : "");

    char *request = malloc(HEAD_BYTES_MAX + form->body_bytes);
    if (request == NULL) {
        return NULL;
    }
    int head = snprintf(request, HEAD_BYTES_MAX,
                        "POST %s HTTP/1.1\r\nHost: api.example.com\r\n"
                        "Accept: application/json\r\n"
                        "User-Agent: OpenAI/Python 1.99.0\r\n"
                        "X-Stainless-Lang: python\r\n"
                        "Authorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        form->path, form->key, form->body_bytes);
    if (head < 0 || head >= HEAD_BYTES_MAX) {
        free(request);
        return NULL;
    }
    char *body = request + head;
    char *end = body + form->body_bytes;
    memcpy(body, first, strlen(first));
    memcpy(end - strlen(last), last, strlen(last));
    fill(body + strlen(first), end - strlen(last));
    *len = (size_t)head + form->body_bytes;
    return request;
}
