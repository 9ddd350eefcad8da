#include "report.h"

#include <inttypes.h>

const char *ob_sim_policy_name(ob_sim_policy policy)
{
    return policy == OB_SIM_CORE ? "core" : "baseline";
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

/* ---- the table ---- */

void ob_sim_report_head(FILE *out)
{
    fprintf(out, "%-9s %-8s %8s %8s %8s %7s %8s %7s %7s %7s %6s %5s %6s\n",
            "world", "policy", "offered", "possible", "served", "of it",
            "attempts", "refused", "at once", "true RA", "errors", "bench",
            "kept");
}

/* A share where there was anything, else a dash. */
static void print_share(FILE *out, int width, uint64_t part, uint64_t whole)
{
    if (whole)
        fprintf(out, " %*.1f%%", width - 1, percent(part, whole));
    else
        fprintf(out, " %*s", width, "-");
}

void ob_sim_report_row(FILE *out, const ob_sim_spec *spec, ob_sim_policy policy,
                       const ob_sim_result *r)
{
    fprintf(out,
            "%-9s %-8s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6.2f%% %8.3f"
            " %7" PRIu64,
            spec->name, ob_sim_policy_name(policy), r->offered, r->possible,
            r->served, 100 * ob_sim_served_share(r), ob_sim_attempts_each(r),
            r->refused);
    print_share(out, 7, r->refused_at_once, r->refused);
    print_share(out, 7, r->returned_served, r->returned);
    fprintf(out, " %6" PRIu64 " %5u", r->errors_total, r->keys_undeserved);
    print_share(out, 6, r->follow_ups_kept, r->follow_ups);
    fputc('\n', out);
}

/* ---- all of one ---- */

static void print_errors(FILE *out, const ob_sim_result *r)
{
    for (size_t i = 0; i < OB_SIM_STATUSES_MAX && r->errors[i].status; i++)
        fprintf(out, "%s%" PRIu64 " with %d", i ? ", " : "", r->errors[i].count,
                r->errors[i].status);
    if (!r->errors_total)
        fputs("none", out);
    fputc('\n', out);
}

static void print_refusals(FILE *out, const ob_sim_result *r)
{
    fprintf(out, "refused with Retry-After %" PRIu64, r->refused);
    if (r->refused)
        fprintf(out, ", %.1f%% at once",
                percent(r->refused_at_once, r->refused));
    if (r->returned)
        fprintf(out, "; of %" PRIu64 " who came back when told %.1f%% served",
                r->returned, percent(r->returned_served, r->returned));
    fputc('\n', out);
}

void ob_sim_report_all(FILE *out, const ob_sim_spec *spec, ob_sim_policy policy,
                       const ob_sim_result *r)
{
    fprintf(out, "%s, %s%s%s\n", spec->name, ob_sim_policy_name(policy),
            spec->about[0] ? ": " : "", spec->about);
    fprintf(
        out,
        "  %u keys that could carry %.0f a minute (%s, %s), asked for %.0f; "
        "%u minutes, seed %" PRIu64 "\n",
        spec->keys, r->capacity_per_min, ob_sim_style_name(spec->style),
        ob_sim_window_name(spec->window), r->rate_per_min, spec->minutes,
        spec->seed);
    fprintf(out,
            "  offered %" PRIu64 ", possible %" PRIu64
            " (never more than %" PRIu64 ")\n",
            r->offered, r->possible, r->possible_max);
    fprintf(out, "  served %" PRIu64 ": %.2f%% of what was possible\n",
            r->served, 100 * ob_sim_served_share(r));
    fprintf(out, "  attempts %" PRIu64 ": %.3f for each success\n", r->attempts,
            ob_sim_attempts_each(r));
    fprintf(out, "  wait %.2f s (half of the served), %.2f s (99%%)\n",
            seconds(r->wait_p50_ms), seconds(r->wait_p99_ms));
    fputs("  ", out);
    print_refusals(out, r);
    fputs("  errors ", out);
    print_errors(out, r);
    fprintf(out,
            "  where the bound served: %" PRIu64 " errors, %" PRIu64
            " refusals\n",
            r->errors_needless, r->refused_needless);
    fprintf(out, "  keys in a long rest %u, undeserved %u\n",
            r->keys_long_rested, r->keys_undeserved);
    if (r->keys_sharing || r->keys_misjoined)
        fprintf(out,
                "  keys that share an account %u, found %u; wrongly counted "
                "as one %u\n",
                r->keys_sharing, r->keys_joined, r->keys_misjoined);
    if (r->follow_ups)
        fprintf(out, "  follow-ups %" PRIu64 ", on their key %.1f%%\n",
                r->follow_ups, percent(r->follow_ups_kept, r->follow_ups));
}

/* ---- JSON ---- */

static void json_errors(FILE *out, const ob_sim_result *r)
{
    fputs("\"errors\":{", out);
    for (size_t i = 0; i < OB_SIM_STATUSES_MAX && r->errors[i].status; i++)
        fprintf(out, "%s\"%d\":%" PRIu64, i ? "," : "", r->errors[i].status,
                r->errors[i].count);
    fprintf(out,
            "},\"errors_needless\":%" PRIu64 ",\"refused_needless\":%" PRIu64
            ",",
            r->errors_needless, r->refused_needless);
}

void ob_sim_report_json(FILE *out, const ob_sim_spec *spec,
                        ob_sim_policy policy, const ob_sim_result *r)
{
    fprintf(out,
            "{\"world\":\"%s\",\"policy\":\"%s\",\"seed\":%" PRIu64
            ",\"keys\":%u,\"style\":\"%s\",\"window\":\"%s\",\"minutes\":%u,"
            "\"capacity_per_min\":%.2f,\"rate_per_min\":%.2f,",
            spec->name, ob_sim_policy_name(policy), spec->seed, spec->keys,
            ob_sim_style_name(spec->style), ob_sim_window_name(spec->window),
            spec->minutes, r->capacity_per_min, r->rate_per_min);
    fprintf(out,
            "\"offered\":%" PRIu64 ",\"possible\":%" PRIu64
            ",\"possible_max\":%" PRIu64 ",\"served\":%" PRIu64
            ",\"served_share\":%.6f,\"attempts\":%" PRIu64
            ",\"attempts_each\":%.6f,",
            r->offered, r->possible, r->possible_max, r->served,
            ob_sim_served_share(r), r->attempts, ob_sim_attempts_each(r));
    fprintf(out,
            "\"refused\":%" PRIu64 ",\"refused_at_once\":%" PRIu64
            ",\"returned\":%" PRIu64 ",\"returned_served\":%" PRIu64 ",",
            r->refused, r->refused_at_once, r->returned, r->returned_served);
    json_errors(out, r);
    fprintf(out,
            "\"wait_p50_ms\":%" PRId64 ",\"wait_p99_ms\":%" PRId64
            ",\"follow_ups\":%" PRIu64 ",\"follow_ups_kept\":%" PRIu64
            ",\"keys_long_rested\":%u,\"keys_undeserved\":%u"
            ",\"keys_sharing\":%u,\"keys_joined\":%u,\"keys_misjoined\":%u}\n",
            r->wait_p50_ms, r->wait_p99_ms, r->follow_ups, r->follow_ups_kept,
            r->keys_long_rested, r->keys_undeserved, r->keys_sharing,
            r->keys_joined, r->keys_misjoined);
}
