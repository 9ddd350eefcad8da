/* openai_sampling_write.c - how a request of chat completions is to be
 * answered: numbers, ends and kinds of answers. */
#include <math.h>

#include "compatible_models.h"
#include "members.h"
#include "openai.h"
#include "openai_models.h"

/* ---- members ---- */

static void write_number(ob_json *json, const char *name, double number)
{
    if (isnan(number))
        return;
    ob_json_name(json, name);
    /* 1 rather than 1.0, as most write it. */
    if (number >= -2 && number <= 2 && number == (double)(int64_t)number)
        ob_json_i64(json, (int64_t)number);
    else
        ob_json_double(json, number);
}

static void write_count(ob_json *json, const char *name, int64_t count)
{
    if (count >= 0)
        ob_json_member_i64(json, name, count);
}

/* Only the newer name is taken by OpenAI's newer models, wherever they are. */
static const char *max_name(const ob_form *form)
{
    bool newer = ob_openai_is_for(form, "openai") ||
                 (!ob_openai_is_for(form, "openrouter") &&
                  ob_model_is_openais(form->model));
    return newer ? "max_completion_tokens" : "max_tokens";
}

static void write_stops(ob_form *form, ob_json *json)
{
    if (!form->stops)
        return;
    ob_json_name(json, "stop");
    ob_json_open(json, '[');
    for (const ob_text_item *stop = form->stops; stop; stop = stop->next)
        ob_json_string(json, stop->text);
    ob_json_close(json, ']');
}

static void drop_penalties(ob_form *form)
{
    if (!isnan(form->frequency_penalty) && form->frequency_penalty != 0)
        ob_form_drop_member(form, OB_MEMBER_FREQUENCY);
    if (!isnan(form->presence_penalty) && form->presence_penalty != 0)
        ob_form_drop_member(form, OB_MEMBER_PRESENCE);
}

static void write_chances(ob_form *form, ob_json *json)
{
    write_number(json, "temperature", form->temperature);
    write_number(json, "top_p", form->top_p);
    if (ob_compatible_takes_penalties(form)) {
        write_number(json, "frequency_penalty", form->frequency_penalty);
        write_number(json, "presence_penalty", form->presence_penalty);
    } else {
        drop_penalties(form);
    }
    if (form->logprobs) {
        ob_json_name(json, "logprobs");
        ob_json_bool(json, true);
    }
    write_count(json, "top_logprobs", form->top_logprobs);
}

/* A model that reasons refuses these; a temperature of 1 is what it has. */
static void drop_chances(ob_form *form)
{
    if (!isnan(form->temperature) && form->temperature != 1)
        ob_form_drop_member(form, OB_MEMBER_TEMPERATURE);
    if (!isnan(form->top_p) && form->top_p != 1)
        ob_form_drop_member(form, OB_MEMBER_TOP_P);
    drop_penalties(form);
    if (form->logprobs || form->top_logprobs >= 0)
        ob_form_drop_member(form, OB_MEMBER_ANY_LOGPROBS);
}

static void write_modalities(ob_form *form, ob_json *json)
{
    if (!form->images)
        return;
    if (!ob_openai_takes_more(form))
        (void)ob_form_refuse(form, "this provider answers without images",
                             OB_S(""), "");
    ob_json_name(json, "modalities");
    ob_json_raw(json, OB_S("[\"image\",\"text\"]"));
}

static void write_verbosity(ob_form *form, ob_json *json)
{
    if (ob_openai_reasons(form) || ob_openai_is_for(form, "openai") ||
        ob_openai_is_for(form, "openrouter"))
        ob_json_member_told(json, "verbosity", form->verbosity);
    else if (form->verbosity.len)
        ob_form_drop_member(form, OB_MEMBER_VERBOSITY);
}

void ob_openai_write_sampling(ob_form *form, ob_json *json)
{
    bool mistral = ob_openai_is_for(form, "mistral"),
         strict = ob_openai_reasons(form);
    write_count(json, max_name(form), form->answer_max);
    if (!strict || ob_model_samples(form->model, form->effort))
        write_chances(form, json);
    else
        drop_chances(form);
    write_count(json, "n", form->count);
    write_count(json, mistral ? "random_seed" : "seed", form->seed);
    if (form->top_k >= 0) {
        if (ob_openai_takes_more(form))
            write_count(json, "top_k", form->top_k);
        else
            ob_form_drop_member(form, OB_MEMBER_TOP_K);
    }
    if (!strict && ob_compatible_takes_stops(form))
        write_stops(form, json);
    else if (form->stops)
        ob_form_drop_member(form, OB_MEMBER_STOP);
    write_modalities(form, json);
    write_verbosity(form, json);
}
