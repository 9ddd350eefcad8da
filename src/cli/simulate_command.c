#include "simulate_command.h"

#include <string.h>

#include "../core/base/base.h"
#include "../sim/report.h"
#include "options.h"

/* What --find takes for enough. */
#define ENOUGH 0.99
/* --rpd asks about days: a whole one, from midnight in Los Angeles. */
#define DAY_MINUTES 1440
#define HOURS_8_MS  (8 * 3600 * 1000LL)

static const char about[] =
    "Plays a load through the gateway's own core on a virtual clock, against "
    "a\n"
    "model of a provider's limits, and says what is served. Nothing is sent.\n"
    "\n"
    "WORLD is one of the built-in worlds, \"all\" for a table of them, or "
    "left\n"
    "out for one of your own, made with the options.";

/* 0 and NULL: not given. */
typedef struct wish {
    const char *world;
    uint64_t keys, rpm, rpd, tpm, rate, minutes, seed;
    const char *load, *tokens, *style, *window;
    bool find, baseline, json;
} wish;

static int usage_error(const char *message)
{
    fprintf(stderr, "%s\nTry --help.\n", message);
    return OB_EXIT_USAGE;
}

/* ---- from options to a spec ---- */

/* "0.9": at most three decimals, up to 10. */
static bool read_share(const char *text, double *share)
{
    ob_slice rest = ob_slice_str(text);
    ob_slice whole = ob_slice_cut(&rest, '.');
    uint64_t units = 0, parts = 0;
    double scale = 1;
    if (ob_slice_u64(whole, &units) != OB_OK || units > 10 || rest.len > 3)
        return false;
    if (rest.len && ob_slice_u64(rest, &parts) != OB_OK)
        return false;
    for (size_t i = 0; i < rest.len; i++)
        scale *= 10;
    *share = (double)units + (double)parts / scale;
    return *share > 0;
}

/* "500" or "100-8000". */
static bool read_tokens(const char *text, ob_sim_spec *spec)
{
    ob_slice rest = ob_slice_str(text);
    ob_slice first = ob_slice_cut(&rest, '-');
    uint64_t min = 0, max = 0;
    if (ob_slice_u64(first, &min) != OB_OK)
        return false;
    max = min;
    if (rest.ptr && ob_slice_u64(rest, &max) != OB_OK)
        return false;
    if (min < 1 || max < min || max > 1000000)
        return false;
    spec->tokens_min = (uint32_t)min;
    spec->tokens_max = (uint32_t)max;
    return true;
}

static void take_numbers(const wish *w, ob_sim_spec *spec)
{
    if (w->keys)
        spec->keys = (uint32_t)w->keys;
    if (w->rpm)
        spec->rpm_min = spec->rpm_max = (uint32_t)w->rpm;
    if (w->rpd) {
        spec->rpd = (uint32_t)w->rpd;
        spec->minutes = DAY_MINUTES;
        spec->start_ms -= HOURS_8_MS;
    }
    if (w->tpm)
        spec->tpm = w->tpm;
    if (w->rate)
        spec->rate_per_min = (double)w->rate;
    if (w->minutes)
        spec->minutes = (uint32_t)w->minutes;
    if (w->seed)
        spec->seed = w->seed;
}

/* NULL, or what is wrong. */
static const char *take(const wish *w, ob_sim_spec *spec)
{
    take_numbers(w, spec);
    if (w->load && w->rate)
        return "--load and --rate say the same thing; give one";
    if (w->load && !read_share(w->load, &spec->load))
        return "--load takes a share of what the keys can carry, like 0.9";
    if (w->load)
        spec->rate_per_min = 0;
    if (w->tokens && !read_tokens(w->tokens, spec))
        return "--tokens takes a number or a range, like 100-8000";
    if (w->style && !ob_sim_style_read(w->style, &spec->style))
        return "--style takes gemini, openai or silent";
    if (w->window && !ob_sim_window_read(w->window, &spec->window))
        return "--window takes rolling, fixed or bucket";
    if (w->find && !w->rate)
        return "--find needs --rate: the requests a minute that must be served";
    /* OpenAI's way counts what may come out as well: up to 1000. */
    uint64_t largest = (uint64_t)spec->tokens_max + 1000;
    if (spec->tpm && spec->tpm < largest)
        return "--tpm must have room for the largest request of --tokens and "
               "an answer of 1000";
    return NULL;
}

/* ---- runs ---- */

static void report(const wish *w, const ob_sim_spec *spec, bool table,
                   ob_sim_policy policy)
{
    ob_sim_result result;
    ob_sim_run(spec, policy, &result);
    if (w->json)
        ob_sim_report_json(stdout, spec, policy, &result);
    else if (table)
        ob_sim_report_row(stdout, spec, policy, &result);
    else
        ob_sim_report_all(stdout, spec, policy, &result);
    fflush(stdout);
}

static int run_all(const wish *w)
{
    const ob_sim_spec *world;
    if (!w->json)
        ob_sim_report_head(stdout);
    for (size_t i = 0; (world = ob_sim_world_at(i)); i++) {
        ob_sim_spec spec = *world;
        const char *wrong = take(w, &spec);
        if (wrong)
            return usage_error(wrong);
        report(w, &spec, true, OB_SIM_CORE);
        report(w, &spec, true, OB_SIM_BASELINE);
    }
    if (!w->json)
        puts("\n\"of it\": of what was possible. \"true RA\": who came back "
             "when told was served.\n\"bench\": keys in a long rest that they "
             "did not deserve. \"kept\": follow-ups on\ntheir key.");
    return OB_EXIT_OK;
}

static int find(const wish *w, ob_sim_spec *spec)
{
    uint32_t keys = ob_sim_find_keys(spec, ENOUGH);
    if (!keys) {
        fprintf(stderr, "%d keys are not enough.\n", OB_SIM_KEYS_MAX);
        return OB_EXIT_FAILED;
    }
    if (!w->json)
        printf("%u keys serve 99%% of %.0f requests a minute.\n\n", keys,
               spec->rate_per_min);
    spec->keys = keys;
    report(w, spec, false, OB_SIM_CORE);
    return OB_EXIT_OK;
}

static int run_one(const wish *w)
{
    ob_sim_spec spec = ob_sim_spec_default();
    if (w->world) {
        const ob_sim_spec *world = ob_sim_world_named(w->world);
        if (!world) {
            fputs("there is no such world; there are: all", stderr);
            for (size_t i = 0; (world = ob_sim_world_at(i)); i++)
                fprintf(stderr, ", %s", world->name);
            return usage_error("");
        }
        spec = *world;
    }
    const char *wrong = take(w, &spec);
    if (wrong)
        return usage_error(wrong);
    if (w->find)
        return find(w, &spec);
    report(w, &spec, false, OB_SIM_CORE);
    if (w->baseline)
        report(w, &spec, false, OB_SIM_BASELINE);
    return OB_EXIT_OK;
}

int ob_simulate_command(int argc, char **argv)
{
    wish w = {0};
    const ob_option options[] = {
        {.name = "keys",
         .value = "N",
         .help = "how many (50)",
         .number = &w.keys,
         .min = 1,
         .max = OB_SIM_KEYS_MAX},
        {.name = "rpm",
         .value = "N",
         .help = "requests a minute of each (10)",
         .number = &w.rpm,
         .min = 1,
         .max = 100000},
        {.name = "rpd",
         .value = "N",
         .help = "requests a day of each (no limit); plays a whole day",
         .number = &w.rpd,
         .min = 1,
         .max = 10000000},
        {.name = "tpm",
         .value = "N",
         .help = "tokens a minute of each (no limit)",
         .number = &w.tpm,
         .min = 1,
         .max = 1000000000},
        {.name = "tokens",
         .value = "MIN-MAX",
         .help = "size of a request (200-2000)",
         .text = &w.tokens},
        {.name = "style",
         .value = "STYLE",
         .help = "what a 429 tells: gemini, openai, silent",
         .text = &w.style},
        {.name = "window",
         .value = "KIND",
         .help = "how a minute is counted: rolling, fixed, bucket",
         .text = &w.window},
        {.name = "rate",
         .value = "N",
         .help = "requests a minute that callers send",
         .number = &w.rate,
         .min = 1,
         .max = 10000000},
        {.name = "load",
         .value = "SHARE",
         .help = "the same as a share of what the keys carry (0.9)",
         .text = &w.load},
        {.name = "minutes",
         .value = "N",
         .help = "how long (30)",
         .number = &w.minutes,
         .min = 1,
         .max = OB_SIM_MINUTES_MAX},
        {.name = "seed",
         .value = "N",
         .help = "another course of luck (1)",
         .number = &w.seed,
         .min = 1,
         .max = UINT64_MAX},
        {.name = "find",
         .help = "the smallest number of keys that serves 99%",
         .flag = &w.find},
        {.name = "baseline",
         .help = "what One Balance's policy would do, too",
         .flag = &w.baseline},
        {.name = "json", .help = "one JSON object a run", .flag = &w.json},
    };
    const ob_usage usage = {
        .synopsis = "one-balance simulate [WORLD] [options]",
        .about = about,
        .options = options,
        .option_count = OB_LEN(options),
        .arguments_max = 1,
    };
    ob_arguments arguments;
    int exit_code = OB_EXIT_OK;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (arguments.count)
        w.world = arguments.list[0];
    if (w.world && strcmp(w.world, "all") == 0)
        return run_all(&w);
    return run_one(&w);
}
