/*
 * route_internal.h - what the files of the router share; private to them.
 *
 *   route.c            which kind of route, unified models to targets
 *   route_native.c     /api/<provider>/…: segments, rewrites
 *   route_model.c      where a request names its model
 *   credential.c       which headers travel, what the caller shows
 *   upstream_request.c the request as it goes upstream
 *   gemini_nested.c    models that its body names in the requests it holds
 */
#ifndef OB_ROUTE_INTERNAL_H
#define OB_ROUTE_INTERNAL_H

#include "message.h"
#include "route.h"
#include "scan.h"

/* Everything that finding a route needs, passed around as one. */
typedef struct ob_finder {
    const ob_config *config;
    const ob_call *call;
    ob_arena *arena;
    ob_route *route;
    ob_route_error *error;
} ob_finder;

/* Fill *error; return OB_NOT_FOUND for 404, else OB_INVALID. */
ob_status ob_route_refuse(ob_route_error *error, int status, const char *text);
/* `before` "word" `after` */
ob_status ob_route_refuse_word(ob_route_error *error, int status,
                               const char *before, ob_slice word,
                               const char *after);

/* 404 for a name that is no provider, with the nearest one. */
ob_status ob_route_refuse_provider(const ob_finder *f, ob_slice name);

/* Fills the route of /api/<behind>. */
OB_MUST_USE ob_status ob_route_find_native(const ob_finder *f, ob_slice behind);

/* Finds the model by the provider's rules; fills asked, place, streams and
 * the target's model. */
OB_MUST_USE ob_status ob_route_native_model(const ob_finder *f);

/*
 * Reads the model of a unified route from the JSON body into asked, value_at
 * and value_len. `required`: a body without one is refused.
 */
OB_MUST_USE ob_status ob_route_body_model(const ob_finder *f, bool required);

/* Refuses a model that is empty, too long or holds control characters. */
OB_MUST_USE ob_status ob_route_check_model(const ob_finder *f, ob_slice model);

/* "models/x" is the model "x". */
ob_slice ob_route_plain_model(ob_slice model);

/* Can the provider's own API do this operation? */
bool ob_route_suits(const ob_provider *provider, ob_operation operation);

/* Is `path`, behind the slug, one of the provider's OpenAI-compatible ones,
 * which take another auth header than its own? */
bool ob_route_is_openai(const ob_provider *provider, ob_slice path);

/* How many bytes of `path` repeat the end of `base_path`, in whole segments:
 * 3 for "/openai/v1" and "/v1/models". */
size_t ob_route_overlap(ob_slice base_path, ob_slice path);

/* Does `text` hold one of the credentials that the caller showed? */
bool ob_route_shows(const ob_slice *shown, size_t count, ob_slice text);

/* The query without credentials by their names, and without any field that
 * holds what the caller showed as one, encoded once or twice perhaps. */
OB_MUST_USE ob_status ob_route_strip_query(const ob_call *call, ob_arena *arena,
                                           ob_slice *query);

/* The body with the model in each place where that method's requests name it
 * once more; empty: it stands so already, or is none that can be read. */
OB_MUST_USE ob_status ob_gemini_nested(ob_slice method, ob_slice body,
                                       ob_slice model, ob_arena *arena,
                                       ob_slice *out);

/* May a request header of the caller go upstream? `aig`: the upstream is
 * Cloudflare AI Gateway, which reads cf-aig-*. */
bool ob_route_passes_header(ob_slice name, bool aig);

#endif
