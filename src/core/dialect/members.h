/*
 * members.h - what callers call the members of a request, by their dialects:
 * for what is left out or refused by name.
 */
#ifndef OB_DIALECT_MEMBERS_H
#define OB_DIALECT_MEMBERS_H

#include "form.h"

typedef enum ob_member_of_form {
    OB_MEMBER_COUNT,
    OB_MEMBER_SEED,
    OB_MEMBER_TEMPERATURE,
    OB_MEMBER_TOP_P,
    OB_MEMBER_TOP_K,
    OB_MEMBER_FREQUENCY,
    OB_MEMBER_PRESENCE,
    OB_MEMBER_LOGPROBS,
    OB_MEMBER_TOP_LOGPROBS,
    OB_MEMBER_ANY_LOGPROBS, /* one name for both */
    OB_MEMBER_STOP,
    OB_MEMBER_THINKING,
    OB_MEMBER_EFFORT,
    OB_MEMBER_BUDGET,
    OB_MEMBER_SHOW_THINKING,
    OB_MEMBER_FORMAT,
    OB_MEMBER_TIER,
    OB_MEMBER_CACHE_KEY,
    OB_MEMBER_TOOL_CHOICE,
    OB_MEMBER_USER,
    OB_MEMBER_VERBOSITY,
} ob_member_of_form;

/* As the form's caller calls it. */
ob_slice ob_form_member(const ob_form *form, ob_member_of_form member);
/* Notes by that name that it was left out. */
void ob_form_drop_member(ob_form *form, ob_member_of_form member);

#endif
