#include "test.h"

#include <math.h>

#include "../../src/core/dialect/dialect.h"

/* ---- a request on the bench ---- */

static ob_arena arena;
static ob_form form;
static yyjson_doc *doc;
static ob_buffer out;

static int set_up(void **state)
{
    ob_arena_init(&arena, 0);
    ob_form_init(&form, OB_DIALECT_ANTHROPIC, &arena);
    doc = NULL;
    out = (ob_buffer){0};
    return 0;
}

static int tear_down(void **state)
{
    yyjson_doc_free(doc);
    ob_arena_deinit(&arena);
    ob_buffer_deinit(&out);
    return 0;
}

static void again(ob_dialect from)
{
    tear_down(NULL);
    set_up(NULL);
    form.from = from;
    form.model = OB_S("claude-sonnet-4-5");
}

static ob_status read_text(const char *json)
{
    doc = yyjson_read(json, strlen(json), 0);
    assert_non_null(doc);
    return ob_codec_anthropic.read_request(yyjson_doc_get_root(doc), &form);
}

static void reads(const char *json)
{
    ob_dialect from = form.from;
    again(from);
    form.model = (ob_slice){NULL, 0};
    assert_int_equal(read_text(json), OB_OK);
}

static void refuses(const char *json, const char *why)
{
    again(OB_DIALECT_ANTHROPIC);
    assert_int_equal(read_text(json), OB_INVALID);
    assert_slice(form.refusal, why);
}

static void drops(const char *names)
{
    char text[512] = "";
    for (size_t i = 0; i < form.dropped_count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s",
                 i ? " " : "", (int)form.dropped[i].len, form.dropped[i].ptr);
    assert_string_equal(text, names);
}

static void writes(const char *json)
{
    assert_int_equal(ob_codec_anthropic.write_request(&form, &out), OB_OK);
    assert_slice(ob_buffer_slice(&out), json);
    ob_buffer_clear(&out);
}

static void will_not_write(const char *why)
{
    assert_int_equal(ob_codec_anthropic.write_request(&form, &out), OB_INVALID);
    assert_slice(form.refusal, why);
}

/* What is read and written again is the same. */
static void keeps(const char *json)
{
    reads(json);
    drops("");
    writes(json);
}

#define HEAD "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":100,"
#define HI   "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

/* ---- reading ---- */

static void request_is_read_by_member(void **state)
{
    reads(HEAD "\"system\":\"Be brief.\"," HI
               ",\"temperature\":0.5,\"top_p\":0.9,"
               "\"top_k\":40,\"stop_sequences\":[\"END\"],\"stream\":true,"
               "\"metadata\":{\"user_id\":\"u1\"},\"service_tier\":\"auto\","
               "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},"
               "\"output_config\":{\"effort\":\"xhigh\",\"format\":{\"type\":"
               "\"json_schema\",\"schema\":{\"type\":\"object\"}}}}");
    assert_slice(form.model, "claude-sonnet-4-5");
    assert_int_equal(form.answer_max, 100);
    assert_int_equal(form.turns->role, OB_ROLE_SYSTEM);
    assert_slice(form.turns->parts->text, "Be brief.");
    assert_int_equal(form.turns->next->role, OB_ROLE_USER);
    assert_slice(form.turns->next->parts->text, "Hi");
    assert_true(form.temperature == 0.5);
    assert_true(form.top_p == 0.9);
    assert_int_equal(form.top_k, 40);
    assert_slice(form.stops->text, "END");
    assert_true(form.stream);
    assert_slice(form.user, "u1");
    assert_slice(form.service_tier, "auto");
    assert_int_equal(form.thinking_max, 2000);
    assert_int_equal(form.show_thinking, OB_YES);
    assert_int_equal(form.effort, OB_EFFORT_MAX);
    assert_int_equal(form.output, OB_OUTPUT_SCHEMA);
    assert_true(yyjson_is_obj(form.schema));
    drops("");
}

static void null_is_missing_and_unknown_members_are_dropped(void **state)
{
    reads(HEAD HI ",\"temperature\":null,\"tools\":null,\"thinking\":null,"
                  "\"container\":\"c\",\"mcp_servers\":null,"
                  "\"context_management\":{},\"output_config\":{\"effort\":"
                  "null}}");
    assert_true(isnan(form.temperature));
    drops("container context_management");
}

static void thinking_is_read_in_all_its_forms(void **state)
{
    reads(HEAD HI ",\"thinking\":{\"type\":\"adaptive\"}}");
    assert_int_equal(form.show_thinking, OB_YES);
    assert_int_equal(form.effort, OB_EFFORT_UNSAID);
    reads(HEAD HI ",\"thinking\":{\"type\":\"adaptive\",\"display\":"
                  "\"omitted\"}}");
    assert_int_equal(form.show_thinking, OB_NO);
    assert_int_equal(form.effort, OB_EFFORT_HIGH);
    reads(HEAD HI ",\"thinking\":{\"type\":\"disabled\"},"
                  "\"output_config\":{\"effort\":\"low\"}}");
    assert_int_equal(form.thinking_max, 0);
    assert_int_equal(form.effort, OB_EFFORT_UNSAID);
    drops("output_config.effort");
}

static void blocks_are_read_as_parts(void **state)
{
    reads(
        HEAD
        "\"system\":[{\"type\":\"text\",\"text\":\"A\",\"cache_control\":"
        "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],\"messages\":["
        "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":"
        "{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"AA\"}},"
        "{\"type\":\"document\",\"title\":\"t\",\"source\":{\"type\":\"url\","
        "\"url\":\"https://x/y.pdf\"}},{\"type\":\"document\",\"title\":\"T\","
        "\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\","
        "\"data\":\"D\"}}]},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
        "\"thinking\":\"h\",\"signature\":\"S==\"},{\"type\":"
        "\"redacted_thinking\",\"data\":\"R\"},{\"type\":\"server_tool_use\","
        "\"id\":\"s\",\"name\":\"web_search\",\"input\":{}},"
        "{\"type\":\"tool_use\",\"id\":\"t1--obg0-QUJD\",\"name\":\"f\","
        "\"input\":{\"a\": 1}}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
        "\"tool_use_id\":\"t1--obg0-QUJD\",\"is_error\":true,\"content\":["
        "{\"type\":\"text\",\"text\":\"no\"},{\"type\":\"image\",\"source\":"
        "{\"type\":\"url\",\"url\":\"http://i\"}}]}]}]}");
    ob_part *part = form.turns->parts;
    assert_true(part->cached);
    assert_slice(part->cache_ttl, "1h");
    part = form.turns->next->parts;
    assert_int_equal(part->kind, OB_PART_IMAGE);
    assert_slice(part->media, "image/png");
    assert_slice(part->data, "AA");
    part = part->next;
    assert_int_equal(part->kind, OB_PART_FILE);
    assert_slice(part->url, "https://x/y.pdf");
    assert_slice(part->file_name, "t");
    assert_slice(part->next->text, "T");
    assert_slice(part->next->next->text, "D");
    part = form.turns->next->next->parts;
    assert_slice(part->text, "h");
    assert_slice(part->signature, "S==");
    assert_int_equal(part->signed_by, OB_DIALECT_ANTHROPIC);
    part = part->next;
    assert_true(part->redacted);
    assert_slice(part->signature, "R");
    part = part->next;
    assert_int_equal(part->kind, OB_PART_CALL);
    assert_slice(part->id, "t1");
    assert_slice(part->text, "{\"a\":1}");
    assert_slice(part->signature, "QUJD");
    assert_int_equal(part->signed_by, OB_DIALECT_GEMINI);
    part = form.turns->next->next->next->parts;
    assert_int_equal(part->kind, OB_PART_RESULT);
    assert_slice(part->id, "t1");
    assert_int_equal(part->signature.len, 0);
    assert_true(part->is_error);
    assert_slice(part->content->text, "no");
    assert_slice(part->content->next->url, "http://i");
    drops("content.server_tool_use");
}

static void tools_that_were_found_are_told(void **state)
{
    reads(HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
               "\"tool_result\",\"tool_use_id\":\"t1\",\"content\":["
               "{\"type\":\"tool_reference\",\"tool_name\":\"f\"},"
               "{\"type\":\"tool_reference\",\"tool_name\":\"g\"}]}]}]}");
    ob_part *part = form.turns->parts->content;
    assert_slice(part->text, "Found: f\n");
    assert_slice(part->next->text, "Found: g\n");
    drops("");
    refuses(HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                 "\"tool_result\",\"tool_use_id\":\"t1\",\"content\":["
                 "{\"type\":\"tool_reference\"}]}]}]}",
            "messages[0].content[0].content[0].tool_name must be a string");
}

static void foreign_signatures_come_back(void **state)
{
    reads(HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
               "\"thinking\",\"thinking\":\"h\",\"signature\":\"ob-g-S+/=\"},"
               "{\"type\":\"thinking\",\"thinking\":\"i\",\"signature\":\"\"},"
               "{\"type\":\"redacted_thinking\",\"data\":\"ob-r-E\"}]}]}");
    ob_part *part = form.turns->parts;
    assert_slice(part->signature, "S+/=");
    assert_int_equal(part->signed_by, OB_DIALECT_GEMINI);
    assert_int_equal(part->next->signed_by, OB_DIALECT_NONE);
    assert_slice(part->next->next->signature, "E");
    assert_int_equal(part->next->next->signed_by, OB_DIALECT_RESPONSES);
}

static void system_blocks_split_a_turn(void **state)
{
    reads(HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
               "\"text\",\"text\":\"a\"},{\"type\":\"mid_conv_system\","
               "\"content\":[{\"type\":\"text\",\"text\":\"s\"}]},{\"type\":"
               "\"text\",\"text\":\"b\"}]}]}");
    assert_slice(form.turns->parts->text, "a");
    assert_int_equal(form.turns->next->role, OB_ROLE_SYSTEM);
    assert_slice(form.turns->next->parts->text, "s");
    assert_int_equal(form.turns->next->next->role, OB_ROLE_USER);
    assert_slice(form.turns->next->next->parts->text, "b");
}

static void cache_control_at_the_top_marks_the_last_block(void **state)
{
    reads(HEAD HI ",\"cache_control\":{\"type\":\"ephemeral\"}}");
    assert_true(form.turns->parts->cached);
}

static void tools_are_read_dropped_or_refused(void **state)
{
    reads(HEAD HI
          ",\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"strict\":true,"
          "\"input_schema\":{\"type\":\"object\"},\"defer_loading\":true},"
          "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}],"
          "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\","
          "\"disable_parallel_tool_use\":true}}");
    assert_slice(form.tools->name, "f");
    assert_slice(form.tools->description, "d");
    assert_int_equal(form.tools->strict, OB_YES);
    assert_null(form.tools->next);
    assert_int_equal(form.choose, OB_CHOOSE_NAMED);
    assert_slice(form.chosen, "f");
    assert_int_equal(form.parallel, OB_NO);
    drops("tools.defer_loading tools.web_search");
    refuses(HEAD HI ",\"tools\":[{\"type\":\"bash_20250124\",\"name\":"
                    "\"bash\"}]}",
            "tools: \"bash_20250124\" has no schema that another provider's "
            "model could follow; give one with input_schema");
    refuses(HEAD HI ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":"
                    "\"web_search\"}],\"tool_choice\":{\"type\":\"tool\","
                    "\"name\":\"web_search\"}}",
            "tool_choice.name: \"web_search\" is none of the tools that are "
            "passed on");
}

static void wrong_types_are_refused_by_name(void **state)
{
    static const struct {
        const char *rest;
        const char *why;
    } cases[] = {
        {"\"messages\":1}", "messages must be an array"},
        {"\"a\":1}", "messages is missing"},
        {HI ",\"system\":1}", "system must be a string or an array"},
        {HI ",\"system\":[{\"type\":\"text\"}]}",
         "system[0].text must be a string"},
        {HI ",\"temperature\":\"1\"}", "temperature must be a number"},
        {HI ",\"top_p\":\"1\"}", "top_p must be a number"},
        {HI ",\"top_k\":1.5}", "top_k must be a whole number"},
        {HI ",\"stream\":1}", "stream must be true or false"},
        {HI ",\"stop_sequences\":\"a\"}", "stop_sequences must be an array"},
        {HI ",\"stop_sequences\":[1]}", "stop_sequences must hold strings"},
        {HI ",\"metadata\":1}", "metadata must be an object"},
        {HI ",\"metadata\":{\"user_id\":1}}",
         "metadata.user_id must be a string"},
        {HI ",\"service_tier\":1}", "service_tier must be a string"},
        {HI ",\"tools\":1}", "tools must be an array"},
        {HI ",\"tools\":[1]}", "tools[0] must be an object"},
        {HI ",\"tools\":[{}]}", "tools[0].name must be a string"},
        {HI ",\"tools\":[{\"name\":\"f\",\"input_schema\":1}]}",
         "tools[0].input_schema must be an object"},
        {HI ",\"tool_choice\":\"auto\"}",
         "tool_choice must be an object with a type"},
        {HI ",\"tool_choice\":{\"type\":\"x\"}}",
         "tool_choice.type: \"x\" is not auto, any, tool or none"},
        {HI ",\"tool_choice\":{\"type\":\"any\"}}",
         "tool_choice: none of the tools is passed on"},
        {HI ",\"thinking\":1}", "thinking must be an object with a type"},
        {HI ",\"thinking\":{\"type\":\"x\"}}",
         "thinking.type: \"x\" is not enabled, adaptive or disabled"},
        {HI ",\"thinking\":{\"type\":\"enabled\"}}",
         "thinking.budget_tokens must be a whole number"},
        {HI ",\"output_config\":1}", "output_config must be an object"},
        {HI ",\"output_config\":{\"effort\":\"x\"}}",
         "output_config.effort must be low, medium, high, xhigh or max"},
        {HI ",\"output_config\":{\"format\":{\"type\":\"json_schema\"}}}",
         "output_config.format.schema must be an object"},
        {"\"messages\":[1]}", "messages[0] must be an object"},
        {"\"messages\":[{\"role\":\"x\"}]}",
         "messages[0].role must be user or assistant"},
        {"\"messages\":[{\"role\":\"user\",\"content\":1}]}",
         "messages[0].content must be a string or an array"},
        {"\"messages\":[{\"role\":\"user\",\"content\":[1]}]}",
         "messages[0].content[0].type must be a string"},
        {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
         "\"source\":{\"type\":\"base64\"}}]}]}",
         "messages[0].content[0].source must have its data, url or file_id, "
         "and data a media_type, as strings"},
        {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"tool_use\"}]}]}",
         "messages[0].content[0].type is of a block that does not belong here"},
        {"\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
         "\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":\"\"}]}]}",
         "messages[0].content[0].input must be an object"},
        {"\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"tool_result\",\"tool_use_id\":\"a\",\"content\":[{\"type\":"
         "\"text\",\"text\":2}]}]}]}",
         "messages[0].content[0].content[0].text must be a string"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        char json[512];
        snprintf(json, sizeof(json), "{\"max_tokens\":1,%s", cases[i].rest);
        refuses(json, cases[i].why);
    }
    refuses("[]", "the body must be a JSON object");
    refuses("{\"max_tokens\":\"1\"," HI "}",
            "max_tokens must be a whole number");
    refuses("{\"max_tokens\":-1," HI "}", "max_tokens must not be negative");
}

/* ---- what is read and written again ---- */

static void requests_are_kept(void **state)
{
    keeps(HEAD "\"system\":\"S\"," HI "}");
    keeps(HEAD HI ",\"temperature\":0.5,\"top_k\":3,\"stop_sequences\":[\"a\","
                  "\"b\"],\"metadata\":{\"user_id\":\"u\"},\"service_tier\":"
                  "\"standard_only\",\"stream\":true}");
    keeps(HEAD HI ",\"tools\":[{\"name\":\"f\",\"description\":\"d\","
                  "\"input_schema\":{\"type\":\"object\"},\"strict\":true,"
                  "\"cache_control\":{\"type\":\"ephemeral\"}}],"
                  "\"tool_choice\":{\"type\":\"any\","
                  "\"disable_parallel_tool_use\":true},\"output_config\":{"
                  "\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
                  "\"object\",\"additionalProperties\":false}}}}");
    keeps(
        "{\"model\":\"claude-opus-4-8\",\"max_tokens\":100,"
        "\"system\":[{\"type\":\"text\",\"text\":\"A\",\"cache_control\":{"
        "\"type\":\"ephemeral\",\"ttl\":\"1h\"}},{\"type\":\"text\",\"text\":"
        "\"B\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
        "\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
        "\"image/png\",\"data\":\"AA\"}},{\"type\":\"document\",\"source\":{"
        "\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":"
        "\"JVBER\"},\"title\":\"t\"},{\"type\":\"text\",\"text\":\"What?\"}]},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
        "\"thinking\":\"\",\"signature\":\"S\"},{\"type\":"
        "\"redacted_thinking\",\"data\":\"R\"},{\"type\":\"text\",\"text\":"
        "\"So\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\","
        "\"input\":{\"a\":1}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":"
        "\"g\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":"
        "\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"1\"},{\"type\":"
        "\"tool_result\",\"tool_use_id\":\"t2\",\"content\":[{\"type\":"
        "\"text\",\"text\":\"x\"},{\"type\":\"image\",\"source\":{\"type\":"
        "\"url\",\"url\":\"https://i\"}}],\"is_error\":true},{\"type\":"
        "\"text\",\"text\":\"Go\",\"cache_control\":{\"type\":\"ephemeral\"}}"
        "]}],\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"},"
        "\"output_config\":{\"effort\":\"medium\"}}");
    keeps(HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
               "\"assistant\",\"content\":\"The answer is\"}]}");
}

/* ---- writing what others say ---- */

static ob_part *say(ob_role role, ob_part_kind kind, const char *text)
{
    ob_turn *turn = ob_form_turn(&form, role);
    ob_part *part = ob_form_part(&form, &turn->parts, kind);
    part->text = ob_slice_str(text);
    return part;
}

static ob_part *call(const char *id)
{
    ob_part *part = say(OB_ROLE_ASSISTANT, OB_PART_CALL, "");
    part->id = ob_slice_str(id);
    part->name = OB_S("f");
    return part;
}

static ob_part *result(const char *id, const char *text)
{
    ob_part *part = say(OB_ROLE_USER, OB_PART_RESULT, "");
    part->id = ob_slice_str(id);
    ob_form_part(&form, &part->content, OB_PART_TEXT)->text =
        ob_slice_str(text);
    return part;
}

#define WROTE "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":8192,"

static void turns_are_ordered_as_anthropic_wants(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_SYSTEM, OB_PART_TEXT, "S");
    say(OB_ROLE_ASSISTANT, OB_PART_TEXT, "Hello");
    say(OB_ROLE_USER, OB_PART_TEXT, " \n");
    call("a.1");
    call("b");
    say(OB_ROLE_USER, OB_PART_TEXT, "And?");
    result("a.1", "1");
    say(OB_ROLE_SYSTEM, OB_PART_TEXT, "T");
    result("b", " ");
    writes(WROTE
           "\"system\":[{\"type\":\"text\",\"text\":\"S\"},{\"type\":\"text\","
           "\"text\":\"T\"}],\"messages\":[{\"role\":\"user\",\"content\":"
           "\".\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
           "\"text\":\"Hello\"},{\"type\":\"tool_use\",\"id\":\"a_1\",\"name\":"
           "\"f\",\"input\":{}},{\"type\":\"tool_use\",\"id\":\"b\",\"name\":"
           "\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":"
           "\"tool_result\",\"tool_use_id\":\"a_1\",\"content\":\"1\"},{"
           "\"type\":\"tool_result\",\"tool_use_id\":\"b\"},{\"type\":\"text\","
           "\"text\":\"And?\"}]}]}");
}

static void system_alone_becomes_the_users(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_SYSTEM, OB_PART_TEXT, "S");
    writes(WROTE "\"messages\":[{\"role\":\"user\",\"content\":\"S\"}]}");
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "");
    will_not_write("messages must say something");
}

static void last_words_are_trimmed_or_gone_on_with(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    say(OB_ROLE_ASSISTANT, OB_PART_TEXT, " It is ");
    writes(WROTE "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{"
                 "\"role\":\"assistant\",\"content\":\" It is\"}]}");
    form.model = OB_S("claude-opus-4-6");
    writes("{\"model\":\"claude-opus-4-6\",\"max_tokens\":8192,\"messages\":[{"
           "\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
           "\"content\":\" It is\"},{\"role\":\"user\",\"content\":"
           "\"Continue.\"}]}");
}

static void foreign_thinking_is_left_out(void **state)
{
    again(OB_DIALECT_GEMINI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    ob_part *part = say(OB_ROLE_ASSISTANT, OB_PART_THINKING, "hm");
    part->signature = OB_S("S");
    part->signed_by = OB_DIALECT_GEMINI;
    say(OB_ROLE_USER, OB_PART_TEXT, "Go");
    writes(WROTE "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                 "\"text\",\"text\":\"Hi\"},{\"type\":\"text\",\"text\":"
                 "\"Go\"}]}]}");
    drops("");
}

static void results_without_ids_find_their_calls(void **state)
{
    again(OB_DIALECT_GEMINI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    call("");
    call("");
    result("", "1")->name = OB_S("f");
    result("", "2")->name = OB_S("f");
    assert_int_equal(ob_codec_anthropic.write_request(&form, &out), OB_OK);
    ob_slice text = ob_buffer_slice(&out);
    assert_int_not_equal(
        ob_slice_find(text, OB_S("\"tool_use_id\":\"call_1\",\"content\":"
                                 "\"1\"")),
        OB_NOWHERE);
    assert_int_not_equal(
        ob_slice_find(text, OB_S("\"tool_use_id\":\"call_2\",\"content\":"
                                 "\"2\"")),
        OB_NOWHERE);
}

static void arguments_that_are_no_object_are_wrapped(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    call("a")->text = OB_S("{\"x\":");
    result("a", "1");
    writes(WROTE
           "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
           "\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"a\","
           "\"name\":\"f\",\"input\":{\"invalid_arguments\":\"{\\\"x\\\":\"}}]}"
           ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
           "\"tool_use_id\":\"a\",\"content\":\"1\"}]}]}");
}

#define HI_WROTE WROTE HI

static void sampling_is_clamped_or_dropped(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    form.temperature = 1.5;
    form.seed = 7;
    form.count = 1;
    form.logprobs = true;
    form.frequency_penalty = 0.5;
    form.service_tier = OB_S("flex");
    ob_form_stop(&form, OB_S(" "));
    ob_form_stop(&form, OB_S("x"));
    writes(HI_WROTE ",\"temperature\":1.0,\"stop_sequences\":[\"x\"]}");
    drops("seed frequency_penalty logprobs stop service_tier");
    again(OB_DIALECT_GEMINI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    form.temperature = 0.2;
    form.top_p = 0.9;
    writes(HI_WROTE ",\"temperature\":0.2}");
    drops("generationConfig.topP");
    form.count = 2;
    will_not_write("generationConfig.candidateCount must be 1: the provider "
                   "answers once");
}

static void media_is_written_or_refused(void **state)
{
    again(OB_DIALECT_OPENAI);
    ob_part *part = say(OB_ROLE_USER, OB_PART_IMAGE, "");
    part->media = OB_S("image/jpg");
    part->data = OB_S("/9j/");
    part = say(OB_ROLE_USER, OB_PART_FILE, "");
    part->media = OB_S("text/csv");
    part->data = OB_S("YSxiCjEsMg==");
    part->file_name = OB_S("t.csv");
    writes(WROTE "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                 "\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
                 "\"image/jpeg\",\"data\":\"/9j/\"}},{\"type\":\"document\","
                 "\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\","
                 "\"data\":\"a,b\\n1,2\"},\"title\":\"t.csv\"}]}]}");
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_AUDIO, "");
    will_not_write("audio input is not taken by this provider");
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_FILE, "")->file_id = OB_S("file-1");
    will_not_write("file_id: this provider does not have files that are kept "
                   "at another");
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_IMAGE, "")->media = OB_S("image/bmp");
    will_not_write("an image of the type \"image/bmp\": this provider takes "
                   "JPEG, PNG, GIF and WebP");
}

/* ---- thinking by model ---- */

static void thinks(const char *model, ob_effort effort, int64_t budget,
                   int64_t answer_max, const char *json, const char *dropped)
{
    char text[512];
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    form.model = ob_slice_str(model);
    form.effort = effort;
    form.thinking_max = budget;
    form.answer_max = answer_max;
    snprintf(text, sizeof(text), "{\"model\":\"%s\",\"max_tokens\":%s}", model,
             json);
    writes(text);
    drops(dropped);
}

static void thinking_is_as_the_model_takes_it(void **state)
{
    thinks("claude-sonnet-4-5", OB_EFFORT_LOW, -1, -1,
           "10240," HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
           "2048}",
           "");
    thinks("claude-sonnet-4-20250514", OB_EFFORT_HIGH, -1, 4096,
           "4096," HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
           "2048}",
           "");
    thinks("claude-haiku-4-5", OB_EFFORT_HIGH, -1, 1500, "1500," HI,
           "reasoning_effort");
    thinks("claude-haiku-4-5", OB_EFFORT_UNSAID, 100, -1,
           "9216," HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
           "1024}",
           "");
    thinks("claude-opus-4-1-20250805", OB_EFFORT_UNSAID, 32768, -1,
           "32000," HI ",\"thinking\":{\"type\":\"enabled\","
           "\"budget_tokens\":23808}",
           "");
    thinks("claude-3-haiku-20240307", OB_EFFORT_HIGH, -1, -1, "4096," HI,
           "reasoning_effort");
    thinks("anthropic/claude-opus-4.6", OB_EFFORT_MAX, -1, 100,
           "100," HI ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{"
           "\"effort\":\"max\"}",
           "");
    thinks("claude-opus-4-6", OB_EFFORT_UNSAID, 2000, -1,
           "10192," HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
           "2000}",
           "");
    thinks("claude-opus-4-8", OB_EFFORT_UNSAID, 2000, 100,
           "100," HI ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{"
           "\"effort\":\"low\"}",
           "");
    thinks("claude-opus-4-8", OB_EFFORT_MAX, -1, 100,
           "100," HI ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{"
           "\"effort\":\"xhigh\"}",
           "");
    thinks("claude-opus-4-8", OB_EFFORT_NONE, -1, 100, "100," HI, "");
    thinks("claude-opus-5", OB_EFFORT_NONE, -1, 100,
           "100," HI ",\"thinking\":{\"type\":\"disabled\"}", "");
    thinks("claude-opus-5-5", OB_EFFORT_NONE, -1, 100,
           "100," HI ",\"output_config\":{\"effort\":\"low\"}",
           "reasoning_effort");
    thinks("claude-opus-5", OB_EFFORT_UNSAID, -1, -1, "24576," HI, "");
    thinks("glm-4.6", OB_EFFORT_MEDIUM, -1, -1,
           "16384," HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":"
           "8192}",
           "");
}

static void thinking_gives_way(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    form.effort = OB_EFFORT_HIGH;
    form.choose = OB_CHOOSE_REQUIRED;
    ob_form_tool(&form, OB_S("f"));
    form.temperature = 0.5;
    writes(HI_WROTE ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":"
                    "\"object\",\"properties\":{}}}],\"tool_choice\":{"
                    "\"type\":\"any\"},\"temperature\":0.5}");
    drops("reasoning_effort");
    form.choose = OB_CHOOSE_UNSAID;
    form.tools = NULL;
    form.answer_max = 40000;
    form.dropped_count = 0;
    writes("{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":40000," HI
           ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":16384}}");
    drops("temperature");
    form.model = OB_S("claude-fable-5");
    form.choose = OB_CHOOSE_NAMED;
    form.chosen = OB_S("f");
    form.temperature = (double)NAN;
    form.dropped_count = 0;
    ob_form_tool(&form, OB_S("f"));
    writes("{\"model\":\"claude-fable-5\",\"max_tokens\":40000," HI
           ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":"
           "\"object\",\"properties\":{}}}],\"tool_choice\":{\"type\":"
           "\"tool\",\"name\":\"f\"},\"output_config\":{\"effort\":"
           "\"high\"}}");
    drops("");
    form.tools = NULL;
    form.model = OB_S("claude-opus-5-5");
    form.choose = OB_CHOOSE_REQUIRED;
    ob_form_tool(&form, OB_S("f"));
    will_not_write("tool_choice: the model decides by itself which tool it "
                   "calls");
}

static void calls_without_thinking_leave_it_off(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    call("a");
    result("a", "1");
    form.effort = OB_EFFORT_LOW;
    assert_int_equal(ob_codec_anthropic.write_request(&form, &out), OB_OK);
    drops("reasoning_effort");
    assert_int_equal(ob_slice_find(ob_buffer_slice(&out), OB_S("thinking")),
                     OB_NOWHERE);
    /* Where the answer was given, a new turn may think. */
    say(OB_ROLE_ASSISTANT, OB_PART_TEXT, "Done");
    say(OB_ROLE_USER, OB_PART_TEXT, "More");
    form.dropped_count = 0;
    ob_buffer_clear(&out);
    assert_int_equal(ob_codec_anthropic.write_request(&form, &out), OB_OK);
    drops("");
    assert_int_not_equal(
        ob_slice_find(ob_buffer_slice(&out), OB_S("\"budget_tokens\":2048")),
        OB_NOWHERE);
}

static void output_by_schema_or_none(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    form.output = OB_OUTPUT_JSON;
    will_not_write("response_format: the provider has no JSON without a "
                   "schema");
    reads(HEAD HI ",\"output_config\":{\"format\":{\"type\":\"json_schema\","
                  "\"schema\":{}}}}");
    form.model = OB_S("claude-3-7-sonnet-latest");
    form.from = OB_DIALECT_RESPONSES;
    will_not_write("text.format: the model cannot answer by a schema");
}

#define BY(schema)                                                             \
    HEAD HI ",\"output_config\":{\"format\":{\"type\":\"json_schema\","        \
            "\"schema\":" schema "}}}"
#define CLOSED ",\"additionalProperties\":false}"

static void objects_of_a_schema_are_closed(void **state)
{
    reads(BY("{\"type\":\"object\",\"properties\":{\"type\":{\"type\":"
             "[\"object\",\"null\"]},\"b\":{\"type\":\"array\",\"items\":{"
             "\"properties\":{}}},\"c\":{\"anyOf\":[{\"type\":\"object\","
             "\"additionalProperties\":{\"type\":\"object\"}},"
             "{\"type\":\"string\",\"enum\":[\"object\"]}]}},"
             "\"$defs\":{\"d\":{\"type\":\"object\"}}}"));
    writes(BY("{\"type\":\"object\",\"properties\":{\"type\":{\"type\":"
              "[\"object\",\"null\"]" CLOSED
              ",\"b\":{\"type\":\"array\",\"items\":{"
              "\"properties\":{}" CLOSED "},\"c\":{\"anyOf\":[{\"type\":"
              "\"object\",\"additionalProperties\":{\"type\":\"object\"}},"
              "{\"type\":\"string\",\"enum\":[\"object\"]}]}},"
              "\"$defs\":{\"d\":{\"type\":\"object\"" CLOSED "}" CLOSED));
}

static void an_error_says_something(void **state)
{
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    call("a");
    result("a", " ")->is_error = true;
    assert_int_equal(ob_codec_anthropic.write_request(&form, &out), OB_OK);
    assert_int_not_equal(
        ob_slice_find(ob_buffer_slice(&out),
                      OB_S("\"content\":\"error\",\"is_error\":true")),
        OB_NOWHERE);
}

static void long_names_of_users_are_dropped(void **state)
{
    char name[257];
    memset(name, 'a', sizeof(name));
    again(OB_DIALECT_OPENAI);
    say(OB_ROLE_USER, OB_PART_TEXT, "Hi");
    form.user = ob_slice_make(name, sizeof(name));
    writes(HI_WROTE "}");
    drops("user");
}

#define LONG                                                                   \
    HEAD "\"system\":\"S\",\"messages\":[{\"role\":\"assistant\","             \
         "\"content\":[{\"type\":\"tool_use\",\"id\":\"a--obg0-QUJD\","        \
         "\"name\":\"f\",\"input\":{\"a\":1}}]},{\"role\":\"user\","           \
         "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\","       \
         "\"content\":\"x\"}]}],\"tools\":[{\"name\":\"f\"}],"                 \
         "\"stop_sequences\":[\"a\"],\"x\":1}"

static void memory_may_run_out_anywhere(void **state)
{
    static max_align_t room[400];
    bool done = false;
    for (size_t size = 64; !done; size += 16) {
        assert_true(size < sizeof(room));
        tear_down(NULL);
        set_up(NULL);
        ob_arena_init_in(&arena, room, size);
        arena.bytes_max = 1;
        ob_status status = read_text(LONG);
        if (status == OB_OK)
            status = ob_codec_anthropic.write_request(&form, &out);
        done = status == OB_OK;
        assert_true(done || status == OB_NO_MEMORY);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(request_is_read_by_member),
        T(null_is_missing_and_unknown_members_are_dropped),
        T(thinking_is_read_in_all_its_forms),
        T(blocks_are_read_as_parts),
        T(tools_that_were_found_are_told),
        T(foreign_signatures_come_back),
        T(system_blocks_split_a_turn),
        T(cache_control_at_the_top_marks_the_last_block),
        T(tools_are_read_dropped_or_refused),
        T(wrong_types_are_refused_by_name),
        T(requests_are_kept),
        T(turns_are_ordered_as_anthropic_wants),
        T(system_alone_becomes_the_users),
        T(last_words_are_trimmed_or_gone_on_with),
        T(foreign_thinking_is_left_out),
        T(results_without_ids_find_their_calls),
        T(arguments_that_are_no_object_are_wrapped),
        T(sampling_is_clamped_or_dropped),
        T(media_is_written_or_refused),
        T(thinking_is_as_the_model_takes_it),
        T(thinking_gives_way),
        T(calls_without_thinking_leave_it_off),
        T(output_by_schema_or_none),
        T(objects_of_a_schema_are_closed),
        T(an_error_says_something),
        T(long_names_of_users_are_dropped),
        T(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
