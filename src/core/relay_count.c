/* relay_count.c - what an answer has cost; and a count of tokens that no
 * provider gives: an estimate of our own stands in its place. */
#include "cost.h"
#include "dialect/count.h"
#include "dialect/translate.h"
#include "relay_internal.h"

void relay_count_begin(ob_relay *relay)
{
    const ob_route *route = &relay->route;
    relay->estimate = ob_translation_estimate(relay->translation);
    /* What has no call for it is never asked; first of all, it would have
     * been answered for. */
    for (size_t i = 1; i < route->target_count; i++)
        if (ob_route_estimated(route, route->targets[i].provider))
            relay->closed |= 1u << i;
}

bool relay_count_lacking(const ob_relay *relay, const ob_verdict *verdict)
{
    int status = relay->now.status;
    if (relay->estimate < 0 || verdict->reason != OB_REASON_BAD_REQUEST ||
        (status != 404 && status != 405 && status != 501))
        return false;
    /* "model: claude-x": it is the model that is not there. */
    return ob_slice_find(ob_buffer_slice(&relay->now.body),
                         ob_relay_target(relay)->model) == OB_NOWHERE;
}

void relay_count_answer(ob_relay *relay, ob_relay_action *action)
{
    static const ob_header ours[] = {
        {OB_S_INIT("content-type"), OB_S_INIT("application/json")},
        {OB_S_INIT("x-one-balance-estimate"), OB_S_INIT("1")}};
    ob_kept_answer *now = &relay->now;
    size_t count = OB_LEN(ours);
    ob_header *headers = ob_arena_alloc(
        relay->arena, (OB_LEN(ours) + OB_OWN_HEADERS) * sizeof(*headers));
    if (headers)
        memcpy(headers, ours, sizeof(ours));
    ob_buffer_clear(&now->body);
    ob_count_write(relay->route.dialect, relay->estimate, &now->body);
    relay_move(relay, OB_RELAY_OVER);
    if (!headers || !relay_own_headers(relay, headers, &count) ||
        now->body.failed) {
        *action =
            (ob_relay_action){.what = OB_DO_REJECT,
                              .status = 503,
                              .message = OB_S("The gateway is out of memory.")};
        return;
    }
    now->status = 200;
    now->headers = headers;
    now->header_count = count;
    relay_answer(relay, now, OB_DO_DELIVER, action);
}

int64_t ob_relay_cost(const ob_relay *relay, const ob_prices *prices)
{
    const ob_allowance_limits *limits = &relay->authkey->limits;
    const ob_config *config = relay->config;
    const ob_target *target = ob_relay_target(relay);
    if (!relay->spent_tokens || !ob_allowance_has_budget(limits))
        return 0;
    int64_t nano_usd =
        ob_cost(config->prices, config->price_count, prices,
                target->provider->slug, target->model, &relay->spent);
    return nano_usd > 0 ? (nano_usd + 999) / 1000 : 0;
}
