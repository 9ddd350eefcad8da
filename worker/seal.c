/*
 * seal.c - src/store/seal.h in a Worker: the shell seals and opens
 * (journal.h); fingerprints are computed here.
 *
 * What is not there yet is a blank: zeros of the right length.
 */
#include "../src/store/seal.h"

#include "journal.h"

#include "../src/core/authkey.h"
#include "../src/core/base/secret.h"
#include "../src/core/dialect/json.h"

#define BLOCK_BYTES 64
/* Provider, NUL and key. */
#define MESSAGE_BYTES_MAX (128 + 1 + 4096)

struct ob_sealer {
    uint8_t fingerprint_key[OB_MASTER_BYTES];
};

/* HMAC-SHA-256, RFC 2104; a key is no longer than a block. */
static void hmac(const uint8_t key[OB_MASTER_BYTES], ob_slice message,
                 uint8_t out[OB_FINGERPRINT_BYTES])
{
    char inner[BLOCK_BYTES + MESSAGE_BYTES_MAX] = {0};
    char outer[BLOCK_BYTES + OB_FINGERPRINT_BYTES] = {0};
    OB_ASSERT(message.len <= MESSAGE_BYTES_MAX);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        uint8_t byte = i < OB_MASTER_BYTES ? key[i] : 0;
        inner[i] = (char)(byte ^ 0x36);
        outer[i] = (char)(byte ^ 0x5c);
    }
    memcpy(inner + BLOCK_BYTES, message.ptr, message.len);
    ob_sha256(ob_slice_make(inner, BLOCK_BYTES + message.len),
              (uint8_t *)outer + BLOCK_BYTES);
    ob_sha256(ob_slice_make(outer, sizeof(outer)), out);
    ob_wipe(inner, BLOCK_BYTES + message.len);
    ob_wipe(outer, sizeof(outer));
}

ob_sealer *ob_sealer_new(const uint8_t master[OB_MASTER_BYTES])
{
    ob_sealer *sealer = calloc(1, sizeof(*sealer));
    if (sealer)
        hmac(master, OB_S("one-balance fingerprint 1"),
             sealer->fingerprint_key);
    return sealer;
}

void ob_sealer_free(ob_sealer *sealer)
{
    if (sealer)
        ob_wipe(sealer, sizeof(*sealer));
    free(sealer);
}

ob_status ob_fingerprint(ob_sealer *sealer, ob_slice provider, ob_slice secret,
                         uint8_t out[OB_FINGERPRINT_BYTES])
{
    char message[MESSAGE_BYTES_MAX];
    size_t len = provider.len + 1 + secret.len;
    if (len > sizeof(message))
        return OB_LIMIT;
    memcpy(message, provider.ptr, provider.len);
    message[provider.len] = 0;
    memcpy(message + provider.len + 1, secret.ptr, secret.len);
    hmac(sealer->fingerprint_key, ob_slice_make(message, len), out);
    ob_wipe(message, len);
    return OB_OK;
}

/* `what` is the name of `bytes`, which is text or, for the sealed, hex. */
static ob_status ask(edge_kind kind, ob_slice bytes, ob_slice additional,
                     yyjson_val **result)
{
    ob_buffer text = {0};
    ob_slice why;
    if (!edge_journal_running)
        return OB_CLOSED;
    /* All at once: what is reallocated on the way is not wiped. */
    if (ob_buffer_reserve(&text, 6 * bytes.len + 2 * additional.len + 64))
        return OB_NO_MEMORY;
    if (kind == EDGE_SEAL) {
        ob_buffer_append_str(&text, "{\"secret\":");
        ob_buffer_append_json(&text, bytes);
    } else {
        ob_buffer_append_str(&text, "{\"sealed\":\"");
        edge_append_hex(&text, bytes);
        ob_buffer_append_char(&text, '"');
    }
    ob_buffer_append_str(&text, ",\"place\":\"");
    edge_append_hex(&text, additional);
    ob_buffer_append_str(&text, "\"}");
    ob_status status = edge_ask(edge_journal_running, kind,
                                ob_buffer_slice(&text), result, &why);
    ob_wipe(text.data, text.capacity);
    ob_buffer_deinit(&text);
    return status;
}

ob_status ob_seal(ob_sealer *sealer, ob_slice secret, ob_slice additional,
                  uint8_t *out)
{
    yyjson_val *sealed = NULL;
    ob_status status = ask(EDGE_SEAL, secret, additional, &sealed);
    if (status == OB_AGAIN) {
        memset(out, 0, secret.len + OB_SEAL_OVERHEAD);
        return OB_OK;
    }
    if (status != OB_OK)
        return status;
    status =
        edge_read_hex(ob_json_text(sealed), out, secret.len + OB_SEAL_OVERHEAD);
    return status == OB_OK ? OB_OK : OB_IO;
}

ob_status ob_unseal(ob_sealer *sealer, ob_slice sealed, ob_slice additional,
                    char *out)
{
    yyjson_val *opened = NULL;
    if (sealed.len < OB_SEAL_OVERHEAD)
        return OB_INVALID;
    size_t len = sealed.len - OB_SEAL_OVERHEAD;
    ob_status status = ask(EDGE_UNSEAL, sealed, additional, &opened);
    if (status == OB_AGAIN) {
        memset(out, 0, len);
        return OB_OK;
    }
    if (status != OB_OK)
        return status;
    ob_slice secret = ob_json_text(opened);
    if (!yyjson_is_str(opened) || secret.len != len)
        return OB_INVALID;
    memcpy(out, secret.ptr, len);
    return OB_OK;
}
