/* config_prices.c - "prices" of the configuration. */
#include "cost.h"
#include "reader.h"

#define PRICES_MAX 4096
/* Dollars for a million tokens. */
#define DOLLARS_MAX 4000.0

static ob_status read_dollars(ob_reader *reader, const ob_member *member,
                              yyjson_val *value, void *field)
{
    double dollars = yyjson_get_num(value);
    if (!yyjson_is_num(value) || !(dollars >= 0 && dollars <= DOLLARS_MAX))
        return ob_reader_fail(reader, "must be dollars for a million tokens, "
                                      "0 to 4000");
    *(int64_t *)field = (int64_t)(dollars * 1000000 + 0.5);
    return OB_OK;
}

#define PRICE(member)                                                          \
    {                                                                          \
        .name = #member, .read = read_dollars,                                 \
        .offset = offsetof(ob_rates, member)                                   \
    }

const ob_member ob_price_members[] = {
    PRICE(input),
    PRICE(output),
    PRICE(cached),
    {.name = "cache_written",
     .read = read_dollars,
     .offset = offsetof(ob_rates, written)},
};
const size_t ob_price_member_count = OB_LEN(ob_price_members);

static ob_status read_price(ob_reader *reader, ob_slice key, yyjson_val *value,
                            void *context)
{
    ob_config *config = context;
    ob_own_price *price = &config->prices[config->price_count];
    ob_slice model = key;
    ob_slice name = ob_slice_cut(&model, '/');
    const ob_provider *provider = ob_config_provider_or_alias(config, name);
    if (!provider || !model.len)
        return ob_reader_fail(reader, "must be named \"provider/model\", with "
                                      "a provider of this configuration");
    price->provider = provider->slug;
    price->model = ob_arena_dup(reader->arena, model);
    price->rates = (ob_rates){-1, -1, -1, -1};
    if (!price->model.ptr)
        return OB_NO_MEMORY;
    config->price_count++;
    return ob_read_members(reader, ob_price_members, ob_price_member_count,
                           value, &price->rates);
}

static yyjson_val *find_member(yyjson_val *root, const char *name,
                               size_t *ordinal)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    yyjson_val *key;
    for (*ordinal = 0; (key = yyjson_obj_iter_next(&iter)); ++*ordinal)
        if (yyjson_equals_str(key, name))
            return yyjson_obj_iter_get_val(key);
    return NULL;
}

ob_status ob_config_read_prices(ob_reader *reader, yyjson_val *root,
                                ob_config *config)
{
    size_t ordinal;
    yyjson_val *prices = find_member(root, "prices", &ordinal);
    if (!prices)
        return OB_OK;
    ob_status status = ob_reader_enter(reader, OB_S("prices"), ordinal);
    if (status != OB_OK)
        return status;
    size_t count = yyjson_obj_size(prices);
    if (count > PRICES_MAX)
        return ob_reader_fail(reader, "has more than 4096 models");
    config->prices =
        ob_arena_alloc(reader->arena, (count + 1) * sizeof(*config->prices));
    if (!config->prices)
        return OB_NO_MEMORY;
    status = ob_read_each(reader, prices, read_price, config);
    if (status == OB_OK)
        ob_reader_leave(reader);
    return status;
}
