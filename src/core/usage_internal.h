/*
 * usage_internal.h - what the files of the usage watch share; private to them.
 *
 *   usage.c       pieces, lines of a stream, what the counts amount to
 *   usage_scan.c  JSON as it passes: where we are in it, which names count
 */
#ifndef OB_USAGE_INTERNAL_H
#define OB_USAGE_INTERNAL_H

#include "usage.h"

/* Every name of a count that is looked for in a stream ends with "okens",
 * "okenCount" or "oken_count"; usage.c leaves out the lines without one. */
void ob_usage_scan(ob_usage_watch *watch, const char *at, const char *end);

/* Forgets where we are, not what was counted. */
void ob_usage_scan_reset(ob_usage_watch *watch);

#endif
