/*
 * cost.h - what a request's tokens cost.
 *
 * The table is text, made at build time from a maintained package
 * (tools/prices.mjs tells its lines); the operator's own prices go before it.
 *
 * Pure, and whole numbers only: prices are pico-dollars a token, so a dollar
 * for a million tokens is 1,000,000; costs are nano-dollars.
 */
#ifndef OB_COST_H
#define OB_COST_H

#include "base/arena.h"
#include "usage.h"

/* -1: none of its own. Cached and written ones cost as input then. */
typedef struct ob_rates {
    int64_t input;
    int64_t cached;
    int64_t written;
    int64_t output;
} ob_rates;

/* "prices" of the configuration. */
typedef struct ob_own_price {
    ob_slice provider;
    ob_slice model;
    ob_rates rates;
} ob_own_price;

typedef struct ob_price {
    char kind; /* '=', '^', '*', '$' */
    ob_slice pattern;
    ob_rates rates;
    int64_t above_tokens; /* of input; 0: `above` counts for none */
    ob_rates above;
} ob_price;

typedef struct ob_price_list {
    ob_slice provider;
    size_t from; /* of ob_prices.items */
    size_t count;
} ob_price_list;

#define OB_PRICE_LISTS_MAX 64

typedef struct ob_prices {
    ob_arena arena;
    ob_price *items;
    size_t count;
    ob_price_list lists[OB_PRICE_LISTS_MAX];
    size_t list_count;
} ob_prices;

/* Slices point into `text`, which outlives the table. OB_INVALID: a line that
 * is none. An empty text gives an empty table. */
OB_MUST_USE ob_status ob_prices_parse(ob_slice text, ob_prices **prices);
void ob_prices_free(ob_prices *prices);
/* The lines of one provider, a text of its own; empty: there are none. */
ob_slice ob_prices_of(ob_slice text, ob_slice provider);

/* The whole name before its longest beginning, an end, a part; without the
 * vendor ("google/") where that finds nothing. NULL: it is not there. */
const ob_price *ob_prices_find(const ob_prices *prices, ob_slice provider,
                               ob_slice model);

/* Nano-dollars; -1: neither price nor tokens are known. `prices`
 * may be NULL. */
int64_t ob_cost(const ob_own_price *own, size_t own_count,
                const ob_prices *prices, ob_slice provider, ob_slice model,
                const ob_usage *usage);

#endif
