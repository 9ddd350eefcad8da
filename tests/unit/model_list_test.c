/* model_list_test.c - providers' lists of their models. */
#include "test.h"

#include "route_fixture.h"

#include "../../src/core/model_list.h"
#include "../../src/core/pool.h"

static ob_model_list list;
static ob_slice cursor;

static const ob_provider *provider(const char *slug)
{
    const ob_provider *found = ob_config_provider(config, ob_slice_str(slug));
    assert_non_null(found);
    return found;
}

static int setup(void **state)
{
    ob_model_list_init(&list);
    return setup_direct(state);
}

static int end(void **state)
{
    ob_model_list_deinit(&list);
    return teardown(state);
}

static ob_status add(const char *slug, const char *body)
{
    return ob_model_list_add(&list, provider(slug), ob_slice_str(body),
                             &cursor);
}

/* All names, with a blank between. */
static const char *names(void)
{
    static char text[4096];
    size_t len = 0;
    text[0] = 0;
    for (size_t i = 0; i < list.count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s",
                                i ? " " : "", (int)list.names[i].len,
                                list.names[i].ptr);
    return text;
}

static void lists_of_each_format_are_read(void **state)
{
    assert_int_equal(add("openai", "{\"object\":\"list\",\"data\":["
                                   "{\"id\":\"gpt-5\"},{\"id\":\"o3\"}]}"),
                     OB_OK);
    assert_string_equal(names(), "gpt-5 o3");
    assert_int_equal(cursor.len, 0);
    assert_int_equal(
        add("google-ai-studio", "{\"models\":[{\"name\":\"models/gemini\"}]}"),
        OB_OK);
    assert_int_equal(add("cohere", "{\"models\":[{\"name\":\"command\"}]}"),
                     OB_OK);
    assert_int_equal(add("my-vllm", "[{\"id\":\"org/llama\"}]"), OB_OK);
    assert_string_equal(names(), "gpt-5 o3 gemini command org/llama");
    assert_true(ob_model_list_has(&list, OB_S("org/llama")));
    assert_false(ob_model_list_has(&list, OB_S("llama")));
    assert_int_equal(add("openai", "{\"data\":[]}"), OB_OK);
    assert_int_equal(list.count, 5);
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "{}",
        "null",
        "\"data\"",
        "{\"data\":{\"id\":\"x\"}}",
        "{\"error\":{\"message\":\"no\"}}",
        "{\"data\":[{\"id\":\"x\"}]} trailing",
        "{\"data\":[{\"id\":\"cut",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++)
        assert_int_equal(add("openai", bodies[i]), OB_INVALID);
    assert_int_equal(list.count, 0);
}

static void names_that_are_none_are_left_out(void **state)
{
    char body[1024], longest[OB_MODEL_BYTES_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[OB_MODEL_BYTES_MAX + 1] = 0;
    snprintf(body, sizeof(body),
             "{\"data\":[1,null,[],{},{\"id\":7},{\"id\":\"\"},"
             "{\"id\":\"models/\"},{\"id\":\"a b\"},{\"id\":\"a\\u0000b\"},"
             "{\"id\":\"a\\nb\"},{\"id\":\"%s\"},{\"id\":\"%s\"},"
             "{\"name\":\"other\"},{\"id\":\"good\"}]}",
             longest, longest + 1);
    assert_int_equal(add("openai", body), OB_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.names[0].len, OB_MODEL_BYTES_MAX);
    assert_slice(list.names[1], "good");
}

static void pages_are_followed_as_the_provider_has_them(void **state)
{
    assert_int_equal(add("anthropic", "{\"data\":[{\"id\":\"a\"}],"
                                      "\"has_more\":true,\"last_id\":\"z\"}"),
                     OB_OK);
    assert_slice(cursor, "z");
    assert_int_equal(
        add("anthropic", "{\"data\":[{\"id\":\"b\"}],\"has_more\":true}"),
        OB_OK);
    assert_slice(cursor, "b");
    assert_int_equal(add("anthropic", "{\"data\":[{\"id\":\"c\"}],"
                                      "\"has_more\":false,\"last_id\":\"z\"}"),
                     OB_OK);
    assert_int_equal(cursor.len, 0);
    assert_int_equal(
        add("google-ai-studio", "{\"models\":[],\"nextPageToken\":\"t/+\"}"),
        OB_OK);
    assert_slice(cursor, "t/+");
    assert_int_equal(add("cohere", "{\"models\":[],\"next_page_token\":\"n\"}"),
                     OB_OK);
    assert_slice(cursor, "n");
    /* Without a way to ask for it there is no next page. */
    assert_int_equal(add("openai", "{\"data\":[{\"id\":\"d\"}],"
                                   "\"has_more\":true,\"last_id\":\"z\"}"),
                     OB_OK);
    assert_int_equal(cursor.len, 0);
    assert_string_equal(names(), "a b c d");
}

static const char *query(const char *slug, const char *after)
{
    static char text[256];
    ob_buffer out = {0};
    ob_model_list_query(provider(slug), ob_slice_str(after), &out);
    ob_slice written = ob_buffer_slice(&out);
    snprintf(text, sizeof(text), "%.*s", (int)written.len, written.ptr);
    ob_buffer_deinit(&out);
    return text;
}

static void a_list_is_asked_for_in_large_pages(void **state)
{
    configure("{\"providers\":{"
              "\"azure-like\":{\"dialect\":\"openai\",\"base_url\":"
              "\"https://x/v1\",\"probe\":\"GET /models?api-version=1&x\"},"
              "\"paged\":{\"dialect\":\"openai\",\"base_url\":"
              "\"https://x/v1\",\"probe\":\"GET /models?limit=1&a=b\"}}}");
    assert_string_equal(query("openai", ""), "");
    assert_string_equal(query("openai", "x"), "");
    assert_string_equal(query("azure-like", "x"), "api-version=1&x");
    assert_string_equal(query("anthropic", ""), "limit=1000");
    assert_string_equal(query("anthropic", "a b"), "limit=1000&after_id=a%20b");
    assert_string_equal(query("google-ai-studio", ""), "pageSize=1000");
    assert_string_equal(query("google-ai-studio", "+/=&#"),
                        "pageSize=1000&pageToken=%2B%2F%3D%26%23");
    assert_string_equal(query("cohere", "n"), "page_size=1000&page_token=n");
    assert_string_equal(query("paged", "z"), "a=b&limit=100&after=z");
}

static void only_lists_of_models_are_offered(void **state)
{
    static const char *const lists[] = {
        "openai",  "anthropic", "google-ai-studio", "groq",
        "mistral", "cohere",    "my-vllm"};
    static const char *const others[] = {
        "openrouter",   "perplexity-ai", "replicate",   "elevenlabs",
        "cartesia",     "deepgram",      "fal",         "workers-ai",
        "azure-openai", "aws-bedrock",   "huggingface", "parallel"};
    for (size_t i = 0; i < OB_LEN(lists); i++)
        assert_true(ob_model_list_offered(provider(lists[i])));
    for (size_t i = 0; i < OB_LEN(others); i++)
        assert_false(ob_model_list_offered(provider(others[i])));
}

static void no_list_grows_beyond_its_bound(void **state)
{
    ob_buffer body = {0};
    ob_buffer_append_str(&body, "{\"has_more\":true,\"data\":[{\"id\":\"a\"}");
    for (int i = 1; i < 3000; i++)
        ob_buffer_append_str(&body, ",{\"id\":\"a\"}");
    ob_buffer_append_str(&body, "]}");
    for (size_t page = 1; page <= 3; page++) {
        assert_int_equal(ob_model_list_add(&list, provider("anthropic"),
                                           ob_buffer_slice(&body), &cursor),
                         OB_OK);
        assert_int_equal(list.count, page == 1 ? 3000 : OB_LISTED_MODELS_MAX);
        assert_int_equal(cursor.len, page == 1 ? 1 : 0);
    }
    ob_buffer_deinit(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_of_each_format_are_read),
        TEST(what_is_no_list_is_refused),
        TEST(names_that_are_none_are_left_out),
        TEST(pages_are_followed_as_the_provider_has_them),
        TEST(a_list_is_asked_for_in_large_pages),
        TEST(only_lists_of_models_are_offered),
        TEST(no_list_grows_beyond_its_bound),
    };
    return cmocka_run_group_tests_name("model_list", tests, NULL, NULL);
}
