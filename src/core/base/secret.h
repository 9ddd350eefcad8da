/*
 * secret.h - bytes that must not leak: provider keys, auth keys, tokens.
 *
 * A type of its own, so that none is printed, logged or compared by
 * accident. Wiped when freed.
 */
#ifndef OB_SECRET_H
#define OB_SECRET_H

#include "base.h"

typedef struct ob_secret {
    char *bytes; /* owned; NUL behind len bytes */
    size_t len;
} ob_secret;

#define OB_MASK_MAX 16

/* Overwrites memory in a way that the compiler may not leave out. */
void ob_wipe(void *memory, size_t len);

/* Copies `s` into a secret of its own. */
OB_MUST_USE ob_status ob_secret_init(ob_secret *secret, ob_slice s);
/* Wipes and frees; harmless on a zeroed secret. */
void ob_secret_deinit(ob_secret *secret);

/* For the one place that writes it upstream or seals it. Valid as long as
 * the secret. */
static inline ob_slice ob_secret_reveal(const ob_secret *secret)
{
    return (ob_slice){secret->bytes, secret->len};
}

/* Equal or not, in a time that depends on the lengths only. */
bool ob_equal_constant_time(ob_slice a, ob_slice b);

/*
 * What people may see of a secret, "sk-a…wxyz": the first and the last four
 * characters where it has at least 16, less of a shorter one. Bytes that are
 * not printable ASCII become '?'. NUL-terminated UTF-8.
 */
void ob_secret_mask(ob_slice secret, char out[OB_MASK_MAX]);

#endif
