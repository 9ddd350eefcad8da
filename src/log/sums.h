/*
 * sums.h - what requests come to: counts, tokens, costs, times, causes.
 *
 * Pure. Everything in it adds up, so that any span and group can be told from
 * the sums of smaller ones.
 */
#ifndef OB_LOG_SUMS_H
#define OB_LOG_SUMS_H

#include "log.h"

#define HIST_BUCKETS 88
#define SUMS         8 /* requests, ok, attempts, tokens ×4, cost */
#define CAUSES_MAX   32

typedef struct log_cause {
    int64_t name; /* ×2, +1: a verdict */
    int64_t count;
} log_cause;

typedef struct log_numbers {
    int64_t sums[SUMS];
    uint32_t first_byte[HIST_BUCKETS];
    uint32_t total[HIST_BUCKETS];
} log_numbers;

/* Sums of requests that are alike. */
typedef struct log_sums {
    log_numbers n;
    log_cause causes[CAUSES_MAX];
    size_t cause_count;
} log_sums;

size_t log_bucket(int64_t ms);
/* The time below which a share (per mille) of them lies; -1: there are none. */
int64_t log_percentile(const uint32_t counts[HIST_BUCKETS], unsigned permille);
void log_numbers_add(log_numbers *numbers, const log_numbers *other);
void log_sums_cause(log_sums *sums, int64_t name, int64_t count);
/* The same with causes. */
void log_sums_add(log_sums *sums, const log_sums *other);
/* Counts a request; its causes by their codes. */
void log_sums_count(log_sums *sums, const ob_entry *entry);
/* A code's text, and whether it is a verdict's or an error's. */
ob_slice log_cause_text(int64_t code);
bool log_cause_is_verdict(int64_t code);

#endif
