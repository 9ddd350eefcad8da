/*
 * openai_models.c - what OpenAI's models take of reasoning.
 *
 * Sources: OpenAI's pages "Models" and "Reasoning models", and the guides of
 * its newest models ("Parameter compatibility").
 */
#include "openai_models.h"

static bool starts(ob_slice text, const char *start)
{
    return ob_slice_starts(text, ob_slice_str(start));
}

static bool has(ob_slice text, const char *word)
{
    return ob_slice_find(text, ob_slice_str(word)) != OB_NOWHERE;
}

/* Without "openai/" before it, and what else stands there. */
static ob_slice base_of(ob_slice model)
{
    size_t slash;
    while ((slash = ob_slice_index(model, '/')) != OB_NOWHERE)
        model = ob_slice_from(model, slash + 1);
    return starts(model, "ft:") ? ob_slice_from(model, 3) : model;
}

static bool is_digit(ob_slice text, size_t at, char least)
{
    return at < text.len && text.ptr[at] >= least && text.ptr[at] <= '9';
}

bool ob_model_is_openais(ob_slice model)
{
    model = base_of(model);
    return (starts(model, "o") && is_digit(model, 1, '1')) ||
           (starts(model, "gpt-") && is_digit(model, 4, '5'));
}

bool ob_model_reasons(ob_slice model)
{
    model = base_of(model);
    return !starts(model, "gpt-3") && !starts(model, "gpt-4") &&
           !starts(model, "chatgpt") && !has(model, "-chat");
}

/* The first that fits counts. One that is not here takes every effort. */
static const struct {
    const char *start;
    const char *word; /* in the name as well; "": any */
    ob_effort least;
    ob_effort most;
    bool idles; /* it does not reason unless it is told to */
} efforts[] = {
    {"gpt-5.1-codex-max", "", OB_EFFORT_LOW, OB_EFFORT_MAX, false},
    {"gpt-5.1-codex", "", OB_EFFORT_LOW, OB_EFFORT_HIGH, false},
    {"gpt-5.1", "", OB_EFFORT_NONE, OB_EFFORT_HIGH, true},
    {"gpt-5.", "-codex", OB_EFFORT_LOW, OB_EFFORT_MAX, false},
    {"gpt-5.", "-pro", OB_EFFORT_MEDIUM, OB_EFFORT_MAX, false},
    {"gpt-5.2", "", OB_EFFORT_NONE, OB_EFFORT_MAX, true},
    {"gpt-5.4", "", OB_EFFORT_NONE, OB_EFFORT_MAX, true},
    {"gpt-5.", "", OB_EFFORT_NONE, OB_EFFORT_MAX, false},
    {"gpt-5-pro", "", OB_EFFORT_HIGH, OB_EFFORT_HIGH, false},
    {"gpt-5-codex", "", OB_EFFORT_LOW, OB_EFFORT_HIGH, false},
    {"gpt-5", "", OB_EFFORT_MINIMAL, OB_EFFORT_HIGH, false},
    {"o1", "", OB_EFFORT_LOW, OB_EFFORT_HIGH, false},
    {"o3", "", OB_EFFORT_LOW, OB_EFFORT_HIGH, false},
    {"o4", "", OB_EFFORT_LOW, OB_EFFORT_HIGH, false},
};

static size_t find_efforts(ob_slice model)
{
    size_t i = 0;
    model = base_of(model);
    while (i < OB_LEN(efforts) &&
           !(starts(model, efforts[i].start) && has(model, efforts[i].word)))
        i++;
    return i;
}

ob_effort ob_model_fit_effort(ob_slice model, ob_effort effort)
{
    size_t i = find_efforts(model);
    if (effort == OB_EFFORT_UNSAID || i == OB_LEN(efforts))
        return effort;
    /* Those that can do without have nothing between that and little. */
    if (effort == OB_EFFORT_MINIMAL && efforts[i].least == OB_EFFORT_NONE)
        return OB_EFFORT_LOW;
    return effort < efforts[i].least  ? efforts[i].least
           : effort > efforts[i].most ? efforts[i].most
                                      : effort;
}

bool ob_model_samples(ob_slice model, ob_effort effort)
{
    size_t i = find_efforts(model);
    bool idles = i < OB_LEN(efforts) && efforts[i].idles;
    return !ob_model_reasons(model) || effort == OB_EFFORT_NONE ||
           (effort == OB_EFFORT_UNSAID && idles);
}
