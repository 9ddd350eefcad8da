/*
 * format.c - as much of snprintf() as the code that both shells share uses:
 * %s, %.*s, %d, %u, %lld, %llu, %zu and %%. The C library's own would bring
 * stdio with it, and so imports.
 */
#include <stdarg.h>
#include <stdio.h>

#include "../src/core/base/base.h"

typedef struct text {
    char *out;
    size_t size;
    size_t len; /* of all, be there room or not */
} text;

static void add(text *to, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++, to->len++)
        if (to->len + 1 < to->size)
            to->out[to->len] = bytes[i];
}

static void add_number(text *to, uint64_t number, bool minus)
{
    char digits[20];
    if (minus)
        add(to, "-", 1);
    add(to, digits, ob_write_u64(digits, minus ? 0 - number : number));
}

static void add_string(text *to, const char *string, int most)
{
    size_t len = 0;
    while ((most < 0 || len < (size_t)most) && string[len])
        len++;
    add(to, string, len);
}

/* What stands behind a '%'; gives how much of `format` it was. */
static size_t convert(text *to, const char *format, va_list *arguments)
{
    ob_slice rest = ob_slice_str(format);
    if (*format == '%') {
        add(to, "%", 1);
        return 1;
    }
    if (*format == 's') {
        add_string(to, va_arg(*arguments, const char *), -1);
        return 1;
    }
    if (ob_slice_starts(rest, OB_S(".*s"))) {
        int most = va_arg(*arguments, int);
        add_string(to, va_arg(*arguments, const char *), most);
        return 3;
    }
    if (*format == 'd') {
        int number = va_arg(*arguments, int);
        add_number(to, (uint64_t)(int64_t)number, number < 0);
        return 1;
    }
    if (*format == 'u') {
        add_number(to, va_arg(*arguments, unsigned), false);
        return 1;
    }
    if (ob_slice_starts(rest, OB_S("zu"))) {
        add_number(to, va_arg(*arguments, size_t), false);
        return 2;
    }
    if (ob_slice_starts(rest, OB_S("llu"))) {
        add_number(to, va_arg(*arguments, unsigned long long), false);
        return 3;
    }
    OB_ASSERT(ob_slice_starts(rest, OB_S("lld")));
    long long number = va_arg(*arguments, long long);
    add_number(to, (uint64_t)number, number < 0);
    return 3;
}

int vsnprintf(char *out, size_t size, const char *format, va_list arguments)
{
    text to = {out, size, 0};
    va_list own;
    va_copy(own, arguments);
    while (*format) {
        if (*format++ == '%')
            format += convert(&to, format, &own);
        else
            add(&to, format - 1, 1);
    }
    va_end(own);
    if (size)
        out[to.len < size ? to.len : size - 1] = 0;
    return (int)to.len;
}

int snprintf(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    return len;
}
