/*
 * skim.h - looking through much text for little, at the pace of memchr.
 */
#ifndef OB_SKIM_H
#define OB_SKIM_H

#include "base/base.h"

/*
 * Index of the first place from `from` on where `a` stands right before `b` or
 * `c`, or OB_NOWHERE. Two bytes that seldom meet make a filter: memmem over
 * JSON costs ten times as much.
 */
size_t ob_skim_pair(ob_slice s, size_t from, char a, char b, char c);

/* The first of `"{}[]` between `at` and `end`, or `end`. */
const char *ob_skim_bracket(const char *at, const char *end);

/* The first line end (LF or CR) between `at` and `end`, or `end`. */
const char *ob_skim_line(const char *at, const char *end);

/* Behind the last line end between `at` and `end`, or `at`. */
const char *ob_skim_last_line(const char *at, const char *end);

/*
 * The end of the JSON string whose inside goes on at `at`: behind its closing
 * quote, or `end` when that is not there. `*odd`: an odd number of backslashes
 * stands right before `at`, and before the end that is returned when the
 * string goes on; *closed says which. Each escaped quote is one of `*quotes`;
 * with none left the string is given up, as if `end` were reached. Without
 * `quotes` there may be any number, and text that is full of them costs less.
 */
const char *ob_skim_string(const char *at, const char *end, size_t *quotes,
                           bool *odd, bool *closed);

#endif
