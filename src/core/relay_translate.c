/* relay_translate.c - requests and answers of targets that speak another
 * dialect than the caller. */
#include "dialect/translate.h"
#include "relay_internal.h"
#include "uri.h"

static ob_dialect spoken_at(const ob_relay *relay, size_t target)
{
    return ob_route_translated(&relay->route,
                               relay->route.targets[target].provider);
}

static bool any_translated(const ob_relay *relay)
{
    for (size_t i = 0; i < relay->route.target_count; i++)
        if (spoken_at(relay, i) != OB_DIALECT_NONE)
            return true;
    return false;
}

static bool asks_events(ob_slice query)
{
    ob_query_field field;
    while (ob_query_next(&query, &field))
        if (ob_uri_is(field.name, OB_S("alt")) &&
            ob_uri_is_nocase(field.value, OB_S("sse")))
            return true;
    return false;
}

/* Without alt=sse Gemini's callers wait for an array. */
static bool wants_array(const ob_relay *relay)
{
    return relay->route.operation == OB_OPERATION_GEMINI &&
           relay->route.streams && !asks_events(relay->route.query);
}

static ob_purpose purpose_of(const ob_route *route)
{
    if (ob_route_counts(route))
        return OB_PURPOSE_COUNT;
    return ob_route_embeds(route) ? OB_PURPOSE_EMBED : OB_PURPOSE_ANSWER;
}

/* Does any target take the request as it is? */
static bool any_native(const ob_relay *relay)
{
    const ob_route *route = &relay->route;
    for (size_t i = 0; i < route->target_count; i++)
        if (spoken_at(relay, i) == OB_DIALECT_NONE &&
            !ob_route_estimated(route, route->targets[i].provider))
            return true;
    return false;
}

ob_status relay_translate_begin(ob_relay *relay, int64_t now_ms, ob_slice *why)
{
    ob_purpose purpose = purpose_of(&relay->route);
    bool translated = any_translated(relay);
    if (!translated && purpose != OB_PURPOSE_COUNT)
        return OB_OK;
    relay->translation =
        ob_translation_new(relay->route.dialect, relay->request_id,
                           relay->route.asked, now_ms, relay->arena);
    if (!relay->translation)
        return OB_NO_MEMORY;
    ob_translation_set_purpose(relay->translation, purpose);
    if (wants_array(relay))
        ob_translation_say_array(relay->translation);
    ob_status status = ob_translation_read(relay->translation, relay->call.body,
                                           relay->route.streams, why);
    /* What only we cannot read is still the provider's to count. */
    if (status == OB_INVALID && !translated && any_native(relay))
        return OB_OK;
    /* What cannot be read, another target may take as it is, and what the first
     * cannot be told, another may. */
    if (status != OB_OK && !(status == OB_INVALID && any_native(relay)))
        return status;
    if (purpose == OB_PURPOSE_COUNT)
        relay_count_begin(relay);
    relay->written_for = OB_TARGETS_MAX;
    status = relay_translate_request(relay, why);
    return status == OB_INVALID && relay->route.target_count > 1 ? OB_OK
                                                                 : status;
}

ob_status relay_translate_request(ob_relay *relay, ob_slice *why)
{
    const ob_target *target = ob_relay_target(relay);
    ob_dialect spoken = spoken_at(relay, relay->target);
    relay->translates = spoken != OB_DIALECT_NONE;
    if (!relay->translates)
        relay->route.translated = (ob_slice){0};
    if (!relay->translates || relay->written_for == relay->target)
        return OB_OK;
    ob_status status =
        ob_translation_write(relay->translation, spoken, target->provider->slug,
                             target->model, &relay->route.translated, why);
    relay->written_for =
        status == OB_OK ? relay->target : (size_t)OB_TARGETS_MAX;
    relay->route.translated_streams =
        ob_translation_streams(relay->translation);
    return status;
}

size_t relay_translate_headers(ob_relay *relay, int status,
                               ob_header headers[OB_TRANSLATED_HEADERS])
{
    size_t count = 0;
    ob_slice dropped = ob_translation_dropped(relay->translation);
    bool events = relay->is_stream && status < 400 &&
                  !ob_translation_says_array(relay->translation);
    headers[count++] =
        (ob_header){OB_S("content-type"), events ? OB_S("text/event-stream")
                                                 : OB_S("application/json")};
    if (dropped.len)
        headers[count++] = (ob_header){OB_S("x-one-balance-dropped"), dropped};
    return count;
}

static void replace_held(ob_relay *relay, ob_slice body)
{
    ob_buffer_clear(&relay->now.body);
    ob_buffer_append(&relay->now.body, body);
}

void relay_translate_error(ob_relay *relay)
{
    bool whole;
    if (relay->is_stream && relay->now.status < 400) {
        relay_translate_commit(relay);
        ob_buffer_append(&relay->now.body,
                         ob_translation_end(relay->translation, &whole));
        return;
    }
    /* An error behind a 200 is none of the caller's dialect. */
    if (relay->now.status < 400)
        relay->now.status = 502;
    replace_held(relay,
                 ob_translation_error(relay->translation, relay->now.status,
                                      ob_buffer_slice(&relay->now.body)));
}

bool relay_translate_answer(ob_relay *relay)
{
    ob_slice held = ob_buffer_slice(&relay->now.body), out;
    bool whole = true;
    if (relay->is_stream != ob_translation_streams(relay->translation))
        return false;
    if (!relay->is_stream) {
        if (ob_translation_answer(relay->translation, held, &out) != OB_OK)
            return false;
        replace_held(relay, out);
        return !relay->now.body.failed;
    }
    relay_translate_commit(relay);
    out = ob_translation_end(relay->translation, &whole);
    ob_buffer_append(&relay->now.body, out);
    return whole && !relay->now.body.failed;
}

void relay_translate_commit(ob_relay *relay)
{
    ob_translation_stream(relay->translation);
    replace_held(relay, ob_translation_feed(relay->translation,
                                            ob_buffer_slice(&relay->now.body)));
}

ob_slice ob_relay_translate(ob_relay *relay, ob_slice bytes)
{
    return relay->translates ? ob_translation_feed(relay->translation, bytes)
                             : bytes;
}

ob_slice ob_relay_translate_end(ob_relay *relay, bool *whole)
{
    *whole = true;
    return relay->translates ? ob_translation_end(relay->translation, whole)
                             : OB_S("");
}
