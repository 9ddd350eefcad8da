#include "test.h"

#include <stdio.h>

#include "../../src/core/dialect/dialect.h"

#define CODEC (&ob_codec_openai)

/* ---- requests ---- */

typedef struct request {
    ob_arena arena;
    yyjson_doc *doc;
    ob_form form;
    ob_status status;
    ob_buffer out;
} request;

static request *read_request(const char *json)
{
    request *r = calloc(1, sizeof(*r));
    ob_arena_init(&r->arena, 0);
    ob_form_init(&r->form, OB_DIALECT_OPENAI, &r->arena);
    r->doc = yyjson_read(json, strlen(json), 0);
    assert_non_null(r->doc);
    r->status = CODEC->read_request(yyjson_doc_get_root(r->doc), &r->form);
    return r;
}

static void free_request(request *r)
{
    ob_buffer_deinit(&r->out);
    yyjson_doc_free(r->doc);
    ob_arena_deinit(&r->arena);
    free(r);
}

static void dropped(const request *r, const char *expected)
{
    char all[512] = "";
    size_t len = 0;
    for (size_t i = 0; i < r->form.dropped_count; i++) {
        ob_slice name = r->form.dropped[i];
        assert_true(len + name.len + 2 < sizeof(all));
        if (i)
            all[len++] = ' ';
        memcpy(all + len, name.ptr, name.len);
        len += name.len;
    }
    assert_string_equal(all, expected);
}

static void written(request *r, const char *provider, const char *expected)
{
    ob_buffer_clear(&r->out);
    r->form.provider = ob_slice_str(provider);
    assert_int_equal(CODEC->write_request(&r->form, &r->out), OB_OK);
    ob_buffer_append_char(&r->out, '\0');
    assert_string_equal(ob_buffer_slice(&r->out).ptr, expected);
}

static void becomes(const char *json, const char *provider,
                    const char *expected)
{
    request *r = read_request(json);
    assert_int_equal(r->status, OB_OK);
    written(r, provider, expected);
    dropped(r, "");
    free_request(r);
}

static void stays(const char *json, const char *provider)
{
    becomes(json, provider, json);
}

static void refused(const char *json, const char *why)
{
    request *r = read_request(json);
    assert_int_equal(r->status, OB_INVALID);
    assert_slice(r->form.refusal, why);
    free_request(r);
}

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]"

static void request_keeps_all_members(void **state)
{
    stays("{\"model\":\"m\"," HELLO
          ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
          "\"description\":\"d\",\"parameters\":{\"type\":\"object\"},"
          "\"strict\":true}}],\"tool_choice\":{\"type\":\"function\","
          "\"function\":{\"name\":\"f\"}},\"parallel_tool_calls\":false,"
          "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
          "{\"name\":\"n\",\"description\":\"d\",\"schema\":{\"a\":1.5},"
          "\"strict\":true}},\"reasoning_effort\":\"xhigh\","
          "\"max_completion_tokens\":7,\"temperature\":0.5,\"top_p\":1,"
          "\"frequency_penalty\":-1.5,\"presence_penalty\":2,"
          "\"logprobs\":true,\"top_logprobs\":3,\"n\":2,\"seed\":0,"
          "\"stop\":[\"a\",\"b\"],\"verbosity\":\"high\",\"user\":\"u\","
          "\"prompt_cache_key\":\"k\","
          "\"service_tier\":\"flex\",\"stream\":true,"
          "\"stream_options\":{\"include_usage\":true}}",
          "openai");
    becomes("{\"model\":\"m\"," HELLO ",\"stop\":\"x\",\"stream\":false,"
            "\"max_tokens\":null,\"max_completion_tokens\":5,"
            "\"response_format\":{\"type\":\"json_object\"}}",
            "vllm",
            "{\"model\":\"m\"," HELLO
            ",\"response_format\":{\"type\":\"json_object\"},"
            "\"max_tokens\":5,\"stop\":[\"x\"]}");
}

static void request_asks_for_usage(void **state)
{
    request *r = read_request("{\"model\":\"m\"," HELLO ",\"stream\":true}");
    assert_false(r->form.stream_usage);
    written(r, "groq",
            "{\"model\":\"m\"," HELLO
            ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    written(r, "mistral", "{\"model\":\"m\"," HELLO ",\"stream\":true}");
    free_request(r);
    r = read_request("{\"model\":\"m\"," HELLO ",\"stream\":true,"
                     "\"stream_options\":{\"include_usage\":true}}");
    assert_true(r->form.stream_usage);
    free_request(r);
}

static void messages_keep_their_parts(void **state)
{
    stays("{\"model\":\"m\",\"messages\":["
          "{\"role\":\"developer\",\"name\":\"d\",\"content\":["
          "{\"type\":\"text\",\"text\":\"a\"},"
          "{\"type\":\"text\",\"text\":\"b\"}]},"
          "{\"role\":\"user\",\"content\":["
          "{\"type\":\"text\",\"text\":\"see\"},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":"
          "\"data:image/png;base64,aGk=\",\"detail\":\"low\"}},"
          "{\"type\":\"image_url\",\"image_url\":{\"url\":"
          "\"https://a.test/b.png\"}},"
          "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"aGk=\","
          "\"format\":\"wav\"}},"
          "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":"
          "\"data:application/pdf;base64,aGk=\"}},"
          "{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]},"
          "{\"role\":\"assistant\",\"content\":["
          "{\"type\":\"text\",\"text\":\"no\"},"
          "{\"type\":\"refusal\",\"refusal\":\"never\"}]},"
          "{\"role\":\"user\",\"content\":\"\"},"
          "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
          "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
          "\"arguments\":\"{\\\"a\\\":1}\"}},"
          "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\","
          "\"arguments\":\"{}\"}}]},"
          "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},"
          "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":["
          "{\"type\":\"text\",\"text\":\"two\"},"
          "{\"type\":\"text\",\"text\":\"three\"}]},"
          "{\"role\":\"user\",\"content\":\"go on\"}]}",
          "openai");
}

static void messages_are_plain_for_others(void **state)
{
    becomes("{\"model\":\"m\",\"messages\":["
            "{\"role\":\"developer\",\"content\":["
            "{\"type\":\"text\",\"text\":\"a\"},"
            "{\"type\":\"text\",\"text\":\"b\"}]},"
            "{\"role\":\"assistant\",\"content\":\"x\",\"refusal\":\"y\"}]}",
            "groq",
            "{\"model\":\"m\",\"messages\":["
            "{\"role\":\"system\",\"content\":\"a\\nb\"},"
            "{\"role\":\"assistant\",\"content\":\"x\\ny\"}]}");
}

static void results_are_one_turn(void **state)
{
    request *r = read_request(
        "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\","
        "\"tool_calls\":[{\"id\":\"a--obg0-c2ln\",\"function\":"
        "{\"name\":\"f\",\"arguments\":{\"x\":1}}},{\"id\":\"b\","
        "\"function\":{\"name\":\"g\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"a--obg0-c2ln\","
        "\"content\":\"1\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":null},"
        "{\"role\":\"user\",\"content\":\"more\"}]}");
    assert_int_equal(r->status, OB_OK);
    const ob_part *call = r->form.turns->parts;
    assert_slice(call->id, "a");
    assert_slice(call->signature, "c2ln");
    assert_int_equal(call->signed_by, OB_DIALECT_GEMINI);
    assert_slice(call->text, "{\"x\":1}");
    assert_slice(call->next->text, "");
    const ob_turn *results = r->form.turns->next;
    assert_int_equal(results->role, OB_ROLE_USER);
    assert_int_equal(results->parts->kind, OB_PART_RESULT);
    assert_slice(results->parts->id, "a");
    assert_int_equal(results->parts->signature.len, 0);
    assert_slice(results->parts->content->text, "1");
    assert_slice(results->parts->next->id, "b");
    assert_null(results->parts->next->content);
    assert_null(results->parts->next->next);
    assert_slice(results->next->parts->text, "more");
    free_request(r);
}

static void googles_signatures_go_back(void **state)
{
#define SIGNED(id, more)                                                       \
    "{\"model\":\"gemini-3-pro\",\"messages\":[{\"role\":\"assistant\","       \
    "\"content\":null,\"tool_calls\":[{\"id\":\"" id                           \
    "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"     \
    "\"{}\"}" more "}]}]}"
    stays(SIGNED("a", ",\"extra_content\":{\"google\":{\"thought_signature\":"
                      "\"c2ln\"}}"),
          "mine");
    becomes(SIGNED("a--obg0-c2ln", ""), "mine",
            SIGNED("a", ",\"extra_content\":{\"google\":"
                        "{\"thought_signature\":\"c2ln\"}}"));
    becomes(SIGNED("a--oba0-c2ln", ""), "mine", SIGNED("a", ""));
}

static void older_functions_are_read(void **state)
{
    becomes("{\"model\":\"m\",\"messages\":["
            "{\"role\":\"assistant\",\"content\":null,\"function_call\":"
            "{\"name\":\"f\",\"arguments\":\"{}\"}},"
            "{\"role\":\"function\",\"name\":\"f\",\"content\":\"r\"}],"
            "\"functions\":[{\"name\":\"f\",\"parameters\":{}}],"
            "\"function_call\":{\"name\":\"f\"}}",
            "vllm",
            "{\"model\":\"m\",\"messages\":["
            "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
            "{\"id\":\"call_fn_1\",\"type\":\"function\",\"function\":"
            "{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
            "{\"role\":\"tool\",\"tool_call_id\":\"call_fn_1\","
            "\"content\":\"r\"}],\"tools\":[{\"type\":\"function\","
            "\"function\":{\"name\":\"f\",\"parameters\":{}}}],"
            "\"tool_choice\":{\"type\":\"function\",\"function\":"
            "{\"name\":\"f\"}}}");
}

static void thinking_goes_to_those_who_take_it(void **state)
{
    static const char thought[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\","
        "\"content\":\"x\",\"reasoning_content\":\"hm\"}]}";
    stays(thought, "deepseek");
    becomes(thought, "openrouter",
            "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\","
            "\"content\":\"x\",\"reasoning\":\"hm\"}]}");
    becomes(thought, "groq",
            "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\","
            "\"content\":\"x\"}]}");
}

static void efforts_are_written_as_providers_take_them(void **state)
{
#define EFFORT(text)                                                           \
    "{\"model\":\"m\"," HELLO ",\"reasoning_effort\":\"" text "\"}"
    becomes(EFFORT("max"), "openai", EFFORT("xhigh"));
    becomes(EFFORT("xhigh"), "cerebras", EFFORT("high"));
    becomes(EFFORT("none"), "deepseek",
            "{\"model\":\"m\"," HELLO ",\"thinking\":{\"type\":"
            "\"disabled\"}}");
    becomes(EFFORT("low"), "openrouter",
            "{\"model\":\"m\"," HELLO ",\"reasoning\":{\"effort\":\"low\"}}");
    becomes("{\"model\":\"m\"," HELLO ",\"reasoning\":{\"max_tokens\":2000}}",
            "cerebras", EFFORT("low"));
    stays("{\"model\":\"m\"," HELLO
          ",\"reasoning\":{\"max_tokens\":2000,\"exclude\":true}}",
          "openrouter");
    request *r = read_request("{\"model\":\"gpt-4o\"," HELLO
                              ",\"reasoning_effort\":\"low\"}");
    written(r, "openai", "{\"model\":\"gpt-4o\"," HELLO "}");
    dropped(r, "reasoning_effort");
    free_request(r);
}

static void what_is_unknown_is_named(void **state)
{
    request *r = read_request(
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\","
        "\"prefix\":true,\"audio\":null}],\"logit_bias\":{\"1\":2},"
        "\"store\":true,\"metadata\":null,\"seed\":-4,\"top_k\":3,"
        "\"tools\":[{\"type\":\"web_search\"}],"
        "\"modalities\":[\"text\"],\"service_tier\":\"auto\"}");
    assert_int_equal(r->status, OB_OK);
    dropped(r, "seed store messages.prefix tools.web_search logit_bias");
    written(r, "openai",
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
            "\"a\"}],\"service_tier\":\"auto\"}");
    dropped(r, "seed store messages.prefix tools.web_search logit_bias top_k");
    free_request(r);
}

static void wrong_types_are_refused_by_name(void **state)
{
    static const char *const cases[][2] = {
        {"[]", "the body must be a JSON object"},
        {"{}", "messages must be an array of messages"},
        {"{\"messages\":[]}", "messages must be an array of messages"},
        {"{\"model\":1}", "model must be a string"},
        {"{\"temperature\":\"1\"}", "temperature must be a number"},
        {"{\"max_tokens\":1.5}", "max_tokens must be a positive integer"},
        {"{\"max_tokens\":-1}", "max_tokens must be a positive integer"},
        {"{\"n\":0}", "n must be a positive integer"},
        {"{\"seed\":\"x\"}", "seed must be an integer"},
        {"{\"stop\":[1]}", "stop must hold strings alone"},
        {"{\"stop\":1}", "stop must be a string or a list of few"},
        {"{\"stream\":1}", "stream must be true or false"},
        {"{\"logprobs\":1}", "logprobs must be true or false"},
        {"{\"stream_options\":1}", "stream_options must be an object"},
        {"{\"stream_options\":{\"include_usage\":1}}",
         "stream_options.include_usage must be true or false"},
        {"{\"user\":1}", "user must be a string"},
        {"{\"reasoning_effort\":\"huge\"}",
         "reasoning_effort must be none, minimal, low, medium, high or xhigh"},
        {"{\"response_format\":{\"type\":\"x\"}}",
         "response_format.type must be text, json_object or json_schema"},
        {"{\"response_format\":{\"type\":\"json_schema\"}}",
         "response_format.json_schema must be an object"},
        {"{\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{}}}",
         "response_format.json_schema.schema must be an object"},
        {"{\"modalities\":[\"text\",\"audio\"]}",
         "modalities must be \"text\" or \"image\": there are no others in "
         "translated answers"},
        {"{\"messages\":[1]}", "messages[0] must be an object"},
        {"{\"messages\":[{\"role\":\"x\"}]}",
         "messages[0].role must be system, developer, user, assistant or "
         "tool"},
        {"{\"messages\":[{\"role\":\"user\"},{\"role\":\"user\","
         "\"content\":1}]}",
         "messages[1].content must be a string or an array"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
         "\"text\":\"a\"},{\"type\":\"text\"}]}]}",
         "messages[0].content[1].text must be a string"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"v\"}]}]}",
         "messages[0].content[0].type is none that can be translated"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"x\"}}]}]}",
         "messages[0].content[0].image_url.url must be a URL or base64 data"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"image_url\"}]}]}",
         "messages[0].content[0].image_url.url must be a string"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_audio\"}]}]}",
         "messages[0].content[0].input_audio.data must be a string"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\","
         "\"file\":{}}]}]}",
         "messages[0].content[0].file must have file_data or file_id"},
        {"{\"messages\":[{\"role\":\"tool\"}]}",
         "messages[0].tool_call_id must be a string"},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":{}}]}",
         "messages[0].tool_calls must be an array"},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":"
         "[{\"type\":\"custom\"}]}]}",
         "messages[0].tool_calls[0].custom must have a name and an input"},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{}]}]}",
         "messages[0].tool_calls[0].function must have a name"},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":"
         "[{\"function\":{\"name\":\"f\",\"arguments\":1}}]}]}",
         "messages[0].tool_calls[0].function must have a string as "
         "arguments"},
        {"{\"tools\":1," HELLO "}", "tools must be an array"},
        {"{\"tools\":[{\"type\":\"function\"}]," HELLO "}",
         "tools[0].function must be an object"},
        {"{\"tools\":[{\"function\":{}}]," HELLO "}",
         "tools[0].function.name must be a string"},
        {"{\"tools\":[{\"function\":{\"name\":\"f\",\"parameters\":1}}]," HELLO
         "}",
         "tools[0].function.parameters must be an object"},
        {"{\"functions\":[{}]," HELLO "}",
         "functions[0].name must be a string"},
        {"{\"tool_choice\":\"x\"," HELLO "}",
         "tool_choice must be none, auto, required or name a function"},
        {"{\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
         "\"f\"}}," HELLO "}",
         "tool_choice names \"f\", which is no function of the request"},
        {"{\"tools\":[{\"type\":\"custom\"}]," HELLO "}",
         "tools[0].custom.name must be a string"},
        {"{\"tool_choice\":{\"type\":\"web_search\"}," HELLO "}",
         "tool_choice asks for a tool of type \"web_search\", which cannot be "
         "translated"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++)
        refused(cases[i][0], cases[i][1]);
}

static void allowed_tools_are_offered_alone(void **state)
{
    becomes("{\"model\":\"m\"," HELLO ",\"tools\":["
            "{\"type\":\"function\",\"function\":{\"name\":\"a\"}},"
            "{\"type\":\"function\",\"function\":{\"name\":\"b\"}}],"
            "\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":"
            "{\"mode\":\"required\",\"tools\":[{\"type\":\"function\","
            "\"function\":{\"name\":\"b\"}}]}}}",
            "openai",
            "{\"model\":\"m\"," HELLO ",\"tools\":["
            "{\"type\":\"function\",\"function\":{\"name\":\"b\"}}],"
            "\"tool_choice\":\"required\"}");
}

/* ---- requests of other dialects ---- */

static request *new_request(ob_dialect from)
{
    request *r = calloc(1, sizeof(*r));
    ob_arena_init(&r->arena, 0);
    ob_form_init(&r->form, from, &r->arena);
    r->form.model = OB_S("m");
    return r;
}

static ob_part *add(request *r, ob_role role, ob_part_kind kind,
                    const char *text)
{
    ob_turn *turn = ob_form_turn(&r->form, role);
    ob_part *part = ob_form_part(&r->form, &turn->parts, kind);
    part->text = ob_slice_str(text);
    return part;
}

static void media_of_results_follow(void **state)
{
    request *r = new_request(OB_DIALECT_ANTHROPIC);
    ob_part *call = add(r, OB_ROLE_ASSISTANT, OB_PART_CALL, "");
    call->id = OB_S("t1");
    call->name = OB_S("shot");
    ob_part *result = add(r, OB_ROLE_USER, OB_PART_RESULT, "");
    result->id = OB_S("t1");
    result->is_error = true;
    ob_part *image = ob_form_part(&r->form, &result->content, OB_PART_IMAGE);
    image->media = OB_S("image/png");
    image->data = OB_S("aG\nk=");
    ob_form_part(&r->form, &result->next, OB_PART_TEXT)->text = OB_S("so?");
    written(r, "openai",
            "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\","
            "\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"type\":"
            "\"function\",\"function\":{\"name\":\"shot\",\"arguments\":"
            "\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"t1\","
            "\"content\":\"The result is attached below.\"},"
            "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
            "\"Attached to the result of shot:\"},{\"type\":\"image_url\","
            "\"image_url\":{\"url\":\"data:image/png;base64,aGk=\"}},"
            "{\"type\":\"text\",\"text\":\"so?\"}]}]}");
    dropped(r, "is_error");
    free_request(r);
}

static void what_is_anothers_is_left_out_or_refused(void **state)
{
    request *r = new_request(OB_DIALECT_ANTHROPIC);
    ob_part *text = add(r, OB_ROLE_USER, OB_PART_TEXT, "a");
    text->cached = true;
    ob_part *thought = add(r, OB_ROLE_ASSISTANT, OB_PART_THINKING, "hm");
    thought->signature = OB_S("sig");
    thought->signed_by = OB_DIALECT_ANTHROPIC;
    ob_form_part(&r->form, &thought->next, OB_PART_TEXT)->text = OB_S("b");
    r->form.user = OB_S("0123456789012345678901234567890123456789"
                        "0123456789012345678901234567890123456789");
    r->form.service_tier = OB_S("standard_only");
    r->form.top_k = 4;
    written(r, "deepseek",
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
            "\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]}");
    dropped(r, "messages.prefill cache_control top_k metadata.user_id "
               "service_tier");
    ob_part *file = add(r, OB_ROLE_USER, OB_PART_FILE, "");
    file->file_id = OB_S("file_1");
    ob_buffer_clear(&r->out);
    assert_int_equal(CODEC->write_request(&r->form, &r->out), OB_INVALID);
    assert_slice(r->form.refusal,
                 "a file that is kept at a provider by its file id cannot be "
                 "sent to this one: send its data");
    free_request(r);
}

static void cache_marks_go_to_openrouter(void **state)
{
    stays("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
          "{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":"
          "\"ephemeral\",\"ttl\":\"1h\"}}]}]}",
          "openrouter");
}

static void what_says_nothing_is_refused(void **state)
{
    request *r = new_request(OB_DIALECT_GEMINI);
    add(r, OB_ROLE_ASSISTANT, OB_PART_THINKING, "hm");
    assert_int_equal(CODEC->write_request(&r->form, &r->out), OB_INVALID);
    assert_slice(r->form.refusal,
                 "the request has no message that can be sent to this "
                 "provider");
    free_request(r);
}

static void foreign_ids_are_made_to_fit(void **state)
{
#define CALLED(id)                                                             \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":null," \
    "\"tool_calls\":[{\"id\":\"" id "\",\"type\":\"function\",\"function\":"   \
    "{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","             \
    "\"tool_call_id\":\"" id "\",\"content\":\"r\"}]}"
    stays(CALLED("abcDEF123"), "mistral");
    stays(CALLED("call_67890123456789012345678901234567890"), "vllm");
    becomes(CALLED("call_4567890123456789012345678901234567890"), "vllm",
            CALLED("vvq7urgdy"));
    becomes(CALLED("call_4567890123456789012345678901234567890"), "mistral",
            CALLED("vvq7urgdy"));
}

/* A model of OpenAI's is as strict at others as at OpenAI. */
static void models_that_reason_get_what_they_take(void **state)
{
    static const char rest[] =
        ",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,"
        "\"presence_penalty\":0.1,\"logprobs\":true,\"stop\":[\"x\"],"
        "\"verbosity\":\"low\"}";
    static const struct {
        const char *model, *provider, *rest, *dropped;
    } cases[] = {
        {"gpt-5-mini", "openai",
         ",\"max_completion_tokens\":9,\"verbosity\":\"low\"}",
         "temperature presence_penalty logprobs stop"},
        {"o3", "azure", ",\"max_completion_tokens\":9,\"verbosity\":\"low\"}",
         "temperature presence_penalty logprobs stop"},
        {"gpt-5.2", "openai",
         ",\"max_completion_tokens\":9,\"temperature\":0.5,\"top_p\":1,"
         "\"presence_penalty\":0.1,\"logprobs\":true,\"verbosity\":\"low\"}",
         "stop"},
        {"openai/gpt-5", "openrouter", rest, ""},
        {"gpt-oss-120b", "groq",
         ",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,"
         "\"presence_penalty\":0.1,\"logprobs\":true,\"stop\":[\"x\"]}",
         "verbosity"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        char text[512], expected[512];
        snprintf(text, sizeof(text), "{\"model\":\"%s\"," HELLO "%s",
                 cases[i].model, rest);
        snprintf(expected, sizeof(expected), "{\"model\":\"%s\"," HELLO "%s",
                 cases[i].model, cases[i].rest);
        request *r = read_request(text);
        written(r, cases[i].provider, expected);
        dropped(r, cases[i].dropped);
        free_request(r);
    }
}

static void thinking_is_turned_off_where_it_can_be(void **state)
{
    static const struct {
        ob_dialect from;
        const char *provider, *model, *rest, *dropped;
    } cases[] = {
        {OB_DIALECT_ANTHROPIC, "openai", "gpt-4o", "", ""},
        {OB_DIALECT_ANTHROPIC, "openai", "gpt-5.1",
         ",\"reasoning_effort\":\"none\"", ""},
        {OB_DIALECT_ANTHROPIC, "openai", "o3", "", "thinking"},
        {OB_DIALECT_GEMINI, "cerebras", "m", "",
         "generationConfig.thinkingConfig.thinkingBudget"},
        {OB_DIALECT_RESPONSES, "cerebras", "m",
         ",\"reasoning_effort\":\"none\"", ""},
        {OB_DIALECT_ANTHROPIC, "deepseek", "m",
         ",\"thinking\":{\"type\":\"disabled\"}", ""},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        char expected[256];
        request *r = new_request(cases[i].from);
        add(r, OB_ROLE_USER, OB_PART_TEXT, "Hello");
        r->form.model = ob_slice_str(cases[i].model);
        r->form.effort = OB_EFFORT_NONE;
        snprintf(expected, sizeof(expected), "{\"model\":\"%s\",%s%s}",
                 cases[i].model, HELLO, cases[i].rest);
        written(r, cases[i].provider, expected);
        dropped(r, cases[i].dropped);
        free_request(r);
    }
}

/* What they refuse is left out, and named where that changes anything. */
static void xai_and_groq_are_asked_for_what_they_take(void **state)
{
    static const struct {
        const char *provider, *model;
        ob_effort effort;
        const char *written; /* empty: it is not asked for */
        bool named;
    } cases[] = {
        {"grok", "grok-4", OB_EFFORT_HIGH, "", true},
        {"grok", "grok-4-0709", OB_EFFORT_LOW, "", true},
        {"grok", "grok-4-1-fast-reasoning", OB_EFFORT_LOW, "", true},
        {"grok", "grok-4.20-0309-reasoning", OB_EFFORT_LOW, "", true},
        {"grok", "grok-4.20-0309-reasoning", OB_EFFORT_NONE, "", true},
        {"grok", "grok-4.20-0309-non-reasoning", OB_EFFORT_NONE, "", false},
        {"grok", "grok-4.20-multi-agent-0309", OB_EFFORT_MAX, "xhigh", false},
        {"grok", "grok-code-fast-1", OB_EFFORT_MEDIUM, "", true},
        {"grok", "grok-3", OB_EFFORT_NONE, "", false},
        {"grok", "grok-3-mini", OB_EFFORT_MINIMAL, "low", false},
        {"grok", "grok-3-mini-fast", OB_EFFORT_MEDIUM, "low", false},
        {"grok", "grok-3-mini", OB_EFFORT_MAX, "high", false},
        {"grok", "grok-4.3", OB_EFFORT_NONE, "none", false},
        {"grok", "grok-4.3", OB_EFFORT_MEDIUM, "medium", false},
        {"grok", "grok-4.5", OB_EFFORT_NONE, "", true},
        {"grok", "grok-4.5", OB_EFFORT_MAX, "high", false},
        {"grok", "grok-4.6", OB_EFFORT_MAX, "xhigh", false},
        {"grok", "grok-5", OB_EFFORT_MINIMAL, "low", false},
        {"groq", "openai/gpt-oss-120b", OB_EFFORT_MAX, "high", false},
        {"groq", "openai/gpt-oss-20b", OB_EFFORT_NONE, "", true},
        {"groq", "qwen/qwen3-32b", OB_EFFORT_NONE, "none", false},
        {"groq", "qwen/qwen3-32b", OB_EFFORT_HIGH, "", true},
        {"groq", "llama-3.3-70b-versatile", OB_EFFORT_HIGH, "", true},
        {"groq", "llama-3.3-70b-versatile", OB_EFFORT_NONE, "", false},
    };
    static const ob_dialect froms[] = {OB_DIALECT_RESPONSES,
                                       OB_DIALECT_ANTHROPIC};
    for (size_t i = 0; i < OB_LEN(cases) * OB_LEN(froms); i++) {
        size_t at = i / OB_LEN(froms);
        char expected[256];
        char effort[64] = "";
        request *r = new_request(froms[i % OB_LEN(froms)]);
        add(r, OB_ROLE_USER, OB_PART_TEXT, "Hello");
        r->form.model = ob_slice_str(cases[at].model);
        r->form.effort = cases[at].effort;
        if (cases[at].written[0])
            snprintf(effort, sizeof(effort), ",\"reasoning_effort\":\"%s\"",
                     cases[at].written);
        snprintf(expected, sizeof(expected), "{\"model\":\"%s\",%s%s}",
                 cases[at].model, HELLO, effort);
        written(r, cases[at].provider, expected);
        if ((r->form.dropped_count > 0) != cases[at].named)
            fail_msg("%s, %d: %zu are named", cases[at].model,
                     (int)cases[at].effort, r->form.dropped_count);
        free_request(r);
    }
}

static void xai_is_spared_penalties_and_some_ends(void **state)
{
#define ASKED(model, rest) "{\"model\":\"" model "\"," HELLO rest "}"
#define STOP               ",\"stop\":[\"x\"]"
#define PENALTIES          ",\"frequency_penalty\":0,\"presence_penalty\":1"
    static const char *const cases[][3] = {
        {ASKED("grok-4.6", PENALTIES STOP), ASKED("grok-4.6", ""),
         "presence_penalty stop"},
        {ASKED("grok-3-mini", STOP), ASKED("grok-3-mini", ""), "stop"},
        {ASKED("grok-3", STOP), ASKED("grok-3", STOP), ""},
        {ASKED("grok-4-fast-non-reasoning", PENALTIES STOP),
         ASKED("grok-4-fast-non-reasoning", STOP), "presence_penalty"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        request *r = read_request(cases[i][0]);
        written(r, "grok", cases[i][1]);
        dropped(r, cases[i][2]);
        free_request(r);
    }
    becomes(ASKED("grok-4", PENALTIES STOP), "cerebras",
            ASKED("grok-4", PENALTIES STOP));
}

static void memory_may_run_out(void **state)
{
    static const char json[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"input_audio\","
        "\"input_audio\":{\"data\":\"aGk=\",\"format\":\"wav\"}}]},"
        "{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\"}}],"
        "\"tools\":[{\"function\":{\"name\":\"f\"}}],\"stop\":\"x\","
        "\"store\":true}";
    static _Alignas(16) char room[8192];
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    bool worked = false;
    for (size_t size = 64; size < sizeof(room); size += 16) {
        ob_arena arena;
        ob_form form;
        ob_arena_init_in(&arena, room, size);
        arena.bytes_max = 1;
        ob_form_init(&form, OB_DIALECT_OPENAI, &arena);
        ob_status status = CODEC->read_request(yyjson_doc_get_root(doc), &form);
        assert_true(status == OB_OK || status == OB_NO_MEMORY);
        assert_false(worked && status != OB_OK);
        worked = status == OB_OK;
        ob_arena_deinit(&arena);
    }
    assert_true(worked);
    yyjson_doc_free(doc);
}

static void required_choice_needs_a_tool(void **state)
{
    request *r = new_request(OB_DIALECT_RESPONSES);
    add(r, OB_ROLE_USER, OB_PART_TEXT, "a");
    r->form.choose = OB_CHOOSE_REQUIRED;
    assert_int_equal(CODEC->write_request(&r->form, &r->out), OB_INVALID);
    assert_true(r->form.refusal.len > 0);
    free_request(r);
}

/* ---- answers ---- */

static void answer_becomes(const char *json, const char *expected)
{
    ob_arena arena;
    ob_answer answer;
    ob_buffer out = {0};
    ob_arena_init(&arena, 0);
    ob_answer_init(&answer, &arena);
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    assert_non_null(doc);
    assert_int_equal(CODEC->read_answer(yyjson_doc_get_root(doc), &answer),
                     OB_OK);
    ob_answer_name_calls(&answer, OB_S("r1"));
    ob_answering answering = {.id = OB_S("r1"),
                              .model = OB_S("asked"),
                              .created_s = 9,
                              .arena = &arena};
    CODEC->write_answer(&answer, &answering, &out);
    ob_buffer_append_char(&out, '\0');
    assert_string_equal(ob_buffer_slice(&out).ptr, expected);
    ob_buffer_deinit(&out);
    yyjson_doc_free(doc);
    ob_arena_deinit(&arena);
}

#define ANSWER(choices, usage)                                                 \
    "{\"id\":\"a1\",\"object\":\"chat.completion\",\"created\":9,"             \
    "\"model\":\"m\",\"choices\":[" choices "]" usage "}"

static void answer_stays(const char *json)
{
    answer_becomes(json, json);
}

static void answers_keep_everything(void **state)
{
    answer_stays(ANSWER(
        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"a\xc3\xa9\",\"reasoning_content\":\"hm\",\"refusal\":null,"
        "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":"
        "{\"start_index\":0,\"end_index\":1,\"title\":\"t\",\"url\":"
        "\"https://a.test\"}}]},\"logprobs\":{\"content\":[{\"token\":"
        "\"\xc3\xa9\",\"logprob\":-0.5,\"bytes\":[195,169],"
        "\"top_logprobs\":[{\"token\":\"e\",\"logprob\":-1.25,\"bytes\":"
        "[101]}]}],\"refusal\":null},\"finish_reason\":\"length\"},"
        "{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":null,"
        "\"refusal\":\"no\"},\"logprobs\":null,\"finish_reason\":"
        "\"content_filter\"}",
        ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,"
        "\"total_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":3},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4}}"));
    answer_stays(ANSWER(
        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
        "\"refusal\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
        "\"{\\\"a\\\":1}\"}},{\"id\":\"c2\",\"type\":\"function\","
        "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}],\"images\":["
        "{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"data:image/png;base64,aGk=\"}}]},\"logprobs\":null,"
        "\"finish_reason\":\"tool_calls\"}",
        ""));
}

static void answers_of_other_providers_are_read(void **state)
{
    /* No id, model or index; a list as content; arguments as an object; a
     * signature; "stop" behind a call; a cache by another name; reasoning
     * beside the output. */
    answer_becomes(
        "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"thinking\","
        "\"thinking\":[{\"type\":\"text\",\"text\":\"hm\"}]},{\"type\":"
        "\"text\",\"text\":\"x\"},{\"type\":\"text\",\"text\":\"y\"},"
        "{\"type\":\"odd\"}],\"tool_calls\":[{\"function\":{\"name\":\"f\","
        "\"arguments\":{\"a\":1}}},{\"id\":\"c\",\"function\":{\"name\":"
        "\"g\",\"arguments\":\"\"},\"extra_content\":{\"google\":"
        "{\"thought_signature\":\"c2k=\"}}},7]},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,"
        "\"total_tokens\":11,\"prompt_cache_hit_tokens\":1,"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4}}}",
        "{\"id\":\"chatcmpl-r1\",\"object\":\"chat.completion\","
        "\"created\":9,\"model\":\"asked\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"xy\","
        "\"reasoning_content\":\"hm\",\"refusal\":null,\"tool_calls\":["
        "{\"id\":\"call_r1_1\",\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
        "{\"id\":\"c--obg1-c2k\",\"type\":\"function\",\"function\":"
        "{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"logprobs\":null,"
        "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":5,"
        "\"completion_tokens\":6,\"total_tokens\":11,"
        "\"prompt_tokens_details\":{\"cached_tokens\":1},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4}}}");
}

static void what_is_no_answer_is_invalid(void **state)
{
    static const char *const texts[] = {"[]", "{}", "{\"choices\":[]}",
                                        "{\"choices\":1}",
                                        "{\"error\":{\"message\":\"x\"}}"};
    for (size_t i = 0; i < OB_LEN(texts); i++) {
        ob_arena arena;
        ob_answer answer;
        ob_arena_init(&arena, 0);
        ob_answer_init(&answer, &arena);
        yyjson_doc *doc = yyjson_read(texts[i], strlen(texts[i]), 0);
        assert_int_equal(CODEC->read_answer(yyjson_doc_get_root(doc), &answer),
                         OB_INVALID);
        yyjson_doc_free(doc);
        ob_arena_deinit(&arena);
    }
}

/* ---- streams ---- */

static void write_to(void *context, const ob_event *event)
{
    CODEC->write_event(context, event);
}

/* Events, NULL at the end; "[DONE]" as providers say it. What is written, each
 * event without what all have in common. */
static void streams(const char *const *events, bool usage, const char *expected)
{
    ob_arena arena;
    ob_blocks blocks;
    ob_buffer out = {0};
    ob_event_reader reader = {.take = ob_blocks_take, .context = &blocks};
    ob_arena_init(&arena, 0);
    ob_answering answering = {.id = OB_S("r1"),
                              .model = OB_S("asked"),
                              .created_s = 9,
                              .stream_usage = usage,
                              .arena = &arena};
    ob_event_writer writer = {.answering = &answering, .out = &out};
    ob_blocks_init(&blocks, write_to, &writer);
    bool done = false;
    for (; *events; events++) {
        done |= strcmp(*events, "[DONE]") == 0;
        if (done)
            break;
        yyjson_doc *doc = yyjson_read(*events, strlen(*events), 0);
        assert_non_null(doc);
        CODEC->read_event(&reader, OB_S(""), yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    CODEC->read_end(&reader, done);
    ob_buffer_append_char(&out, '\0');
    assert_string_equal(ob_buffer_slice(&out).ptr, expected);
    ob_buffer_deinit(&out);
    ob_arena_deinit(&arena);
}

#define IN(choice)                                                             \
    "{\"id\":\"s1\",\"object\":\"chat.completion.chunk\",\"created\":3,"       \
    "\"model\":\"m\",\"choices\":[" choice "]}"
#define DELTA(delta)                                                           \
    IN("{\"index\":0,\"delta\":" delta ",\"finish_reason\":null}")
#define HEAD                                                                   \
    "data: {\"id\":\"s1\",\"object\":\"chat.completion.chunk\","               \
    "\"created\":9,\"model\":\"m\",\"choices\":["
#define OUT_END(delta, finish, rest)                                           \
    HEAD "{\"index\":0,\"delta\":" delta                                       \
         ",\"logprobs\":null,\"finish_reason\":" finish "}]" rest "}\n\n"
#define OUT(delta) OUT_END(delta, "null", "")
#define ROLE       OUT("{\"role\":\"assistant\",\"content\":\"\"}")
#define OPENED(index, id, name)                                                \
    OUT("{\"tool_calls\":[{\"index\":" index ",\"id\":\"" id                   \
        "\",\"type\":\"function\",\"function\":{\"name\":\"" name              \
        "\",\"arguments\":\"\"}}]}")
#define ARGUMENTS(index, text)                                                 \
    OUT("{\"tool_calls\":[{\"index\":" index                                   \
        ",\"function\":{\"arguments\":\"" text "\"}}]}")
#define STOPPED(finish) OUT_END("{}", "\"" finish "\"", "")
#define DONE            "data: [DONE]\n\n"

static void text_is_streamed(void **state)
{
    static const char *const events[] = {
        "{\"choices\":[],\"id\":\"\",\"model\":\"\","
        "\"prompt_filter_results\":[]}",
        DELTA("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}"),
        DELTA("{\"content\":\"He\"}"),
        DELTA("{\"content\":\"llo\"}"),
        IN("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}"),
        "{\"id\":\"s1\",\"model\":\"m\",\"choices\":[],\"usage\":"
        "{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12,"
        "\"prompt_tokens_details\":{\"cached_tokens\":3},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4}}}",
        "[DONE]",
        NULL,
    };
    streams(events, false,
            ROLE OUT("{\"content\":\"He\"}") OUT("{\"content\":\"llo\"}")
                STOPPED("stop") DONE);
#define NULLED(delta, finish) OUT_END(delta, finish, ",\"usage\":null")
    streams(events, true,
            NULLED("{\"role\":\"assistant\",\"content\":\"\"}", "null")
                NULLED("{\"content\":\"He\"}", "null")
                    NULLED("{\"content\":\"llo\"}", "null")
                        NULLED("{}", "\"stop\"") HEAD
            "],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,"
            "\"total_tokens\":12,\"prompt_tokens_details\":"
            "{\"cached_tokens\":3},\"completion_tokens_details\":"
            "{\"reasoning_tokens\":4}}}\n\n" DONE);
}

static void thinking_and_refusal_are_streamed(void **state)
{
    static const char *const events[] = {
        DELTA("{\"role\":\"assistant\",\"content\":null,"
              "\"reasoning_content\":\"h\"}"),
        DELTA("{\"reasoning\":\"m\"}"),
        DELTA("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":"
              "\"text\",\"text\":\"!\"}]},{\"type\":\"text\",\"text\":"
              "\"x\"}]}"),
        IN("{\"index\":0,\"delta\":{\"refusal\":\"no\"},\"finish_reason\":"
           "\"content_filter\"}"),
        NULL,
    };
    streams(events, false,
            ROLE OUT("{\"reasoning_content\":\"h\"}")
                OUT("{\"reasoning_content\":\"m\"}")
                    OUT("{\"reasoning_content\":\"!\"}")
                        OUT("{\"content\":\"x\"}") OUT("{\"refusal\":\"no\"}")
                            STOPPED("content_filter") DONE);
}

#define CALL(text) DELTA("{\"tool_calls\":[" text "]}")

static void calls_are_streamed(void **state)
{
    static const char *const events[] = {
        CALL("{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":"
             "{\"name\":\"f\",\"arguments\":\"\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\":1}\"}}"),
        CALL("{\"index\":1,\"id\":\"c2\",\"type\":\"function\",\"function\":"
             "{\"name\":\"g\",\"arguments\":\"\"}}"),
        IN("{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}"),
        "[DONE]",
        NULL,
    };
    streams(events, false,
            ROLE OPENED("0", "c1", "f") ARGUMENTS("0", "{\\\"a\\\"")
                ARGUMENTS("0", ":1}") OPENED("1", "c2", "g")
                    ARGUMENTS("1", "{}") STOPPED("tool_calls") DONE);
}

static void calls_of_other_providers_are_read(void **state)
{
    /* Whole, in one chunk, without numbers, with the finish; no ids, which the
     * translation makes. */
    static const char *const whole[] = {
        IN("{\"delta\":{\"content\":\"so\",\"tool_calls\":[{\"id\":\"c1\","
           "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},"
           "\"extra_content\":{\"google\":{\"thought_signature\":\"c2k=\"}}},"
           "{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},"
           "\"finish_reason\":\"stop\"}"),
        NULL,
    };
    streams(whole, false,
            ROLE OUT("{\"content\":\"so\"}") OPENED("0", "c1--obg1-c2k", "f")
                ARGUMENTS("0", "{}") OPENED("1", "", "f")
                    ARGUMENTS("1", "{\\\"a\\\":1}") STOPPED("tool_calls") DONE);
    /* All numbered 0, told apart by their ids; id and name repeated. */
    static const char *const zeros[] = {
        CALL("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\","
             "\"arguments\":\"{\"}}"),
        CALL("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\","
             "\"arguments\":\"}\"}}"),
        CALL("{\"index\":0,\"id\":\"c2\",\"function\":{\"name\":\"f\","
             "\"arguments\":\"{}\"}}"),
        "[DONE]",
        NULL,
    };
    streams(zeros, false,
            ROLE OPENED("0", "c1", "f") ARGUMENTS("0", "{") ARGUMENTS("0", "}")
                OPENED("1", "c2", "f") ARGUMENTS("1", "{}") DONE);
    static const char *const older[] = {
        DELTA("{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}"),
        DELTA("{\"function_call\":{\"arguments\":\"{}\"}}"),
        IN("{\"index\":0,\"delta\":{},\"finish_reason\":\"function_call\"}"),
        NULL,
    };
    streams(older, false,
            ROLE OPENED("0", "", "f") ARGUMENTS("0", "{}") STOPPED("tool_calls")
                DONE);
}

#define ERROR_OUT(message, type, code)                                         \
    "\n\ndata: {\"error\":{\"message\":\"" message "\",\"type\":\"" type       \
    "\",\"param\":null,\"code\":" code "}}\n\n"

static void mixed_calls_are_an_error(void **state)
{
    static const char *const events[] = {
        CALL("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\"}}"),
        CALL("{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"g\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\"{}\"}}"),
        "[DONE]",
        NULL,
    };
    streams(events, false,
            ROLE OPENED("0", "c1", "f") ARGUMENTS("0", "{}")
                OPENED("1", "c2", "g")
                    ERROR_OUT("the provider sends two tool calls in turns, "
                              "which this API cannot say",
                              "server_error", "\"bad_gateway\""));
}

static void errors_and_broken_ends_are_told(void **state)
{
    static const char *const broken[] = {DELTA("{\"content\":\"He\"}"), NULL};
    streams(broken, false,
            ROLE OUT("{\"content\":\"He\"}")
                ERROR_OUT("the provider's answer broke off", "server_error",
                          "\"bad_gateway\""));
    static const char *const limited[] = {
        DELTA("{\"content\":\"He\"}"),
        "{\"error\":{\"message\":\"slow down\",\"type\":\"x\",\"code\":"
        "\"rate_limit_exceeded\"}}",
        DELTA("{\"content\":\"no\"}"), "[DONE]", NULL};
    streams(limited, false,
            ROLE OUT("{\"content\":\"He\"}") ERROR_OUT(
                "slow down", "rate_limit_error", "\"rate_limit_exceeded\""));
    /* OpenRouter's, beside a choice. */
    static const char *const beside[] = {
        "{\"id\":\"s1\",\"model\":\"m\",\"error\":{\"code\":503,\"message\":"
        "\"gone\"},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},"
        "\"finish_reason\":\"error\"}]}",
        NULL};
    streams(beside, false,
            ERROR_OUT("gone", "server_error", "\"service_unavailable\""));
    static const char *const text[] = {"{\"error\":\"bad\"}", NULL};
    streams(text, false, ERROR_OUT("bad", "server_error", "\"bad_gateway\""));
}

static void logprobs_and_citations_are_streamed(void **state)
{
    static const char *const events[] = {
        IN("{\"index\":0,\"delta\":{\"content\":\"\xc3\xa9\"},\"logprobs\":"
           "{\"content\":[{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],"
           "\"top_logprobs\":[{\"token\":\"b\",\"logprob\":-2.5,\"bytes\":"
           "[98]}]}]},\"finish_reason\":null}"),
        DELTA("{\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":"
              "{\"url\":\"https://a.test\",\"title\":\"t\"}}]}"),
        IN("{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}"), NULL};
    streams(events, false,
            ROLE OUT("{\"content\":\"\xc3\xa9\"}") HEAD
            "{\"index\":0,\"delta\":{},\"logprobs\":{\"content\":["
            "{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],"
            "\"top_logprobs\":[{\"token\":\"b\",\"logprob\":-2.5,\"bytes\":"
            "[98]}]}],\"refusal\":null},\"finish_reason\":null}]}\n\n" OUT(
                "{\"annotations\":[{\"type\":\"url_citation\","
                "\"url_citation\":{\"start_index\":0,\"end_index\":1,"
                "\"title\":\"t\",\"url\":\"https://a.test\"}}]}")
                STOPPED("length") DONE);
}

static void usage_beside_the_finish_is_told(void **state)
{
    static const char *const events[] = {
        "{\"id\":\"s1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":"
        "{\"content\":\"a\"},\"finish_reason\":\"stop\"}],\"x_groq\":"
        "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}}",
        "[DONE]", NULL};
    streams(events, true,
            NULLED("{\"role\":\"assistant\",\"content\":\"\"}", "null")
                NULLED("{\"content\":\"a\"}", "null") NULLED("{}", "\"stop\"")
                    HEAD
            "],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,"
            "\"total_tokens\":3}}\n\n" DONE);
}

static void choices_are_streamed_apart(void **state)
{
    static const char *const events[] = {
        DELTA("{\"content\":\"a\"}"),
        IN("{\"index\":1,\"delta\":{\"content\":\"b\"}}"),
        IN("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}"),
        IN("{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}"), NULL};
#define OF_ONE(delta, finish)                                                  \
    HEAD "{\"index\":1,\"delta\":" delta                                       \
         ",\"logprobs\":null,\"finish_reason\":" finish "}]}\n\n"
    streams(events, false,
            ROLE OUT("{\"content\":\"a\"}")
                OF_ONE("{\"role\":\"assistant\",\"content\":\"\"}", "null")
                    OF_ONE("{\"content\":\"b\"}", "null") STOPPED("stop")
                        OF_ONE("{}", "\"stop\"") DONE);
    static const char *const many[] = {
        IN("{\"index\":8,\"delta\":{\"content\":\"b\"}}"), NULL};
    streams(many, false,
            ROLE ERROR_OUT("the provider sends more choices than can be "
                           "translated",
                           "server_error", "\"bad_gateway\""));
}

static void odd_events_are_skipped(void **state)
{
    static const char *const events[] = {
        "[]",
        "7",
        "{\"choices\":{}}",
        "{\"choices\":[7,null,[],{\"delta\":7}]}",
        DELTA("{\"tool_calls\":[7,{},{\"function\":7},{\"function\":"
              "{\"arguments\":\"x\"}}],\"content\":{},\"annotations\":[1]}"),
        IN("{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":7,"
           "\"finish_reason\":7}"),
        "[DONE]",
        NULL};
    streams(events, true,
            "data: {\"id\":\"chatcmpl-r1\",\"object\":"
            "\"chat.completion.chunk\",\"created\":9,\"model\":\"asked\","
            "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
            "\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}],"
            "\"usage\":null}\n\n"
            "data: {\"id\":\"chatcmpl-r1\",\"object\":"
            "\"chat.completion.chunk\",\"created\":9,\"model\":\"asked\","
            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},"
            "\"logprobs\":null,\"finish_reason\":null}],"
            "\"usage\":null}\n\n" DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_keeps_all_members),
        cmocka_unit_test(request_asks_for_usage),
        cmocka_unit_test(messages_keep_their_parts),
        cmocka_unit_test(messages_are_plain_for_others),
        cmocka_unit_test(results_are_one_turn),
        cmocka_unit_test(googles_signatures_go_back),
        cmocka_unit_test(older_functions_are_read),
        cmocka_unit_test(thinking_goes_to_those_who_take_it),
        cmocka_unit_test(efforts_are_written_as_providers_take_them),
        cmocka_unit_test(what_is_unknown_is_named),
        cmocka_unit_test(wrong_types_are_refused_by_name),
        cmocka_unit_test(allowed_tools_are_offered_alone),
        cmocka_unit_test(media_of_results_follow),
        cmocka_unit_test(what_is_anothers_is_left_out_or_refused),
        cmocka_unit_test(cache_marks_go_to_openrouter),
        cmocka_unit_test(required_choice_needs_a_tool),
        cmocka_unit_test(what_says_nothing_is_refused),
        cmocka_unit_test(foreign_ids_are_made_to_fit),
        cmocka_unit_test(models_that_reason_get_what_they_take),
        cmocka_unit_test(thinking_is_turned_off_where_it_can_be),
        cmocka_unit_test(xai_and_groq_are_asked_for_what_they_take),
        cmocka_unit_test(xai_is_spared_penalties_and_some_ends),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(answers_keep_everything),
        cmocka_unit_test(answers_of_other_providers_are_read),
        cmocka_unit_test(what_is_no_answer_is_invalid),
        cmocka_unit_test(text_is_streamed),
        cmocka_unit_test(thinking_and_refusal_are_streamed),
        cmocka_unit_test(calls_are_streamed),
        cmocka_unit_test(calls_of_other_providers_are_read),
        cmocka_unit_test(mixed_calls_are_an_error),
        cmocka_unit_test(errors_and_broken_ends_are_told),
        cmocka_unit_test(logprobs_and_citations_are_streamed),
        cmocka_unit_test(usage_beside_the_finish_is_told),
        cmocka_unit_test(choices_are_streamed_apart),
        cmocka_unit_test(odd_events_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
