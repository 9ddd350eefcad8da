/*
 * reader.h - JSON with comments into C structures, by tables of members.
 *
 *   text ─▶ yyjson tree ─▶ ob_read_members(table, object) ─▶ fields of a struct
 *
 * A table says which members an object may have, what they must be, and which
 * field each fills. Whatever is not in the table, is there twice, or has the
 * wrong type is an error that names the member's path and line, and what would
 * be right. The tables are also what the JSON Schema is tested against.
 */
#ifndef OB_READER_H
#define OB_READER_H

#include <yyjson.h>

#include "base/arena.h"
#include "config.h"
#include "message.h"

#define OB_READER_DEPTH_MAX 8

/* One step from a container to its member: which one in order, and its key
 * (empty in an array). */
typedef struct ob_step {
    ob_slice key;
    size_t ordinal;
} ob_step;

typedef struct ob_reader {
    ob_slice text;
    ob_arena *arena;      /* receives every string */
    ob_env_lookup lookup; /* NULL: "env:NAME" stands for itself */
    void *context;
    ob_config_error *error;
    ob_step path[OB_READER_DEPTH_MAX];
    size_t depth;
} ob_reader;

typedef struct ob_member ob_member;

/* Reads `value` into `field`, which is `offset` bytes into the structure. */
typedef ob_status (*ob_read)(ob_reader *reader, const ob_member *member,
                             yyjson_val *value, void *field);

struct ob_member {
    const char *name;
    ob_read read;
    size_t offset;
    int64_t min, max;         /* numbers: the range; strings: the length */
    const ob_member *members; /* of an object */
    size_t member_count;
};

/* Parses the text; *doc is freed by the caller. A text that holds no value
 * gives NULL and OB_OK. */
OB_MUST_USE ob_status ob_reader_parse(ob_reader *reader, yyjson_doc **doc);

/* Steps into a member and out again. */
OB_MUST_USE ob_status ob_reader_enter(ob_reader *reader, ob_slice key,
                                      size_t ordinal);
void ob_reader_leave(ob_reader *reader);

/* Fails at the place where the reader stands: writes line and path, then
 * `text`. Always OB_INVALID. */
ob_status ob_reader_fail(ob_reader *reader, const char *text);
/* The same in two steps, for a text of several parts. */
ob_message ob_reader_complain(ob_reader *reader);

/* Calls `visit` for every member of an object, or refuses another type and
 * names that are there twice. */
typedef ob_status (*ob_visit_member)(ob_reader *reader, ob_slice key,
                                     yyjson_val *value, void *context);
OB_MUST_USE ob_status ob_read_each(ob_reader *reader, yyjson_val *object,
                                   ob_visit_member visit, void *context);
OB_MUST_USE ob_status ob_read_members(ob_reader *reader,
                                      const ob_member *members, size_t count,
                                      yyjson_val *object, void *structure);

/* A string in the reader's arena, "env:NAME" looked up. *from_env may be
 * NULL; what comes from the environment may be secret, so that no message
 * quotes it. */
OB_MUST_USE ob_status ob_reader_string(ob_reader *reader, yyjson_val *value,
                                       size_t min, size_t max, ob_slice *out,
                                       bool *from_env);

/* For tables. Fields: ob_slice, size_t, int64_t, uint32_t, bool, ob_url,
 * ob_secret, and the structure itself for an object. */
ob_status ob_read_string(ob_reader *reader, const ob_member *member,
                         yyjson_val *value, void *field);
ob_status ob_read_size(ob_reader *reader, const ob_member *member,
                       yyjson_val *value, void *field);
ob_status ob_read_i64(ob_reader *reader, const ob_member *member,
                      yyjson_val *value, void *field);
ob_status ob_read_u32(ob_reader *reader, const ob_member *member,
                      yyjson_val *value, void *field);
ob_status ob_read_bool(ob_reader *reader, const ob_member *member,
                       yyjson_val *value, void *field);
ob_status ob_read_url(ob_reader *reader, const ob_member *member,
                      yyjson_val *value, void *field);
ob_status ob_read_secret(ob_reader *reader, const ob_member *member,
                         yyjson_val *value, void *field);
ob_status ob_read_object(ob_reader *reader, const ob_member *member,
                         yyjson_val *value, void *field);

/* The tables, for the test that holds the JSON Schema against them. */
extern const ob_member ob_config_members[];
extern const size_t ob_config_member_count;
extern const ob_member ob_provider_members[];
extern const size_t ob_provider_member_count;

#define OB_LOG_MEMBERS 6
extern const ob_member ob_log_members[OB_LOG_MEMBERS];
ob_log_settings ob_log_settings_default(void);

extern const ob_member ob_price_members[];
extern const size_t ob_price_member_count;

/* Reads "prices", which name providers, behind all other members. */
OB_MUST_USE ob_status ob_config_read_prices(ob_reader *reader, yyjson_val *root,
                                            ob_config *config);

/* Reads one entry of "providers" over `provider`, whose slug is set; `known`:
 * it has an entry already. */
OB_MUST_USE ob_status ob_provider_read(ob_reader *reader, yyjson_val *entry,
                                       bool known, ob_provider *provider);
/* [a-z0-9][a-z0-9-]{0,63} */
bool ob_provider_slug_valid(ob_slice slug);
/* Fails at the reader's place where `slug` is malformed or reserved. */
OB_MUST_USE ob_status ob_provider_check_slug(ob_reader *reader, ob_slice slug);
/* Is every {name} of the base among the segments? {account} may come from the
 * configuration instead. */
OB_MUST_USE ob_status ob_provider_check_names(ob_reader *reader,
                                              const char *member, ob_slice text,
                                              const ob_slice *segments,
                                              size_t count);
/* For tables, and ahead of them for a new provider. */
ob_status ob_provider_read_dialect(ob_reader *reader, const ob_member *member,
                                   yyjson_val *value, void *field);
/* Puts the account into a base URL that waits for {account}; without one the
 * account becomes the first segment. OB_LIMIT: no room for that. */
OB_MUST_USE ob_status ob_provider_set_account(ob_provider *provider,
                                              ob_slice account,
                                              ob_arena *arena);

/* The line, from 1, of the member that the steps lead to. */
size_t ob_locate_line(ob_slice text, const ob_step *path, size_t depth);

#endif
