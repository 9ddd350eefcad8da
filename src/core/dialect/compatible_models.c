/*
 * compatible_models.c - what xAI's and Groq's models take.
 *
 * Sources: xAI's page "Reasoning" and what its API answers, as it stands in
 * reports ("Model … does not support parameter reasoningEffort", "Argument not
 * supported on this model: stop", "… presencePenalty"); Groq's page
 * "Reasoning".
 */
#include "compatible_models.h"

#include "openai.h"

/* The first that fits counts. */
typedef struct model_efforts {
    const char *provider;
    const char *start;
    bool thinks;
    ob_effort least; /* but for NONE; UNSAID: it is not to be asked */
    ob_effort most;
    bool none;   /* may be told not to think */
    bool middle; /* has something between little and much */
} model_efforts;

#define LOW     OB_EFFORT_LOW
#define HIGH    OB_EFFORT_HIGH
#define MAX     OB_EFFORT_MAX
#define REFUSES OB_EFFORT_UNSAID, OB_EFFORT_UNSAID, false, false

static const model_efforts efforts[] = {
    {"grok", "grok-2", false, REFUSES},
    {"grok", "grok-3-mini", true, LOW, HIGH, false, false},
    {"grok", "grok-3", false, REFUSES},
    {"grok", "grok-code", true, REFUSES},
    {"grok", "grok-4.20-multi-agent", true, LOW, MAX, false, true},
    {"grok", "grok-4.20", true, REFUSES},
    {"grok", "grok-4.3", true, LOW, HIGH, true, true},
    {"grok", "grok-4.5", true, LOW, HIGH, false, true},
    /* 4.6, and newer ones. */
    {"grok", "grok-4.", true, LOW, MAX, false, true},
    {"grok", "grok-4", true, REFUSES},
    {"grok", "", true, LOW, HIGH, false, true},
    {"groq", "openai/gpt-oss", true, LOW, HIGH, false, true},
    /* They think, or do not: there is no more and less. */
    {"groq", "qwen/", true, OB_EFFORT_UNSAID, OB_EFFORT_UNSAID, true, false},
    {"groq", "", false, REFUSES},
};

static const model_efforts *find(const ob_form *form)
{
    for (size_t i = 0; i < OB_LEN(efforts); i++)
        if (ob_openai_is_for(form, efforts[i].provider) &&
            ob_slice_starts(form->model, ob_slice_str(efforts[i].start)))
            return &efforts[i];
    return NULL;
}

bool ob_compatible_is_known(const ob_form *form)
{
    return find(form) != NULL;
}

ob_effort ob_compatible_effort(const ob_form *form, ob_effort effort)
{
    const model_efforts *has = find(form);
    if (!has || effort == OB_EFFORT_UNSAID)
        return effort;
    if (effort == OB_EFFORT_NONE)
        return has->none ? OB_EFFORT_NONE : OB_EFFORT_UNSAID;
    if (effort == OB_EFFORT_MEDIUM && !has->middle)
        return has->least;
    return effort < has->least  ? has->least
           : effort > has->most ? has->most
                                : effort;
}

bool ob_compatible_thinks(const ob_form *form)
{
    const model_efforts *has = find(form);
    return !has ||
           (has->thinks &&
            ob_slice_find(form->model, OB_S("non-reasoning")) == OB_NOWHERE);
}

bool ob_compatible_takes_penalties(const ob_form *form)
{
    return !ob_openai_is_for(form, "grok");
}

bool ob_compatible_takes_stops(const ob_form *form)
{
    return !ob_openai_is_for(form, "grok") || !ob_compatible_thinks(form);
}
