#include "test.h"

#include <stdio.h>

#include "../../src/core/dialect/dialect.h"

static const ob_codec *const codec = &ob_codec_responses;

/* ---- what the tests read and write with ---- */

typedef struct world {
    ob_arena arena;
    ob_buffer out;
    yyjson_doc *docs[64];
    size_t count;
} world;

static void begin(world *w)
{
    *w = (world){0};
    ob_arena_init(&w->arena, 0);
}

static void end(world *w)
{
    while (w->count)
        yyjson_doc_free(w->docs[--w->count]);
    ob_buffer_deinit(&w->out);
    ob_arena_deinit(&w->arena);
}

static yyjson_val *parse(world *w, const char *text)
{
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    assert_true(w->count < OB_LEN(w->docs));
    w->docs[w->count++] = doc;
    return yyjson_doc_get_root(doc);
}

/* Shows the first difference of long texts. */
static void is_text(ob_slice actual, const char *expected)
{
    ob_slice wanted = ob_slice_str(expected);
    if (!ob_slice_eq(actual, wanted))
        print_error("actual:   %.*s\nexpected: %s\n", (int)actual.len,
                    actual.ptr ? actual.ptr : "", expected);
    assert_true(ob_slice_eq(actual, wanted));
}

static ob_status read_as(world *w, ob_form *form, const char *text)
{
    ob_form_init(form, OB_DIALECT_RESPONSES, &w->arena);
    return codec->read_request(parse(w, text), form);
}

/* What a request is after being read and written again. */
static void becomes(const char *text, const char *expected)
{
    world w;
    ob_form form;
    begin(&w);
    assert_int_equal(read_as(&w, &form, text), OB_OK);
    assert_int_equal(codec->write_request(&form, &w.out), OB_OK);
    is_text(ob_buffer_slice(&w.out), expected);
    end(&w);
}

static void refuses(const char *text, const char *why)
{
    world w;
    ob_form form;
    begin(&w);
    assert_int_equal(read_as(&w, &form, text), OB_INVALID);
    is_text(form.refusal, why);
    end(&w);
}

/* Members that are dropped, with spaces between them. */
static void is_dropped(const ob_form *form, const char *expected)
{
    char text[512];
    size_t len = 0;
    for (size_t i = 0; i < form->dropped_count; i++) {
        if (i)
            text[len++] = ' ';
        memcpy(text + len, form->dropped[i].ptr, form->dropped[i].len);
        len += form->dropped[i].len;
    }
    is_text(ob_slice_make(text, len), expected);
}

static void drops(const char *text, const char *expected)
{
    world w;
    ob_form form;
    begin(&w);
    assert_int_equal(read_as(&w, &form, text), OB_OK);
    is_dropped(&form, expected);
    end(&w);
}

/* ---- requests ---- */

#define TAIL "\"include\":[\"reasoning.encrypted_content\"],\"store\":false}"

static void responses_reads_and_writes_a_plain_request(void **state)
{
    becomes("{\"model\":\"gpt-5.2\",\"input\":\"Hi\"}",
            "{\"model\":\"gpt-5.2\",\"input\":[{\"type\":\"message\",\"role\":"
            "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Hi\"}]}"
            "]," TAIL);
    becomes("{\"model\":\"gpt-4o\",\"input\":\"Hi\",\"temperature\":0.5,"
            "\"top_p\":1,\"stream\":true,\"top_logprobs\":2,\"include\":"
            "[\"message.output_text.logprobs\"],\"instructions\":\"Be brief\","
            "\"max_output_tokens\":99,\"store\":true,\"user\":\"u\","
            "\"prompt_cache_key\":\"k\",\"service_tier\":\"flex\"}",
            "{\"model\":\"gpt-4o\",\"instructions\":\"Be brief\",\"input\":[{"
            "\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
            "\"input_text\",\"text\":\"Hi\"}]}],\"max_output_tokens\":99,"
            "\"temperature\":0.5,\"top_p\":1.0,\"top_logprobs\":2,\"include\":["
            "\"message.output_text.logprobs\"],\"user\":\"u\","
            "\"prompt_cache_key\":\"k\",\"service_tier\":\"flex\","
            "\"store\":false,\"stream\":true}");
}

static void responses_reads_and_writes_every_kind_of_item(void **state)
{
    static const char items[] =
        "{\"model\":\"gpt-5.2\",\"input\":["
        "{\"type\":\"message\",\"role\":\"user\",\"content\":["
        "{\"type\":\"input_text\",\"text\":\"See\"},"
        "{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,QQ==\""
        ",\"detail\":\"low\"},"
        "{\"type\":\"input_image\",\"image_url\":\"https://a.b/c\",\"detail\":"
        "\"auto\"},"
        "{\"type\":\"input_image\",\"file_id\":\"file-1\",\"detail\":\"auto\"},"
        "{\"type\":\"input_file\",\"filename\":\"a.pdf\",\"file_data\":"
        "\"data:application/pdf;base64,QQ==\"},"
        "{\"type\":\"input_file\",\"file_url\":\"https://a.b/d.pdf\"},"
        "{\"type\":\"input_file\",\"file_id\":\"file-2\"}]},"
        "{\"type\":\"message\",\"role\":\"developer\",\"content\":["
        "{\"type\":\"input_text\",\"text\":\"Now\"}]},"
        "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\","
        "\"text\":\"Hm\"}],\"encrypted_content\":\"gAAA\\\"=\"},"
        "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"gB\"},"
        "{\"type\":\"message\",\"role\":\"assistant\",\"content\":["
        "{\"type\":\"output_text\",\"text\":\"Let me\"},"
        "{\"type\":\"refusal\",\"refusal\":\"No\"}]},"
        "{\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"f\","
        "\"arguments\":\"{\\\"a\\\":1}\"},"
        "{\"type\":\"function_call\",\"call_id\":\"call_2\",\"name\":\"g\","
        "\"arguments\":\"{}\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"call_1\",\"output\":"
        "\"1\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"call_2\",\"output\":["
        "{\"type\":\"input_text\",\"text\":\"x\"},{\"type\":\"input_image\","
        "\"image_url\":\"https://a.b/c\",\"detail\":\"auto\"}]},"
        "{\"type\":\"message\",\"role\":\"user\",\"content\":["
        "{\"type\":\"input_text\",\"text\":\"Go on\"}]}]," TAIL;
    becomes(items, items);
}

static void responses_puts_items_into_turns(void **state)
{
    world w;
    ob_form form;
    begin(&w);
    assert_int_equal(
        read_as(&w, &form,
                "{\"instructions\":\"S\",\"input\":["
                "{\"role\":\"user\",\"content\":\"U\"},"
                "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{"
                "\"text\":\"a\"},{\"text\":\"b\"}]},"
                "{\"role\":\"assistant\",\"content\":\"A\"},"
                "{\"type\":\"function_call\",\"call_id\":\"c--obg1-YWI\","
                "\"name\":\"f\",\"arguments\":\"\"},"
                "{\"type\":\"function_call_output\",\"call_id\":"
                "\"c--obg1-YWI\",\"output\":\"\"},"
                "{\"type\":\"reasoning\",\"id\":\"rs_2\",\"summary\":[]},"
                "{\"type\":\"function_call_output\",\"call_id\":\"d\","
                "\"output\":\"\"},"
                "{\"role\":\"user\",\"content\":\"V\"}]}"),
        OB_OK);
    ob_turn *turn = form.turns;
    assert_int_equal(turn->role, OB_ROLE_SYSTEM);
    turn = turn->next;
    assert_int_equal(turn->role, OB_ROLE_USER);
    assert_slice(turn->parts->text, "U");
    turn = turn->next;
    assert_int_equal(turn->role, OB_ROLE_ASSISTANT);
    ob_part *part = turn->parts;
    assert_int_equal(part->kind, OB_PART_THINKING);
    assert_slice(part->text, "a\n\nb");
    assert_slice(part->signature, "");
    part = part->next;
    assert_slice(part->text, "A");
    part = part->next;
    assert_int_equal(part->kind, OB_PART_CALL);
    assert_slice(part->id, "c");
    assert_slice(part->signature, "YWI=");
    assert_int_equal(part->signed_by, OB_DIALECT_GEMINI);
    assert_null(part->next);
    turn = turn->next;
    assert_int_equal(turn->role, OB_ROLE_USER);
    assert_int_equal(turn->parts->kind, OB_PART_RESULT);
    assert_slice(turn->parts->id, "c");
    assert_slice(turn->parts->signature, "");
    /* Results are one turn; what the user says behind them is another. */
    assert_slice(turn->parts->next->id, "d");
    assert_null(turn->parts->next->next);
    turn = turn->next;
    assert_int_equal(turn->role, OB_ROLE_USER);
    assert_slice(turn->parts->text, "V");
    assert_null(turn->next);
    end(&w);
}

static void responses_knows_whose_thinking_it_was(void **state)
{
    static const struct {
        const char *text;
        const char *signature;
        ob_dialect signed_by;
        bool redacted;
    } cases[] = {
        {"gAAA", "gAAA", OB_DIALECT_RESPONSES, true},
        {"ob-g-XX", "XX", OB_DIALECT_GEMINI, false},
        {"ob-a-XX", "XX", OB_DIALECT_ANTHROPIC, false},
        {"ob-ar-XX", "XX", OB_DIALECT_ANTHROPIC, true},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        world w;
        ob_form form;
        char text[256];
        begin(&w);
        snprintf(text, sizeof(text),
                 "{\"model\":\"gpt-5\",\"input\":[{\"type\":\"reasoning\","
                 "\"summary\":[],\"encrypted_content\":\"%s\"}]}",
                 cases[i].text);
        assert_int_equal(read_as(&w, &form, text), OB_OK);
        ob_part *part = form.turns->parts;
        assert_slice(part->signature, cases[i].signature);
        assert_int_equal(part->signed_by, cases[i].signed_by);
        assert_int_equal(part->redacted, cases[i].redacted);
        /* Others' thinking is nothing to OpenAI, and is not missed. */
        assert_int_equal(codec->write_request(&form, &w.out), OB_OK);
        bool said = ob_slice_find(ob_buffer_slice(&w.out), OB_S("summary")) !=
                    OB_NOWHERE;
        assert_int_equal(said, i == 0);
        assert_int_equal(form.dropped_count, 0);
        end(&w);
    }
}

static void responses_reads_and_writes_tools(void **state)
{
    static const char tools[] =
        "{\"model\":\"gpt-5.2\",\"input\":[],\"tools\":[{\"type\":\"function\","
        "\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":"
        "\"object\"},\"strict\":true},{\"type\":\"function\",\"name\":\"g\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{}},\"strict\":"
        "false}],\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"},"
        "\"parallel_tool_calls\":false," TAIL;
    becomes(tools, tools);
    static const char *const words[] = {"auto", "none", "required"};
    for (size_t i = 0; i < OB_LEN(words); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "{\"model\":\"gpt-5.2\",\"input\":[],\"tools\":[{\"type\":"
                 "\"function\",\"name\":\"f\",\"parameters\":{}}],"
                 "\"tool_choice\":\"%s\"," TAIL,
                 words[i]);
        becomes(text, text);
    }
    /* Where only some are allowed, the others are not offered. */
    becomes("{\"model\":\"gpt-5.2\",\"input\":[],\"tools\":[{\"type\":"
            "\"function\",\"name\":\"f\"},{\"type\":\"function\",\"name\":"
            "\"g\",\"parameters\":{}}],\"tool_choice\":{\"type\":"
            "\"allowed_tools\",\"mode\":\"required\",\"tools\":[{\"type\":"
            "\"function\",\"name\":\"g\"}]}}",
            "{\"model\":\"gpt-5.2\",\"input\":[],\"tools\":[{\"type\":"
            "\"function\",\"name\":\"g\",\"parameters\":{}}],\"tool_choice\":"
            "\"required\"," TAIL);
}

static void responses_reads_and_writes_how_to_answer(void **state)
{
    static const char text[] =
        "{\"model\":\"gpt-5.2\",\"input\":[],\"text\":{\"format\":{\"type\":"
        "\"json_schema\",\"name\":\"n\",\"description\":\"d\",\"schema\":{},"
        "\"strict\":true},\"verbosity\":\"low\"},\"reasoning\":{\"effort\":"
        "\"high\",\"summary\":\"auto\"}," TAIL;
    becomes(text, text);
    static const char object[] =
        "{\"model\":\"gpt-5.2\",\"input\":[],\"text\":{\"format\":{\"type\":"
        "\"json_object\"}}," TAIL;
    becomes(object, object);
    becomes("{\"model\":\"gpt-5.2\",\"input\":[],\"text\":{\"format\":{"
            "\"type\":\"text\"}},\"reasoning\":{},\"tools\":null}",
            "{\"model\":\"gpt-5.2\",\"input\":[]," TAIL);
}

static void responses_names_the_effort_as_models_do(void **state)
{
    static const struct {
        const char *model;
        ob_effort effort;
        const char *word;
    } cases[] = {
        {"gpt-5", OB_EFFORT_NONE, "minimal"},
        {"gpt-5-mini", OB_EFFORT_MAX, "high"},
        {"gpt-5-pro", OB_EFFORT_LOW, "high"},
        {"gpt-5.1", OB_EFFORT_MAX, "high"},
        {"gpt-5.1-codex-max", OB_EFFORT_MAX, "xhigh"},
        {"gpt-5.2", OB_EFFORT_NONE, "none"},
        {"gpt-5.2", OB_EFFORT_MINIMAL, "low"},
        {"gpt-5.2", OB_EFFORT_MAX, "xhigh"},
        {"gpt-5.2-codex", OB_EFFORT_NONE, "low"},
        {"gpt-5.2-pro", OB_EFFORT_LOW, "medium"},
        {"o3", OB_EFFORT_NONE, "low"},
        {"o4-mini", OB_EFFORT_MEDIUM, "medium"},
        {"gpt-9", OB_EFFORT_MINIMAL, "minimal"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        world w;
        ob_form form;
        char expected[64];
        begin(&w);
        ob_form_init(&form, OB_DIALECT_ANTHROPIC, &w.arena);
        form.model = ob_slice_str(cases[i].model);
        form.effort = cases[i].effort;
        assert_int_equal(codec->write_request(&form, &w.out), OB_OK);
        snprintf(expected, sizeof(expected),
                 "\"reasoning\":{\"effort\":\"%s\"}", cases[i].word);
        assert_true(ob_slice_find(ob_buffer_slice(&w.out),
                                  ob_slice_str(expected)) != OB_NOWHERE);
        end(&w);
    }
}

/* Models that reason refuse what changes their sampling. */
static void responses_leaves_sampling_out_where_a_model_reasons(void **state)
{
    static const struct {
        const char *model;
        ob_effort effort;
        bool takes;
    } cases[] = {
        {"gpt-4.1", OB_EFFORT_UNSAID, true},
        {"ft:gpt-4o:me", OB_EFFORT_UNSAID, true},
        {"gpt-5-chat-latest", OB_EFFORT_UNSAID, true},
        {"gpt-5", OB_EFFORT_UNSAID, false},
        {"gpt-5.2", OB_EFFORT_UNSAID, true},
        {"gpt-5.2", OB_EFFORT_NONE, true},
        {"gpt-5.2", OB_EFFORT_LOW, false},
        {"gpt-5.2-pro", OB_EFFORT_UNSAID, false},
        {"o3", OB_EFFORT_UNSAID, false},
        {"gpt-9", OB_EFFORT_UNSAID, false},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        world w;
        ob_form form;
        begin(&w);
        ob_form_init(&form, OB_DIALECT_OPENAI, &w.arena);
        form.model = ob_slice_str(cases[i].model);
        form.effort = cases[i].effort;
        form.temperature = form.top_p = 1;
        form.logprobs = true;
        assert_int_equal(codec->write_request(&form, &w.out), OB_OK);
        is_dropped(&form, cases[i].takes ? "" : "temperature top_p logprobs");
        bool said = ob_slice_find(ob_buffer_slice(&w.out),
                                  OB_S("\"temperature\":1.0,\"top_p\":1.0,")) !=
                    OB_NOWHERE;
        assert_int_equal(said, cases[i].takes);
        end(&w);
    }
}

static void responses_drops_by_name_what_has_no_equivalent(void **state)
{
    drops("{\"input\":[],\"metadata\":{},\"truncation\":\"auto\","
          "\"max_tool_calls\":3,\"stream_options\":{},\"store\":false,"
          "\"include\":[\"web_search_call.results\"],\"background\":false,"
          "\"tools\":[{\"type\":\"web_search\"},{\"type\":\"mcp\"}],"
          "\"previous_response_id\":null,\"foo\":1,\"bar\":null}",
          "tools.web_search tools.mcp include truncation metadata "
          "max_tool_calls stream_options foo");
    drops("{\"input\":[{\"type\":\"web_search_call\",\"id\":\"ws_1\"}],"
          "\"truncation\":\"disabled\"}",
          "input.web_search_call");
}

static void responses_refuses_by_name(void **state)
{
    static const struct {
        const char *members;
        const char *why;
    } cases[] = {
        {"\"previous_response_id\":\"resp_1\"",
         "previous_response_id: the provider keeps no responses; send the "
         "conversation in input"},
        {"\"conversation\":{\"id\":\"c\"}",
         "conversation: the provider keeps no responses; send the "
         "conversation in input"},
        {"\"prompt\":{\"id\":\"p\"}",
         "prompt: the provider keeps no prompts; send its text in "
         "instructions"},
        {"\"background\":true",
         "background: the provider keeps no responses; it must be false"},
        {"\"model\":1", "model must be a string"},
        {"\"instructions\":[]", "instructions must be a string"},
        {"\"input\":1", "input must be a string or an array"},
        {"\"x\":1", "input must be a string or an array"},
        {"\"input\":[1]", "input[0] must be an object"},
        {"\"input\":[{\"type\":\"item_reference\",\"id\":\"a\"}]",
         "input[0] is an item_reference: the provider keeps no items; send "
         "the item itself"},
        {"\"input\":[{\"type\":\"x\"}]",
         "input[0].type: x has no equivalent at the provider"},
        {"\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c\","
         "\"name\":\"p\"}]",
         "input[0].input must be a string"},
        {"\"input\":[{\"role\":\"tool\"}]",
         "input[0].role must be user, assistant, system or developer"},
        {"\"input\":[{\"role\":\"user\",\"content\":1}]",
         "input[0].content must be a string or an array"},
        {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_text\",\"text\":1}]}]",
         "input[0].content[0].text must be a string"},
        {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"x\"}]}]",
         "input[0].content[0].type: x is not known here"},
        {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_image\"}]}]",
         "input[0].content[0].image_url must be a URL or base64 as a data: "
         "URL"},
        {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_file\"}]}]",
         "input[0].content[0] must have file_data, file_url or file_id"},
        {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_audio\"}]}]",
         "input[0].content[0].input_audio must have data in base64 and a "
         "format: wav or mp3"},
        {"\"input\":[{\"type\":\"function_call\",\"name\":\"f\","
         "\"arguments\":\"{}\"}]",
         "input[0].call_id must be a string"},
        {"\"input\":[{\"type\":\"function_call\",\"call_id\":\"f\",\"name\":"
         "\"f\",\"arguments\":{}}]",
         "input[0].arguments must be a string"},
        {"\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"f\","
         "\"output\":{}}]",
         "input[0].output must be a string or an array"},
        {"\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"f\","
         "\"output\":[{\"type\":\"input_text\"}]}]",
         "input[0].output[0].text must be a string"},
        {"\"input\":[{\"type\":\"reasoning\",\"encrypted_content\":1}]",
         "input[0].encrypted_content must be a string"},
        {"\"input\":[{\"type\":\"reasoning\",\"summary\":\"a\"}]",
         "input[0].summary must be an array"},
        {"\"tools\":{}", "tools must be an array"},
        {"\"tools\":[1]", "tools[0] must be an object"},
        {"\"tools\":[{\"type\":1}]", "tools[0].type must be a string"},
        {"\"tools\":[{\"type\":\"custom\"}]", "tools[0].name must be a string"},
        {"\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{"
         "\"type\":\"function\"}]}]",
         "tools[0].tools[0].name must be a string"},
        {"\"tools\":[{\"type\":\"function\"}]",
         "tools[0].name must be a string"},
        {"\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":1}]",
         "tools[0].parameters must be an object"},
        {"\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":1}]",
         "tools[0].strict must be a boolean"},
        {"\"tool_choice\":\"x\"",
         "tool_choice must be auto, none, required or an object"},
        {"\"tool_choice\":{\"type\":\"function\"}",
         "tool_choice.name must be a string"},
        {"\"tool_choice\":{\"type\":\"web_search_preview\"}",
         "tool_choice: the provider has no tool \"web_search_preview\""},
        {"\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\"}",
         "tool_choice.tools must be an array"},
        {"\"parallel_tool_calls\":1", "parallel_tool_calls must be a boolean"},
        {"\"text\":1", "text must be an object"},
        {"\"text\":{\"format\":1}", "text.format must be an object"},
        {"\"text\":{\"format\":{\"type\":\"grammar\"}}",
         "text.format.type must be text, json_object or json_schema"},
        {"\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\"}}",
         "text.format.schema must be an object"},
        {"\"text\":{\"verbosity\":1}", "text.verbosity must be a string"},
        {"\"reasoning\":1", "reasoning must be an object"},
        {"\"reasoning\":{\"effort\":\"x\"}",
         "reasoning.effort must be none, minimal, low, medium, high or xhigh"},
        {"\"max_output_tokens\":-1",
         "max_output_tokens must be a whole number, 0 or more"},
        {"\"top_logprobs\":1.5",
         "top_logprobs must be a whole number, 0 or more"},
        {"\"temperature\":\"1\"", "temperature must be a number"},
        {"\"top_p\":true", "top_p must be a number"},
        {"\"stream\":1", "stream must be a boolean"},
        {"\"store\":1", "store must be a boolean"},
        {"\"user\":1", "user must be a string"},
        {"\"include\":1", "include must be an array"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        char text[512];
        bool bare = strstr(cases[i].members, "\"input\":") ||
                    strstr(cases[i].members, "\"x\":");
        snprintf(text, sizeof(text), "{%s%s}", cases[i].members,
                 bare ? "" : ",\"input\":[]");
        refuses(text, cases[i].why);
    }
    refuses("[]", "the body must be an object");
}

static void responses_says_in_the_callers_words_what_it_leaves_out(void **state)
{
    static const struct {
        ob_dialect from;
        const char *dropped;
    } cases[] = {
        {OB_DIALECT_OPENAI,
         "stop seed top_k frequency_penalty presence_penalty is_error "
         "reasoning_effort service_tier"},
        {OB_DIALECT_ANTHROPIC,
         "stop_sequences seed top_k frequency_penalty presence_penalty "
         "is_error thinking service_tier"},
        {OB_DIALECT_GEMINI,
         "generationConfig.stopSequences generationConfig.seed "
         "generationConfig.topK generationConfig.frequencyPenalty "
         "generationConfig.presencePenalty functionResponse.response.error "
         "generationConfig.thinkingConfig service_tier"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        world w;
        ob_form form;
        begin(&w);
        ob_form_init(&form, cases[i].from, &w.arena);
        form.model = OB_S("gpt-4.1");
        form.seed = form.top_k = 1;
        form.frequency_penalty = form.presence_penalty = 0;
        form.effort = OB_EFFORT_LOW;
        form.service_tier = OB_S("standard_only");
        ob_form_stop(&form, OB_S("x"));
        ob_turn *turn = ob_form_turn(&form, OB_ROLE_USER);
        ob_form_part(&form, &turn->parts, OB_PART_RESULT)->is_error = true;
        assert_int_equal(codec->write_request(&form, &w.out), OB_OK);
        is_dropped(&form, cases[i].dropped);
        is_text(ob_buffer_slice(&w.out),
                "{\"model\":\"gpt-4.1\",\"input\":[{\"type\":"
                "\"function_call_output\",\"call_id\":\"\",\"output\":\"\"}],"
                "\"include\":[],\"store\":false}");
        end(&w);
    }
}

static void responses_refuses_to_write_what_would_be_untrue(void **state)
{
    world w;
    ob_form form;
    begin(&w);
    ob_form_init(&form, OB_DIALECT_GEMINI, &w.arena);
    form.count = 2;
    assert_int_equal(codec->write_request(&form, &w.out), OB_INVALID);
    is_text(form.refusal, "generationConfig.candidateCount must be 1: the "
                          "provider answers once");
    ob_form_init(&form, OB_DIALECT_ANTHROPIC, &w.arena);
    ob_turn *turn = ob_form_turn(&form, OB_ROLE_USER);
    ob_form_part(&form, &turn->parts, OB_PART_FILE)->file_id = OB_S("file_1");
    assert_int_equal(codec->write_request(&form, &w.out), OB_INVALID);
    is_text(form.refusal, "the file \"file_1\" is kept at another provider; "
                          "send its content");
    ob_form_init(&form, OB_DIALECT_GEMINI, &w.arena);
    turn = ob_form_turn(&form, OB_ROLE_USER);
    ob_form_part(&form, &turn->parts, OB_PART_AUDIO)->data = OB_S("QQ==");
    assert_int_equal(codec->write_request(&form, &w.out), OB_INVALID);
    is_text(form.refusal, "audio: the provider's Responses API takes none");
    ob_form_init(&form, OB_DIALECT_ANTHROPIC, &w.arena);
    form.choose = OB_CHOOSE_REQUIRED;
    assert_int_equal(codec->write_request(&form, &w.out), OB_INVALID);
    is_text(form.refusal, "a tool must be called, and there is none");
    end(&w);
}

static void responses_says_when_memory_is_out(void **state)
{
    static const char text[] =
        "{\"model\":\"gpt-5\",\"instructions\":\"S\",\"tools\":[{\"type\":"
        "\"function\",\"name\":\"f\"},{\"type\":\"mcp\"}],\"input\":["
        "{\"role\":\"developer\",\"content\":[{\"type\":\"input_text\","
        "\"text\":\"a\"},{\"type\":\"input_text\",\"text\":\"b\"}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"input_image\","
        "\"image_url\":\"data:image/png;base64,QQ==\"}]},"
        "{\"type\":\"reasoning\",\"summary\":[{\"text\":\"a\"},{\"text\":"
        "\"b\"}],\"encrypted_content\":\"g\"},{\"type\":\"function_call\","
        "\"call_id\":\"c--obg1-YWI\",\"name\":\"f\",\"arguments\":\"\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":"
        "\"x\"}]}";
    static char room[8192];
    size_t size = 64, whole = 0;
    for (; size <= sizeof(room); size += 16) {
        world w = {0};
        ob_form form;
        ob_arena_init_in(&w.arena, room, size);
        w.arena.bytes_max = 1; /* no more than the room */
        ob_status status = read_as(&w, &form, text);
        if (status == OB_OK)
            status = codec->write_request(&form, &w.out);
        assert_true(status == OB_OK || status == OB_NO_MEMORY);
        whole += status == OB_OK;
        end(&w);
    }
    assert_true(whole > 0 && whole < (sizeof(room) - 64) / 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_reads_and_writes_a_plain_request),
        cmocka_unit_test(responses_reads_and_writes_every_kind_of_item),
        cmocka_unit_test(responses_puts_items_into_turns),
        cmocka_unit_test(responses_knows_whose_thinking_it_was),
        cmocka_unit_test(responses_reads_and_writes_tools),
        cmocka_unit_test(responses_reads_and_writes_how_to_answer),
        cmocka_unit_test(responses_names_the_effort_as_models_do),
        cmocka_unit_test(responses_leaves_sampling_out_where_a_model_reasons),
        cmocka_unit_test(responses_drops_by_name_what_has_no_equivalent),
        cmocka_unit_test(responses_refuses_by_name),
        cmocka_unit_test(
            responses_says_in_the_callers_words_what_it_leaves_out),
        cmocka_unit_test(responses_refuses_to_write_what_would_be_untrue),
        cmocka_unit_test(responses_says_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
