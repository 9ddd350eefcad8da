/* story.c - the demo's requests, and what became of them. */
#include "story.h"

#include <yyjson.h>

#include "client.h"

#define COLUMNS      80
#define ATTEMPTS_MAX 8

#define BOLD   "1"
#define GREEN  "32"
#define YELLOW "33"
#define RED    "31"

typedef struct scene {
    const char *title;
    const char *provider;
    const char *path;
    const char *headers; /* of the request */
    const char *body;
    const char *curl;   /* how the same is asked by hand, after the URL */
    const char *answer; /* where the answer's text is */
} scene;

const ob_demo_provider ob_demo_providers[OB_DEMO_PROVIDERS] = {
    {"openai", "/v1"},
    {"anthropic", ""},
    {"google-ai-studio", ""},
};

const char ob_demo_keys[] = "sk-demo-key-revoked\n"
                            "sk-demo-key-limited\n"
                            "sk-demo-key-daily\n"
                            "sk-demo-key-good\n";

static const scene scenes[] = {
    {"OpenAI: chat completions", "openai", "/v1/chat/completions",
     "authorization: Bearer " OB_DEMO_AUTH_KEY "\r\n",
     "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":"
     "\"Hello!\"}]}",
     "-H 'authorization: Bearer " OB_DEMO_AUTH_KEY
     "' -H 'content-type: application/json' \\\n"
     "    -d '{\"model\":\"gpt-4o-mini\",\n"
     "         \"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}'",
     "/choices/0/message/content"},
    {"Anthropic: messages", "anthropic", "/v1/messages",
     "x-api-key: " OB_DEMO_AUTH_KEY "\r\nanthropic-version: 2023-06-01\r\n",
     "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":100,\"messages\":"
     "[{\"role\":\"user\",\"content\":\"Hello!\"}]}",
     "-H 'x-api-key: " OB_DEMO_AUTH_KEY
     "' -H 'content-type: application/json' \\\n"
     "    -d '{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":100,"
     "\"stream\":true,\n"
     "         \"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}'",
     "/content/0/text"},
    {"Gemini: generateContent", "google-ai-studio",
     "/v1beta/models/gemini-2.5-flash:generateContent",
     "x-goog-api-key: " OB_DEMO_AUTH_KEY "\r\n",
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hello!\"}]}]}",
     "-H 'x-goog-api-key: " OB_DEMO_AUTH_KEY
     "' -H 'content-type: application/json' \\\n"
     "    -d '{\"contents\":[{\"parts\":[{\"text\":\"Hello!\"}]}]}'",
     "/candidates/0/content/parts/0/text"},
};

/* ---- writing ---- */

static const char *paint(const ob_story *story, const char *colour,
                         char room[8])
{
    (void)snprintf(room, 8, "\033[%sm", colour);
    return story->colour ? room : "";
}

static const char *plain(const ob_story *story)
{
    return story->colour ? "\033[0m" : "";
}

static void say(const ob_story *story, const char *colour, const char *text)
{
    char room[8];
    fprintf(story->out, "%s%s%s", paint(story, colour, room), text,
            plain(story));
}

/* As much of the text as `columns` hold; a cut one ends in "...". */
static void say_cut(const ob_story *story, const char *text, size_t columns)
{
    size_t used = 0, fits = 0, at = 0;
    for (; text[at]; at++) {
        if (((unsigned char)text[at] & 0xc0) == 0x80)
            continue;
        if (used == columns - 3)
            fits = at;
        used++;
    }
    if (used <= columns)
        fprintf(story->out, "%s\n", text);
    else
        fprintf(story->out, "%.*s...\n", (int)fits, text);
}

/* Breaks the text between words; every line begins with `indent` blanks,
 * which the first has got already. */
static void say_wrapped(const ob_story *story, ob_slice text, size_t indent)
{
    size_t column = indent;
    while (text.ptr) {
        ob_slice word = ob_slice_cut(&text, ' ');
        if (column > indent && column + word.len + 1 > COLUMNS) {
            fprintf(story->out, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (column > indent)
            fputc(' ', story->out);
        fprintf(story->out, "%.*s", (int)word.len, word.ptr);
        column += word.len + 1;
    }
    fputc('\n', story->out);
}

/* ---- the keys ---- */

/* A key's state in words; copied while the pool is locked. */
typedef struct key_state {
    char masked[OB_MASK_MAX];
    ob_key_status status;
    ob_reason reason;
    int64_t left_s; /* of a cool-down */
} key_state;

static int64_t now_ms(void)
{
    uv_timeval64_t now;
    if (uv_gettimeofday(&now) != 0)
        return 0;
    return now.tv_sec * 1000 + now.tv_usec / 1000;
}

static key_state state_of(const ob_key *key, int64_t now)
{
    key_state state = {.status = ob_key_status_at(key, now),
                       .reason = key->blocked_reason};
    memcpy(state.masked, key->masked, sizeof(state.masked));
    if (state.status != OB_KEY_COOLING)
        return state;
    for (const ob_cooldown *rest = key->cooldowns; rest; rest = rest->next) {
        int64_t left_s = (rest->until_ms - now + 999) / 1000;
        if (left_s > state.left_s) {
            state.left_s = left_s;
            state.reason = rest->reason;
        }
    }
    return state;
}

/* The states of a provider's keys in the order in which they were added. */
static size_t read_states(const ob_story *story, const char *provider,
                          key_state *states, size_t max)
{
    int64_t ids[ATTEMPTS_MAX];
    size_t count = 0;
    uint32_t group;
    int64_t now = now_ms();
    ob_pool *pool = story->gateway->pool;
    OB_ASSERT(max <= ATTEMPTS_MAX);
    uv_mutex_lock(&story->gateway->pool_lock);
    if (ob_pool_group(pool, ob_slice_str(provider), &group) == OB_OK)
        while (count < max && count < ob_pool_key_count(pool, group)) {
            const ob_key *key = ob_pool_key_at(pool, group, count);
            size_t place = count++;
            for (; place > 0 && ids[place - 1] > key->id; place--) {
                ids[place] = ids[place - 1];
                states[place] = states[place - 1];
            }
            ids[place] = key->id;
            states[place] = state_of(key, now);
        }
    uv_mutex_unlock(&story->gateway->pool_lock);
    return count;
}

/* "20 s", "7 h" */
static void write_span(char *out, size_t size, int64_t seconds)
{
    if (seconds < 600)
        (void)snprintf(out, size, "%lld s", (long long)seconds);
    else if (seconds < 7200)
        (void)snprintf(out, size, "%lld min", (long long)seconds / 60);
    else
        (void)snprintf(out, size, "%lld h", (long long)seconds / 3600);
}

static void print_keys(const ob_story *story)
{
    fprintf(story->out, "\n");
    say(story, BOLD, "The keys now");
    fprintf(story->out, "\n\n");
    for (size_t i = 0; i < OB_DEMO_PROVIDERS; i++) {
        key_state states[ATTEMPTS_MAX];
        const char *provider = ob_demo_providers[i].slug;
        size_t count = read_states(story, provider, states, ATTEMPTS_MAX);
        for (size_t at = 0; at < count; at++) {
            const key_state *key = &states[at];
            char state[24] = "active";
            if (key->status == OB_KEY_BLOCKED)
                (void)snprintf(state, sizeof(state), "blocked");
            else if (key->status == OB_KEY_COOLING)
                write_span(stpcpy(state, "cooling "), sizeof(state) - 8,
                           key->left_s);
            fprintf(story->out, "  %-16s  %s  %-12s  %s\n", provider,
                    key->masked, state,
                    key->status == OB_KEY_ACTIVE ? "answers"
                                                 : ob_reason_text(key->reason));
        }
    }
}

/* ---- one request ---- */

static void print_outcome(const ob_story *story, const scene *s,
                          const ob_mock_attempt *attempt)
{
    key_state states[ATTEMPTS_MAX];
    char text[160] = "the key is left as it is; another attempt follows";
    const char *colour = YELLOW;
    size_t count = read_states(story, s->provider, states, ATTEMPTS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(states[i].masked, attempt->masked) != 0)
            continue;
        if (states[i].status == OB_KEY_BLOCKED) {
            colour = RED;
            (void)snprintf(text, sizeof(text), "blocked: %s",
                           ob_reason_text(states[i].reason));
        } else if (states[i].status == OB_KEY_COOLING) {
            char span[16];
            write_span(span, sizeof(span), states[i].left_s);
            (void)snprintf(text, sizeof(text), "cools down for %s: %s", span,
                           ob_reason_text(states[i].reason));
        }
    }
    fprintf(story->out, "%*s", 23, "");
    say(story, colour, text);
    fputc('\n', story->out);
}

static void print_attempts(const ob_story *story, const scene *s)
{
    ob_mock_attempt attempts[ATTEMPTS_MAX];
    size_t count = ob_mock_take_attempts(story->mock, attempts, ATTEMPTS_MAX);
    for (size_t i = 0; i < count; i++) {
        const ob_mock_attempt *attempt = &attempts[i];
        fprintf(story->out, "  %zu. key %s  %d  ", i + 1, attempt->masked,
                attempt->status);
        if (attempt->status < 400) {
            say(story, GREEN, "answered");
            fputc('\n', story->out);
            continue;
        }
        say_cut(story, attempt->words[0] ? attempt->words : "refused",
                COLUMNS - 23);
        print_outcome(story, s, attempt);
    }
}

static void print_answer(const ob_story *story, const scene *s,
                         const ob_client_answer *answer)
{
    ob_slice attempts =
        ob_client_header(answer, OB_S("x-one-balance-attempts"));
    yyjson_doc *doc = yyjson_read(answer->body.ptr, answer->body.len, 0);
    yyjson_val *text = yyjson_ptr_get(yyjson_doc_get_root(doc), s->answer);
    fprintf(story->out,
            "\n  The caller noticed nothing: status %d, "
            "x-one-balance-attempts: %.*s\n  ",
            answer->status, (int)attempts.len, attempts.ptr);
    say_wrapped(story,
                yyjson_is_str(text)
                    ? ob_slice_make(yyjson_get_str(text), yyjson_get_len(text))
                    : ob_slice_head(answer->body, 400),
                2);
    yyjson_doc_free(doc);
}

static bool play_scene(const ob_story *story, const scene *s)
{
    ob_client_answer answer = {0};
    fputc('\n', story->out);
    say(story, BOLD, s->title);
    fprintf(story->out, "\n  POST %s\n\n", s->path);
    ob_status status =
        ob_client_post(story->host, story->port, s->path, s->headers,
                       ob_slice_str(s->body), &answer);
    bool good = status == OB_OK && answer.status == 200;
    print_attempts(story, s);
    if (good)
        print_answer(story, s, &answer);
    else if (status == OB_OK)
        fprintf(story->out, "\n  This should not be: status %d\n  %.*s\n",
                answer.status, (int)ob_slice_head(answer.body, 400).len,
                answer.body.ptr);
    else
        fprintf(story->out, "\n  This should not be: no answer, %s\n",
                ob_status_text(status));
    ob_client_answer_deinit(&answer);
    return good;
}

/* ---- all of it ---- */

bool ob_story_tell(const ob_story *story)
{
    bool good = true;
    fprintf(
        story->out,
        "One Balance on http://%s:%u, in front of a mock provider: no "
        "account,\nand nothing leaves this machine. Each provider has a "
        "revoked key (sk-d\xe2\x80\xa6oked),\na rate-limited one "
        "(sk-d\xe2\x80\xa6ited), one that is used up for today "
        "(sk-d\xe2\x80\xa6"
        "aily)\nand a good one "
        "(sk-d\xe2\x80\xa6good). Callers use the auth key \"" OB_DEMO_AUTH_KEY
        "\" and see\nnone of them.\n",
        story->host_text, story->port);
    for (size_t i = 0; i < OB_LEN(scenes); i++)
        good = play_scene(story, &scenes[i]) && good;
    print_keys(story);
    return fflush(story->out) == 0 && good;
}

void ob_story_invite(const ob_story *story)
{
    fputc('\n', story->out);
    say(story, BOLD, "Try it");
    fprintf(story->out, " (the second one streams)\n");
    for (size_t i = 0; i < OB_LEN(scenes); i++)
        fprintf(story->out, "\n  curl %shttp://%s:%u%s \\\n    %s\n",
                strstr(scenes[i].curl, "\"stream\":true") ? "-N " : "",
                story->host_text, story->port, scenes[i].path, scenes[i].curl);
    fprintf(story->out,
            "\nThe gateway's page: http://%s:%u/ (sign in with "
            "\"" OB_DEMO_AUTH_KEY "\")\nIt runs until Ctrl-C.\n",
            story->host_text, story->port);
    (void)fflush(story->out);
}
