/*
 * route.h - what a request asks for, and how it is written upstream.
 *
 *   request ─▶ ob_route_find ─▶ ob_route ─▶ per target: ob_route_upstream
 *
 * The model is found where the provider's rules say: in the path, the query,
 * the JSON body (scanned, no tree is built) or a multipart field. What the
 * permission check sees is what goes upstream: a body that names its model
 * twice, or that cannot be read, is refused rather than guessed at.
 *
 * Pure. Slices of a route point into the request, the config or the arena
 * that was passed, and live as long as the shortest of them.
 */
#ifndef OB_ROUTE_H
#define OB_ROUTE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/secret.h"
#include "config.h"
#include "provider.h"

/* A caller's request as the core sees it: complete, unchunked. */
typedef struct ob_call {
    ob_slice method; /* upper case */
    ob_slice path;   /* raw */
    ob_slice query;  /* raw, without '?' */
    const ob_header *headers;
    size_t header_count;
    ob_slice body;
    /* The auth key may use every model: in a large body what stands behind
     * the model's name need not be read. */
    bool trusted;
    bool websocket; /* it asks for one, in a handshake that is well-formed */
} ob_call;

typedef enum ob_route_kind {
    OB_ROUTE_NATIVE, /* /api/<provider>/…: one target, its own format */
    OB_ROUTE_UNIFIED, /* /v1/…, /v1beta/…, /api/compat/…: the model decides */
    OB_ROUTE_MODELS, /* GET of the models in `dialect`: answered locally; one
                        of them where `asked` names it, else all */
} ob_route_kind;

/* The operation of a unified route; decides the path at the target. */
typedef enum ob_operation {
    OB_OPERATION_NONE,
    OB_OPERATION_CHAT,         /* OpenAI chat completions */
    OB_OPERATION_RESPONSES,    /* OpenAI responses */
    OB_OPERATION_EMBEDDINGS,   /* OpenAI embeddings */
    OB_OPERATION_OPENAI,       /* what else OpenAI's API has: ob_route.path */
    OB_OPERATION_MESSAGES,     /* Anthropic messages */
    OB_OPERATION_COUNT_TOKENS, /* Anthropic messages/count_tokens */
    OB_OPERATION_INPUT_TOKENS, /* OpenAI responses/input_tokens */
    OB_OPERATION_GEMINI,       /* Gemini models/{model}:{method} */
} ob_operation;

typedef struct ob_route {
    ob_route_kind kind;
    ob_operation operation;
    ob_dialect dialect; /* of the gateway's own errors on this route */
    ob_target targets[OB_TARGETS_MAX]; /* NATIVE: one; the model may be empty */
    size_t target_count;
    /* NATIVE: the path behind the slug (and the segments that are not kept),
     * raw and rewritten, "" or "/…". GEMINI: "/v1" or "/v1beta". OPENAI: what
     * stands behind an OpenAI base URL, "/images/generations". */
    ob_slice path;
    const ob_url *base;  /* NATIVE: of the place whose segments fitted */
    ob_slice cloudflare; /* NATIVE: what stands for it at Cloudflare */
    const ob_auth *auth; /* NATIVE: of a place that has its own, else NULL */
    ob_named segments[OB_SEGMENTS_MAX]; /* "{names}" found in the path */
    size_t segment_count;
    ob_slice gemini_method; /* "generateContent", … of OB_OPERATION_GEMINI */
    ob_slice query;         /* without any credential */
    /*
     * The model as the caller wrote it, decoded; empty when none is named, or
     * when the request names several in places that a provider might honour
     * ("models" beside "model", a path and a body that differ): such a
     * request is treated as one that names none, so that only a key with all
     * models may send it.
     */
    ob_slice asked;
    ob_model_place place; /* where it was found */
    /* UNIFIED: where the raw model stands in the body, with its quotes; 0, 0
     * where the body names none. */
    size_t value_at;
    size_t value_len;
    bool value_plain; /* it is a field of a form, without quotes */
    bool streams;     /* the caller asked for a stream, in JSON or the path */
    bool base64;      /* EMBEDDINGS: vectors are to come so */
    /* UNIFIED: the request in the dialect of the target in use, where that is
     * another one (ob_route_translated); empty: as the caller wrote it. Set by
     * who translates. */
    ob_slice translated;
    bool translated_streams;
    /* Tokens of the answer at most, as the body asks; 0: not seen. For
     * estimates only: behind the model of a large body it is not looked for. */
    uint32_t answer_max;
} ob_route;

/* What is wrong with a request, in words for its sender. */
typedef struct ob_route_error {
    int status; /* 400, 404, 415 */
    ob_dialect dialect;
    char message[256];
} ob_route_error;

/* The dialect that the errors of this path and these headers are in, for
 * refusals that come before routing. Never fails. */
ob_dialect ob_route_dialect(const ob_config *config, ob_slice path,
                            const ob_header *headers, size_t header_count);

/*
 * OB_INVALID, OB_NOT_FOUND: *error is filled. OB_NO_MEMORY.
 *
 * Known routes: /api/<provider>/…, /api/compat/chat/completions,
 * /api/compat/v1/chat/completions, /v1/chat/completions, /v1/responses,
 * /v1/embeddings, /v1/images/{generations,edits,variations},
 * /v1/audio/{speech,transcriptions,translations}, /v1/moderations, /v1/rerank,
 * /v1/completions, /v1/messages, /v1/messages/count_tokens,
 * /v1/responses/input_tokens, /v1/models,
 * /v1/models/{model}:{method}, /v1beta/models, /v1beta/models/{model}:…
 * ("models/" may be missing before the model, the model may hold slashes,
 * raw or as %2F), and a GET of /v1/models/{model} and /v1beta/models/{model}.
 * GET /v1/models serves Gemini's format to x-goog-api-key or ?key=,
 * Anthropic's to anthropic-version, else OpenAI's.
 */
OB_MUST_USE ob_status ob_route_find(const ob_config *config,
                                    const ob_call *call, ob_arena *arena,
                                    ob_route *route, ob_route_error *error);

/* The dialect that a request of this route must be translated to for a
 * provider; NONE: none, the provider takes it as it is. */
ob_dialect ob_route_translated(const ob_route *route,
                               const ob_provider *provider);
/* Does it ask how many tokens a request has? */
bool ob_route_counts(const ob_route *route);
/* Does it ask for vectors, in OpenAI's form or Gemini's? */
bool ob_route_embeds(const ob_route *route);
/* Is it a count of a provider's that has no call for it? Then the answer is an
 * estimate of our own, and nobody is asked. */
bool ob_route_estimated(const ob_route *route, const ob_provider *provider);
/* The provider of a bare model name that is asked for in that dialect. */
ob_slice ob_route_default_provider(ob_dialect dialect);

#define OB_CREDENTIALS_MAX 8

/*
 * What the caller shows as its auth key: Authorization (Bearer, Token, Key,
 * Api-Key, any case), x-api-key, x-goog-api-key, api-key, xi-api-key,
 * ?key=, a WebSocket's protocol openai-insecure-api-key.…; Authorization:
 * Basic is not taken. Returns how many; decoded slices point into the request
 * or the arena.
 */
size_t ob_route_credentials(const ob_call *call, ob_arena *arena,
                            ob_slice shown[OB_CREDENTIALS_MAX]);

#define OB_UPSTREAM_HEADERS_MAX 160

/* A request as it goes upstream. */
typedef struct ob_upstream_request {
    bool tls;
    ob_slice host; /* without brackets */
    uint16_t port;
    ob_slice authority; /* for the Host header: brackets and a port that is
                           not the scheme's own */
    ob_slice method;
    ob_slice target;                            /* path and query */
    ob_header headers[OB_UPSTREAM_HEADERS_MAX]; /* no host, content-length,
                           connection: the shell writes those */
    size_t header_count;
    ob_slice body[3]; /* in their order; a replaced model stands in [1] */
    bool through_cloudflare;
    bool websocket; /* the headers ask for one */
} ob_upstream_request;

/*
 * Writes the request for one target and one key.
 *
 * Nothing of the caller's credentials is in it: Authorization, cookies,
 * x-api-key and their like, ?key=, proxy and hop-by-hop headers, whatever
 * `connection` names, x-forwarded-*, forwarded, cf-*, accept-encoding, and
 * any header that would choose a host (x-fal-target-url), a path, a method or
 * an account stay behind.
 *
 * OB_INVALID: *error says why the target cannot serve this (it has no such
 * operation, or a {segment} that is not a plain name). OB_NO_MEMORY.
 */
OB_MUST_USE ob_status ob_route_upstream(
    const ob_config *config, const ob_route *route, const ob_target *target,
    const ob_call *call, const ob_secret *key, ob_arena *arena,
    ob_upstream_request *request, ob_route_error *error);

/* May a response header go to the caller? Hop-by-hop ones, framing, cookies
 * and what would tell of the pool (alt-svc, set-cookie, cf-*, …) may not. */
bool ob_route_passes_response_header(ob_slice name);

#endif
