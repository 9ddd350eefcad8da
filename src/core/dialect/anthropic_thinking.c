/*
 * anthropic_thinking.c - what Anthropic's models take, and how a request is to
 * think.
 *
 * Sources: Anthropic's pages "Extended thinking", "Adaptive thinking",
 * "Effort", "Structured outputs" and the migration guides of its models.
 */
#include "anthropic.h"
#include "members.h"

/* ---- models ---- */

#define OLD                                                                    \
    (OB_TAKES_SAMPLING | OB_TAKES_PREFILL | OB_TAKES_NO_THOUGHT |              \
     OB_TAKES_FORCE)
#define BUDGETED (OLD | OB_TAKES_BUDGET)
#define BETWEEN                                                                \
    (OB_TAKES_BUDGET | OB_TAKES_ADAPTIVE | OB_TAKES_SAMPLING |                 \
     OB_TAKES_SCHEMA | OB_TAKES_NO_THOUGHT | OB_TAKES_FORCE)
#define NEW (OB_TAKES_ADAPTIVE | OB_TAKES_SCHEMA | OB_TAKES_XHIGH)

/* The first name that stands in the model's is its own; "-" stands for "." as
 * well. Those that are not known are taken for the newest kind, which takes
 * least. */
static const struct {
    const char *name;
    int64_t max_tokens; /* at most, thinking included */
    unsigned takes;
} models[] = {
    {"claude-2", 4096, OLD | OB_TAKES_BOTH_TEMPERATURES},
    {"claude-instant", 4096, OLD | OB_TAKES_BOTH_TEMPERATURES},
    {"claude-3-7", 64000, BUDGETED | OB_TAKES_BOTH_TEMPERATURES},
    {"claude-3-5", 8192, OLD | OB_TAKES_BOTH_TEMPERATURES},
    {"claude-3", 4096, OLD | OB_TAKES_BOTH_TEMPERATURES},
    {"opus-4-5", 64000, BUDGETED | OB_TAKES_SCHEMA},
    {"sonnet-4-5", 64000, BUDGETED | OB_TAKES_SCHEMA},
    {"haiku-4-5", 64000, BUDGETED | OB_TAKES_SCHEMA},
    {"opus-4-6", 128000, BETWEEN},
    {"sonnet-4-6", 128000, BETWEEN},
    {"opus-4-7", 128000, NEW | OB_TAKES_NO_THOUGHT | OB_TAKES_FORCE},
    {"opus-4-8", 128000, NEW | OB_TAKES_NO_THOUGHT | OB_TAKES_FORCE},
    {"opus-4", 32000, BUDGETED},
    {"sonnet-4", 64000, BUDGETED},
    {"opus-5-5", 128000, NEW | OB_THINKS_UNASKED},
    {"fable-5-1", 128000, NEW | OB_THINKS_UNASKED},
    {"opus-5", 128000,
     NEW | OB_THINKS_UNASKED | OB_TAKES_NO_THOUGHT | OB_TAKES_FORCE},
    {"sonnet-5", 128000,
     NEW | OB_THINKS_UNASKED | OB_TAKES_NO_THOUGHT | OB_TAKES_FORCE},
    {"claude", 128000, NEW | OB_THINKS_UNASKED | OB_TAKES_FORCE},
    /* Other providers' models: the oldest form, which all of them took up. */
    {"", 64000, BUDGETED | OB_TAKES_SCHEMA | OB_TAKES_BOTH_TEMPERATURES},
};

static bool stands_at(ob_slice model, size_t at, const char *name)
{
    size_t i = 0;
    for (; name[i]; i++) {
        char c = at + i < model.len ? ob_lower(model.ptr[at + i]) : '\0';
        if ((c == '.' ? '-' : c) != name[i])
            return false;
    }
    /* "opus-4-5" is not in "opus-4-52…", nor "opus-4-2" in a date. */
    char next = at + i < model.len ? model.ptr[at + i] : '\0';
    return i == 0 || name[i - 1] < '0' || name[i - 1] > '9' || next < '0' ||
           next > '9';
}

static bool names(ob_slice model, const char *name)
{
    for (size_t at = 0; at <= model.len; at++)
        if (stands_at(model, at, name))
            return true;
    return false;
}

static size_t find_model(ob_slice model)
{
    size_t i = 0;
    while (i + 1 < OB_LEN(models) && !names(model, models[i].name))
        i++;
    return i;
}

/* ---- effort ---- */

/* Tokens for thinking that stand for an effort where a model takes a number.
 * With an answer's usual length, all models' limits hold. */
static int64_t budget_of(ob_effort effort)
{
    static const int64_t budgets[] = {
        [OB_EFFORT_UNSAID] = 8192, [OB_EFFORT_MINIMAL] = 1024,
        [OB_EFFORT_LOW] = 2048,    [OB_EFFORT_MEDIUM] = 8192,
        [OB_EFFORT_HIGH] = 16384,  [OB_EFFORT_MAX] = 23552};
    return (size_t)effort < OB_LEN(budgets) ? budgets[effort] : 0;
}

static const char *effort_name(ob_effort effort, unsigned takes)
{
    switch (effort) {
    case OB_EFFORT_MINIMAL:
    case OB_EFFORT_LOW:
        return "low";
    case OB_EFFORT_MEDIUM:
        return "medium";
    case OB_EFFORT_HIGH:
        return "high";
    case OB_EFFORT_MAX:
        return takes & OB_TAKES_XHIGH ? "xhigh" : "max";
    default:
        return NULL;
    }
}

/* ---- the decision ---- */

#define ANSWER_TOKENS 8192 /* where the caller does not say */
#define BUDGET_MIN    1024

typedef enum wish { WISH_UNSAID, WISH_NONE, WISH_SOME } wish;

static wish find_wish(const ob_form *form)
{
    if (form->thinking_max == 0 || form->effort == OB_EFFORT_NONE)
        return WISH_NONE;
    return form->thinking_max > 0 || form->effort != OB_EFFORT_UNSAID ||
                   form->show_thinking == OB_YES
               ? WISH_SOME
               : WISH_UNSAID;
}

static void drop_thinking(ob_form *form)
{
    ob_form_drop_member(form, OB_MEMBER_THINKING);
}

static void think_by_budget(ob_form *form, ob_anthropic_thinking *thinking)
{
    bool said = form->thinking_max > 0;
    int64_t budget = said ? form->thinking_max : budget_of(form->effort);
    if (budget < BUDGET_MIN)
        budget = BUDGET_MIN;
    /* It is part of max_tokens, and the answer needs some of them. */
    int64_t most = form->answer_max < 0 ? thinking->max_tokens - ANSWER_TOKENS
                   : said               ? form->answer_max - 1
                                        : form->answer_max / 2;
    if (budget > most)
        budget = most;
    if (budget < BUDGET_MIN) {
        drop_thinking(form);
        return;
    }
    thinking->on = true;
    thinking->budget = budget;
}

static void think_by_effort(ob_form *form, ob_anthropic_thinking *thinking)
{
    ob_effort effort = form->effort;
    if (effort == OB_EFFORT_UNSAID && form->thinking_max > 0)
        effort = ob_effort_of_budget(form->thinking_max);
    thinking->on = true;
    thinking->effort = effort_name(effort, thinking->takes);
}

static void think(ob_form *form, bool may_think,
                  ob_anthropic_thinking *thinking)
{
    bool by_budget =
        (thinking->takes & OB_TAKES_BUDGET) &&
        (form->thinking_max > 0 || !(thinking->takes & OB_TAKES_ADAPTIVE));
    if (!by_budget && (thinking->takes & OB_TAKES_ADAPTIVE))
        think_by_effort(form, thinking);
    else if (by_budget && may_think)
        think_by_budget(form, thinking);
    else
        drop_thinking(form);
}

/* None is wished for: said where a model would think by itself. One that
 * always does is asked to do little of it. */
static void think_not(ob_form *form, ob_anthropic_thinking *thinking)
{
    if (!(thinking->takes & OB_THINKS_UNASKED))
        return;
    thinking->off = thinking->takes & OB_TAKES_NO_THOUGHT;
    if (thinking->off)
        return;
    thinking->effort = "low";
    drop_thinking(form);
}

/* What is not said is an answer's usual length beside the thinking. */
static int64_t find_max_tokens(const ob_form *form,
                               const ob_anthropic_thinking *thinking)
{
    int64_t tokens = ANSWER_TOKENS + thinking->budget;
    bool thinks = thinking->on ||
                  ((thinking->takes & OB_THINKS_UNASKED) && !thinking->off);
    if (form->answer_max >= 0)
        return form->answer_max;
    if (thinks && !thinking->budget)
        tokens += budget_of(form->effort == OB_EFFORT_UNSAID ? OB_EFFORT_HIGH
                                                             : form->effort);
    return tokens < thinking->max_tokens ? tokens : thinking->max_tokens;
}

/* A call that is forced: with thinking, Anthropic takes "auto" and "none"
 * alone. Models that always think are asked for an effort at most. */
static void think_beside_force(ob_form *form, wish asked,
                               ob_anthropic_thinking *thinking)
{
    if (asked == WISH_SOME && !(thinking->takes & OB_TAKES_NO_THOUGHT)) {
        think_by_effort(form, thinking);
        thinking->on = false;
        return;
    }
    if (asked == WISH_SOME)
        drop_thinking(form);
    think_not(form, thinking);
}

void ob_anthropic_think(ob_form *form, bool may_think,
                        ob_anthropic_thinking *thinking)
{
    size_t model = find_model(form->model);
    wish asked = find_wish(form);
    *thinking = (ob_anthropic_thinking){.takes = models[model].takes,
                                        .max_tokens = models[model].max_tokens};
    bool forced =
        form->choose == OB_CHOOSE_REQUIRED || form->choose == OB_CHOOSE_NAMED;
    if (forced && (asked == WISH_SOME || thinking->takes & OB_TAKES_NO_THOUGHT))
        think_beside_force(form, asked, thinking);
    else if (asked == WISH_NONE)
        think_not(form, thinking);
    else if (asked == WISH_SOME)
        think(form, may_think, thinking);
    thinking->max_tokens = find_max_tokens(form, thinking);
}
