/* log_none.c - the readers of a request log that is not there. */
#include "../src/log/log.h"

const char *ob_log_path(const ob_log *log)
{
    return "";
}

ob_log_counts ob_log_count(ob_log *log)
{
    return (ob_log_counts){.enabled = false};
}

ob_status ob_log_reader_open(const char *path, ob_log_reader **reader)
{
    return OB_NOT_FOUND;
}

void ob_log_reader_close(ob_log_reader *reader)
{
}

ob_status ob_log_find(ob_log_reader *reader, const ob_log_query *query,
                      ob_buffer *out)
{
    return OB_NOT_FOUND;
}

ob_status ob_log_show(ob_log_reader *reader, int64_t id, ob_buffer *out)
{
    return OB_NOT_FOUND;
}

ob_status ob_log_stats(ob_log_reader *reader, const ob_log_stats_query *query,
                       ob_buffer *out)
{
    return OB_NOT_FOUND;
}
