#include "events.h"

void ob_events_deinit(ob_events *events)
{
    ob_buffer_deinit(&events->line);
    ob_buffer_deinit(&events->data);
}

void ob_events_begin(ob_events *events, size_t bytes_max)
{
    ob_buffer_clear(&events->line);
    ob_buffer_clear(&events->data);
    events->name_len = 0;
    events->has_data = events->after_cr = events->failed = false;
    events->bytes_max = bytes_max;
}

static void end_event(ob_events *events, ob_events_visit visit, void *context)
{
    if (events->has_data)
        visit(context, ob_slice_make(events->name, events->name_len),
              ob_buffer_slice(&events->data));
    ob_buffer_clear(&events->data);
    events->name_len = 0;
    events->has_data = false;
}

static void add_data(ob_events *events, ob_slice value)
{
    if (events->has_data)
        ob_buffer_append_char(&events->data, '\n');
    ob_buffer_append(&events->data, value);
    events->has_data = true;
    events->failed |= events->data.failed ||
                      ob_buffer_slice(&events->data).len > events->bytes_max;
}

static void end_line(ob_events *events, ob_slice line, ob_events_visit visit,
                     void *context)
{
    if (!line.len) {
        end_event(events, visit, context);
        return;
    }
    size_t colon = ob_slice_index(line, ':');
    ob_slice field = ob_slice_head(line, colon);
    ob_slice value =
        colon == OB_NOWHERE ? OB_S("") : ob_slice_from(line, colon + 1);
    if (value.len && value.ptr[0] == ' ')
        value = ob_slice_from(value, 1);
    if (ob_slice_eq(field, OB_S("data"))) {
        add_data(events, value);
    } else if (ob_slice_eq(field, OB_S("event"))) {
        value = ob_slice_head(value, OB_EVENT_NAME_BYTES);
        memcpy(events->name, value.ptr, value.len);
        events->name_len = value.len;
    }
}

/* Where the line ends; OB_NOWHERE: not in this piece. */
static size_t line_end(ob_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] == '\n' || bytes.ptr[i] == '\r')
            return i;
    return OB_NOWHERE;
}

void ob_events_feed(ob_events *events, ob_slice bytes, ob_events_visit visit,
                    void *context)
{
    while (bytes.len && !events->failed) {
        if (events->after_cr && bytes.ptr[0] == '\n')
            bytes = ob_slice_from(bytes, 1);
        events->after_cr = false;
        size_t end = line_end(bytes);
        ob_slice piece = ob_slice_head(bytes, end);
        bool begun = ob_buffer_slice(&events->line).len > 0;
        if (end == OB_NOWHERE || begun)
            ob_buffer_append(&events->line, piece);
        events->failed |=
            events->line.failed ||
            ob_buffer_slice(&events->line).len > events->bytes_max;
        if (end == OB_NOWHERE || events->failed)
            return;
        events->after_cr = bytes.ptr[end] == '\r';
        end_line(events, begun ? ob_buffer_slice(&events->line) : piece, visit,
                 context);
        ob_buffer_clear(&events->line);
        bytes = ob_slice_from(bytes, end + 1);
    }
}

void ob_events_end(ob_events *events, ob_events_visit visit, void *context)
{
    ob_slice line = ob_buffer_slice(&events->line);
    if (events->failed)
        return;
    if (line.len)
        end_line(events, line, visit, context);
    end_event(events, visit, context);
}
