#include "database.h"

const char *ob_status_word(ob_key_status status)
{
    return status == OB_KEY_BLOCKED ? "blocked" : "active";
}

ob_key_status ob_status_from_word(ob_slice word)
{
    return ob_slice_eq(word, OB_S("blocked")) ? OB_KEY_BLOCKED : OB_KEY_ACTIVE;
}
