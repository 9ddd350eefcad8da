/*
 * seal.h - secrets at rest: AES-256-GCM and keyed fingerprints.
 *
 *   sealed ─▶ [ version 1 | nonce 12 | ciphertext | tag 16 ]
 *
 * Two keys are derived from the master key, one to seal and one for
 * fingerprints, so that neither use weakens the other. A sealed secret is
 * bound to its place by the additional data: moved to another row it does not
 * open.
 *
 * Threading: a sealer belongs to one thread at a time.
 */
#ifndef OB_SEAL_H
#define OB_SEAL_H

#include "../core/base/base.h"

#define OB_MASTER_BYTES      32
#define OB_FINGERPRINT_BYTES 32
/* A sealed secret is this much longer than the secret. */
#define OB_SEAL_OVERHEAD 29

typedef struct ob_sealer ob_sealer;

/* NULL when memory is out or the library refuses the algorithms. */
ob_sealer *ob_sealer_new(const uint8_t master[OB_MASTER_BYTES]);
/* Wipes the keys; NULL is harmless. */
void ob_sealer_free(ob_sealer *sealer);

/* Seals with a fresh random nonce. `out` has secret.len + OB_SEAL_OVERHEAD
 * bytes. OB_IO: no randomness. */
OB_MUST_USE ob_status ob_seal(ob_sealer *sealer, ob_slice secret,
                              ob_slice additional, uint8_t *out);

/* Opens; `out` has sealed.len - OB_SEAL_OVERHEAD bytes. OB_INVALID: another
 * master key, other additional data, or damage; nothing is left in `out`. */
OB_MUST_USE ob_status ob_unseal(ob_sealer *sealer, ob_slice sealed,
                                ob_slice additional, char *out);

/* Recognises a secret of a provider without opening any. */
OB_MUST_USE ob_status ob_fingerprint(ob_sealer *sealer, ob_slice provider,
                                     ob_slice secret,
                                     uint8_t out[OB_FINGERPRINT_BYTES]);

/* Reads a master key: 64 hexadecimal digits or 44 characters of base64.
 * OB_INVALID: neither. */
OB_MUST_USE ob_status ob_master_parse(ob_slice text,
                                      uint8_t master[OB_MASTER_BYTES]);

#endif
