/* config_log.c - "log" of the configuration. */
#include "reader.h"

#define LOG_AT(member)  offsetof(ob_log_settings, member)
#define EDGE_AT(member) offsetof(ob_edge_log_settings, member)

static ob_status read_mode(ob_reader *reader, const ob_member *member,
                           yyjson_val *value, void *field)
{
    static const char *const words[] = {[OB_EDGE_LOG_OFF] = "off",
                                        [OB_EDGE_LOG_SAMPLED] = "sampled",
                                        [OB_EDGE_LOG_FULL] = "full"};
    for (size_t i = 0; i < OB_LEN(words); i++) {
        if (!yyjson_equals_str(value, words[i]))
            continue;
        *(ob_edge_log_mode *)field = (ob_edge_log_mode)i;
        return OB_OK;
    }
    return ob_reader_fail(reader, "must be \"off\", \"sampled\" or \"full\"");
}

static const ob_member edge_members[] = {
    {.name = "mode", .read = read_mode, .offset = EDGE_AT(mode)},
    {.name = "one_in",
     .read = ob_read_i64,
     .offset = EDGE_AT(one_in),
     .min = 2,
     .max = 10000},
    {.name = "rows_a_day",
     .read = ob_read_i64,
     .offset = EDGE_AT(rows_a_day),
     .min = 100,
     .max = 1000000},
    {.name = "bytes_max",
     .read = ob_read_i64,
     .offset = EDGE_AT(bytes_max),
     .min = 1 << 20,
     .max = INT64_C(8) << 30},
};

const ob_member ob_log_members[OB_LOG_MEMBERS] = {
    {.name = "enabled", .read = ob_read_bool, .offset = LOG_AT(enabled)},
    {.name = "bodies", .read = ob_read_bool, .offset = LOG_AT(bodies)},
    {.name = "bytes_max",
     .read = ob_read_i64,
     .offset = LOG_AT(bytes_max),
     .min = 16 << 20,
     .max = INT64_C(1) << 40},
    {.name = "days_max",
     .read = ob_read_i64,
     .offset = LOG_AT(days_max),
     .min = 1,
     .max = 3650},
    {.name = "body_bytes_max",
     .read = ob_read_size,
     .offset = LOG_AT(body_bytes_max),
     .min = 256,
     .max = 131072},
    {.name = "edge",
     .read = ob_read_object,
     .offset = LOG_AT(edge),
     .members = edge_members,
     .member_count = OB_LEN(edge_members)},
};

ob_log_settings ob_log_settings_default(void)
{
    return (ob_log_settings){
        .enabled = true,
        .bytes_max = 1 << 30,
        .days_max = 30,
        .body_bytes_max = 16384,
        .edge = {.mode = OB_EDGE_LOG_FULL,
                 .one_in = 10,
                 .rows_a_day = 10000,
                 .bytes_max = 256 << 20},
    };
}
