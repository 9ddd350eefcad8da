/*
 * probe.h - one cheap call with one key, to see whether it lives, or for what
 * it is answered. Pure.
 */
#ifndef OB_PROBE_H
#define OB_PROBE_H

#include "route.h"
#include "verdict.h"

/* So much of an answer is judged. */
#define OB_PROBE_BODY_BYTES_MAX ((size_t)64 * 1024)

/*
 * The provider's cheapest call, as a caller would make it, or with another
 * query (without '?'; NULL: its own). Points into the arena and the secret.
 * OB_INVALID: the provider has no call that would do.
 */
OB_MUST_USE ob_status ob_probe_request(const ob_config *config,
                                       const ob_provider *provider,
                                       const ob_slice *query,
                                       const ob_secret *secret, ob_arena *arena,
                                       ob_upstream_request *request);

/* What its answer says of the key. */
ob_verdict ob_probe_judge(const ob_provider *provider, int status,
                          const ob_header *headers, size_t header_count,
                          ob_slice body, int64_t now_ms);
/* The same where there was none. */
ob_verdict ob_probe_failed(ob_reason reason);

#endif
