/*
 * json.h - JSON as dialects write and read it.
 */
#ifndef OB_DIALECT_JSON_H
#define OB_DIALECT_JSON_H

#include <yyjson.h>

#include "../base/arena.h"
#include "../base/buffer.h"

/* Writes with commas where they belong. Depth is bounded by the code that
 * writes, not by data: values that were read are written as they are. */
typedef struct ob_json {
    ob_buffer *out;
    bool comma; /* before the next name or value */
} ob_json;

void ob_json_open(ob_json *json, char bracket);
void ob_json_close(ob_json *json, char bracket);
void ob_json_name(ob_json *json, const char *name);
void ob_json_string(ob_json *json, ob_slice text);
void ob_json_i64(ob_json *json, int64_t number);
void ob_json_double(ob_json *json, double number);
void ob_json_bool(ob_json *json, bool value);
void ob_json_null(ob_json *json);
/* A value that was read; NULL: null. */
void ob_json_value(ob_json *json, yyjson_val *value);
/* JSON text as it is. */
void ob_json_raw(ob_json *json, ob_slice text);
/* A name and its value. */
void ob_json_member(ob_json *json, const char *name, ob_slice text);
void ob_json_member_i64(ob_json *json, const char *name, int64_t number);
/* Only where it is not empty. */
void ob_json_member_told(ob_json *json, const char *name, ob_slice text);

/* A named event of a stream, whose data is an object that tells its type. */
ob_json ob_json_event_begin(ob_buffer *out, const char *type);
void ob_json_event_end(ob_json *json);

/* "cache_control": {…}, as Anthropic has it, and others have it from there. */
void ob_json_cache_control(ob_json *json, ob_slice ttl);

/* The member of an object, NULL where either is missing. */
yyjson_val *ob_json_get(yyjson_val *object, const char *name);
/* Is it there, and not null? */
static inline bool ob_json_told(yyjson_val *value)
{
    return value && !yyjson_is_null(value);
}
/* Its text, or an empty slice. */
ob_slice ob_json_text(yyjson_val *value);
ob_slice ob_json_get_text(yyjson_val *object, const char *name);
/* A number, or what is given for none. */
int64_t ob_json_get_i64(yyjson_val *object, const char *name, int64_t none);
double ob_json_get_double(yyjson_val *object, const char *name);
bool ob_json_get_bool(yyjson_val *object, const char *name);
bool ob_json_is(yyjson_val *value, const char *text);
/* JSON text as a value that lives in the arena; NULL: it is none, or memory is
 * out. */
yyjson_val *ob_json_parse(ob_arena *arena, ob_slice text);
/* A value as text in the arena; {NULL, 0} without memory. */
ob_slice ob_json_print(ob_arena *arena, yyjson_val *value);

#endif
