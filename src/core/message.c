#include "message.h"

#define WORD_BYTES_MAX 80

ob_message ob_message_make(char *text, size_t size)
{
    OB_ASSERT(size > 0);
    text[0] = 0;
    return (ob_message){text, size, 0};
}

static void append(ob_message *message, ob_slice s)
{
    size_t room = message->size - 1 - message->len;
    size_t len = s.len < room ? s.len : room;
    if (len)
        memcpy(message->text + message->len, s.ptr, len);
    message->len += len;
    message->text[message->len] = 0;
}

void ob_message_str(ob_message *message, const char *text)
{
    append(message, ob_slice_str(text));
}

void ob_message_u64(ob_message *message, uint64_t value)
{
    char digits[20];
    append(message, ob_slice_make(digits, ob_write_u64(digits, value)));
}

void ob_message_plain(ob_message *message, ob_slice word)
{
    for (size_t i = 0; i < word.len && i < WORD_BYTES_MAX; i++) {
        bool plain = word.ptr[i] >= 0x20 && word.ptr[i] < 0x7f;
        append(message, plain ? ob_slice_make(word.ptr + i, 1) : OB_S("?"));
    }
    if (word.len > WORD_BYTES_MAX)
        ob_message_str(message, "...");
}

void ob_message_word(ob_message *message, ob_slice word)
{
    ob_message_str(message, "\"");
    ob_message_plain(message, word);
    ob_message_str(message, "\"");
}

void ob_message_nearest(ob_message *message, ob_slice nearest)
{
    if (!nearest.len)
        return;
    ob_message_str(message, "; did you mean ");
    ob_message_word(message, nearest);
    ob_message_str(message, "?");
}
