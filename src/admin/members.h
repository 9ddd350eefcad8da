/*
 * members.h - the members of a JSON body, each known by name and type.
 *
 * Strict: unknown members, wrong types and members given twice are errors that
 * name what would be right. Pure. Values live as long as the document.
 */
#ifndef OB_ADMIN_MEMBERS_H
#define OB_ADMIN_MEMBERS_H

#include <yyjson.h>

#include "reply.h"

enum {
    OB_JSON_STRING = 1 << YYJSON_TYPE_STR,
    OB_JSON_NUMBER = 1 << YYJSON_TYPE_NUM,
    OB_JSON_ARRAY = 1 << YYJSON_TYPE_ARR,
    OB_JSON_OBJECT = 1 << YYJSON_TYPE_OBJ,
    OB_JSON_BOOL = 1 << YYJSON_TYPE_BOOL,
    OB_JSON_NOTHING = 1 << YYJSON_TYPE_NULL,
};

/* A member that an object may have. */
typedef struct ob_member {
    const char *name;
    unsigned types;
    const char *expected; /* the types in words */
    yyjson_val *value;    /* NULL: absent */
} ob_member;

#define OB_MEMBERS_MAX 8

/* Reads a body as JSON; the document is the caller's to free. */
OB_MUST_USE ob_status ob_body_read(ob_slice body, yyjson_doc **doc,
                                   ob_admin_error *error);
/* Fills `value` of the members that the object has; `where` is what it is in
 * messages, "the body". */
OB_MUST_USE ob_status ob_members_read(const char *where, yyjson_val *object,
                                      ob_member *members, size_t count,
                                      ob_admin_error *error);
/* Fills *error: that member has to be there. */
ob_status ob_member_missing(const char *name, ob_admin_error *error);

static inline ob_slice ob_member_text(yyjson_val *value)
{
    return ob_slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

#endif
