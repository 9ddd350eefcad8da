#include "seal.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "../core/base/secret.h"

#define VERSION     1
#define NONCE_BYTES 12
#define TAG_BYTES   16
#define HEAD_BYTES  (1 + NONCE_BYTES)

struct ob_sealer {
    uint8_t key[OB_MASTER_BYTES];
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *context;
    EVP_MAC_CTX *fingerprint;
};

static EVP_MAC_CTX *hmac_new(const uint8_t *key, size_t len)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                         (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (context && EVP_MAC_init(context, key, len, params) == 1)
        return context;
    EVP_MAC_CTX_free(context);
    return NULL;
}

static bool hmac_add(EVP_MAC_CTX *context, ob_slice part)
{
    return EVP_MAC_update(context, (const unsigned char *)part.ptr, part.len) ==
           1;
}

static bool hmac_end(EVP_MAC_CTX *context, uint8_t out[OB_FINGERPRINT_BYTES])
{
    size_t size = 0;
    return EVP_MAC_final(context, out, &size, OB_FINGERPRINT_BYTES) == 1 &&
           size == OB_FINGERPRINT_BYTES;
}

static bool derive(const uint8_t *master, ob_slice label,
                   uint8_t out[OB_MASTER_BYTES])
{
    EVP_MAC_CTX *context = hmac_new(master, OB_MASTER_BYTES);
    bool ok = context && hmac_add(context, label) && hmac_end(context, out);
    EVP_MAC_CTX_free(context);
    return ok;
}

ob_sealer *ob_sealer_new(const uint8_t master[OB_MASTER_BYTES])
{
    uint8_t key[OB_MASTER_BYTES];
    ob_sealer *sealer = calloc(1, sizeof(*sealer));
    if (!sealer)
        return NULL;
    bool ok = derive(master, OB_S("one-balance seal 1"), sealer->key) &&
              derive(master, OB_S("one-balance fingerprint 1"), key);
    if (ok)
        sealer->fingerprint = hmac_new(key, sizeof(key));
    ob_wipe(key, sizeof(key));
    sealer->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    sealer->context = EVP_CIPHER_CTX_new();
    if (sealer->fingerprint && sealer->cipher && sealer->context)
        return sealer;
    ob_sealer_free(sealer);
    return NULL;
}

void ob_sealer_free(ob_sealer *sealer)
{
    if (!sealer)
        return;
    EVP_MAC_CTX_free(sealer->fingerprint);
    EVP_CIPHER_CTX_free(sealer->context);
    EVP_CIPHER_free(sealer->cipher);
    ob_wipe(sealer, sizeof(*sealer));
    free(sealer);
}

static const unsigned char *bytes(ob_slice s)
{
    return (const unsigned char *)(s.len ? s.ptr : "");
}

ob_status ob_seal(ob_sealer *sealer, ob_slice secret, ob_slice additional,
                  uint8_t *out)
{
    EVP_CIPHER_CTX *context = sealer->context;
    uint8_t *nonce = out + 1;
    uint8_t *text = out + HEAD_BYTES;
    int size = 0;
    if (secret.len > INT32_MAX || additional.len > INT32_MAX)
        return OB_LIMIT;
    out[0] = VERSION;
    bool ok = RAND_bytes(nonce, NONCE_BYTES) == 1 &&
              EVP_EncryptInit_ex2(context, sealer->cipher, sealer->key, nonce,
                                  NULL) == 1 &&
              EVP_EncryptUpdate(context, NULL, &size, bytes(additional),
                                (int)additional.len) == 1 &&
              EVP_EncryptUpdate(context, text, &size, bytes(secret),
                                (int)secret.len) == 1 &&
              EVP_EncryptFinal_ex(context, text + secret.len, &size) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
                                  text + secret.len) == 1;
    return ok ? OB_OK : OB_IO;
}

ob_status ob_unseal(ob_sealer *sealer, ob_slice sealed, ob_slice additional,
                    char *out)
{
    EVP_CIPHER_CTX *context = sealer->context;
    int size = 0;
    if (sealed.len < OB_SEAL_OVERHEAD || sealed.len > INT32_MAX ||
        sealed.ptr[0] != VERSION)
        return OB_INVALID;
    size_t len = sealed.len - OB_SEAL_OVERHEAD;
    const unsigned char *nonce = bytes(sealed) + 1;
    const unsigned char *text = bytes(sealed) + HEAD_BYTES;
    uint8_t tag[TAG_BYTES];
    memcpy(tag, text + len, TAG_BYTES);
    unsigned char *opened = (unsigned char *)out;
    bool ok = EVP_DecryptInit_ex2(context, sealer->cipher, sealer->key, nonce,
                                  NULL) == 1 &&
              EVP_DecryptUpdate(context, NULL, &size, bytes(additional),
                                (int)additional.len) == 1 &&
              EVP_DecryptUpdate(context, opened, &size, text, (int)len) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
                                  tag) == 1 &&
              EVP_DecryptFinal_ex(context, opened + len, &size) == 1;
    if (ok)
        return OB_OK;
    ob_wipe(out, len);
    return OB_INVALID;
}

ob_status ob_fingerprint(ob_sealer *sealer, ob_slice provider, ob_slice secret,
                         uint8_t out[OB_FINGERPRINT_BYTES])
{
    EVP_MAC_CTX *context = sealer->fingerprint;
    /* Without a new key the context starts over with the one it has. The NUL
     * keeps "ab" + "c" apart from "a" + "bc": no slug holds one. */
    bool ok = EVP_MAC_init(context, NULL, 0, NULL) == 1 &&
              hmac_add(context, provider) &&
              hmac_add(context, ob_slice_make("", 1)) &&
              hmac_add(context, secret) && hmac_end(context, out);
    return ok ? OB_OK : OB_IO;
}
