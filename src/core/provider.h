/*
 * provider.h - what is known of an API that sells model calls.
 *
 * Data, not code: the entries come from providers.jsonc and from the
 * configuration's "providers", in one format (docs/providers.md). A config
 * owns its providers; everything here is read-only after loading.
 */
#ifndef OB_PROVIDER_H
#define OB_PROVIDER_H

#include "base/base.h"

/* The wire format of a route or a provider. */
typedef enum ob_dialect {
    OB_DIALECT_NONE, /* a provider's own format, errors in OpenAI's form */
    OB_DIALECT_OPENAI,
    OB_DIALECT_RESPONSES,
    OB_DIALECT_ANTHROPIC,
    OB_DIALECT_GEMINI,
} ob_dialect;

/* "openai", "responses", "anthropic", "gemini", "none". */
const char *ob_dialect_name(ob_dialect dialect);

/* Where a day of quota begins for a provider. */
typedef enum ob_zone {
    OB_ZONE_UTC,
    OB_ZONE_PACIFIC, /* America/Los_Angeles with its daylight saving */
} ob_zone;

/*
 * How a key travels: "<header>: <scheme> <key>", or without a scheme
 * "<header>: <key>". In text: "bearer" (Authorization: Bearer), "x-api-key",
 * "authorization Token".
 */
typedef struct ob_auth {
    ob_slice header; /* lower case */
    ob_slice scheme; /* may be empty */
} ob_auth;

typedef enum ob_model_place {
    OB_MODEL_NOWHERE,
    OB_MODEL_IN_PATH,
    OB_MODEL_IN_QUERY,
    OB_MODEL_IN_BODY,    /* JSON member, or the multipart field of that name */
    OB_MODEL_IN_SEGMENT, /* the {named} segment behind the slug */
} ob_model_place;

/*
 * One way in which a provider's requests name their model. In text:
 * "path:models/{model}:" (a pattern that is looked for at a segment boundary
 * of the rewritten path), "query:model", "body:model_id",
 * "segment:deployment". {model} may hold slashes. It runs up to the first place
 * where the text behind it stands; where that text is ":" up to the last one,
 * since models may hold colons and a method stands behind the last; with no
 * text behind it up to the end of the path.
 * The first rule that finds a model wins, so what the provider itself looks
 * at first must stand first: else a permission check sees another model.
 */
typedef struct ob_model_rule {
    ob_model_place place;
    ob_slice before; /* path: what stands before the model */
    ob_slice after;  /* path: what stands behind it, may be empty */
    ob_slice member; /* query, body, segment: the name */
} ob_model_rule;

#define OB_MODEL_RULES_MAX 6
#define OB_SEGMENTS_MAX    6
#define OB_VARIANTS_MAX    4
#define OB_REWRITES_MAX    8

/* "https://{resource}.openai.azure.com/openai/deployments/{deployment}",
 * taken apart. The slices are part of `text`. */
typedef struct ob_url {
    ob_slice text;
    bool tls;
    ob_slice host; /* may hold {names}; an IPv6 address without its brackets */
    uint16_t port;
    ob_slice path; /* "" or "/…", without a final slash; may hold {names} */
} ob_url;

typedef struct ob_named {
    ob_slice name;
    ob_slice value;
} ob_named;

/* What stands behind the slug, /api/<slug>/<segments>/…, and where it goes. A
 * segment is literal ("bedrock-runtime") or {named}, then kept with its
 * braces; a named one stands for one whole, non-empty path segment. */
typedef struct ob_place {
    ob_slice segments[OB_SEGMENTS_MAX];
    size_t segment_count;
    /* The segments belong to the native path: they are read, and stay in what
     * is sent on (Vertex AI's /v1/projects/{project}/locations/{region}). */
    bool segments_kept;
    /* Every {name} in it is among the segments. A value that goes into the
     * host must pass ob_host_label_valid(). */
    ob_url base;
    /* What stands for `base` at Cloudflare AI Gateway, with the same {names}:
     * "aws-bedrock/bedrock-runtime/{region}". Empty: not there, requests go
     * directly. In a variant a NULL `ptr` stands for the provider's own. */
    ob_slice cloudflare;
    ob_auth auth; /* of a variant; without a header that of the provider */
} ob_place;

/* A path behind the slug (and its segments) that begins with `from` goes
 * upstream with `to` in its place: Cloudflare's "/@cf/…" is "/run/@cf/…". The
 * first one that fits is applied, before the model is looked for; "/v1/" to
 * "/v1/" keeps a path from the ones behind it. */
typedef struct ob_rewrite {
    ob_slice from;
    ob_slice to;
} ob_rewrite;

#define OB_PROVIDER_HEADERS_MAX 4

typedef struct ob_provider {
    ob_slice slug;
    ob_slice alias; /* another name of it in "alias/model"; may be empty */
    ob_slice name;  /* for people */
    ob_dialect dialect;
    /* Replaces /api/<slug>, and the segments behind it where they are not
     * kept. Segments that the end of base.path and the beginning of the path
     * share stand once: base ".../openai/v1" takes "/chat/…", "/v1/chat/…"
     * and "/openai/v1/chat/…". */
    ob_url base;
    ob_slice segments[OB_SEGMENTS_MAX]; /* as in ob_place */
    size_t segment_count;
    bool segments_kept;
    /* Looked at in their order before `base` and `segments`: the first whose
     * segments fit the path takes the request ("…/locations/global" has a
     * host of its own). */
    ob_place variants[OB_VARIANTS_MAX];
    size_t variant_count;
    ob_rewrite rewrites[OB_REWRITES_MAX];
    size_t rewrite_count;
    ob_auth auth;
    /* Sent where the caller has none of that name. */
    ob_named headers[OB_PROVIDER_HEADERS_MAX];
    size_t header_count;
    ob_model_rule model_rules[OB_MODEL_RULES_MAX];
    size_t model_rule_count;
    /* Where its OpenAI-compatible chat completions live: `openai_path` behind
     * the base URL ("/chat/completions" is appended), with `openai_auth`.
     * has_openai is false where there is none. A base with {names} serves no
     * route that has no segments to fill them from. */
    bool has_openai;
    bool has_responses; /* OpenAI's responses beside them */
    ob_slice openai_path;
    ob_auth openai_auth;
    ob_zone daily_reset;
    /* The cheapest call that shows whether a key lives: "GET /models". Empty:
     * there is none. */
    ob_slice probe_method;
    ob_slice probe_path;
    ob_slice cloudflare; /* as in ob_place */
    /* From the provider's own paths, behind `base`, to Cloudflare's forms of
     * them. Where there are any, a path that none fits is not served there and
     * goes directly. */
    ob_rewrite cloudflare_rewrites[OB_REWRITES_MAX];
    size_t cloudflare_rewrite_count;
    /* Which group of the pool holds its keys; set by the shell once, before
     * the config is shared. */
    uint32_t pool_group;
} ob_provider;

#endif
