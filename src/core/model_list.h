/*
 * model_list.h - the models that a provider says it has.
 *
 *   provider ─▶ ob_model_list_query ─▶ (a GET of its probe's path)
 *            ◀─ ob_model_list_add   ◀─ a page of the list
 *
 * Read are the lists of OpenAI ({"data":[{"id"}]}), Anthropic (the same, with
 * has_more and last_id), Gemini ({"models":[{"name":"models/…"}]}, with
 * nextPageToken) and Cohere ({"models":[{"name"}]}, with next_page_token), and
 * a bare array of OpenAI's entries.
 *
 * Pure: no I/O.
 */
#ifndef OB_MODEL_LIST_H
#define OB_MODEL_LIST_H

#include "base/arena.h"
#include "base/buffer.h"
#include "provider.h"

#define OB_LISTED_MODELS_MAX   5000 /* of one provider; more are left out */
#define OB_LISTED_CURSOR_BYTES 1024

/* In the provider's order, without "models/" and without the provider. */
typedef struct ob_model_list {
    ob_arena arena; /* owns all below */
    ob_slice *names;
    size_t count;
    size_t capacity;
} ob_model_list;

void ob_model_list_init(ob_model_list *list);
void ob_model_list_deinit(ob_model_list *list);

/* Is the provider's probe a GET of its list of models, and may any unified
 * route reach these? By the path, which ends in "/models": lists of voices or
 * of requests look alike. */
bool ob_model_list_offered(const ob_provider *provider);

/* The query, without '?', that asks for a page: the probe's own, but for as
 * many entries as the provider allows. `cursor`: what ob_model_list_add() told;
 * empty for the first page. */
void ob_model_list_query(const ob_provider *provider, ob_slice cursor,
                         ob_buffer *out);

/*
 * Adds the names of a page. Left out are names that are empty, longer than
 * OB_MODEL_BYTES_MAX, or hold blanks or control characters. *cursor: where the
 * next page begins, in the list's arena; empty: this was the last, or the list
 * is full. OB_INVALID: it is no such list; OB_NO_MEMORY.
 */
OB_MUST_USE ob_status ob_model_list_add(ob_model_list *list,
                                        const ob_provider *provider,
                                        ob_slice body, ob_slice *cursor);

bool ob_model_list_has(const ob_model_list *list, ob_slice name);

#endif
