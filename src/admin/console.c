#include "console.h"

#define HEADERS_MAX 9

/* Names of files hold a hash of their content; the page's name does not. */
#define KEPT_FOREVER "public, max-age=31536000, immutable"
#define KEPT_CHECKED "no-cache"

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'";

static ob_slice files(void)
{
    return OB_S("/console/assets/");
}

bool ob_console_has_place(ob_slice path)
{
    return ob_slice_eq(path, OB_S("/")) ||
           ob_slice_eq(path, OB_S("/console")) ||
           (ob_slice_starts(path, OB_S("/console/")) &&
            !ob_slice_starts(path, files()));
}

static const ob_console_asset *find(const ob_console *console, ob_slice path)
{
    if (ob_console_has_place(path))
        path = OB_S("/");
    for (size_t i = 0; i < console->count; i++) {
        if (ob_slice_eq(console->assets[i].path, path))
            return &console->assets[i];
    }
    return NULL;
}

/* "q=0", "q=0.0": not wanted at all. */
static bool refuses(ob_slice parameters)
{
    ob_slice weight = ob_slice_trim(parameters);
    if (!ob_slice_starts_nocase(weight, OB_S("q=")))
        return false;
    for (size_t i = 2; i < weight.len; i++) {
        if (weight.ptr[i] != '0' && weight.ptr[i] != '.')
            return false;
    }
    return true;
}

bool ob_console_takes_coding(ob_slice accepted, ob_slice coding)
{
    while (accepted.ptr) {
        ob_slice rest = ob_slice_cut(&accepted, ',');
        ob_slice name = ob_slice_trim(ob_slice_cut(&rest, ';'));
        if (ob_slice_eq_nocase(name, coding))
            return !refuses(rest);
    }
    return false;
}

/* The body for this caller; *coding is empty where it is plain. */
static ob_slice choose(const ob_console_asset *asset, ob_slice accepted,
                       ob_slice *coding)
{
    *coding = OB_S("br");
    if (ob_console_takes_coding(accepted, *coding))
        return asset->brotli;
    *coding = OB_S("gzip");
    if (!asset->plain.len || ob_console_takes_coding(accepted, *coding))
        return asset->gzip;
    *coding = OB_S("");
    return asset->plain;
}

static ob_slice header(const ob_request *request, ob_slice name)
{
    return ob_headers_get(request->headers, request->header_count, name);
}

static void answer(ob_exchange *exchange, const ob_console_asset *asset)
{
    const ob_request *request = ob_exchange_request(exchange);
    bool page = ob_slice_eq(asset->path, OB_S("/"));
    bool known = ob_slice_find(header(request, OB_S("if-none-match")),
                               asset->etag) != OB_NOWHERE;
    ob_slice coding = {NULL, 0};
    ob_slice body =
        choose(asset, header(request, OB_S("accept-encoding")), &coding);
    ob_header headers[HEADERS_MAX] = {
        {OB_S("etag"), asset->etag},
        {OB_S("cache-control"), page ? OB_S(KEPT_CHECKED) : OB_S(KEPT_FOREVER)},
        {OB_S("vary"), OB_S("accept-encoding")},
        {OB_S("x-content-type-options"), OB_S("nosniff")},
        {OB_S("referrer-policy"), OB_S("no-referrer")},
        {OB_S("cross-origin-opener-policy"), OB_S("same-origin")},
        {OB_S("content-security-policy"), ob_slice_str(policy)},
    };
    size_t count = 7;
    if (!known) {
        headers[count++] = (ob_header){OB_S("content-type"), asset->type};
        if (coding.len)
            headers[count++] = (ob_header){OB_S("content-encoding"), coding};
    }
    ob_exchange_respond(exchange, known ? 304 : 200, headers, count,
                        known ? OB_S("") : body);
}

bool ob_console_serve(const ob_console *console, ob_exchange *exchange)
{
    const ob_console_asset *asset =
        find(console, ob_exchange_request(exchange)->path);
    if (asset)
        answer(exchange, asset);
    return asset != NULL;
}
