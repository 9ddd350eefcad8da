/*
 * cost_fuzz.c - libFuzzer target: any table of prices, and any usage: no cost
 * is below -1 or leaves its type. Input: five numbers of 8 bytes, then the
 * table.
 */
#include "../../src/core/cost.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ob_usage usage = {.known = true};
    ob_prices *prices = NULL;
    if (size < 5 * sizeof(int64_t))
        return 0;
    memcpy(&usage, data, 5 * sizeof(int64_t));
    ob_slice text = ob_slice_from(ob_slice_make((const char *)data, size), 40);
    if (ob_prices_parse(text, &prices) != OB_OK)
        return 0;
    for (size_t i = 0; i < prices->list_count; i++) {
        const ob_price_list *list = &prices->lists[i];
        OB_ASSERT(list->from + list->count <= prices->count);
        for (size_t k = 0; k < list->count && k < 16; k++) {
            ob_slice model = prices->items[list->from + k].pattern;
            OB_ASSERT(ob_cost(NULL, 0, prices, list->provider, model, &usage) >=
                      -1);
        }
    }
    ob_prices_free(prices);
    return 0;
}
