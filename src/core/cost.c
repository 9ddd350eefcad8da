#include "cost.h"

#define NUMBERS_MAX 9
#define LINES_MAX   100000
/* Beyond it no request goes; the product with a price stays in its type. */
#define TOKENS_MAX INT64_C(1000000000)
#define RATE_MAX   INT64_C(4000000000)

/* ---- the table ---- */

static bool read_number(ob_slice text, int64_t *number)
{
    uint64_t read;
    if (ob_slice_eq(text, OB_S("-1"))) {
        *number = -1;
        return true;
    }
    if (ob_slice_u64(text, &read) || read > (uint64_t)RATE_MAX)
        return false;
    *number = (int64_t)read;
    return true;
}

static ob_rates rates_of(const int64_t *numbers)
{
    return (ob_rates){numbers[0], numbers[1], numbers[2], numbers[3]};
}

/* "= gpt-5 1250000 125000 -1 10000000" */
static bool read_price(ob_slice line, ob_price *price)
{
    int64_t numbers[NUMBERS_MAX] = {0};
    size_t count = 0;
    ob_slice kind = ob_slice_cut(&line, ' ');
    price->kind = kind.len == 1 ? kind.ptr[0] : 0;
    price->pattern = ob_slice_cut(&line, ' ');
    for (; line.ptr && count < NUMBERS_MAX; count++)
        if (!read_number(ob_slice_cut(&line, ' '), &numbers[count]))
            return false;
    price->rates = rates_of(numbers);
    price->above_tokens = numbers[4];
    price->above = rates_of(numbers + 5);
    return price->kind && memchr("=^*$", price->kind, 4) &&
           price->pattern.len && !line.ptr && (count == 4 || count == 9);
}

static bool read_line(ob_prices *prices, ob_slice line)
{
    if (!line.len || line.ptr[0] == '#')
        return true;
    if (line.ptr[0] == '@') {
        if (prices->list_count == OB_PRICE_LISTS_MAX)
            return false;
        prices->lists[prices->list_count++] =
            (ob_price_list){.provider = ob_slice_trim(ob_slice_from(line, 1)),
                            .from = prices->count};
        return true;
    }
    if (!prices->list_count || !read_price(line, &prices->items[prices->count]))
        return false;
    prices->count++;
    prices->lists[prices->list_count - 1].count++;
    return true;
}

static size_t count_lines(ob_slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

ob_status ob_prices_parse(ob_slice text, ob_prices **prices)
{
    ob_prices *made = calloc(1, sizeof(*made));
    size_t lines = count_lines(text);
    if (!made)
        return OB_NO_MEMORY;
    ob_status status = lines > LINES_MAX ? OB_INVALID : OB_OK;
    ob_arena_init(&made->arena, 0);
    if (!status)
        made->items = ob_arena_alloc(&made->arena, lines * sizeof(ob_price));
    if (!status && !made->items)
        status = OB_NO_MEMORY;
    while (!status && text.ptr)
        if (!read_line(made, ob_slice_cut(&text, '\n')))
            status = OB_INVALID;
    if (status)
        ob_prices_free(made);
    else
        *prices = made;
    return status;
}

ob_slice ob_prices_of(ob_slice text, ob_slice provider)
{
    ob_slice rest = text;
    const char *from = NULL;
    while (rest.len) {
        ob_slice line = ob_slice_cut(&rest, '\n');
        if (!ob_slice_starts(line, OB_S("@")))
            continue;
        if (from)
            return ob_slice_make(from, (size_t)(line.ptr - from));
        if (ob_slice_eq(ob_slice_trim(ob_slice_from(line, 1)), provider))
            from = line.ptr;
    }
    return from ? ob_slice_from(text, (size_t)(from - text.ptr))
                : (ob_slice){NULL, 0};
}

void ob_prices_free(ob_prices *prices)
{
    if (!prices)
        return;
    ob_arena_deinit(&prices->arena);
    free(prices);
}

/* ---- looking up ---- */

/* How well it fits; 0: not at all. */
static size_t fit(const ob_price *price, ob_slice model)
{
    ob_slice pattern = price->pattern;
    switch (price->kind) {
    case '=':
        return ob_slice_eq_nocase(model, pattern) ? SIZE_MAX : 0;
    case '^':
        return ob_slice_starts_nocase(model, pattern) ? 2000 + pattern.len : 0;
    case '$':
        return model.len >= pattern.len &&
                       ob_slice_eq_nocase(
                           ob_slice_from(model, model.len - pattern.len),
                           pattern)
                   ? 1000 + pattern.len
                   : 0;
    default:
        return ob_slice_find_nocase(model, pattern) != OB_NOWHERE ? pattern.len
                                                                  : 0;
    }
}

static const ob_price *find_in(const ob_prices *prices,
                               const ob_price_list *list, ob_slice model)
{
    const ob_price *best = NULL;
    size_t best_fit = 0;
    for (size_t i = 0; i < list->count && best_fit != SIZE_MAX; i++) {
        const ob_price *price = &prices->items[list->from + i];
        size_t fits = fit(price, model);
        if (fits <= best_fit)
            continue;
        best = price;
        best_fit = fits;
    }
    return best;
}

const ob_price *ob_prices_find(const ob_prices *prices, ob_slice provider,
                               ob_slice model)
{
    for (size_t i = 0; i < prices->list_count; i++) {
        const ob_price_list *list = &prices->lists[i];
        if (!ob_slice_eq(list->provider, provider))
            continue;
        const ob_price *price = find_in(prices, list, model);
        ob_slice rest = model;
        while (!price && rest.ptr) {
            (void)ob_slice_cut(&rest, '/');
            price = rest.len ? find_in(prices, list, rest) : NULL;
        }
        return price;
    }
    return NULL;
}

/* ---- costs ---- */

static int64_t tokens(int64_t told, int64_t most)
{
    if (told < 0)
        return 0;
    return told < most ? told : most;
}

static int64_t rate(int64_t own, int64_t otherwise)
{
    if (own >= 0)
        return own;
    return otherwise >= 0 ? otherwise : 0;
}

static int64_t cost_of(const ob_rates *rates, const ob_usage *usage)
{
    int64_t input = tokens(usage->input, TOKENS_MAX);
    int64_t cached = tokens(usage->cached, input);
    int64_t written = tokens(usage->cache_written, input - cached);
    int64_t output = tokens(usage->output, TOKENS_MAX);
    int64_t full = rate(rates->input, 0);
    /* Of 10^9 tokens at 4,000 dollars a million each product still fits. */
    int64_t cost = (input - cached - written) * full / 1000;
    cost += cached * rate(rates->cached, full) / 1000;
    cost += written * rate(rates->written, full) / 1000;
    return cost + output * rate(rates->output, 0) / 1000;
}

static const ob_rates *rates_for(const ob_price *price, const ob_usage *usage)
{
    bool above = price->above_tokens && usage->input > price->above_tokens;
    return above ? &price->above : &price->rates;
}

int64_t ob_cost(const ob_own_price *own, size_t own_count,
                const ob_prices *prices, ob_slice provider, ob_slice model,
                const ob_usage *usage)
{
    if (!usage->known || !model.len)
        return -1;
    for (size_t i = 0; i < own_count; i++)
        if (ob_slice_eq(own[i].provider, provider) &&
            ob_slice_eq(own[i].model, model))
            return cost_of(&own[i].rates, usage);
    const ob_price *price =
        prices ? ob_prices_find(prices, provider, model) : NULL;
    return price ? cost_of(rates_for(price, usage), usage) : -1;
}
