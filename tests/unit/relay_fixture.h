/* relay_fixture.h - one request at a time through the relay, with the test as
 * its shell and as the provider. */
#ifndef OB_RELAY_FIXTURE_H
#define OB_RELAY_FIXTURE_H

#include "route_fixture.h"
#include "pool_fixture.h"

#include "../../src/core/relay.h"

#define CHAT    "POST /v1/chat/completions"
#define JSON    "application/json"
#define STREAM  "text/event-stream"
#define GOOD    "{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"hi\"}}]}"
#define REVOKED "{\"error\":{\"code\":\"invalid_api_key\",\"message\":\"no\"}}"

static ob_relay relay;
static ob_relay_action action;
static ob_upstream_request room;
static ob_authkey anybody;
static int64_t now;

/* The group of a provider; add_key() adds to it from then on. */
static inline void choose(const char *slug)
{
    assert_int_equal(ob_pool_group(pool, ob_slice_str(slug), &group), OB_OK);
}

static inline void bind_groups(void)
{
    for (size_t i = 0; i < config->provider_count; i++)
        assert_int_equal(ob_pool_group(pool, config->providers[i].slug,
                                       &config->providers[i].pool_group),
                         OB_OK);
}

static int setup_relay(void **state)
{
    ob_arena_init(&arena, 0);
    configure("{\"models\": {\"smart\": [\"openai/gpt-4o\","
              " \"groq/llama\"]}}");
    setup_pool(state);
    bind_groups();
    choose("openai");
    now = NOON;
    memset(&relay, 0, sizeof(relay));
    return 0;
}

static int teardown_relay(void **state)
{
    ob_relay_deinit(&relay);
    teardown_pool(state);
    return teardown(state);
}

/* Begins a request; its first action is in `action`. */
static inline void begin(const char *line, const char *body)
{
    ob_relay_deinit(&relay);
    make_call(line, ob_slice_str(body));
    assert_int_equal(ob_relay_init(&relay, config, &anybody, &call,
                                   OB_S("req-0001"), &arena, now, &refusal),
                     OB_OK);
    if (ob_relay_read(&relay, now, &action))
        ob_relay_wake(&relay, pool, now, &room, &action);
}

static inline void begin_chat(const char *model)
{
    char body[128];
    snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[]}", model);
    ob_slice copy = ob_arena_dup(&arena, ob_slice_str(body));
    begin(CHAT, copy.ptr);
}

static inline void head_with(int status, const char *type, const char *name,
                             const char *value)
{
    ob_header heads[] = {{OB_S("Content-Type"), ob_slice_str(type)},
                         {OB_S("Set-Cookie"), OB_S("a=b")},
                         {ob_slice_str(name), ob_slice_str(value)}};
    ob_relay_head(&relay, pool, status, heads, 3, true, now, &room, &action);
}

static inline void head(int status, const char *type)
{
    head_with(status, type, "x-upstream", "yes");
}

static inline void body(const char *text)
{
    ob_relay_body(&relay, pool, ob_slice_str(text), now, &room, &action);
}

static inline void end(void)
{
    ob_relay_end(&relay, pool, now, &room, &action);
}

static inline void fail_with(ob_failure failure)
{
    ob_relay_failed(&relay, pool, failure, now, &room, &action);
}

/* A whole answer of the provider. */
static inline void answer(int status, const char *type, const char *text)
{
    assert_int_equal(relay.state, OB_RELAY_SENT);
    head(status, type);
    if (relay.state == OB_RELAY_HOLDING && text[0])
        body(text);
    if (relay.state == OB_RELAY_HOLDING)
        end();
}

/* A pause, or all of the wait for a key with its looks in between. */
static inline void wait_out(void)
{
    assert_int_equal(action.what, OB_DO_WAIT);
    do {
        assert_true(action.wake_at_ms > now - 1);
        now = action.wake_at_ms;
        ob_relay_wake(&relay, pool, now, &room, &action);
    } while (action.what == OB_DO_WAIT && relay.waiter.lane);
}

static inline ob_slice header_of(const char *name)
{
    return ob_headers_get(action.headers, action.header_count,
                          ob_slice_str(name));
}

/* SEND with the key of that id, and with its secret. */
#define assert_sent(id)                                                        \
    do {                                                                       \
        assert_int_equal(action.what, OB_DO_SEND);                             \
        assert_int_equal(relay.key_id, (id));                                  \
        char bearer_[64];                                                      \
        snprintf(bearer_, sizeof(bearer_), "Bearer secret-of-key-%06d",        \
                 (int)(id));                                                   \
        assert_slice(ob_headers_get(room.headers, room.header_count,           \
                                    OB_S("authorization")),                    \
                     bearer_);                                                 \
    } while (0)

#define assert_delivered(code, text)                                           \
    do {                                                                       \
        assert_int_equal(action.what, OB_DO_DELIVER);                          \
        assert_int_equal(action.status, (code));                               \
        assert_slice(action.body, (text));                                     \
        assert_int_equal(relay.state, OB_RELAY_OVER);                          \
    } while (0)

#define assert_committed(text)                                                 \
    do {                                                                       \
        assert_int_equal(action.what, OB_DO_COMMIT);                           \
        assert_int_equal(action.status, 200);                                  \
        assert_slice(action.body, (text));                                     \
        assert_int_equal(relay.state, OB_RELAY_COMMITTED);                     \
    } while (0)

#define assert_rejected(code)                                                  \
    do {                                                                       \
        assert_int_equal(action.what, OB_DO_REJECT);                           \
        assert_int_equal(action.status, (code));                               \
        assert_true(action.message.len > 0);                                   \
        assert_int_equal(relay.state, OB_RELAY_OVER);                          \
    } while (0)

#endif
