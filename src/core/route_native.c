#include "route_internal.h"
#include "uri.h"

size_t ob_route_overlap(ob_slice base_path, ob_slice path)
{
    for (size_t at = 0; at < base_path.len; at++) {
        ob_slice end = ob_slice_from(base_path, at);
        if (end.ptr[0] == '/' && ob_slice_starts(path, end) &&
            (path.len == end.len || path.ptr[end.len] == '/'))
            return end.len;
    }
    return 0;
}

/* "/v1", "/v1beta": such a path holds more than what is OpenAI-compatible. */
static bool is_version(ob_slice path)
{
    return path.len > 2 && path.ptr[1] == 'v' && path.ptr[2] >= '0' &&
           path.ptr[2] <= '9' &&
           ob_slice_index(ob_slice_from(path, 1), '/') == OB_NOWHERE;
}

bool ob_route_is_openai(const ob_provider *provider, ob_slice path)
{
    ob_slice own = provider->openai_path;
    if (!provider->has_openai)
        return false;
    if (ob_slice_ends(path, OB_S("/chat/completions")))
        return true;
    return own.len && !is_version(own) && ob_slice_starts(path, own) &&
           (path.len == own.len || path.ptr[own.len] == '/');
}

static bool is_named(ob_slice segment)
{
    return segment.len > 2 && segment.ptr[0] == '{';
}

/* Takes the first segment of a path, without its slash. */
static ob_slice take_segment(ob_slice *path)
{
    ob_slice rest = ob_slice_from(*path, 1);
    ob_slice segment = ob_slice_head(rest, ob_slice_index(rest, '/'));
    *path = ob_slice_from(rest, segment.len);
    return segment;
}

/* Do the place's segments fit the path? *rest is what stands behind them. */
static bool fits(const ob_place *place, ob_slice path, ob_slice *rest)
{
    for (size_t i = 0; i < place->segment_count; i++) {
        ob_slice wanted = place->segments[i];
        ob_slice segment = take_segment(&path);
        if (is_named(wanted) ? !segment.len : !ob_slice_eq(wanted, segment))
            return false;
    }
    *rest = path;
    return true;
}

/* A name of the caller's goes into the host only as one plain label, and into
 * the path only as one plain segment. */
static bool is_safe(const ob_url *base, ob_slice name, ob_slice value)
{
    if (ob_slice_find(base->host, name) != OB_NOWHERE)
        return ob_host_label_valid(value);
    return ob_slice_index(value, '%') == OB_NOWHERE;
}

static ob_status note_segments(const ob_finder *f, const ob_place *place,
                               ob_slice path)
{
    ob_route *route = f->route;
    for (size_t i = 0; i < place->segment_count; i++) {
        ob_slice name = place->segments[i];
        ob_slice value = take_segment(&path);
        if (!is_named(name))
            continue;
        if (!is_safe(&place->base, name, value))
            return ob_route_refuse_word(f->error, 400, "the path's segment ",
                                        value,
                                        " is not a plain name; use letters, "
                                        "digits and \"-\"");
        route->segments[route->segment_count++] = (ob_named){name, value};
    }
    return OB_OK;
}

static ob_status refuse_segments(const ob_finder *f, const ob_provider *p)
{
    f->error->status = 400;
    ob_message m =
        ob_message_make(f->error->message, sizeof(f->error->message));
    ob_message_str(&m, "the path must begin with /api/");
    char text[200];
    size_t len = 0;
    ob_slice pieces[OB_SEGMENTS_MAX + 1] = {p->slug};
    memcpy(pieces + 1, p->segments, p->segment_count * sizeof(*pieces));
    for (size_t i = 0; i <= p->segment_count; i++) {
        if (len + pieces[i].len + 2 > sizeof(text))
            break;
        memcpy(text + len, pieces[i].ptr, pieces[i].len);
        len += pieces[i].len;
        text[len++] = '/';
    }
    text[len] = 0;
    ob_message_str(&m, text);
    return OB_INVALID;
}

/* Finds the first place whose segments fit, variants before the provider's
 * own. */
static ob_status choose_place(const ob_finder *f, const ob_provider *p,
                              ob_slice path)
{
    ob_place own = {.segment_count = p->segment_count,
                    .segments_kept = p->segments_kept,
                    .base = p->base};
    memcpy(own.segments, p->segments, sizeof(own.segments));
    ob_slice rest;
    for (size_t i = 0; i <= p->variant_count; i++) {
        const ob_place *place = i < p->variant_count ? &p->variants[i] : &own;
        if (!fits(place, path, &rest))
            continue;
        f->route->base = place == &own ? &p->base : &place->base;
        f->route->cloudflare =
            place->cloudflare.ptr ? place->cloudflare : p->cloudflare;
        f->route->auth = place->auth.header.len ? &place->auth : NULL;
        f->route->path = place->segments_kept ? path : rest;
        return note_segments(f, place, path);
    }
    return refuse_segments(f, p);
}

static ob_status rewrite(const ob_finder *f, const ob_provider *p)
{
    ob_route *route = f->route;
    for (size_t i = 0; i < p->rewrite_count; i++) {
        const ob_rewrite *r = &p->rewrites[i];
        if (!ob_slice_starts(route->path, r->from))
            continue;
        ob_slice pieces[2] = {r->to, ob_slice_from(route->path, r->from.len)};
        return ob_slice_join(pieces, 2, f->arena, &route->path);
    }
    return OB_OK;
}

/* Streams that the path asks for: Gemini's method, Bedrock's operations. */
static bool path_streams(ob_slice path)
{
    return ob_slice_ends(path, OB_S(":streamGenerateContent")) ||
           ob_slice_ends(path, OB_S(":streamRawPredict")) ||
           ob_slice_ends(path, OB_S("/converse-stream")) ||
           ob_slice_ends(path, OB_S("/invoke-with-response-stream"));
}

ob_status ob_route_find_native(const ob_finder *f, ob_slice behind)
{
    size_t end = ob_slice_index(behind, '/');
    ob_slice slug = ob_slice_head(behind, end);
    const ob_provider *provider = ob_config_provider_or_alias(f->config, slug);
    ob_route *route = f->route;
    if (!provider)
        return ob_route_refuse_provider(f, slug);
    route->kind = OB_ROUTE_NATIVE;
    route->targets[0].provider = provider;
    route->target_count = 1;
    ob_status status = choose_place(f, provider, ob_slice_from(behind, end));
    if (status == OB_OK)
        status = rewrite(f, provider);
    if (status == OB_OK)
        status = ob_route_native_model(f);
    route->streams |= path_streams(route->path) || f->call->websocket;
    return status;
}
