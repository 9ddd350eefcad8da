#include "test.h"

#include <stdio.h>

#include "../../src/core/affinity.h"

static const ob_siphash_key key = {{0x0123456789abcdef, 0xfedcba9876543210}};

static ob_header headers[4];
static size_t header_count;

static ob_affinity find_as(const char *caller, const char *path, ob_slice body)
{
    ob_affinity affinity;
    ob_call call = {.method = OB_S("POST"),
                    .path = ob_slice_str(path),
                    .headers = headers,
                    .header_count = header_count,
                    .body = body};
    ob_affinity_find(&key, &call, ob_slice_str(caller), &affinity);
    assert_true(affinity.resource_count <= OB_AFFINITY_RESOURCES_MAX);
    return affinity;
}

static ob_affinity find(const char *path, const char *body)
{
    return find_as("caller", path, ob_slice_str(body));
}

static uint64_t conversation(const char *path, const char *body)
{
    return find(path, body).conversation;
}

#define CHAT      "/v1/chat/completions"
#define MESSAGES  "/v1/messages"
#define RESPONSES "/v1/responses"
#define GEMINI    "/v1beta/models/gemini-2.5-pro:generateContent"

/* A conversation's turns in one dialect, and another conversation. */
typedef struct dialogue {
    const char *path;
    const char *turns[5];
    const char *other;
} dialogue;

static const dialogue dialogues[] = {
    {CHAT,
     {"{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":"
      "\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi\"}]}",
      "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":"
      "\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":"
      "\"assistant\",\"content\":\"Yes?\"},{\"role\":\"user\",\"content\":"
      "\"Why?\"}],\"tools\":[]}",
      /* Another model, other blanks, blocks in the place of a string. */
      "{\n  \"messages\": [\n    {\"content\": \"Be brief.\", \"role\": "
      "\"developer\"},\n    {\"content\": [{\"type\": \"text\", \"text\": "
      "\"Hi\", \"cache_control\": {\"type\": \"ephemeral\"}}], \"role\": "
      "\"user\"}, {\"role\": \"assistant\", \"content\": null, "
      "\"tool_calls\": [{\"id\": \"x\"}]}],\n  \"model\": \"gpt-5\"\n}",
      "{\"temperature\":0.5,\"stream\":true,\"messages\":[{\"role\":"
      "\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":"
      "\"Hi\"},{\"role\":\"tool\",\"content\":\"1\"}]}",
      "{\"max_tokens\":5,\"stop\":[\"\\\"]}\"],\"messages\":[{\"role\":"
      "\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":"
      "\"Hi\"},{\"role\":\"assistant\",\"content\":\"\"},{\"role\":\"user\","
      "\"content\":\"Hi\"}]}"},
     "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":"
     "\"Be brief.\"},{\"role\":\"user\",\"content\":\"Ho\"}]}"},
    {MESSAGES,
     {"{\"model\":\"claude\",\"system\":[{\"type\":\"text\",\"text\":\"Code.\","
      "\"cache_control\":{\"type\":\"ephemeral\"}}],\"messages\":[{\"role\":"
      "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Fix\","
      "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]}]}",
      "{\"model\":\"claude\",\"system\":\"Code.\",\"messages\":[{\"role\":"
      "\"user\",\"content\":\"Fix\"},{\"role\":\"assistant\",\"content\":[]},"
      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"More\","
      "\"cache_control\":{\"type\":\"ephemeral\"}}]}]}",
      "{\"system\":\"Code.\",\"max_tokens\":9,\"messages\":[{\"content\":"
      "\"Fix\",\"role\":\"user\"},{\"role\":\"assistant\",\"content\":\"a\"}]}",
      "{\"system\":\"Code.\",\"messages\":[{\"role\":\"user\",\"content\":"
      "\"Fix\"},{\"role\":\"system\",\"content\":\"Reminder\"}]}",
      "{\"system\":\"Code.\",\"tools\":[{\"name\":\"f\"}],\"messages\":"
      "[{\"role\":\"user\",\"content\":\"Fix\"}]}"},
     "{\"system\":\"Cook.\",\"messages\":[{\"role\":\"user\",\"content\":"
     "\"Fix\"}]}"},
    {RESPONSES,
     {"{\"model\":\"gpt-5\",\"instructions\":\"Codex\",\"input\":[{\"type\":"
      "\"message\",\"role\":\"developer\",\"content\":[{\"type\":"
      "\"input_text\",\"text\":\"perm\"}]},{\"type\":\"message\",\"role\":"
      "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"env\"}]},"
      "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
      "\"input_text\",\"text\":\"Go\"}]}]}",
      "{\"model\":\"gpt-5\",\"instructions\":\"Codex\",\"input\":[{\"type\":"
      "\"message\",\"role\":\"developer\",\"content\":[{\"type\":"
      "\"input_text\",\"text\":\"perm\"}]},{\"type\":\"message\",\"role\":"
      "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"env\"}]},"
      "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
      "\"input_text\",\"text\":\"Go\"}]},{\"type\":\"reasoning\",\"summary\":"
      "[],\"encrypted_content\":\"x\"},{\"type\":\"function_call\",\"name\":"
      "\"f\"},{\"type\":\"function_call_output\",\"output\":\"1\"}]}",
      "{\"instructions\":\"Codex\",\"input\":[{\"role\":\"developer\","
      "\"content\":\"perm\"},{\"role\":\"user\",\"content\":\"env\"},{\"role\":"
      "\"user\",\"content\":\"Go\"},{\"type\":\"item_reference\",\"id\":\"i\"}"
      "]}"},
     "{\"instructions\":\"Codex\",\"input\":[{\"role\":\"developer\","
     "\"content\":\"perm\"},{\"role\":\"user\",\"content\":\"env\"},{\"role\":"
     "\"user\",\"content\":\"Stop\"}]}"},
    {RESPONSES,
     {"{\"model\":\"gpt-5\",\"input\":\"Go\"}",
      "{\"input\":[{\"role\":\"user\",\"content\":\"Go\"},{\"type\":"
      "\"message\",\"role\":\"assistant\",\"content\":[]}]}"},
     "{\"model\":\"gpt-5\",\"input\":\"Stop\"}"},
    {GEMINI,
     {"{\"systemInstruction\":{\"parts\":[{\"text\":\"Be.\"}]},\"contents\":"
      "[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]}]}",
      "{\"systemInstruction\":{\"role\":\"user\",\"parts\":[{\"text\":\"Be.\"}"
      "]},\"contents\":[{\"parts\":[{\"text\":\"Hi\"}]},{\"role\":\"model\","
      "\"parts\":[{\"text\":\"Yes\",\"thoughtSignature\":\"x\"}]},{\"role\":"
      "\"user\",\"parts\":[{\"text\":\"And\"}]}]}",
      "{\"system_instruction\":{\"parts\":{\"text\":\"Be.\"}},\"contents\":"
      "[{\"parts\":[{\"text\":\"Hi\"}],\"role\":\"user\"}],"
      "\"generationConfig\":{\"temperature\":1}}"},
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]}]}"},
};

static void affinity_stays_over_the_turns(void **state)
{
    for (size_t i = 0; i < OB_LEN(dialogues); i++) {
        const dialogue *d = &dialogues[i];
        uint64_t first = conversation(d->path, d->turns[0]);
        assert_true(first != 0);
        for (size_t turn = 1; turn < 5 && d->turns[turn]; turn++)
            if (conversation(d->path, d->turns[turn]) != first)
                fail_msg("dialogue %zu, turn %zu", i, turn + 1);
        assert_true(conversation(d->path, d->other) != 0);
        if (conversation(d->path, d->other) == first)
            fail_msg("dialogue %zu: the other is taken for the same", i);
    }
}

static void affinity_does_not_mix_dialogues(void **state)
{
    for (size_t i = 0; i < OB_LEN(dialogues); i++)
        for (size_t k = 0; k < i; k++)
            assert_true(
                conversation(dialogues[i].path, dialogues[i].turns[0]) !=
                conversation(dialogues[k].path, dialogues[k].turns[0]));
}

static void affinity_tells_callers_apart(void **state)
{
    ob_slice body = ob_slice_str(dialogues[0].turns[0]);
    assert_true(find_as("a", CHAT, body).conversation !=
                find_as("b", CHAT, body).conversation);
    body = OB_S("{\"prompt_cache_key\":\"k\"}");
    assert_true(find_as("a", CHAT, body).named !=
                find_as("b", CHAT, body).named);
    body = OB_S("{\"previous_response_id\":\"resp_1\"}");
    assert_true(find_as("a", RESPONSES, body).resources[0] ==
                find_as("b", RESPONSES, body).resources[0]);
}

static void affinity_depends_on_the_key(void **state)
{
    ob_siphash_key other = {{1, 2}};
    ob_call call = {.path = OB_S(CHAT),
                    .body = ob_slice_str(dialogues[0].turns[0])};
    ob_affinity affinity;
    ob_affinity_find(&other, &call, OB_S("caller"), &affinity);
    assert_true(affinity.conversation !=
                conversation(CHAT, dialogues[0].turns[0]));
}

static void affinity_needs_a_conversation(void **state)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "[1]",
        "nonsense",
        "{\"model\":\"m\"}",
        "{\"messages\":[]}",
        "{\"messages\":null}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}",
        "{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}",
        "{\"input\":\"text to embed\"}",
        "{\"a\":{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}",
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++) {
        ob_affinity found = find("/v1/embeddings", bodies[i]);
        if (found.conversation || found.named || found.prefix ||
            found.resource_count)
            fail_msg("found something in %s", bodies[i]);
    }
}

/* `count` letters, as the inside of a JSON string. */
static const char *letters(char letter, size_t count)
{
    static char text[2][400000];
    static int turn;
    turn = !turn;
    memset(text[turn], letter, count);
    text[turn][count] = 0;
    return text[turn];
}

static char body[1u << 21];

static void affinity_prefix_is_shared_by_conversations(void **state)
{
    const char *form = "{\"system\":\"%s\",\"tools\":[{\"name\":\"f\"}],"
                       "\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}";
    sprintf(body, form, letters('s', 5000), "one");
    ob_affinity one = find(MESSAGES, body);
    sprintf(body, form, letters('s', 5000), "two");
    ob_affinity two = find(MESSAGES, body);
    assert_true(one.prefix && one.prefix == two.prefix);
    assert_true(one.conversation != two.conversation);
    sprintf(body, form, letters('s', 5001), "one");
    assert_true(find(MESSAGES, body).prefix != one.prefix);
    sprintf(body, form, letters('s', 3000), "one");
    assert_true(find(MESSAGES, body).prefix == 0);
}

static void affinity_prefix_depends_on_the_tools(void **state)
{
    const char *form = "{\"system\":\"%s\",\"tools\":[{\"name\":\"%s\"}]}";
    sprintf(body, form, letters('s', 5000), "f");
    uint64_t prefix = find(MESSAGES, body).prefix;
    sprintf(body, form, letters('s', 5000), "g");
    assert_true(prefix && find(MESSAGES, body).prefix != prefix);
}

/* As Claude Code begins: tools of 60 KB behind a first message of any
 * length. */
static void affinity_prefix_needs_only_the_begin_of_tools(void **state)
{
    uint64_t prefix = 0;
    for (size_t turn = 1; turn < 4; turn++) {
        size_t at = (size_t)sprintf(
            body,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],"
            "\"system\":[{\"type\":\"text\",\"text\":\"Code.\"}],"
            "\"tools\":[",
            letters('u', turn * 700));
        for (size_t i = 0; i < 2000; i++)
            at += (size_t)sprintf(body + at, "{\"name\":\"tool-%zu\"},", i);
        sprintf(body + at, "{}]}");
        assert_true(find(MESSAGES, body).prefix != 0);
        assert_true(turn == 1 || find(MESSAGES, body).prefix == prefix);
        prefix = find(MESSAGES, body).prefix;
    }
}

static void affinity_prefix_is_the_same_in_any_order(void **state)
{
    const char *system = letters('s', 5000);
    sprintf(body,
            "{\"system\":\"%s\",\"tools\":[1],\"messages\":[{\"role\":\"user\","
            "\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"]\"}]}",
            system);
    uint64_t prefix = find(MESSAGES, body).prefix;
    sprintf(body,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":"
            "\"assistant\",\"content\":\"]\"}],\"tools\":[1],\"system\":"
            "\"%s\"}",
            system);
    assert_true(prefix && find(MESSAGES, body).prefix == prefix);
}

static void affinity_prefix_takes_leading_instructions(void **state)
{
    const char *form = "{\"messages\":[{\"role\":\"system\",\"content\":\"%s\"}"
                       ",{\"role\":\"user\",\"content\":\"%s\"}]}";
    sprintf(body, form, letters('s', 5000), "one");
    ob_affinity one = find(CHAT, body);
    sprintf(body, form, letters('s', 5000), "two");
    ob_affinity two = find(CHAT, body);
    assert_true(one.prefix && one.prefix == two.prefix);
    assert_true(one.conversation != two.conversation);
}

/* Claude Code puts system and tools behind the messages: their place moves
 * away, and the conversation must not depend on it. */
static void affinity_stays_when_the_body_grows(void **state)
{
    const char *form = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                       "\"content\":\"Fix\"},{\"role\":\"assistant\","
                       "\"content\":\"%s\"}],\"system\":\"Code.\"}";
    uint64_t first =
        conversation(MESSAGES, "{\"model\":\"m\",\"messages\":[{\"role\":"
                               "\"user\",\"content\":\"Fix\"}],\"system\":"
                               "\"Code.\"}");
    sprintf(body, form, letters('a', 20000));
    assert_true(first && conversation(MESSAGES, body) == first);
    sprintf(body, form, letters('a', 399000));
    assert_true(conversation(MESSAGES, body) == first);
}

static void affinity_takes_long_texts_by_their_begin_and_length(void **state)
{
    const char *form =
        "{\"model\":\"m%s\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"%s\"},{\"role\":\"assistant\",\"content\":\"%s\"}]}";
    sprintf(body, form, "", letters('u', 390000), "");
    uint64_t first = conversation(MESSAGES, body);
    sprintf(body, form, "-other-name", letters('u', 390000), "more");
    assert_true(first && conversation(MESSAGES, body) == first);
    sprintf(body, form, "", letters('u', 100000), "");
    uint64_t shorter = conversation(MESSAGES, body);
    sprintf(body, form, "", letters('u', 100001), "");
    assert_true(conversation(MESSAGES, body) != shorter);
    sprintf(body, form, "", letters('u', 100000), "");
    *(strstr(body, "u\"},") - 20) = 'v';
    assert_true(conversation(MESSAGES, body) != shorter);
}

static void affinity_takes_the_first_of_two_instructions(void **state)
{
    assert_true(conversation(MESSAGES, "{\"system\":\"a\",\"system\":\"b\","
                                       "\"messages\":[{\"role\":\"user\","
                                       "\"content\":\"x\"}]}") ==
                conversation(MESSAGES,
                             "{\"system\":\"a\",\"messages\":[{\"role\":"
                             "\"user\",\"content\":\"x\"}]}"));
}

/* What stands too far behind is not reached: no hostile body costs more. */
static void affinity_reads_a_bounded_part(void **state)
{
    for (size_t count = 100; count <= 10000; count *= 100) {
        size_t at = (size_t)sprintf(body, "{\"a\":[");
        for (size_t i = 0; i < count; i++)
            at += (size_t)sprintf(body + at, "\"\",");
        sprintf(body + at, "1],\"messages\":[{\"role\":\"user\",\"content\":"
                           "\"x\"}]}");
        assert_int_equal(conversation(MESSAGES, body) != 0, count == 100);
    }
}

static uint64_t named(const char *name, const char *value, const char *text)
{
    headers[0] = (ob_header){OB_S("accept"), OB_S("*/*")};
    headers[1] = (ob_header){ob_slice_str(name), ob_slice_str(value)};
    header_count = 2;
    uint64_t found = find(MESSAGES, text).named;
    header_count = 0;
    return found;
}

static void affinity_takes_the_callers_name(void **state)
{
    uint64_t name = named("X-One-Balance-Affinity", "n1", "{}");
    assert_true(name != 0);
    assert_true(named("session_id", "n1", "{}") == name);
    assert_true(named("Session-Id", " n1 ", "{}") == name);
    assert_true(named("x-claude-code-session-id", "n1", "{}") == name);
    assert_true(named("x-none", "n1", "{\"prompt_cache_key\":\"n1\"}") == name);
    assert_true(named("x-none", "n1", "{\"session_id\":\"n1\"}") == name);
    assert_true(named("session_id", "n2", "{}") != name);
    assert_true(named("session_id", "", "{}") == 0);
    assert_true(named("session_id", letters('n', 600), "{}") == 0);
    assert_true(named("x-none", "n1", "{\"user\":\"n1\"}") == 0);
}

static void affinity_prefers_the_better_name(void **state)
{
    uint64_t name = named("session_id", "n1", "{}");
    assert_true(named("session_id", "n1", "{\"prompt_cache_key\":\"n2\"}") ==
                name);
    headers[0] = (ob_header){OB_S("session_id"), OB_S("n2")};
    headers[1] = (ob_header){OB_S("x-one-balance-affinity"), OB_S("n1")};
    header_count = 2;
    assert_true(find(MESSAGES, "{}").named == name);
    header_count = 0;
}

static void affinity_takes_a_user_only_with_a_session(void **state)
{
    const char *legacy = "{\"metadata\":{\"a\":[1],\"user_id\":\"user_5d_"
                         "account__session_d2e70091-3007-41a3\"}}";
    const char *json = "{\"metadata\":{\"user_id\":\"{\\\"device_id\\\":"
                       "\\\"3f\\\",\\\"session_id\\\":\\\"2c4e\\\"}\"}}";
    assert_true(find(MESSAGES, legacy).named != 0);
    assert_true(find(MESSAGES, json).named != 0);
    assert_true(find(MESSAGES, legacy).named != find(MESSAGES, json).named);
    assert_true(find(MESSAGES, "{\"metadata\":{\"user_id\":\"joe\"}}").named ==
                0);
}

static uint64_t resource(const char *id)
{
    char path[600];
    sprintf(path, "/v1/files/%s", id);
    ob_affinity found = find(path, "");
    assert_int_equal(found.resource_count, 1);
    return found.resources[0];
}

static void names(const char *path, const char *text, const char *id)
{
    ob_affinity found = find(path, text);
    for (size_t i = 0; i < found.resource_count; i++)
        if (found.resources[i] == resource(id))
            return;
    fail_msg("%s %s does not name %s", path, text, id);
}

static void affinity_finds_resources_in_paths(void **state)
{
    names("/api/openai/v1/files/file-1/content", "", "file-1");
    names("/v1/batches/b1/cancel", "", "b1");
    names("/v1/messages/batches/msgbatch_1/results", "", "msgbatch_1");
    names("/v1beta/files/abc", "", "abc");
    names("/v1beta/cachedContents/xyz", "", "xyz");
    names("/v1beta/models/veo/operations/op1", "", "op1");
    names("/v1beta/tunedModels/t-1:generateContent", "{}", "t-1");
    names("/v1/vector_stores/vs_1/files/file-2", "", "vs_1");
    names("/v1/vector_stores/vs_1/files/file-2", "", "file-2");
    names("/v1/fine_tuning/jobs/ftjob-1", "", "ftjob-1");
    assert_int_equal(find("/v1/files", "").resource_count, 0);
    assert_int_equal(find("/v1/files/", "").resource_count, 0);
    assert_int_equal(find("/v1/models/files", "").resource_count, 0);
}

static void affinity_finds_resources_in_bodies(void **state)
{
    names(RESPONSES, "{\"input\":\"x\",\"previous_response_id\":\"resp_1\"}",
          "resp_1");
    names(RESPONSES, "{\"conversation\":{\"id\":\"conv_1\"}}", "conv_1");
    names(RESPONSES, "{\"conversation\":\"conv_1\"}", "conv_1");
    names("/v1/batches", "{\"input_file_id\":\"file-1\",\"endpoint\":\"/v1\"}",
          "file-1");
    names("/v1/vector_stores", "{\"file_ids\":[\"file-1\",\"file-2\"]}",
          "file-2");
    names(GEMINI, "{\"contents\":[],\"cachedContent\":\"cachedContents/xyz\"}",
          "xyz");
    names(GEMINI,
          "{\"contents\":[{\"parts\":[{\"fileData\":{\"mimeType\":\"a/b\","
          "\"fileUri\" : \"https:\\/\\/generativelanguage.googleapis.com\\/"
          "v1beta\\/files\\/abc\"}}]}]}",
          "abc");
    names(MESSAGES,
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"source\":"
          "{\"type\":\"file\",\"file_id\":\"file_011\"}}]}]}",
          "file_011");
    names(RESPONSES,
          "{\"tools\":[{\"type\":\"file_search\",\"vector_store_ids\":"
          "[\"vs_1\"]}],\"input\":\"x\"}",
          "vs_1");
}

static void affinity_finds_a_file_of_the_newest_turn(void **state)
{
    sprintf(body,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":"
            "\"user\",\"content\":[{\"file\":{\"file_id\":\"file-9\"}}]}]}",
            letters('u', 390000));
    names(CHAT, body, "file-9");
}

static void affinity_ignores_resources_in_texts(void **state)
{
    assert_int_equal(find(CHAT,
                          "{\"messages\":[{\"role\":\"user\",\"content\":\"say "
                          "\\\"file_id\\\":\\\"file-1\\\" and \"},{\"a\":"
                          "\"file_id\",\"b\":\"x\"}]}")
                         .resource_count,
                     0);
}

static void affinity_of_a_stored_conversation_is_its_resource(void **state)
{
    ob_affinity found = find(
        RESPONSES, "{\"input\":\"Go\",\"previous_response_id\":\"resp_1\"}");
    assert_int_equal(found.resource_count, 1);
    assert_true(found.conversation == 0);
    found = find(RESPONSES, "{\"input\":\"Go\",\"previous_response_id\":null}");
    assert_int_equal(found.resource_count, 0);
    assert_true(found.conversation != 0);
}

static void affinity_names_a_resource_once_and_four_at_most(void **state)
{
    assert_int_equal(find("/v1/files/a", "{\"file_id\":\"a\"}").resource_count,
                     1);
    assert_int_equal(
        find("/v1/files/a", "{\"file_ids\":[\"b\",\"c\",\"d\",\"e\",\"f\"]}")
            .resource_count,
        OB_AFFINITY_RESOURCES_MAX);
}

static size_t made(const char *line, int status, const char *text,
                   uint64_t ids[OB_AFFINITY_RESOURCES_MAX])
{
    ob_slice rest = ob_slice_str(line);
    ob_call call = {.method = ob_slice_cut(&rest, ' ')};
    call.path = ob_slice_cut(&rest, '?');
    call.query = rest;
    return ob_affinity_made(&key, &call, status, ob_slice_str(text), ids);
}

static void makes(const char *line, const char *text, const char *id)
{
    uint64_t ids[OB_AFFINITY_RESOURCES_MAX];
    size_t count = made(line, 200, text, ids);
    for (size_t i = 0; i < count; i++)
        if (ids[i] == resource(id))
            return;
    fail_msg("%s %s does not make %s", line, text, id);
}

static void affinity_learns_what_answers_made(void **state)
{
    makes("POST /v1/files", "{\"id\":\"file-1\",\"object\":\"file\"}",
          "file-1");
    makes("POST /api/openai/v1/batches", "{\"object\":\"batch\",\"id\":\"b1\"}",
          "b1");
    makes("GET /v1/batches/b1", "{\"id\":\"b1\",\"output_file_id\":\"file-2\"}",
          "file-2");
    makes("POST /v1/messages/batches", "{\"id\":\"msgbatch_1\"}", "msgbatch_1");
    makes("POST /v1/responses", "{\"id\":\"resp_1\",\"output\":[]}", "resp_1");
    makes("POST /upload/v1beta/files",
          "{\"file\":{\"name\":\"files/abc\",\"uri\":\"https://x/files/abc\"}}",
          "abc");
    makes("POST /v1beta/cachedContents", "{\"name\":\"cachedContents/xyz\"}",
          "xyz");
    makes("POST /v1beta/models/veo:predictLongRunning",
          "{\"name\":\"models/veo/operations/op1\"}", "op1");
    makes("POST /v1beta/models/m:batchGenerateContent",
          "{\"name\":\"batches/bt1\"}", "bt1");
}

static void affinity_learns_from_the_first_events_of_a_stream(void **state)
{
    makes("POST /v1/responses",
          "event: response.created\ndata: {\"type\":\"response.created\","
          "\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"object\":"
          "\"response\"}}\n\nevent: response.in_progress\n",
          "resp_1");
    makes("POST /v1/responses",
          ": wait\r\n\r\ndata: {\"type\":\"response.created\",\"response\":"
          "{\"id\":\"resp_1\",\"instructions\":\"cut off he",
          "resp_1");
}

/* A file's content is what a caller wrote into it. */
static void affinity_learns_nothing_from_contents(void **state)
{
    static const char *const lines[] = {
        "GET /v1/files/f/content",
        "GET /v1/messages/batches/b/results",
        "GET /v1/containers/c/files/f/content",
        "GET /v1beta/files/f:download?alt=media",
        "GET /v1beta/files/f?x=1&alt=media",
        "POST /v1beta/tunedModels/t:generateContent",
    };
    uint64_t ids[OB_AFFINITY_RESOURCES_MAX];
    for (size_t i = 0; i < OB_LEN(lines); i++)
        if (made(lines[i], 200, "{\"id\":\"file-1\",\"name\":\"files/a\"}",
                 ids))
            fail_msg("learned from %s", lines[i]);
    makes("POST /v1/batches/b/cancel", "{\"id\":\"b\"}", "b");
    makes("POST /v1/uploads/u/complete",
          "{\"id\":\"u\",\"file\":{\"id\":\"file-1\"}}", "file-1");
    makes("POST /v1/threads/runs", "{\"id\":\"r\",\"thread_id\":\"t\"}", "t");
}

static void affinity_learns_from_nothing_else(void **state)
{
    uint64_t ids[OB_AFFINITY_RESOURCES_MAX];
    assert_int_equal(made("POST " CHAT, 200, "{\"id\":\"chatcmpl-1\"}", ids),
                     0);
    assert_int_equal(made("POST " MESSAGES, 200, "{\"id\":\"msg_1\"}", ids), 0);
    assert_int_equal(made("POST " GEMINI, 200, "{\"name\":\"files/a\"}", ids),
                     0);
    assert_int_equal(made("POST /v1/files", 400, "{\"id\":\"f\"}", ids), 0);
    assert_int_equal(made("DELETE /v1/files/f", 200, "{\"id\":\"f\"}", ids), 0);
    assert_int_equal(made("GET /v1/files/f/content", 200, "text", ids), 0);
    assert_int_equal(made("POST /v1/files", 200, "", ids), 0);
    assert_int_equal(made("POST /v1/files", 200, "{\"id\":7}", ids), 0);
    assert_int_equal(
        made("POST /v1/responses", 200, "{\"x\":{\"id\":\"a\"}}", ids), 0);
}

/* Every cut of every body: nothing is read past the end (ASan), and what was
 * found does not come to depend on what is missing. */
static void affinity_reads_no_further_than_the_body(void **state)
{
    for (size_t i = 0; i < OB_LEN(dialogues); i++) {
        ob_slice text = ob_slice_str(dialogues[i].turns[1]);
        for (size_t len = 0; len <= text.len; len++) {
            char *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, text.ptr, len);
            (void)find_as("caller", dialogues[i].path,
                          ob_slice_make(copy, len));
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affinity_stays_over_the_turns),
        cmocka_unit_test(affinity_does_not_mix_dialogues),
        cmocka_unit_test(affinity_tells_callers_apart),
        cmocka_unit_test(affinity_depends_on_the_key),
        cmocka_unit_test(affinity_needs_a_conversation),
        cmocka_unit_test(affinity_prefix_is_shared_by_conversations),
        cmocka_unit_test(affinity_prefix_depends_on_the_tools),
        cmocka_unit_test(affinity_prefix_needs_only_the_begin_of_tools),
        cmocka_unit_test(affinity_prefix_is_the_same_in_any_order),
        cmocka_unit_test(affinity_prefix_takes_leading_instructions),
        cmocka_unit_test(affinity_stays_when_the_body_grows),
        cmocka_unit_test(affinity_takes_long_texts_by_their_begin_and_length),
        cmocka_unit_test(affinity_takes_the_first_of_two_instructions),
        cmocka_unit_test(affinity_reads_a_bounded_part),
        cmocka_unit_test(affinity_takes_the_callers_name),
        cmocka_unit_test(affinity_prefers_the_better_name),
        cmocka_unit_test(affinity_takes_a_user_only_with_a_session),
        cmocka_unit_test(affinity_finds_resources_in_paths),
        cmocka_unit_test(affinity_finds_resources_in_bodies),
        cmocka_unit_test(affinity_finds_a_file_of_the_newest_turn),
        cmocka_unit_test(affinity_ignores_resources_in_texts),
        cmocka_unit_test(affinity_of_a_stored_conversation_is_its_resource),
        cmocka_unit_test(affinity_names_a_resource_once_and_four_at_most),
        cmocka_unit_test(affinity_learns_what_answers_made),
        cmocka_unit_test(affinity_learns_from_the_first_events_of_a_stream),
        cmocka_unit_test(affinity_learns_nothing_from_contents),
        cmocka_unit_test(affinity_learns_from_nothing_else),
        cmocka_unit_test(affinity_reads_no_further_than_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
