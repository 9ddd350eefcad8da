/* dialect_gemini_test.c - generateContent, read and written. */
#include "test.h"

#include <math.h>
#include <stdio.h>

#include "../../src/core/dialect/dialect.h"

static const ob_codec *const codec = &ob_codec_gemini;

static ob_arena arena;
static yyjson_doc *docs[64];
static size_t docs_count;
static ob_form form;
static ob_buffer out;

static int setup(void **state)
{
    ob_arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state)
{
    while (docs_count)
        yyjson_doc_free(docs[--docs_count]);
    ob_buffer_deinit(&out);
    out = (ob_buffer){0};
    ob_arena_deinit(&arena);
    return 0;
}

static yyjson_val *parse(const char *text)
{
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    assert_true(docs_count < OB_LEN(docs));
    docs[docs_count++] = doc;
    return yyjson_doc_get_root(doc);
}

/* ---- requests: helpers ---- */

static void fresh(ob_dialect from, const char *model)
{
    ob_form_init(&form, from, &arena);
    form.model = ob_slice_str(model);
}

static void read_request(const char *text)
{
    fresh(OB_DIALECT_GEMINI, "gemini-2.5-flash");
    assert_int_equal(codec->read_request(parse(text), &form), OB_OK);
    assert_int_equal(form.refusal.len, 0);
}

static void refuses(const char *text, const char *why)
{
    fresh(OB_DIALECT_GEMINI, "m");
    assert_int_equal(codec->read_request(parse(text), &form), OB_INVALID);
    assert_slice(form.refusal, why);
}

static void writes(const char *expected)
{
    ob_buffer_clear(&out);
    assert_int_equal(codec->write_request(&form, &out), OB_OK);
    assert_slice(ob_buffer_slice(&out), expected);
}

static void refuses_to_write(const char *why)
{
    ob_buffer_clear(&out);
    assert_int_equal(codec->write_request(&form, &out), OB_INVALID);
    assert_slice(form.refusal, why);
}

/* Read and written: as expected, or as it was. */
static void becomes(const char *text, const char *expected)
{
    read_request(text);
    writes(expected ? expected : text);
}

static void dropped(const char *names)
{
    char all[512];
    size_t len = 0;
    for (size_t i = 0; i < form.dropped_count && i < OB_DROPPED_MAX; i++)
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%.*s",
                                i ? " " : "", (int)form.dropped[i].len,
                                form.dropped[i].ptr);
    all[len] = 0;
    assert_string_equal(all, names);
}

static ob_part *say(ob_role role, ob_part_kind kind, const char *text)
{
    ob_turn *turn = ob_form_turn(&form, role);
    ob_part *part = ob_form_part(&form, &turn->parts, kind);
    part->text = ob_slice_str(text);
    return part;
}

static ob_part *more(ob_part *before, ob_part_kind kind, const char *text)
{
    ob_part *part = ob_form_part(&form, &before->next, kind);
    part->text = ob_slice_str(text);
    return part;
}

#define USER(parts) "{\"contents\":[{\"role\":\"user\",\"parts\":[" parts "]}]"
#define HI          USER("{\"text\":\"hi\"}")

/* ---- requests: turns ---- */

static void gemini_keeps_a_conversation(void **state)
{
    becomes(
        "{\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"}]},"
        "\"contents\":["
        "{\"role\":\"user\",\"parts\":[{\"text\":\"weather?\"},"
        "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}},"
        "{\"fileData\":{\"mimeType\":\"image/jpeg\","
        "\"fileUri\":\"https://example.com/a.jpg\"}}]},"
        "{\"role\":\"model\",\"parts\":["
        "{\"text\":\"I wonder\",\"thought\":true,"
        "\"thoughtSignature\":\"c2ln\"},"
        "{\"text\":\"Looking.\"},"
        "{\"functionCall\":{\"id\":\"c1\",\"name\":\"look\","
        "\"args\":{\"city\":\"Oslo\",\"n\":1.5}},"
        "\"thoughtSignature\":\"c2lnMg==\"},"
        "{\"functionCall\":{\"id\":\"c2\",\"name\":\"look\",\"args\":{}}}]},"
        "{\"role\":\"user\",\"parts\":["
        "{\"functionResponse\":{\"id\":\"c1\",\"name\":\"look\","
        "\"response\":{\"result\":\"cold\"}}},"
        "{\"functionResponse\":{\"id\":\"c2\",\"name\":\"look\","
        "\"response\":{\"error\":\"no city\"}}}]}]}",
        NULL);
    dropped("");
}

static void gemini_reads_what_a_turn_holds(void **state)
{
    read_request("{\"contents\":[{\"role\":\"user\",\"parts\":["
                 "{\"inline_data\":{\"mime_type\":\"audio/wav\","
                 "\"data\":\"-_-_\",\"display_name\":\"a\"}},"
                 "{\"inlineData\":{\"mimeType\":\"application/pdf\","
                 "\"data\":\"AA==\"}},"
                 "{\"file_data\":{\"file_uri\":"
                 "\"https://generativelanguage.googleapis.com/v1beta/files/"
                 "x\"}}]}]}");
    const ob_part *part = form.turns->parts;
    assert_int_equal(form.turns->role, OB_ROLE_USER);
    assert_int_equal(part->kind, OB_PART_AUDIO);
    assert_slice(part->media, "audio/wav");
    assert_slice(part->data, "+/+/");
    assert_slice(part->file_name, "a");
    part = part->next;
    assert_int_equal(part->kind, OB_PART_FILE);
    part = part->next;
    assert_int_equal(part->url.len, 0);
    assert_slice(part->file_id, "https://generativelanguage.googleapis.com/"
                                "v1beta/files/x");
    assert_null(part->next);
}

static void gemini_reads_contents_in_short(void **state)
{
    becomes("{\"contents\":\"hi\",\"system_instruction\":\"be brief\"}",
            "{\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"}]},"
            "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}"
            "]}");
    becomes("{\"contents\":[\"a\",{\"text\":\"b\"}]}",
            USER("{\"text\":\"a\"},{\"text\":\"b\"}") "}");
    becomes("{\"contents\":{\"parts\":{\"text\":\"hi\"}},"
            "\"systemInstruction\":{\"text\":\"x\"}}",
            "{\"systemInstruction\":{\"parts\":[{\"text\":\"x\"}]},"
            "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}"
            "]}");
    becomes("{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\","
            "\"thought\":null,\"inlineData\":null}]}],\"tools\":null}",
            HI "}");
}

static void gemini_matches_results_without_ids(void **state)
{
    read_request(
        "{\"contents\":[{\"role\":\"model\",\"parts\":["
        "{\"functionCall\":{\"name\":\"a\"}},"
        "{\"functionCall\":{\"name\":\"b\"}},"
        "{\"functionCall\":{\"name\":\"a\",\"args\":{\"x\":2}}}]},"
        "{\"role\":\"function\",\"parts\":["
        "{\"functionResponse\":{\"name\":\"a\",\"response\":{\"x\":1}}},"
        "{\"functionResponse\":{\"name\":\"a\",\"response\":{\"x\":2}}},"
        "{\"functionResponse\":{\"name\":\"b\",\"response\":"
        "{\"output\":\"o\"}}}]}]}");
    const ob_part *call = form.turns->parts;
    const ob_part *result = form.turns->next->parts;
    assert_int_equal(form.turns->next->role, OB_ROLE_USER);
    assert_slice(call->id, "call_1");
    assert_int_equal(call->text.len, 0);
    assert_slice(result->id, "call_1");
    assert_slice(result->content->text, "{\"x\":1}");
    result = result->next;
    assert_slice(result->id, "call_3");
    result = result->next;
    assert_slice(result->id, "call_2");
    assert_slice(result->content->text, "o");
    assert_false(result->is_error);
}

static void gemini_reads_media_of_results(void **state)
{
    read_request(
        "{\"contents\":[{\"role\":\"model\",\"parts\":["
        "{\"functionCall\":{\"id\":\"1\",\"name\":\"a\"}}]},"
        "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"id\":\"1\","
        "\"name\":\"a\",\"response\":{},\"parts\":[{\"inlineData\":"
        "{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}]}},"
        "{\"text\":\"see\"}]}]}");
    const ob_part *result = form.turns->next->parts;
    assert_slice(result->content->text, "{}");
    assert_int_equal(result->content->next->kind, OB_PART_IMAGE);
    assert_slice(result->content->next->data, "AAAA");
    assert_slice(result->next->text, "see");
    writes("{\"contents\":[{\"role\":\"model\",\"parts\":[{\"functionCall\":{"
           "\"id\":\"1\",\"name\":\"a\",\"args\":{}}}]},"
           "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"id\":\"1\","
           "\"name\":\"a\",\"response\":{}}},"
           "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}},"
           "{\"text\":\"see\"}]}]}");
}

static void gemini_joins_pieces_of_a_stream(void **state)
{
    becomes("{\"contents\":["
            "{\"role\":\"model\",\"parts\":[{\"text\":\"I \","
            "\"thought\":true}]},"
            "{\"role\":\"model\",\"parts\":[{\"text\":\"think\","
            "\"thought\":true},{\"text\":\"\",\"thought\":true,"
            "\"thoughtSignature\":\"c2ln\"},{\"text\":\"Hel\"}]},"
            "{\"role\":\"model\",\"parts\":[{\"text\":\"lo\"},"
            "{\"text\":\"\"}]}]}",
            "{\"contents\":[{\"role\":\"model\",\"parts\":["
            "{\"text\":\"I think\",\"thought\":true,"
            "\"thoughtSignature\":\"c2ln\"},{\"text\":\"Hello\"}]}]}");
}

static void gemini_carries_foreign_signatures(void **state)
{
    /* As the answer's writer made them, and as an SDK in Python, which knows
     * the letters of URLs alone, sends them back. */
    read_request("{\"contents\":[{\"role\":\"model\",\"parts\":["
                 "{\"text\":\"a\",\"thought\":true,"
                 "\"thoughtSignature\":\"OBsigas0ab-_\"},"
                 "{\"text\":\"\",\"thought\":true,"
                 "\"thoughtSignature\":\"OBsigAs1abc=\"},"
                 "{\"text\":\"b\",\"thought\":true,"
                 "\"thoughtSignature\":\"OBsigru0ab+/\"}]}]}");
    const ob_part *part = form.turns->parts;
    assert_int_equal(part->signed_by, OB_DIALECT_ANTHROPIC);
    assert_slice(part->signature, "ab+/");
    assert_false(part->redacted);
    part = part->next;
    assert_int_equal(part->signed_by, OB_DIALECT_ANTHROPIC);
    assert_slice(part->signature, "abc");
    assert_true(part->redacted);
    part = part->next;
    assert_int_equal(part->signed_by, OB_DIALECT_RESPONSES);
    assert_slice(part->signature, "ab-_");
    /* Google is not told of them. */
    writes("{\"contents\":[]}");
    dropped("");
}

static void gemini_refuses_turns_by_name(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[]", "the body must be a JSON object"},
        {"{}", "contents must be an array"},
        {"{\"contents\":1}", "contents must be an array"},
        {"{\"contents\":[1]}", "contents[0] must be an object or a string"},
        {"{\"contents\":[{\"role\":\"system\",\"parts\":[]}]}",
         "contents[0].role must be user or model"},
        {"{\"contents\":[{\"role\":1,\"parts\":[]}]}",
         "contents[0].role must be a string"},
        {"{\"contents\":[{\"parts\":3}]}",
         "contents[0].parts must be an array"},
        {USER("{\"text\":\"a\"},{\"text\":1}") "}",
         "contents[0].parts[1].text must be a string"},
        {USER("7") "}", "contents[0].parts[0] must be an object"},
        {USER("{\"inlineData\":\"x\"}") "}",
         "contents[0].parts[0].inlineData must be an object"},
        {USER("{\"inlineData\":{\"mimeType\":\"a/b\",\"data\":1}}") "}",
         "contents[0].parts[0].inlineData.data must be a string of base64"},
        {USER("{\"inlineData\":{\"data\":\"\"}}") "}",
         "contents[0].parts[0].inlineData.mimeType must be a string"},
        {USER("{\"fileData\":{}}") "}",
         "contents[0].parts[0].fileData.fileUri must be a string"},
        {USER("{\"functionCall\":{\"args\":{}}}") "}",
         "contents[0].parts[0].functionCall.name must be a string"},
        {USER("{\"functionCall\":{\"name\":\"a\",\"args\":[]}}") "}",
         "contents[0].parts[0].functionCall.args must be an object"},
        {USER("{\"functionResponse\":{\"name\":\"a\",\"response\":1}}") "}",
         "contents[0].parts[0].functionResponse.response must be an object"},
        {USER("{\"functionResponse\":{\"name\":\"a\",\"response\":{}}}") "}",
         "functionResponse a answers no functionCall before it"},
        {"{\"contents\":\"a\",\"systemInstruction\":4}",
         "systemInstruction must be an object or a string"},
        {"{\"contents\":\"a\",\"systemInstruction\":{\"parts\":[{\"text\":1}]}"
         "}",
         "systemInstruction.parts[0].text must be a string"},
        {HI ",\"cachedContent\":\"cachedContents/1\"}",
         "cachedContent is kept at Google: this model's provider does not "
         "have it"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++)
        refuses(cases[i].text, cases[i].why);
}

static void gemini_drops_turns_by_name(void **state)
{
    read_request("{\"contents\":[{\"role\":\"model\",\"parts\":["
                 "{\"executableCode\":{\"code\":\"1\"}},"
                 "{\"codeExecutionResult\":{}},"
                 "{\"text\":\"a\",\"videoMetadata\":{}}]}],"
                 "\"safetySettings\":[],\"model\":\"m\",\"labels\":{},"
                 "\"serviceTier\":\"flex\",\"store\":false}");
    dropped(
        "safetySettings labels serviceTier store contents.parts.executableCode "
        "contents.parts.codeExecutionResult contents.parts.videoMetadata");
}

/* ---- requests: what is asked for ---- */

static void gemini_keeps_a_config(void **state)
{
    becomes(HI ",\"generationConfig\":{\"maxOutputTokens\":100,"
               "\"temperature\":0.5,\"topP\":0.25,\"topK\":40,"
               "\"candidateCount\":2,\"seed\":7,\"presencePenalty\":-1.0,"
               "\"frequencyPenalty\":1.5,\"responseLogprobs\":true,"
               "\"logprobs\":3,\"stopSequences\":[\"a\",\"b\"],"
               "\"responseMimeType\":\"application/json\","
               "\"responseJsonSchema\":{\"type\":\"object\"},"
               "\"thinkingConfig\":{\"thinkingBudget\":1000,"
               "\"includeThoughts\":true}}}",
            NULL);
    dropped("");
    becomes(HI ",\"generation_config\":{\"max_output_tokens\":1,\"top_k\":2.0,"
               "\"response_mime_type\":\"text/plain\","
               "\"stop_sequences\":[\"s\"],\"response_modalities\":[\"TEXT\"],"
               "\"thinking_config\":{\"thinking_budget\":-1}}}",
            HI ",\"generationConfig\":{\"maxOutputTokens\":1,\"topK\":2,"
               "\"stopSequences\":[\"s\"]}}");
    becomes(HI ",\"generationConfig\":{\"_responseJsonSchema\":{\"a\":1}}}",
            HI ",\"generationConfig\":{\"responseMimeType\":"
               "\"application/json\",\"responseJsonSchema\":{\"a\":1}}}");
    becomes(HI ",\"generationConfig\":{\"responseFormat\":{\"text\":{"
               "\"mimeType\":\"APPLICATION_JSON\",\"schema\":{\"a\":1}}}}}",
            HI ",\"generationConfig\":{\"responseMimeType\":"
               "\"application/json\",\"responseJsonSchema\":{\"a\":1}}}");
    becomes(HI ",\"generationConfig\":{\"responseMimeType\":"
               "\"application/json\"}}",
            NULL);
    read_request(HI ",\"generationConfig\":{\"speechConfig\":{},"
                    "\"mediaResolution\":\"MEDIA_RESOLUTION_LOW\"}}");
    dropped("generationConfig.speechConfig generationConfig.mediaResolution");
    read_request(HI ",\"generationConfig\":{\"thinkingConfig\":{"
                    "\"thinkingLevel\":\"HIGH\",\"includeThoughts\":false}}}");
    assert_int_equal(form.effort, OB_EFFORT_HIGH);
    assert_int_equal(form.show_thinking, OB_NO);
    assert_int_equal(form.thinking_max, -1);
    assert_true(isnan(form.temperature));
}

static void gemini_refuses_a_config_by_name(void **state)
{
    static const struct {
        const char *config, *why;
    } cases[] = {
        {"1", "generationConfig must be an object"},
        {"{\"temperature\":\"1\"}",
         "generationConfig.temperature must be a number"},
        {"{\"max_output_tokens\":1.5}",
         "generationConfig.maxOutputTokens must be a whole number from 0 on"},
        {"{\"topK\":-1}",
         "generationConfig.topK must be a whole number from 0 on"},
        {"{\"seed\":\"x\"}", "generationConfig.seed must be a whole number"},
        {"{\"responseLogprobs\":1}",
         "generationConfig.responseLogprobs must be true or false"},
        {"{\"stopSequences\":\"x\"}",
         "generationConfig.stopSequences must be an array of strings"},
        {"{\"responseModalities\":[\"AUDIO\"]}",
         "generationConfig.responseModalities must be TEXT or IMAGE for this "
         "model"},
        {"{\"responseMimeType\":\"text/x.enum\"}",
         "generationConfig.responseMimeType must be text/plain or "
         "application/json"},
        {"{\"responseSchema\":[]}",
         "generationConfig.responseSchema must be an object"},
        {"{\"thinkingConfig\":1}",
         "generationConfig.thinkingConfig must be an object"},
        {"{\"thinkingConfig\":{\"thinkingBudget\":\"1\"}}",
         "generationConfig.thinkingConfig.thinkingBudget must be a whole "
         "number"},
        {"{\"thinkingConfig\":{\"thinkingLevel\":\"much\"}}",
         "generationConfig.thinkingConfig.thinkingLevel must be MINIMAL, LOW, "
         "MEDIUM or HIGH"},
        {"{\"thinkingConfig\":{\"includeThoughts\":1}}",
         "generationConfig.thinkingConfig.includeThoughts must be true or "
         "false"},
    };
    char text[512];
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        snprintf(text, sizeof(text), HI ",\"generationConfig\":%s}",
                 cases[i].config);
        refuses(text, cases[i].why);
    }
}

static void gemini_schemas_become_json_schema(void **state)
{
    becomes(HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\","
               "\"description\":\"does\",\"parameters\":{\"type\":\"OBJECT\","
               "\"propertyOrdering\":[\"type\"],\"properties\":{"
               "\"type\":{\"type\":\"STRING\",\"format\":\"enum\","
               "\"enum\":[\"OBJECT\"],\"description\":\"A STRING\"},"
               "\"n\":{\"type\":\"INTEGER\",\"nullable\":true,\"minimum\":1},"
               "\"l\":{\"type\":\"ARRAY\",\"min_items\":\"2\",\"items\":"
               "{\"any_of\":[{\"type\":\"NUMBER\"},{\"type\":\"NULL\"}]}}},"
               "\"required\":[\"type\"]}}]}]}",
            HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\","
               "\"description\":\"does\",\"parametersJsonSchema\":"
               "{\"type\":\"object\",\"properties\":{"
               "\"type\":{\"type\":\"string\",\"enum\":[\"OBJECT\"],"
               "\"description\":\"A STRING\"},"
               "\"n\":{\"type\":[\"integer\",\"null\"],\"minimum\":1},"
               "\"l\":{\"type\":\"array\",\"minItems\":2,\"items\":"
               "{\"anyOf\":[{\"type\":\"number\"},{\"type\":\"null\"}]}}},"
               "\"required\":[\"type\"]}}]}]}");
    becomes(HI ",\"generationConfig\":{\"responseMimeType\":"
               "\"application/json\",\"responseSchema\":{\"type\":\"ARRAY\","
               "\"items\":{\"type\":\"STRING\"}}}}",
            HI ",\"generationConfig\":{\"responseMimeType\":"
               "\"application/json\",\"responseJsonSchema\":"
               "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}");
}

static void gemini_schemas_have_a_depth(void **state)
{
    char text[4096];
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  HI ",\"generationConfig\":"
                                     "{\"responseSchema\":");
    for (int i = 0; i < 70; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "{\"items\":");
    len += (size_t)snprintf(text + len, sizeof(text) - len, "{}");
    memset(text + len, '}', 72);
    text[len + 72] = 0;
    refuses(text, "generationConfig.responseSchema is nested too deeply");
}

#define TOOLS                                                                  \
    ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"},"                 \
    "{\"name\":\"g\",\"parametersJsonSchema\":{\"type\":\"object\"}}]}]"
#define CALLING(config)                                                        \
    HI TOOLS ",\"toolConfig\":{\"functionCallingConfig\":{" config "}}}"

static void gemini_keeps_tools(void **state)
{
    becomes(CALLING("\"mode\":\"AUTO\""), NULL);
    becomes(CALLING("\"mode\":\"ANY\""), NULL);
    becomes(CALLING("\"mode\":\"NONE\""), NULL);
    becomes(CALLING("\"mode\":\"ANY\",\"allowedFunctionNames\":[\"g\"]"), NULL);
    assert_int_equal(form.choose, OB_CHOOSE_NAMED);
    assert_slice(form.chosen, "g");
    becomes(CALLING("\"mode\":\"ANY\",\"allowedFunctionNames\":[\"g\",\"f\"]"),
            CALLING("\"mode\":\"ANY\""));
    becomes(
        CALLING("\"mode\":\"VALIDATED\",\"allowed_function_names\":[\"f\"]"),
        HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],"
           "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"AUTO\"}}}");
    read_request(HI ",\"tools\":[{\"googleSearch\":{}},{\"code_execution\":{}},"
                    "{\"urlContext\":{},\"functionDeclarations\":["
                    "{\"name\":\"f\",\"behavior\":\"BLOCKING\"}]}],"
                    "\"toolConfig\":{\"retrievalConfig\":{}}}");
    dropped("tools.googleSearch tools.code_execution tools.urlContext "
            "tools.functionDeclarations.behavior toolConfig.retrievalConfig");
    assert_slice(form.tools->name, "f");
    assert_null(form.tools->schema);
    assert_null(form.tools->next);
}

static void gemini_refuses_tools_by_name(void **state)
{
    refuses(HI ",\"tools\":1}", "tools must be an array");
    refuses(HI ",\"tools\":[1]}", "tools[0] must be an object");
    refuses(HI ",\"tools\":[{\"functionDeclarations\":1}]}",
            "tools[0].functionDeclarations must be an array");
    refuses(HI ",\"tools\":[{\"functionDeclarations\":[{}]}]}",
            "tools[0].functionDeclarations[0].name must be a string");
    refuses(HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\","
               "\"parameters\":1}]}]}",
            "tools[0].functionDeclarations[0].parameters must be an object");
    refuses(CALLING("\"mode\":\"SOME\""),
            "toolConfig.functionCallingConfig.mode must be AUTO, ANY or NONE");
    refuses(CALLING("\"mode\":\"ANY\",\"allowedFunctionNames\":[\"x\"]"),
            "toolConfig.functionCallingConfig.allowedFunctionNames names none "
            "of the functions declared");
    refuses(HI ",\"toolConfig\":[]}", "toolConfig must be an object");
}

/* ---- requests of other dialects ---- */

static void gemini_merges_turns(void **state)
{
    fresh(OB_DIALECT_OPENAI, "gemini-2.5-pro");
    say(OB_ROLE_SYSTEM, OB_PART_TEXT, "one");
    say(OB_ROLE_USER, OB_PART_TEXT, "a")->cached = true;
    say(OB_ROLE_SYSTEM, OB_PART_TEXT, "two");
    say(OB_ROLE_USER, OB_PART_TEXT, "b");
    ob_part *thought = say(OB_ROLE_ASSISTANT, OB_PART_THINKING, "hm");
    thought->signature = OB_S("x");
    thought->signed_by = OB_DIALECT_ANTHROPIC;
    say(OB_ROLE_ASSISTANT, OB_PART_REFUSAL, "no");
    say(OB_ROLE_USER, OB_PART_TEXT, "");
    say(OB_ROLE_ASSISTANT, OB_PART_TEXT, "but");
    writes("{\"systemInstruction\":{\"parts\":[{\"text\":\"one\"},"
           "{\"text\":\"two\"}]},\"contents\":["
           "{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
           "{\"role\":\"model\",\"parts\":[{\"text\":\"no\"},"
           "{\"text\":\"but\"}]}]}");
    dropped("cache_control");
    fresh(OB_DIALECT_OPENAI, "m");
    say(OB_ROLE_SYSTEM, OB_PART_TEXT, "alone");
    writes(USER("{\"text\":\"alone\"}") "}");
}

static void make_calls(void)
{
    say(OB_ROLE_USER, OB_PART_TEXT, "hi");
    ob_part *call = say(OB_ROLE_ASSISTANT, OB_PART_CALL, "{\"a\":\n 1e2 }");
    call->id = OB_S("c1");
    call->name = OB_S("f");
    call = more(call, OB_PART_CALL, "not json");
    call->id = OB_S("c2");
    call->name = OB_S("g");
    ob_part *result = say(OB_ROLE_USER, OB_PART_RESULT, "");
    result->id = OB_S("c2");
    ob_form_part(&form, &result->content, OB_PART_TEXT)->text = OB_S("x");
    ob_form_part(&form, &result->content, OB_PART_TEXT)->text = OB_S("y");
    ob_part *image = ob_form_part(&form, &result->content, OB_PART_IMAGE);
    image->media = OB_S("image/gif");
    image->data = OB_S("AAAA");
    result = say(OB_ROLE_USER, OB_PART_RESULT, "");
    result->id = OB_S("c1");
    ob_form_part(&form, &result->content, OB_PART_TEXT)->text =
        OB_S("{\"deep\": [1]}");
}

#define CALLS(id1, sign, id2)                                                  \
    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},"        \
    "{\"role\":\"model\",\"parts\":[{\"functionCall\":{" id1                   \
    "\"name\":\"f\",\"args\":{\"a\":1e2}}" sign "},"                           \
    "{\"functionCall\":{" id2 "\"name\":\"g\","                                \
    "\"args\":{\"arguments\":\"not json\"}}}]},"                               \
    "{\"role\":\"user\",\"parts\":["                                           \
    "{\"functionResponse\":{" id2 "\"name\":\"g\","                            \
    "\"response\":{\"result\":\"x\\ny\"}}},"                                   \
    "{\"inlineData\":{\"mimeType\":\"image/gif\",\"data\":\"AAAA\"}},"         \
    "{\"functionResponse\":{" id1 "\"name\":\"f\","                            \
    "\"response\":{\"deep\":[1]}}}]}]}"

static void gemini_signs_calls_of_others(void **state)
{
    fresh(OB_DIALECT_ANTHROPIC, "gemini-2.5-pro");
    make_calls();
    writes(CALLS("\"id\":\"c1\",", "", "\"id\":\"c2\","));
    fresh(OB_DIALECT_ANTHROPIC, "google/gemini-3-pro-preview");
    make_calls();
    writes(CALLS("\"id\":\"c1\",",
                 ",\"thoughtSignature\":\"skip_thought_signature_validator\"",
                 "\"id\":\"c2\","));
    fresh(OB_DIALECT_ANTHROPIC, "gemini-3-pro-preview");
    form.provider = OB_S("google-vertex-ai");
    make_calls();
    form.turns->next->parts->signature = OB_S("c2ln");
    form.turns->next->parts->signed_by = OB_DIALECT_GEMINI;
    writes(CALLS("", ",\"thoughtSignature\":\"c2ln\"", ""));
}

static void gemini_writes_media(void **state)
{
    fresh(OB_DIALECT_OPENAI, "m");
    ob_part *part = say(OB_ROLE_USER, OB_PART_IMAGE, "");
    part->url = OB_S("https://example.com/a.WEBP?x=.png#y");
    part->detail = OB_S("low");
    part = more(part, OB_PART_FILE, "");
    part->data = OB_S("AAAA");
    part->file_name = OB_S("notes.txt");
    part = more(part, OB_PART_IMAGE, "");
    part->url = OB_S("https://example.com/image");
    part = more(part, OB_PART_AUDIO, "");
    part->media = OB_S("audio/wav");
    part->data = OB_S("BBBB");
    writes(USER("{\"fileData\":{\"mimeType\":\"image/webp\",\"fileUri\":"
                "\"https://example.com/a.WEBP?x=.png#y\"}},"
                "{\"inlineData\":{\"mimeType\":\"text/plain\","
                "\"data\":\"AAAA\"}},"
                "{\"fileData\":{\"mimeType\":\"image/jpeg\",\"fileUri\":"
                "\"https://example.com/image\"}},"
                "{\"inlineData\":{\"mimeType\":\"audio/wav\","
                "\"data\":\"BBBB\"}}") "}");
    dropped("detail filename");
    fresh(OB_DIALECT_OPENAI, "m");
    say(OB_ROLE_USER, OB_PART_FILE, "")->file_id = OB_S("file-1");
    refuses_to_write("file file-1 is kept at another provider; send its "
                     "content");
    fresh(OB_DIALECT_OPENAI, "m");
    say(OB_ROLE_USER, OB_PART_RESULT, "")->id = OB_S("c9");
    refuses_to_write("the tool result c9 answers no call of this "
                     "conversation");
}

static void thinks(const char *model, ob_effort effort, int64_t budget,
                   const char *expected, const char *drops)
{
    char text[256];
    fresh(budget >= 0 ? OB_DIALECT_ANTHROPIC : OB_DIALECT_OPENAI, model);
    say(OB_ROLE_USER, OB_PART_TEXT, "hi");
    form.effort = effort;
    form.thinking_max = budget;
    snprintf(text, sizeof(text), HI "%s%s%s}",
             *expected ? ",\"generationConfig\":{\"thinkingConfig\":{" : "",
             expected, *expected ? "}}" : "");
    writes(text);
    dropped(drops);
}

static void gemini_thinks_as_the_model_can(void **state)
{
    static const struct {
        const char *model;
        ob_effort effort;
        int64_t budget;
        const char *expected, *drops;
    } cases[] = {
        {"gemini-3-flash", OB_EFFORT_MINIMAL, -1,
         "\"thinkingLevel\":\"minimal\"", ""},
        {"gemini-3-flash", OB_EFFORT_NONE, -1, "\"thinkingLevel\":\"minimal\"",
         "reasoning_effort"},
        {"gemini-3-pro", OB_EFFORT_MEDIUM, -1, "\"thinkingLevel\":\"high\"",
         ""},
        {"gemini-3.1-pro", OB_EFFORT_MEDIUM, -1, "\"thinkingLevel\":\"medium\"",
         ""},
        {"gemini-3.1-pro", OB_EFFORT_MAX, -1, "\"thinkingLevel\":\"high\"", ""},
        {"gemini-pro-latest", OB_EFFORT_LOW, -1, "\"thinkingLevel\":\"low\"",
         ""},
        {"gemini-3-pro", OB_EFFORT_UNSAID, 10000, "\"thinkingLevel\":\"high\"",
         ""},
        {"gemini-2.5-flash", OB_EFFORT_MEDIUM, -1, "\"thinkingBudget\":8192",
         ""},
        {"gemini-2.5-flash", OB_EFFORT_NONE, -1, "\"thinkingBudget\":0", ""},
        {"gemini-2.5-pro", OB_EFFORT_NONE, -1, "\"thinkingBudget\":128",
         "reasoning_effort"},
        {"gemini-2.5-flash", OB_EFFORT_UNSAID, 31999,
         "\"thinkingBudget\":24576", "thinking.budget_tokens"},
        {"gemini-2.5-flash-lite", OB_EFFORT_UNSAID, 0, "\"thinkingBudget\":0",
         ""},
        {"gemini-2.0-flash", OB_EFFORT_HIGH, -1, "", "reasoning_effort"},
        {"gemma-3", OB_EFFORT_NONE, -1, "", ""},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++)
        thinks(cases[i].model, cases[i].effort, cases[i].budget,
               cases[i].expected, cases[i].drops);
}

static void gemini_drops_what_it_cannot_say(void **state)
{
    fresh(OB_DIALECT_ANTHROPIC, "m");
    say(OB_ROLE_USER, OB_PART_TEXT, "hi");
    ob_tool *tool = ob_form_tool(&form, OB_S("f"));
    tool->strict = OB_YES;
    form.parallel = OB_NO;
    form.user = OB_S("u");
    form.cache_key = OB_S("k");
    form.service_tier = OB_S("flex");
    form.seed = INT64_MAX;
    form.turns->name = OB_S("bob");
    writes(HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}]}");
    dropped(
        "messages.name tools.strict tool_choice.disable_parallel_tool_use seed "
        "metadata.user_id prompt_cache_key service_tier");
    for (int i = 0; i < 6; i++)
        ob_form_stop(&form, OB_S("s"));
    refuses_to_write("stop_sequences may hold 5 texts at most for this model");
}

/* ---- answers ---- */

static ob_answer answer;
static ob_answering answering;

static void read_answer(const char *text)
{
    ob_answer_init(&answer, &arena);
    assert_int_equal(codec->read_answer(parse(text), &answer), OB_OK);
}

static void answers(const char *expected)
{
    answering = (ob_answering){
        .id = OB_S("req_1"), .model = OB_S("asked"), .arena = &arena};
    ob_buffer_clear(&out);
    codec->write_answer(&answer, &answering, &out);
    assert_slice(ob_buffer_slice(&out), expected);
}

static const char *const full_answer =
    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":["
    "{\"text\":\"Hm.\",\"thought\":true},"
    "{\"text\":\"Look:\",\"thoughtSignature\":\"c2ln\"},"
    "{\"functionCall\":{\"id\":\"1\",\"name\":\"f\",\"args\":{\"a\":[1]}},"
    "\"thoughtSignature\":\"c2lnMg==\"},"
    "{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]},"
    "\"finishReason\":\"STOP\",\"index\":0,"
    "\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"L\","
    "\"logProbability\":-0.5}],\"topCandidates\":[{\"candidates\":["
    "{\"token\":\"L\",\"logProbability\":-0.5},"
    "{\"token\":\"M\",\"logProbability\":-1.5}]}]}}],"
    "\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":5,"
    "\"thoughtsTokenCount\":7,\"cachedContentTokenCount\":4,"
    "\"totalTokenCount\":22},\"modelVersion\":\"gemini-3-pro\","
    "\"responseId\":\"r1\"}";

static void gemini_keeps_an_answer(void **state)
{
    read_answer(full_answer);
    assert_slice(answer.id, "r1");
    assert_slice(answer.model, "gemini-3-pro");
    assert_int_equal(answer.usage.input, 10);
    assert_int_equal(answer.usage.output, 12);
    assert_int_equal(answer.usage.cached, 4);
    assert_int_equal(answer.usage.reasoning, 7);
    assert_int_equal(answer.choices->finish, OB_FINISH_CALLS);
    const ob_part *part = answer.choices->parts;
    assert_int_equal(part->kind, OB_PART_THINKING);
    assert_slice(part->text, "Hm.");
    part = part->next->next;
    assert_int_equal(part->kind, OB_PART_CALL);
    assert_slice(part->text, "{\"a\":[1]}");
    assert_slice(part->signature, "c2lnMg==");
    assert_int_equal(part->signed_by, OB_DIALECT_GEMINI);
    assert_slice(answer.choices->logprobs->tops->next->token, "M");
    answers(full_answer);
}

static void gemini_finishes(void **state)
{
    static const struct {
        const char *name;
        ob_finish finish;
        const char *back;
    } cases[] = {
        {"STOP", OB_FINISH_STOP, "STOP"},
        {"MAX_TOKENS", OB_FINISH_LENGTH, "MAX_TOKENS"},
        {"SAFETY", OB_FINISH_REFUSAL, "SAFETY"},
        {"BLOCKLIST", OB_FINISH_REFUSAL, "SAFETY"},
        {"PROHIBITED_CONTENT", OB_FINISH_REFUSAL, "SAFETY"},
        {"SPII", OB_FINISH_REFUSAL, "SAFETY"},
        {"RECITATION", OB_FINISH_REFUSAL, "SAFETY"},
        {"LANGUAGE", OB_FINISH_OTHER, "OTHER"},
        {"MALFORMED_FUNCTION_CALL", OB_FINISH_OTHER, "OTHER"},
        {"FINISH_REASON_UNSPECIFIED", OB_FINISH_UNSAID,
         "FINISH_REASON_UNSPECIFIED"},
    };
    char text[256];
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        snprintf(text, sizeof(text),
                 "{\"candidates\":[{\"finishReason\":\"%s\"}]}", cases[i].name);
        read_answer(text);
        assert_int_equal(answer.choices->finish, cases[i].finish);
        snprintf(text, sizeof(text),
                 "{\"candidates\":[{\"content\":{\"role\":\"model\","
                 "\"parts\":[]},\"finishReason\":\"%s\",\"index\":0}],"
                 "\"modelVersion\":\"asked\",\"responseId\":\"req_1\"}",
                 cases[i].back);
        answers(text);
    }
}

static void gemini_tells_of_blocked_prompts(void **state)
{
    read_answer("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},"
                "\"usageMetadata\":{\"promptTokenCount\":8,"
                "\"toolUsePromptTokenCount\":2,\"totalTokenCount\":10}}");
    assert_int_equal(answer.choices->parts->kind, OB_PART_REFUSAL);
    assert_slice(answer.choices->parts->text, "SAFETY");
    assert_int_equal(answer.choices->finish, OB_FINISH_REFUSAL);
    assert_int_equal(answer.usage.input, 10);
    assert_int_equal(answer.usage.output, 0);
    ob_answer_init(&answer, &arena);
    assert_int_equal(codec->read_answer(parse("{\"candidates\":[]}"), &answer),
                     OB_INVALID);
    assert_int_equal(
        codec->read_answer(parse("{\"error\":{\"code\":400}}"), &answer),
        OB_INVALID);
    assert_int_equal(codec->read_answer(parse("[]"), &answer), OB_INVALID);
}

static void gemini_answers_for_others(void **state)
{
    ob_answer_init(&answer, &arena);
    ob_choice *choice = ob_answer_choice(&answer, 0);
    ob_part *part = ob_answer_part(&answer, choice, OB_PART_THINKING);
    part->text = OB_S("hm");
    part->signature = OB_S("ab+/c");
    part->signed_by = OB_DIALECT_ANTHROPIC;
    part = ob_answer_part(&answer, choice, OB_PART_THINKING);
    part->signature = OB_S("ab+/cg");
    part->signed_by = OB_DIALECT_ANTHROPIC;
    part->redacted = true;
    part = ob_answer_part(&answer, choice, OB_PART_THINKING);
    part->signature = OB_S("ab-_");
    part->signed_by = OB_DIALECT_RESPONSES;
    ob_answer_part(&answer, choice, OB_PART_IMAGE);
    ob_answer_part(&answer, choice, OB_PART_REFUSAL)->text = OB_S("no");
    part = ob_answer_part(&answer, choice, OB_PART_CALL);
    part->id = OB_S("c");
    part->name = OB_S("f");
    choice->finish = OB_FINISH_CALLS;
    answers("{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":["
            "{\"text\":\"hm\",\"thought\":true},"
            "{\"text\":\"\",\"thought\":true,"
            "\"thoughtSignature\":\"OBsigAs2ab+/cg==\"},"
            "{\"text\":\"\",\"thought\":true,"
            "\"thoughtSignature\":\"OBsigru0ab+/\"},"
            "{\"text\":\"no\"},"
            "{\"functionCall\":{\"id\":\"c\",\"name\":\"f\",\"args\":{}}}]},"
            "\"finishReason\":\"STOP\",\"index\":0}],"
            "\"modelVersion\":\"asked\",\"responseId\":\"req_1\"}");
}

static void gemini_signature_alone_is_of_the_text_before(void **state)
{
    read_answer(
        "{\"candidates\":[{\"content\":{\"parts\":["
        "{\"text\":\"a\"},{\"text\":\"\",\"thoughtSignature\":\"cw==\"},"
        "{\"text\":\"\",\"thoughtSignature\":\"dA==\"},"
        "{\"executableCode\":{}}]}}]}");
    const ob_part *part = answer.choices->parts;
    assert_slice(part->signature, "cw==");
    assert_int_equal(part->next->kind, OB_PART_THINKING);
    assert_true(part->next->redacted);
    assert_null(part->next->next);
}

/* ---- streams ---- */

static ob_buffer told; /* of events, a word each */

static void note(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof(text));
    ob_buffer_append_str(&told, text);
}

#define S(slice) (int)(slice).len, (slice).ptr ? (slice).ptr : ""

static void sink(void *context, const ob_event *e)
{
    static const char parts[] = "tkrIAFCR";
    switch (e->kind) {
    case OB_EVENT_START:
        note("start(%.*s,%.*s)", S(e->id), S(e->name));
        break;
    case OB_EVENT_OPEN:
        note(" +%c%u(%.*s,%.*s,%.*s)", parts[e->part], e->ordinal, S(e->id),
             S(e->name), S(e->signature));
        break;
    case OB_EVENT_DELTA:
        note(" %.*s", S(e->text));
        break;
    case OB_EVENT_SIGN:
        note(" sign(%.*s)", S(e->signature));
        break;
    case OB_EVENT_LOGPROBS:
        note(" logprob(%.*s,%.*s)", S(e->logprobs->token),
             S(e->logprobs->tops->next->token));
        break;
    case OB_EVENT_CLOSE:
        note(" -%c", parts[e->part]);
        break;
    case OB_EVENT_FINISH:
        note(" finish(%d)", e->finish);
        break;
    case OB_EVENT_USAGE:
        note(" usage(%d,%d,%d,%d)", (int)e->usage.input, (int)e->usage.output,
             (int)e->usage.cached, (int)e->usage.reasoning);
        break;
    case OB_EVENT_ERROR:
        note(" error(%d,%.*s)", e->status, S(e->text));
        break;
    case OB_EVENT_END:
        note(" end");
        break;
    case OB_EVENT_CITE:
        break;
    }
}

/* Events of a NULL-ended list, one a piece, and what is told of them. */
static void stream_into(const char *const *pieces, ob_event_sink to,
                        void *context)
{
    ob_blocks blocks;
    ob_blocks_init(&blocks, to, context);
    ob_event_reader reader = {.take = ob_blocks_take, .context = &blocks};
    for (; *pieces; pieces++)
        codec->read_event(&reader, OB_S(""), parse(*pieces));
    codec->read_end(&reader, false);
}

static void tells(const char *const *pieces, const char *expected)
{
    ob_buffer_clear(&told);
    stream_into(pieces, sink, NULL);
    assert_slice(ob_buffer_slice(&told), expected);
    ob_buffer_deinit(&told);
    told = (ob_buffer){0};
}

static const char *const full_stream[] = {
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hm\","
    "\"thought\":true}],\"role\":\"model\"},\"index\":0}],"
    "\"usageMetadata\":{\"promptTokenCount\":10,\"totalTokenCount\":10},"
    "\"modelVersion\":\"gemini-3-pro\",\"responseId\":\"r1\"}",
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Loo\"},"
    "{\"text\":\"k\"}],\"role\":\"model\"},\"index\":0}],"
    "\"modelVersion\":\"gemini-3-pro\",\"responseId\":\"r1\"}",
    "{\"candidates\":[{\"content\":{\"parts\":["
    "{\"functionCall\":{\"id\":\"1\",\"name\":\"f\",\"args\":{\"a\":1}},"
    "\"thoughtSignature\":\"c2ln\"},{\"functionCall\":{\"name\":\"g\"}}],"
    "\"role\":\"model\"},\"index\":0}]}",
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],"
    "\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],"
    "\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":5,"
    "\"thoughtsTokenCount\":7,\"cachedContentTokenCount\":4,"
    "\"totalTokenCount\":22}}",
    NULL,
};

static void gemini_reads_a_stream(void **state)
{
    tells(full_stream,
          "start(r1,gemini-3-pro) +k0(,,) Hm usage(10,0,-1,-1) -k +t0(,,) Loo "
          "k -t +C0(1,f,c2ln) {\"a\":1} -C +C1(,g,) -C "
          "usage(10,12,4,7) finish(4) end");
    tells(
        (const char *[]){
            "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},"
            "\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"a\","
            "\"logProbability\":-1}],\"topCandidates\":[{\"candidates\":["
            "{\"token\":\"a\",\"logProbability\":-1},"
            "{\"token\":\"b\",\"logProbability\":-2}]}]}}]}",
            "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\","
            "\"thoughtSignature\":\"cw==\"}]},"
            "\"finishReason\":\"MAX_TOKENS\"}]}",
            NULL},
        "start(,) +t0(,,) a logprob(a,b) sign(cw==) -t finish(3) end");
    tells(
        (const char *[]){
            "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\","
            "\"thoughtSignature\":\"cw==\"}]},\"finishReason\":\"STOP\"}]}",
            NULL},
        "start(,) +k0(,,cw==) -k finish(1) end");
    /* Some models say so in every chunk. */
    tells(
        (const char *[]){
            "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},"
            "\"finishReason\":\"STOP\"}]}",
            "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]},"
            "\"finishReason\":\"STOP\"}]}",
            NULL},
        "start(,) +t0(,,) a b -t finish(1) end");
}

static void gemini_reads_a_stream_that_fails(void **state)
{
    tells((const char *[]){full_stream[1], NULL},
          "start(r1,gemini-3-pro) +t0(,,) Loo k "
          "error(502,the provider's answer broke off)");
    tells((const char *[]){full_stream[1],
                           "{\"error\":{\"code\":503,\"message\":\"busy\","
                           "\"status\":\"UNAVAILABLE\"}}",
                           full_stream[3], NULL},
          "start(r1,gemini-3-pro) +t0(,,) Loo k error(503,busy)");
    tells(
        (const char *[]){
            "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},"
            "\"usageMetadata\":{\"promptTokenCount\":3}}",
            NULL},
        "start(,) +r0(,,) PROHIBITED_CONTENT usage(3,-1,-1,-1) -r finish(5) "
        "end");
    tells((const char *[]){"[]", "{}", "{\"candidates\":[1,{\"content\":2}]}",
                           "{\"candidates\":[{\"finishReason\":\"SAFETY\"}]}",
                           NULL},
          "start(,) finish(5) end");
}

static ob_event_writer writer;

static void begin_writing(void)
{
    answering = (ob_answering){
        .id = OB_S("req_1"), .model = OB_S("asked"), .arena = &arena};
    ob_buffer_clear(&out);
    writer = (ob_event_writer){.answering = &answering, .out = &out};
}

static void write_event(void *context, const ob_event *event)
{
    codec->write_event(context, event);
}

static void wrote(const char *expected)
{
    assert_slice(ob_buffer_slice(&out), expected);
    ob_buffer_deinit(&writer.held);
    ob_buffer_deinit(&writer.output);
}

#define PIECE(parts, rest, end)                                                \
    "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":["      \
    "{" parts "}]}" rest ",\"index\":0}]," end "}\n\n"
#define R1  "\"modelVersion\":\"gemini-3-pro\",\"responseId\":\"r1\""
#define OWN "\"modelVersion\":\"asked\",\"responseId\":\"req_1\""

static void gemini_writes_a_stream(void **state)
{
    begin_writing();
    stream_into(full_stream, write_event, &writer);
    wrote(PIECE("\"text\":\"Hm\",\"thought\":true", "", R1) PIECE(
        "\"text\":\"Loo\"", "", R1) PIECE("\"text\":\"k\"", "", R1)
              PIECE("\"functionCall\":{\"id\":\"1\",\"name\":\"f\","
                    "\"args\":{\"a\":1}},\"thoughtSignature\":\"c2ln\"",
                    "", R1)
                  PIECE("\"functionCall\":{\"name\":\"g\",\"args\":{}}", "", R1)
                      PIECE("\"text\":\"\"", ",\"finishReason\":\"STOP\"",
                            "\"usageMetadata\":{\"promptTokenCount\":10,"
                            "\"candidatesTokenCount\":5,"
                            "\"thoughtsTokenCount\":7,"
                            "\"cachedContentTokenCount\":4,"
                            "\"totalTokenCount\":22}," R1));
}

static void tell(ob_event event)
{
    codec->write_event(&writer, &event);
}

static void gemini_writes_a_call_in_pieces(void **state)
{
    begin_writing();
    tell((ob_event){.kind = OB_EVENT_START});
    tell((ob_event){.kind = OB_EVENT_OPEN,
                    .part = OB_PART_THINKING,
                    .redacted = true,
                    .signature = OB_S("abcd"),
                    .signed_by = OB_DIALECT_ANTHROPIC});
    tell((ob_event){.kind = OB_EVENT_CLOSE, .part = OB_PART_THINKING});
    tell((ob_event){.kind = OB_EVENT_OPEN,
                    .part = OB_PART_CALL,
                    .id = OB_S("c"),
                    .name = OB_S("f")});
    tell((ob_event){.kind = OB_EVENT_DELTA,
                    .part = OB_PART_CALL,
                    .text = OB_S("{\"a\":\n")});
    tell((ob_event){
        .kind = OB_EVENT_DELTA, .part = OB_PART_CALL, .text = OB_S(" 1.0}")});
    tell((ob_event){.kind = OB_EVENT_CLOSE, .part = OB_PART_CALL});
    tell((ob_event){.kind = OB_EVENT_FINISH, .finish = OB_FINISH_CALLS});
    tell((ob_event){.kind = OB_EVENT_END});
    wrote(PIECE("\"text\":\"\",\"thought\":true,"
                "\"thoughtSignature\":\"OBsigAs0abcd\"",
                "", OWN) PIECE("\"functionCall\":{\"id\":\"c\",\"name\":\"f\","
                               "\"args\":{\"a\":1.0}}",
                               "", OWN)
              PIECE("\"text\":\"\"", ",\"finishReason\":\"STOP\"", OWN));
}

/* Its clients lose a signature that stands alone. */
static void gemini_writes_signatures_beside_the_words(void **state)
{
    ob_event words = {.kind = OB_EVENT_DELTA, .part = OB_PART_THINKING};
    begin_writing();
    tell((ob_event){.kind = OB_EVENT_OPEN, .part = OB_PART_THINKING});
    words.text = OB_S("Hm");
    tell(words);
    assert_int_equal(ob_buffer_slice(&out).len, 0);
    words.text = OB_S("m");
    tell(words);
    tell((ob_event){.kind = OB_EVENT_USAGE, .usage = {.input = -1}});
    tell((ob_event){.kind = OB_EVENT_SIGN,
                    .part = OB_PART_THINKING,
                    .signature = OB_S("abcd"),
                    .signed_by = OB_DIALECT_ANTHROPIC});
    tell((ob_event){.kind = OB_EVENT_CLOSE, .part = OB_PART_THINKING});
    words.text = OB_S("unsigned");
    tell(words);
    tell((ob_event){.kind = OB_EVENT_CLOSE, .part = OB_PART_THINKING});
    words.choice = 1;
    words.text = OB_S("other");
    tell(words);
    tell((ob_event){.kind = OB_EVENT_SIGN,
                    .part = OB_PART_THINKING,
                    .signature = OB_S("efgh"),
                    .signed_by = OB_DIALECT_ANTHROPIC});
    wrote(PIECE("\"text\":\"Hm\",\"thought\":true", "",
                OWN) PIECE("\"text\":\"m\",\"thought\":true,"
                           "\"thoughtSignature\":\"OBsigas0abcd\"",
                           "", OWN)
              PIECE("\"text\":\"unsigned\",\"thought\":true", "",
                    OWN) "data: {\"candidates\":[{\"content\":{\"role\":"
                         "\"model\",\"parts\":[{\"text\":\"other\","
                         "\"thought\":true}]},\"index\":1}]," OWN
                         "}\n\n" PIECE("\"text\":\"\",\"thought\":true,"
                                       "\"thoughtSignature\":\"OBsigas0efgh\"",
                                       "", OWN));
}

static void gemini_writes_errors_last(void **state)
{
    begin_writing();
    tell((ob_event){.kind = OB_EVENT_DELTA, .text = OB_S("a")});
    tell((ob_event){
        .kind = OB_EVENT_ERROR, .status = 503, .text = OB_S("busy")});
    tell((ob_event){.kind = OB_EVENT_END});
    wrote(PIECE("\"text\":\"a\"", "", OWN) "\n\ndata: {\"error\":{\"code\":503,"
                                           "\"message\":\"busy\","
                                           "\"status\":\"UNAVAILABLE\"}}\n\n");
}

#define ELEMENT(parts, rest)                                                   \
    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{" parts     \
    "}]}" rest ",\"index\":0}]," OWN "}"

static void gemini_writes_an_array_in_place_of_events(void **state)
{
    begin_writing();
    writer.array = true;
    tell((ob_event){.kind = OB_EVENT_DELTA, .text = OB_S("a")});
    tell((ob_event){.kind = OB_EVENT_FINISH, .finish = OB_FINISH_STOP});
    tell((ob_event){.kind = OB_EVENT_END});
    wrote("[" ELEMENT("\"text\":\"a\"", "") "\n,\n" ELEMENT(
        "\"text\":\"\"", ",\"finishReason\":\"STOP\"") "\n]");
    begin_writing();
    writer.array = true;
    tell((ob_event){.kind = OB_EVENT_DELTA, .text = OB_S("a")});
    tell((ob_event){
        .kind = OB_EVENT_ERROR, .status = 503, .text = OB_S("busy")});
    wrote("[" ELEMENT("\"text\":\"a\"",
                      "") "\n,\n{\"error\":{\"code\":503,\"message\":"
                          "\"busy\",\"status\":\"UNAVAILABLE\"}}");
}

static void gemini_bounds_a_call(void **state)
{
    static char piece[OB_CALL_BYTES_MAX / 2 + 1];
    memset(piece, ' ', sizeof(piece));
    begin_writing();
    tell((ob_event){
        .kind = OB_EVENT_OPEN, .part = OB_PART_CALL, .name = OB_S("f")});
    for (int i = 0; i < 2; i++)
        tell((ob_event){.kind = OB_EVENT_DELTA,
                        .part = OB_PART_CALL,
                        .text = ob_slice_make(piece, sizeof(piece))});
    tell((ob_event){.kind = OB_EVENT_CLOSE, .part = OB_PART_CALL});
    wrote("\n\ndata: {\"error\":{\"code\":502,\"message\":\"the provider's "
          "tool call is too long\",\"status\":\"UNAVAILABLE\"}}\n\n");
}

/* ---- memory ---- */

static void gemini_says_when_memory_is_out(void **state)
{
    static const char *const request =
        "{\"contents\":[{\"role\":\"model\",\"parts\":["
        "{\"text\":\"a\"},{\"text\":\"b\"},"
        "{\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}}}]},"
        "{\"parts\":[{\"functionResponse\":{\"name\":\"f\","
        "\"response\":{\"x\":[1]}}},{\"other\":1}]}]" TOOLS
        ",\"generationConfig\":{\"stopSequences\":[\"a\"],"
        "\"responseSchema\":{\"type\":\"STRING\"}}}";
    yyjson_val *root = parse(request);
    size_t limit = 0;
    ob_status status = OB_NO_MEMORY;
    for (; status != OB_OK; limit += 512) {
        ob_arena_deinit(&arena);
        ob_arena_init(&arena, limit + 1);
        fresh(OB_DIALECT_GEMINI, "m");
        status = codec->read_request(root, &form);
        assert_true(status == OB_OK || status == OB_NO_MEMORY);
        assert_true(limit < 1024 * 1024);
    }
    assert_true(limit > 1024);
    writes("{\"contents\":[{\"role\":\"model\",\"parts\":["
           "{\"text\":\"ab\"},{\"functionCall\":{\"id\":\"call_1\","
           "\"name\":\"f\",\"args\":{\"x\":1}}}]},"
           "{\"role\":\"user\",\"parts\":[{\"functionResponse\":"
           "{\"id\":\"call_1\",\"name\":\"f\",\"response\":"
           "{\"x\":[1]}}}]}]" TOOLS
           ",\"generationConfig\":{\"stopSequences\":[\"a\"],"
           "\"responseMimeType\":\"application/json\","
           "\"responseJsonSchema\":{\"type\":\"string\"}}}");
    dropped("contents.parts.other");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gemini_keeps_a_conversation),
        TEST(gemini_reads_what_a_turn_holds),
        TEST(gemini_reads_contents_in_short),
        TEST(gemini_matches_results_without_ids),
        TEST(gemini_reads_media_of_results),
        TEST(gemini_joins_pieces_of_a_stream),
        TEST(gemini_carries_foreign_signatures),
        TEST(gemini_refuses_turns_by_name),
        TEST(gemini_drops_turns_by_name),
        TEST(gemini_keeps_a_config),
        TEST(gemini_refuses_a_config_by_name),
        TEST(gemini_schemas_become_json_schema),
        TEST(gemini_schemas_have_a_depth),
        TEST(gemini_keeps_tools),
        TEST(gemini_refuses_tools_by_name),
        TEST(gemini_merges_turns),
        TEST(gemini_signs_calls_of_others),
        TEST(gemini_writes_media),
        TEST(gemini_thinks_as_the_model_can),
        TEST(gemini_drops_what_it_cannot_say),
        TEST(gemini_keeps_an_answer),
        TEST(gemini_finishes),
        TEST(gemini_tells_of_blocked_prompts),
        TEST(gemini_answers_for_others),
        TEST(gemini_signature_alone_is_of_the_text_before),
        TEST(gemini_reads_a_stream),
        TEST(gemini_reads_a_stream_that_fails),
        TEST(gemini_writes_a_stream),
        TEST(gemini_writes_a_call_in_pieces),
        TEST(gemini_writes_signatures_beside_the_words),
        TEST(gemini_writes_errors_last),
        TEST(gemini_writes_an_array_in_place_of_events),
        TEST(gemini_bounds_a_call),
        TEST(gemini_says_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
