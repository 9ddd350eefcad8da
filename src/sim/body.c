#include "body.h"

#include "random.h"

enum { FOR_BYTES = 500 };

static const char words[] =
    "the quick brown fox jumps over the lazy dog while seven keys wait for "
    "their turn and nobody knows how long the minute is going to last so ";

typedef struct writer {
    ob_buffer *out;
    const ob_sim_spec *spec;
    double bytes_each; /* token */
    bool first;        /* no message has been written */
} writer;

static void fill(ob_buffer *out, size_t bytes)
{
    while (bytes) {
        size_t piece = bytes < sizeof(words) - 1 ? bytes : sizeof(words) - 1;
        ob_buffer_append(out, ob_slice_make(words, piece));
        bytes -= piece;
    }
}

/* `name` begins the text, so that no two conversations begin alike. */
static void write_message(writer *w, const char *role, uint64_t name,
                          uint32_t tokens)
{
    bool google = w->spec->style == OB_SIM_GEMINI;
    ob_buffer *out = w->out;
    if (!w->first)
        ob_buffer_append_char(out, ',');
    w->first = false;
    ob_buffer_append_str(out, "{\"role\":\"");
    ob_buffer_append_str(out, role);
    ob_buffer_append_str(out, google ? "\",\"parts\":[{\"text\":\""
                                     : "\",\"content\":\"");
    ob_buffer_append_u64(out, name);
    ob_buffer_append_char(out, ' ');
    fill(out, (size_t)(tokens * w->bytes_each));
    ob_buffer_append_str(out, google ? "\"}]}" : "\"}");
}

static void write_turns(writer *w, const ob_sim_request *request)
{
    bool google = w->spec->style == OB_SIM_GEMINI;
    for (uint32_t turn = 0; turn <= request->turn; turn++) {
        uint64_t name = (uint64_t)request->conversation * 1000 + turn;
        uint32_t tokens =
            ob_sim_turn_tokens(w->spec, request->conversation, turn);
        write_message(w, "user", name, tokens);
        if (turn < request->turn)
            write_message(w, google ? "model" : "assistant", name,
                          ob_sim_answer_tokens(tokens));
    }
}

void ob_sim_body_write(ob_buffer *out, const ob_sim_spec *spec, uint32_t number,
                       const ob_sim_request *request)
{
    bool google = spec->style == OB_SIM_GEMINI;
    uint64_t text = request->again ? request->first : number;
    uint64_t name =
        request->conversation ? request->conversation : (text + 1) << 32;
    writer w = {.out = out, .spec = spec, .first = true};
    w.bytes_each = 3 + 2 * ob_sim_chance(spec->seed, FOR_BYTES, name);
    if (google)
        ob_buffer_append_str(out,
                             "{\"systemInstruction\":{\"parts\":[{"
                             "\"text\":\"You are kind.\"}]},\"contents\":[");
    else
        ob_buffer_append_str(out, "{\"model\":\"sim-1\",\"messages\":[{"
                                  "\"role\":\"system\",\"content\":"
                                  "\"You are kind.\"},");
    if (request->conversation)
        write_turns(&w, request);
    else
        write_message(&w, "user", name, request->tokens_in);
    ob_buffer_append_str(out,
                         google ? "],\"generationConfig\":{\"maxOutputTokens\":"
                                : "],\"max_tokens\":");
    ob_buffer_append_u64(out, request->tokens_out);
    ob_buffer_append_str(out, google ? "}}" : "}");
}
