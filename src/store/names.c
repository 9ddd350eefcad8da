#include "database.h"

static const char *const reasons[] = {
#define OB_REASON(name, slug, text) [OB_REASON_##name] = slug,
#include "../core/tbl/reason.def"
#undef OB_REASON
};

static const char *const actions[] = {
#define OB_ACTION(name, slug) [OB_ACTION_##name] = slug,
#include "../core/tbl/action.def"
#undef OB_ACTION
};

const char *ob_reason_word(ob_reason reason)
{
    OB_ASSERT((size_t)reason < OB_LEN(reasons));
    return reasons[reason];
}

ob_reason ob_reason_from_word(ob_slice word)
{
    for (size_t i = 0; i < OB_LEN(reasons); i++)
        if (ob_slice_eq(word, ob_slice_str(reasons[i])))
            return (ob_reason)i;
    return (ob_reason)0;
}

const char *ob_action_word(ob_action action)
{
    OB_ASSERT((size_t)action < OB_LEN(actions));
    return actions[action];
}

ob_action ob_action_from_word(ob_slice word)
{
    for (size_t i = 0; i < OB_LEN(actions); i++)
        if (ob_slice_eq(word, ob_slice_str(actions[i])))
            return (ob_action)i;
    return (ob_action)0;
}

const char *ob_status_word(ob_key_status status)
{
    return status == OB_KEY_BLOCKED ? "blocked" : "active";
}

ob_key_status ob_status_from_word(ob_slice word)
{
    return ob_slice_eq(word, OB_S("blocked")) ? OB_KEY_BLOCKED : OB_KEY_ACTIVE;
}
