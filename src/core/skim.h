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

#define OB_SKIM_NESTED_BYTES 64

/*
 * Passes over what stands inside of `*open` brackets of JSON, from outside of a
 * string, by whole blocks of OB_SKIM_NESTED_BYTES and up to: one that closes
 * the last bracket, one with a backslash, one in the midst of a long string, or
 * the end. `*open` is kept right, `*in_string`: a string goes on where it
 * stops. Passes nothing where the machine lacks the instructions; what follows
 * must know how to go on by the byte anyway.
 */
const char *ob_skim_nested(const char *at, const char *end, uint32_t *open,
                           bool *in_string);

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
