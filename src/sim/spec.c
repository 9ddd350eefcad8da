#include "spec.h"

#include <string.h>

#include "../core/base/base.h"

/* 2026-07-01 08:00 in Los Angeles. */
#define MORNING_MS 1782918000000LL

/* What all worlds have alike. */
#define COMMON                                                                 \
    .seed = 1, .start_ms = MORNING_MS, .callers = 3, .return_share = 0.1,      \
    .service_ms_min = 300, .service_ms_max = 5000, .latency_ms_min = 20,       \
    .queue_ms = 10000, .attempts_max = 30
#define USUAL COMMON, .latency_ms_max = 80
#define KEYS(count, min, max)                                                  \
    .keys = (count), .rpm_min = (min), .rpm_max = (max)
#define SIZES(min, max) .tokens_min = (min), .tokens_max = (max)
/* 50 keys of 10 requests a minute, for half an hour. */
#define SIMPLE USUAL, KEYS(50, 10, 10), SIZES(200, 2000), .minutes = 30

static const ob_sim_spec worlds[] = {
    {SIMPLE, .name = "half", .about = "50 keys of 10 a minute, load 0.5",
     .load = 0.5},
    {SIMPLE, .name = "busy", .about = "the same, load 0.9", .load = 0.9},
    {SIMPLE, .name = "full", .about = "the same, load 0.95", .load = 0.95},
    {SIMPLE, .name = "overload", .about = "the same, load 1.2", .load = 1.2},
    {COMMON, .latency_ms_max = 500, KEYS(50, 10, 10), SIZES(200, 2000),
     .name = "far", .about = "the same, 20 to 500 ms away, load 1.2",
     .load = 1.2, .minutes = 30},
    {USUAL, KEYS(20, 2, 60), SIZES(200, 2000), .name = "mixed",
     .about = "2 to 60 a minute, half of the days used up at noon",
     .load = 0.45, .day_share = 0.5, .day_until_minutes = 240, .minutes = 420},
    {SIMPLE, .name = "shared",
     .about = "30% of the keys share accounts in threes, load 0.8", .load = 0.8,
     .shared_share = 0.3, .shared_keys = 3},
    {SIMPLE, .name = "shared95", .about = "the same, load 0.95", .load = 0.95,
     .shared_share = 0.3, .shared_keys = 3},
    {SIMPLE, .name = "shared120", .about = "the same, load 1.2", .load = 1.2,
     .shared_share = 0.3, .shared_keys = 3},
    {SIMPLE, .name = "pairs", .about = "all share in pairs, load 0.95",
     .load = 0.95, .shared_share = 1, .shared_keys = 2},
    {USUAL, KEYS(50, 10, 10), SIZES(200, 2000), .name = "tens",
     .about = "all share in tens, load 0.95", .load = 0.95, .shared_share = 1,
     .shared_keys = 10, .minutes = 240},
    {USUAL, KEYS(20, 60, 60), SIZES(100, 100000), .name = "tokens",
     .about = "250,000 tokens a minute, requests of 100 to 100,000, load 0.9",
     .tpm = 250000, .load = 0.9, .minutes = 30},
    {SIMPLE, .name = "trouble",
     .about = "a tenth revoked, each 3 min 30% answer 503 for 30 s, load 0.5",
     .load = 0.5, .revoked_share = 0.1, .burst_every_s = 180, .burst_s = 30,
     .burst_share = 0.3},
    {SIMPLE, .name = "talk", .about = "conversations, load 0.7", .load = 0.7,
     .conversation_share = 1, .turns = 6, .think_ms = 20000},
    {SIMPLE, .name = "change",
     .about = "limits halve or double after a quarter hour, load 0.7",
     .load = 0.7, .change_factor = 0.5},
};

ob_sim_spec ob_sim_spec_default(void)
{
    ob_sim_spec spec = worlds[0];
    spec.name = "yours";
    spec.about = "";
    spec.load = 0.9;
    return spec;
}

const ob_sim_spec *ob_sim_world_at(size_t index)
{
    return index < OB_LEN(worlds) ? &worlds[index] : NULL;
}

const ob_sim_spec *ob_sim_world_named(const char *name)
{
    for (size_t i = 0; i < OB_LEN(worlds); i++)
        if (strcmp(worlds[i].name, name) == 0)
            return &worlds[i];
    return NULL;
}

static const char *const styles[] = {"gemini", "openai", "silent"};
static const char *const windows[] = {"rolling", "fixed", "bucket"};

static bool find(const char *const *names, size_t count, const char *text,
                 size_t *index)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0) {
            *index = i;
            return true;
        }
    return false;
}

bool ob_sim_style_read(const char *text, ob_sim_style *style)
{
    size_t index;
    if (!find(styles, OB_LEN(styles), text, &index))
        return false;
    *style = (ob_sim_style)index;
    return true;
}

bool ob_sim_window_read(const char *text, ob_sim_window *window)
{
    size_t index;
    if (!find(windows, OB_LEN(windows), text, &index))
        return false;
    *window = (ob_sim_window)index;
    return true;
}

const char *ob_sim_style_name(ob_sim_style style)
{
    return styles[style];
}

const char *ob_sim_window_name(ob_sim_window window)
{
    return windows[window];
}
