/*
 * message.h - error texts in a fixed room, for code that has no stdio.
 *
 * Every call appends and keeps the NUL at the end; what does not fit is left
 * out. Words from input are shown short and without control characters.
 */
#ifndef OB_MESSAGE_H
#define OB_MESSAGE_H

#include "base/base.h"

typedef struct ob_message {
    char *text; /* the caller's */
    size_t size;
    size_t len;
} ob_message;

/* An empty message in `size` bytes at `text`; `size` is at least 1. */
ob_message ob_message_make(char *text, size_t size);

void ob_message_str(ob_message *message, const char *text);
void ob_message_u64(ob_message *message, uint64_t value);
/* At most 80 bytes of `word`, control characters and bytes that are not ASCII
 * as '?'. */
void ob_message_plain(ob_message *message, ob_slice word);
/* The same in double quotes. */
void ob_message_word(ob_message *message, ob_slice word);
/* `; did you mean "nearest"?`, or nothing for an empty slice. */
void ob_message_nearest(ob_message *message, ob_slice nearest);

#endif
