#include "origin.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#define ORIGINS_MAX    256
#define IDLE_LINKS_MAX 256
#define IDLE_LINK_MS   50000
/* A name is looked up again after this long; the old addresses serve until
 * the answer is there. */
#define NAME_FRESH_MS 60000

static void upstreams_close(ob_upstreams *upstreams)
{
    upstreams->closing = true;
    for (ob_origin *origin = upstreams->origins; origin;
         origin = origin->next) {
        while (origin->idle)
            ob_link_close(origin->idle);
        if (origin->resolving)
            (void)uv_cancel((uv_req_t *)&origin->lookup);
    }
}

static void origin_free(ob_origin *origin)
{
    SSL_SESSION_free(origin->session);
    free(origin->host);
    free(origin);
}

void ob_upstreams_free(ob_upstreams *upstreams)
{
    if (!upstreams)
        return;
    ob_origin *next;
    for (ob_origin *origin = upstreams->origins; origin; origin = next) {
        next = origin->next;
        origin_free(origin);
    }
    free(upstreams);
}

static ob_upstreams *upstreams_of(ob_loop *loop)
{
    if (loop->upstreams)
        return loop->upstreams;
    loop->upstreams = calloc(1, sizeof(*loop->upstreams));
    if (!loop->upstreams)
        return NULL;
    loop->upstreams->loop = loop;
    loop->upstreams_close = upstreams_close;
    loop->upstreams_free = ob_upstreams_free;
    return loop->upstreams;
}

static bool is_unused(const ob_origin *origin)
{
    return !origin->link_count && !origin->resolving && !origin->waiting;
}

/* Callers may name hosts (a resource of Azure's): the longest unused goes. */
static bool evict_oldest(ob_upstreams *upstreams)
{
    ob_origin **oldest = NULL;
    for (ob_origin **at = &upstreams->origins; *at; at = &(*at)->next)
        if (is_unused(*at) && (!oldest || (*at)->used_ms < (*oldest)->used_ms))
            oldest = at;
    if (!oldest)
        return false;
    ob_origin *gone = *oldest;
    *oldest = gone->next;
    upstreams->origin_count--;
    origin_free(gone);
    return true;
}

static ob_origin *origin_new(ob_upstreams *upstreams, ob_slice host,
                             uint16_t port, bool tls)
{
    if (upstreams->origin_count >= ORIGINS_MAX && !evict_oldest(upstreams))
        return NULL;
    ob_origin *origin = calloc(1, sizeof(*origin));
    char *name = malloc(host.len + 1);
    if (!origin || !name) {
        free(origin);
        free(name);
        return NULL;
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = 0;
    origin->host = name;
    origin->port = port;
    origin->tls = tls;
    origin->upstreams = upstreams;
    origin->next = upstreams->origins;
    upstreams->origins = origin;
    upstreams->origin_count++;
    return origin;
}

ob_origin *ob_origin_get(ob_loop *loop, ob_slice host, uint16_t port, bool tls)
{
    ob_upstreams *upstreams = upstreams_of(loop);
    if (!upstreams)
        return NULL;
    ob_origin *origin = upstreams->origins;
    while (origin && !(origin->port == port && origin->tls == tls &&
                       ob_slice_eq(ob_slice_str(origin->host), host)))
        origin = origin->next;
    if (!origin)
        origin = origin_new(upstreams, host, port, tls);
    if (origin)
        origin->used_ms = ob_loop_now(loop);
    return origin;
}

/* ---- names ---- */

static bool parse_literal(ob_origin *origin)
{
    struct sockaddr_storage *address = &origin->addresses[0];
    bool found = uv_ip4_addr(origin->host, origin->port,
                             (struct sockaddr_in *)address) == 0 ||
                 uv_ip6_addr(origin->host, origin->port,
                             (struct sockaddr_in6 *)address) == 0;
    if (!found)
        return false;
    origin->address_count = 1;
    origin->resolved_ms = INT64_MAX - NAME_FRESH_MS;
    return true;
}

static void take_addresses(ob_origin *origin, const struct addrinfo *list)
{
    origin->address_count = 0;
    origin->preferred = 0;
    for (; list && origin->address_count < OB_ADDRESSES_MAX;
         list = list->ai_next) {
        if (list->ai_addrlen > sizeof(struct sockaddr_storage))
            continue;
        memcpy(&origin->addresses[origin->address_count++], list->ai_addr,
               list->ai_addrlen);
    }
    origin->resolved_ms = ob_loop_now(origin->upstreams->loop);
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status,
                      struct addrinfo *list)
{
    ob_origin *origin = lookup->data;
    origin->resolving = false;
    if (status == 0 && list)
        take_addresses(origin, list);
    uv_freeaddrinfo(list);
    ob_origin_resolved(origin);
}

bool ob_origin_resolve(ob_origin *origin)
{
    ob_loop *loop = origin->upstreams->loop;
    if (!origin->address_count && parse_literal(origin))
        return true;
    bool fresh = origin->address_count &&
                 ob_loop_now(loop) - origin->resolved_ms < NAME_FRESH_MS;
    if (fresh || origin->resolving)
        return origin->address_count > 0;
    char port[8] = {0};
    (void)ob_write_u64(port, origin->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_ADDRCONFIG};
    origin->lookup.data = origin;
    if (uv_getaddrinfo(&loop->uv, &origin->lookup, on_lookup, origin->host,
                       port, &hints) == 0)
        origin->resolving = true;
    return origin->address_count > 0;
}

/* ---- kept connections ---- */

static void on_idle_over(ob_deadline *deadline)
{
    ob_link_close((ob_link *)((char *)deadline - offsetof(ob_link, idle)));
}

void ob_origin_unlink(ob_origin *origin, ob_link *link)
{
    if (link->next)
        link->next->prev = link->prev;
    if (link->prev)
        link->prev->next = link->next;
    else
        origin->idle = link->next;
    link->next = link->prev = NULL;
    origin->idle_count--;
    ob_deadline_clear(&link->idle);
}

void ob_origin_keep(ob_origin *origin, ob_link *link)
{
    if (origin->idle_count >= IDLE_LINKS_MAX || origin->upstreams->closing) {
        ob_link_close(link);
        return;
    }
    link->state = OB_LINK_IDLE;
    link->prev = NULL;
    link->next = origin->idle;
    if (origin->idle)
        origin->idle->prev = link;
    origin->idle = link;
    origin->idle_count++;
    link->idle.expired = on_idle_over;
    ob_deadline_set(link->loop, &link->idle, IDLE_LINK_MS);
}

ob_link *ob_origin_take(ob_origin *origin)
{
    ob_link *link = origin->idle;
    if (!link)
        return NULL;
    origin->idle = link->next;
    if (link->next)
        link->next->prev = NULL;
    link->next = link->prev = NULL;
    origin->idle_count--;
    ob_deadline_set(link->loop, &link->idle, 0);
    return link;
}
