/* mock_stream.c - answers whole, late, or piece by piece. */
#include "mock_stream.h"

#include "../gateway/exchange.h"

struct ob_mock_play {
    ob_deadline deadline; /* the first member: a deadline is its play */
    ob_exchange *exchange;
    bool writing; /* then the one who writes frees */
    bool gone;    /* the caller left */
    size_t next;
    ob_mock_answer answer;
};

static void free_play(ob_mock_play *play)
{
    ob_deadline_clear(&play->deadline);
    ob_mock_answer_deinit(&play->answer);
    free(play);
}

static void caller_left(void *owner)
{
    ob_mock_play *play = owner;
    play->gone = true;
    if (!play->writing)
        free_play(play);
}

static void wait(ob_mock_play *play, int64_t ms)
{
    ob_loop *loop = ob_loop_of(ob_exchange_loop(play->exchange));
    ob_deadline_set(loop, &play->deadline, ms);
}

static ob_slice piece_at(const ob_mock_answer *answer, size_t index)
{
    size_t from = index ? answer->ends[index - 1] : 0;
    return ob_slice_from(
        ob_slice_head(ob_buffer_slice(&answer->body), answer->ends[index]),
        from);
}

/* Collects the headers in `all`, which has room for one more than the
 * answer. */
static size_t collect_headers(const ob_mock_answer *answer, ob_header *all)
{
    all[0] = (ob_header){OB_S("content-type"), ob_slice_str(answer->type)};
    memcpy(all + 1, answer->headers,
           answer->header_count * sizeof(answer->headers[0]));
    return answer->header_count + 1;
}

static void respond(ob_mock_play *play)
{
    ob_header headers[OB_MOCK_HEADERS_MAX + 1];
    ob_mock_answer *answer = &play->answer;
    size_t count = collect_headers(answer, headers);
    /* The caller may be found to have left while it is answered. */
    ob_exchange_set_owner(play->exchange, NULL, NULL);
    if (answer->body.failed)
        ob_exchange_cut(play->exchange);
    else
        ob_exchange_respond(play->exchange, answer->status, headers, count,
                            ob_buffer_slice(&answer->body));
    free_play(play);
}

static void write_next(ob_mock_play *play)
{
    ob_header headers[OB_MOCK_HEADERS_MAX + 1];
    ob_exchange *exchange = play->exchange;
    const ob_mock_answer *answer = &play->answer;
    play->writing = true;
    if (play->next == 0)
        ob_exchange_stream_begin(exchange, answer->status, headers,
                                 collect_headers(answer, headers));
    if (!play->gone)
        ob_exchange_stream_write(exchange, piece_at(answer, play->next));
    play->writing = false;
    if (play->gone) {
        free_play(play);
        return;
    }
    if (++play->next < answer->piece_count) {
        wait(play, OB_MOCK_PIECE_MS);
        return;
    }
    ob_exchange_set_owner(exchange, NULL, NULL);
    free_play(play);
    ob_exchange_stream_end(exchange);
}

static void go_on(ob_mock_play *play)
{
    if (play->answer.piece_count == 0 || play->answer.body.failed)
        respond(play);
    else
        write_next(play);
}

static void expired(ob_deadline *deadline)
{
    go_on((ob_mock_play *)deadline);
}

ob_mock_play *ob_mock_play_new(ob_exchange *exchange)
{
    ob_mock_play *play = calloc(1, sizeof(*play));
    if (!play)
        return NULL;
    play->exchange = exchange;
    ob_deadline_init(&play->deadline, expired);
    return play;
}

ob_mock_answer *ob_mock_play_answer(ob_mock_play *play)
{
    return &play->answer;
}

void ob_mock_play_start(ob_mock_play *play)
{
    ob_exchange_set_owner(play->exchange, play, caller_left);
    if (play->answer.delay_ms)
        wait(play, play->answer.delay_ms);
    else
        go_on(play);
}
