/*
 * dialects.c - what translating costs in the core, alone: CPU time of a
 * request of 4 KB, of its answer and of each event of a stream, for every pair
 * of dialects, and the memory that streams of two lengths hold.
 *
 * dialects [EVENTS]: of the long stream, 1,000,000 by default.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../src/core/dialect/translate.h"

#define ROUNDS     2000
#define EVENTS     20000
#define SHORT      1000
#define TEXT_BYTES 4096

typedef struct dialect {
    ob_dialect dialect;
    const char *name;
    const char *slug;
    const char *model;
    /* A request and an answer around TEXT_BYTES of text. */
    const char *request[2];
    const char *answer[2];
    const char *begin; /* of a stream */
    const char *event;
    const char *end;
} dialect;

#define CHUNK(delta, finish)                                                   \
    "data: {\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":"     \
    "\"chat.completion.chunk\",\"created\":1741569952,\"model\":"              \
    "\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{" delta              \
    "},\"finish_reason\":" finish "}]}\n\n"
#define NAMED(name, members)                                                   \
    "event: " name "\ndata: {\"type\":\"" name "\"," members "}\n\n"
#define CANDIDATE(parts, more)                                                 \
    "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":["      \
    "{\"text\":\"" parts "\"}]},\"index\":0" more                              \
    "}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":"   \
    "5,\"totalTokenCount\":14},\"modelVersion\":\"gemini-3-pro\","             \
    "\"responseId\":\"r1\"}\n\n"
#define RESPONSE(status)                                                       \
    "\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":"      \
    "\"" status "\",\"model\":\"gpt-5.1\",\"output\":[],\"usage\":null}"

static const dialect dialects[] = {
    {OB_DIALECT_OPENAI,
     "openai",
     "openai",
     "gpt-5.1",
     {"{\"model\":\"m\",\"temperature\":0.7,\"messages\":[{\"role\":\"user\","
      "\"content\":\"",
      "\"}]}"},
     {"{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":"
      "\"gpt-5.1\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
      "\"assistant\",\"content\":\"",
      "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"
      "\"completion_tokens\":5,\"total_tokens\":14}}"},
     CHUNK("\"role\":\"assistant\",\"content\":\"\"", "null"),
     CHUNK("\"content\":\" a few words more\"", "null"),
     CHUNK("", "\"stop\"") "data: [DONE]\n\n"},
    {OB_DIALECT_RESPONSES,
     "responses",
     "openai",
     "gpt-5.1",
     {"{\"model\":\"m\",\"temperature\":0.7,\"input\":\"", "\"}"},
     {"{\"id\":\"r1\",\"object\":\"response\",\"status\":\"completed\","
      "\"model\":\"gpt-5.1\",\"output\":[{\"type\":\"message\",\"id\":\"m1\","
      "\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":"
      "\"output_text\",\"annotations\":[],\"text\":\"",
      "\"}]}],\"usage\":{\"input_tokens\":9,\"output_tokens\":5,"
      "\"total_tokens\":14}}"},
     NAMED("response.created", RESPONSE("in_progress")),
     NAMED("response.output_text.delta",
           "\"sequence_number\":4,\"item_id\":\"msg_1\",\"output_index\":0,"
           "\"content_index\":0,\"delta\":\" a few words more\","
           "\"logprobs\":[]"),
     NAMED("response.completed", RESPONSE("completed"))},
    {OB_DIALECT_ANTHROPIC,
     "anthropic",
     "anthropic",
     "claude-sonnet-4-5",
     {"{\"model\":\"m\",\"temperature\":0.7,\"max_tokens\":999,\"messages\":"
      "[{\"role\":\"user\",\"content\":\"",
      "\"}]}"},
     {"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
      "\"claude-sonnet-4-5\",\"content\":[{\"type\":\"text\",\"text\":\"",
      "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":"
      "{\"input_tokens\":9,\"output_tokens\":5}}"},
     NAMED("message_start",
           "\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"
           "\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],"
           "\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}")
         NAMED("content_block_start", "\"index\":0,\"content_block\":{"
                                      "\"type\":\"text\",\"text\":\"\"}"),
     NAMED("content_block_delta", "\"index\":0,\"delta\":{\"type\":"
                                  "\"text_delta\",\"text\":"
                                  "\" a few words more\"}"),
     NAMED("content_block_stop", "\"index\":0")
         NAMED("message_delta", "\"delta\":{\"stop_reason\":\"end_turn\"},"
                                "\"usage\":{\"output_tokens\":5}")
             NAMED("message_stop", "\"x\":0")},
    {OB_DIALECT_GEMINI,
     "gemini",
     "google-ai-studio",
     "gemini-3-pro",
     {"{\"generationConfig\":{\"temperature\":0.7},\"contents\":[{\"role\":"
      "\"user\",\"parts\":[{\"text\":\"",
      "\"}]}]}"},
     {"{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":"
      "\"",
      "\"}]},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":"
      "{\"promptTokenCount\":9,\"candidatesTokenCount\":5,"
      "\"totalTokenCount\":14},\"modelVersion\":\"gemini-3-pro\"}"},
     CANDIDATE("a", ""),
     CANDIDATE(" a few words more", ""),
     CANDIDATE("", ",\"finishReason\":\"STOP\"")},
};

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void wrap(ob_buffer *out, const char *const around[2])
{
    static const char prose[] = "The report says \\\"no change\\\", but the "
                                "tables tell another story:\\n\\n";
    ob_buffer_clear(out);
    ob_buffer_append_str(out, around[0]);
    while (out->end < TEXT_BYTES)
        ob_buffer_append_str(out, prose);
    ob_buffer_append_str(out, around[1]);
}

static ob_translation *begin(const dialect *caller, const dialect *provider,
                             ob_slice request, ob_arena *arena)
{
    ob_slice why, body;
    ob_arena_init(arena, 0);
    ob_translation *t = ob_translation_new(caller->dialect, OB_S("ob-1"),
                                           OB_S("asked"), 1782918000000, arena);
    OB_ASSERT(t);
    OB_ASSERT(ob_translation_read(t, request, false, &why) == OB_OK);
    OB_ASSERT(ob_translation_write(
                  t, provider->dialect, ob_slice_str(provider->slug),
                  ob_slice_str(provider->model), &body, &why) == OB_OK);
    return t;
}

static void end(ob_translation *t, ob_arena *arena)
{
    ob_translation_free(t);
    ob_arena_deinit(arena);
}

static double request_us(const dialect *caller, const dialect *provider,
                         ob_slice request)
{
    ob_arena arena;
    double from = now_us();
    for (int i = 0; i < ROUNDS; i++)
        end(begin(caller, provider, request, &arena), &arena);
    return (now_us() - from) / ROUNDS;
}

static double answer_us(ob_translation *t, ob_slice answer)
{
    ob_slice out;
    double from = now_us();
    for (int i = 0; i < ROUNDS; i++)
        OB_ASSERT(ob_translation_answer(t, answer, &out) == OB_OK);
    return (now_us() - from) / ROUNDS;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

typedef struct streamed {
    double event_us;
    size_t bytes; /* on the heap beside those before the stream */
    bool whole;
} streamed;

static streamed stream(const dialect *caller, const dialect *provider,
                       ob_slice request, int events)
{
    ob_arena arena;
    ob_translation *t = begin(caller, provider, request, &arena);
    ob_slice event = ob_slice_str(provider->event);
    streamed s;
    size_t before = heap_bytes();
    ob_translation_stream(t);
    (void)ob_translation_feed(t, ob_slice_str(provider->begin));
    double from = now_us();
    for (int i = 0; i < events; i++)
        (void)ob_translation_feed(t, event);
    s.event_us = (now_us() - from) / events;
    s.bytes = heap_bytes() - before;
    (void)ob_translation_feed(t, ob_slice_str(provider->end));
    (void)ob_translation_end(t, &s.whole);
    end(t, &arena);
    return s;
}

static void measure(const dialect *caller, const dialect *provider,
                    int long_events)
{
    ob_buffer body = {0};
    ob_arena arena;
    wrap(&body, caller->request);
    ob_slice request = ob_buffer_slice(&body);
    double asked = request_us(caller, provider, request);
    streamed many = stream(caller, provider, request, EVENTS);
    streamed few = stream(caller, provider, request, SHORT);
    streamed lots = stream(caller, provider, request, long_events);
    ob_translation *t = begin(caller, provider, request, &arena);
    wrap(&body, provider->answer);
    double told = answer_us(t, ob_buffer_slice(&body));
    printf("| %s | %s | %.1f | %.1f | %.2f | %.1f | %.1f%s |\n", caller->name,
           provider->name, asked, told, many.event_us, (double)few.bytes / 1024,
           (double)lots.bytes / 1024, lots.whole ? "" : ", too long");
    fflush(stdout);
    end(t, &arena);
    ob_buffer_deinit(&body);
}

int main(int count, char **arguments)
{
    int long_events = count > 1 ? atoi(arguments[1]) : 1000000;
    printf("| caller | provider | request, us | answer, us | event, us | KB "
           "after %d events | after %d |\n|---|---|--:|--:|--:|--:|--:|\n",
           SHORT, long_events);
    for (size_t i = 0; i < OB_LEN(dialects); i++)
        for (size_t k = 0; k < OB_LEN(dialects); k++)
            if (i != k)
                measure(&dialects[i], &dialects[k], long_events);
    return 0;
}
