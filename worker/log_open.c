/* log_open.c - the Worker's log for whoever asks for it: on the D1 of the
 * handler that runs. */
#include "edge.h"
#include "log_reader.h"

const char *ob_log_path(const ob_log *log)
{
    return "D1";
}

ob_status ob_log_reader_open(const char *path, ob_log_reader **reader)
{
    if (!edge_journal_running)
        return OB_IO;
    return edge_log_reader_new(edge_d1_open(edge_journal_running), reader);
}

/* Blank as long as it is being asked for. */
ob_log_counts ob_log_count(ob_log *log)
{
    ob_log_counts counts = {.enabled = true,
                            .settings = *edge_log_settings(log)};
    ob_log_reader *reader = NULL;
    counts.settings.bytes_max = counts.settings.edge.bytes_max;
    counts.settings.bodies = false;
    if (ob_log_reader_open(ob_log_path(log), &reader) == OB_OK)
        (void)edge_log_read_counts(reader, &counts);
    ob_log_reader_close(reader);
    return counts;
}
