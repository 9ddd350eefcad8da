/* sums.c - what requests come to. */
#include "sums.h"

/* ---- times: four buckets an octave ---- */

size_t log_bucket(int64_t ms)
{
    size_t octave = 0;
    if (ms < 4)
        return ms < 0 ? 0 : (size_t)ms;
    while (ms >> (octave + 3))
        octave++;
    size_t bucket = 4 * (octave + 1) + (size_t)(ms >> octave & 3);
    return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* The middle of a bucket. */
static int64_t bucket_ms(size_t bucket)
{
    if (bucket < 4)
        return (int64_t)bucket;
    size_t octave = bucket / 4 - 1;
    int64_t low = (int64_t)(4 + bucket % 4) << octave;
    return low + ((int64_t)1 << octave) / 2;
}

int64_t log_percentile(const uint32_t counts[HIST_BUCKETS], unsigned permille)
{
    uint64_t all = 0;
    uint64_t below = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        all += counts[i];
    for (size_t i = 0; all && i < HIST_BUCKETS; i++) {
        below += counts[i];
        if (below * 1000 >= all * permille)
            return bucket_ms(i);
    }
    return -1;
}

/* ---- sums ---- */

void log_sums_cause(log_sums *sums, int64_t name, int64_t count)
{
    for (size_t i = 0; i < sums->cause_count; i++) {
        if (sums->causes[i].name != name)
            continue;
        sums->causes[i].count += count;
        return;
    }
    if (sums->cause_count < CAUSES_MAX)
        sums->causes[sums->cause_count++] = (log_cause){name, count};
}

void log_numbers_add(log_numbers *numbers, const log_numbers *other)
{
    for (size_t i = 0; i < SUMS; i++)
        numbers->sums[i] += other->sums[i];
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        numbers->first_byte[i] += other->first_byte[i];
        numbers->total[i] += other->total[i];
    }
}

void log_sums_add(log_sums *sums, const log_sums *other)
{
    log_numbers_add(&sums->n, &other->n);
    for (size_t i = 0; i < other->cause_count; i++)
        log_sums_cause(sums, other->causes[i].name, other->causes[i].count);
}

/* ---- one request ---- */

/* What a cause is called in memory, where names have no numbers yet. */
static int64_t code_of(bool verdict, bool fault, int number)
{
    return number * 4 + fault * 2 + verdict;
}

static void count_causes(log_sums *sums, const ob_entry *entry)
{
    for (size_t i = 0; i < entry->kept; i++)
        log_sums_cause(sums,
                       code_of(true, false, (int)entry->attempts[i].action), 1);
    if (!ob_entry_error(entry).len)
        return;
    bool fault = entry->fault != OB_FAULT_NONE || !entry->kept;
    int number = (int)entry->fault;
    if (fault && entry->fault == OB_FAULT_NONE)
        number = (int)ob_fault_of_status(entry->status);
    if (!fault)
        number = (int)entry->attempts[entry->kept - 1].reason;
    if (!fault && number == (int)OB_REASON_OK)
        number = (int)OB_REASON_PROVIDER_ERROR;
    log_sums_cause(sums, code_of(false, fault, number), 1);
}

ob_slice log_cause_text(int64_t code)
{
    int number = (int)(code / 4);
    if (code & 1)
        return ob_slice_str(ob_action_slug((ob_action)number));
    return ob_slice_str(code & 2 ? ob_fault_slug((ob_fault)number)
                                 : ob_reason_slug((ob_reason)number));
}

bool log_cause_is_verdict(int64_t code)
{
    return code & 1;
}

static int64_t or_none(int64_t number)
{
    return number > 0 ? number : 0;
}

void log_sums_count(log_sums *sums, const ob_entry *entry)
{
    int64_t *s = sums->n.sums;
    s[0]++;
    s[1] += !ob_entry_error(entry).len;
    s[2] += entry->attempt_count;
    s[3] += or_none(entry->usage.input);
    s[4] += or_none(entry->usage.output);
    s[5] += or_none(entry->usage.cached);
    s[6] += or_none(entry->usage.reasoning);
    s[7] += or_none(entry->cost);
    if (entry->first_byte_ms >= 0)
        sums->n.first_byte[log_bucket(entry->first_byte_ms)]++;
    sums->n.total[log_bucket(entry->ended_ms - entry->at_ms)]++;
    count_causes(sums, entry);
}
