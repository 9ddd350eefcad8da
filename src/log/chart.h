/*
 * chart.h - sums of groups over time, as /admin/api/stats tells them.
 *
 * Who reads the log shows it what there is: first the requests of each group,
 * where there are groups, so that the largest are told apart; then the sums.
 *
 * Groups are numbers: a key's id, or what `text` tells.
 */
#ifndef OB_LOG_CHART_H
#define OB_LOG_CHART_H

#include "sums.h"

typedef struct log_chart log_chart;

/* The text of a group or of a cause's name; empty: it has none. */
typedef ob_slice (*log_chart_text)(void *context, int64_t name);

/* NULL: no memory. The query outlives it. */
log_chart *log_chart_new(const ob_log_stats_query *query, log_chart_text text,
                         void *context);
/* NULL is harmless. */
void log_chart_free(log_chart *chart);

/* Counts requests of a group. False: no memory. */
OB_MUST_USE bool log_chart_rank(log_chart *chart, int64_t group,
                                int64_t requests);
/* All have been counted. */
void log_chart_choose(log_chart *chart);
/* Where a group's sums of a time belong; quickest in the order of time. NULL:
 * no memory. */
log_numbers *log_chart_at(log_chart *chart, int64_t group, int64_t time_s);
/* Its causes are those of all groups. */
log_sums *log_chart_total(log_chart *chart);
/* Appends the object. */
void log_chart_write(log_chart *chart, ob_buffer *out);

#endif
