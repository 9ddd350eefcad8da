/* blocks.c - makes what stream readers tell regular for writers. */
#include "dialect.h"

void ob_blocks_init(ob_blocks *blocks, ob_event_sink sink, void *context)
{
    *blocks = (ob_blocks){.sink = sink, .context = context};
}

static void tell(ob_blocks *blocks, const ob_event *event)
{
    blocks->sink(blocks->context, event);
}

static void fail(ob_blocks *blocks, const char *text)
{
    tell(blocks, &(ob_event){.kind = OB_EVENT_ERROR,
                             .status = 502,
                             .text = ob_slice_str(text)});
    blocks->over = true;
}

static void close_part(ob_blocks *blocks, uint32_t choice, ob_finish finish)
{
    if (!blocks->choices[choice].open)
        return;
    blocks->choices[choice].open = false;
    tell(blocks, &(ob_event){.kind = OB_EVENT_CLOSE,
                             .choice = choice,
                             .part = blocks->choices[choice].part,
                             .ordinal = blocks->choices[choice].ordinal,
                             .index = blocks->choices[choice].index - 1,
                             .finish = finish});
}

static void open_part(ob_blocks *blocks, const ob_event *event)
{
    uint32_t choice = event->choice;
    close_part(blocks, choice, OB_FINISH_UNSAID);
    ob_event opening = *event;
    opening.kind = OB_EVENT_OPEN;
    opening.index = blocks->choices[choice].index++;
    blocks->choices[choice].open = true;
    blocks->choices[choice].part = event->part;
    blocks->choices[choice].ordinal = event->ordinal;
    tell(blocks, &opening);
}

static bool is_open(const ob_blocks *blocks, const ob_event *event)
{
    uint32_t choice = event->choice;
    return blocks->choices[choice].open &&
           blocks->choices[choice].part == event->part &&
           (event->part != OB_PART_CALL ||
            blocks->choices[choice].ordinal == event->ordinal);
}

/* DELTA, SIGN, CITE, LOGPROBS: of the part that is open, or of a new one. */
static void go_on(ob_blocks *blocks, const ob_event *event)
{
    if (!is_open(blocks, event)) {
        if (event->part == OB_PART_CALL) {
            fail(blocks, "the provider sends two tool calls in turns, which "
                         "this API cannot say");
            return;
        }
        open_part(blocks,
                  &(ob_event){.choice = event->choice, .part = event->part});
    }
    ob_event passed = *event;
    passed.index = blocks->choices[event->choice].index - 1;
    tell(blocks, &passed);
}

static void finish(ob_blocks *blocks, const ob_event *event)
{
    if (blocks->choices[event->choice].finished)
        return;
    close_part(blocks, event->choice, event->finish);
    blocks->choices[event->choice].finished = true;
    tell(blocks, event);
}

/* A part that broke off is not closed: its end would say that it is whole, and
 * a call would be made with half of its arguments. */
static void end(ob_blocks *blocks, const ob_event *event)
{
    bool proper = event->kind == OB_EVENT_END;
    for (uint32_t i = 0; proper && i < OB_STREAM_CHOICES_MAX; i++)
        close_part(blocks, i, OB_FINISH_UNSAID);
    blocks->over = true;
    tell(blocks, event);
}

static void take_of_choice(ob_blocks *blocks, const ob_event *event)
{
    if (event->choice >= OB_STREAM_CHOICES_MAX) {
        fail(blocks, "the provider sends more choices than can be translated");
        return;
    }
    if (blocks->choices[event->choice].finished)
        return;
    if (event->kind == OB_EVENT_OPEN)
        open_part(blocks, event);
    else if (event->kind == OB_EVENT_CLOSE)
        close_part(blocks, event->choice, OB_FINISH_UNSAID);
    else if (event->kind == OB_EVENT_FINISH)
        finish(blocks, event);
    else
        go_on(blocks, event);
}

void ob_blocks_take(void *context, const ob_event *event)
{
    ob_blocks *blocks = context;
    if (blocks->over)
        return;
    bool opens = event->kind == OB_EVENT_START;
    if (opens && blocks->started)
        return;
    if (!opens && !blocks->started && event->kind != OB_EVENT_ERROR)
        tell(blocks, &(ob_event){.kind = OB_EVENT_START});
    blocks->started = true;
    switch (event->kind) {
    case OB_EVENT_START:
    case OB_EVENT_USAGE:
        tell(blocks, event);
        return;
    case OB_EVENT_ERROR:
    case OB_EVENT_END:
        end(blocks, event);
        return;
    default:
        take_of_choice(blocks, event);
    }
}

void ob_event_reader_end(ob_event_reader *reader, bool whole)
{
    static const ob_event end = {.kind = OB_EVENT_END};
    static const ob_event broke_off = {
        .kind = OB_EVENT_ERROR,
        .status = 502,
        .text = OB_S_INIT("the provider's answer broke off")};
    reader->take(reader->context, whole ? &end : &broke_off);
}
