#include "verdict.h"

const char *ob_action_slug(ob_action action)
{
    switch (action) {
#define OB_ACTION(name, slug)                                                  \
    case OB_ACTION_##name:                                                     \
        return slug;
#include "tbl/action.def"
#undef OB_ACTION
    }
    return "unknown";
}

const char *ob_scope_slug(ob_scope scope)
{
    switch (scope) {
    case OB_SCOPE_NONE:
        return NULL;
    case OB_SCOPE_MODEL:
        return "model";
    case OB_SCOPE_KEY:
        return "key";
    }
    return NULL;
}

const char *ob_reason_slug(ob_reason reason)
{
    switch (reason) {
#define OB_REASON(name, slug, text)                                            \
    case OB_REASON_##name:                                                     \
        return slug;
#include "tbl/reason.def"
#undef OB_REASON
    }
    return "unknown";
}

const char *ob_reason_text(ob_reason reason)
{
    switch (reason) {
#define OB_REASON(name, slug, text)                                            \
    case OB_REASON_##name:                                                     \
        return text;
#include "tbl/reason.def"
#undef OB_REASON
    }
    return "unknown";
}

ob_action ob_action_from_word(ob_slice word)
{
#define OB_ACTION(name, slug)                                                  \
    if (ob_slice_eq(word, OB_S(slug)))                                         \
        return OB_ACTION_##name;
#include "tbl/action.def"
#undef OB_ACTION
    return (ob_action)0;
}

ob_reason ob_reason_from_word(ob_slice word)
{
#define OB_REASON(name, slug, text)                                            \
    if (ob_slice_eq(word, OB_S(slug)))                                         \
        return OB_REASON_##name;
#include "tbl/reason.def"
#undef OB_REASON
    return (ob_reason)0;
}
