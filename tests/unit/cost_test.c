/* cost_test.c - what tokens cost. */
#include "test.h"

#include "../../src/core/cost.h"

#define TABLE                                                                  \
    "# comment\n"                                                              \
    "@ openai\n"                                                               \
    "= gpt-5 1250000 125000 -1 10000000\n"                                     \
    "^ gpt-5 1 1 1 1\n"                                                        \
    "^ gpt-5-mini 2 2 2 2\n"                                                   \
    "* audio 3 3 3 3\n"                                                        \
    "$ -end 4 4 4 4\n"                                                         \
    "@ google-ai-studio\n"                                                     \
    "^ gemini-2.5-pro 1250000 310000 -1 10000000 200000 2500000 625000 -1 "    \
    "15000000\n"

static ob_prices *prices;

static int setup(void **state)
{
    assert_int_equal(ob_prices_parse(OB_S(TABLE), &prices), OB_OK);
    return 0;
}

static int teardown(void **state)
{
    ob_prices_free(prices);
    return 0;
}

static int64_t input_rate(const char *provider, const char *model)
{
    const ob_price *price =
        ob_prices_find(prices, ob_slice_str(provider), ob_slice_str(model));
    return price ? price->rates.input : -1;
}

static void a_provider_has_its_own_lines(void **state)
{
    ob_slice all = OB_S(TABLE);
    ob_slice first = ob_prices_of(all, OB_S("openai"));
    ob_slice last = ob_prices_of(all, OB_S("google-ai-studio"));
    assert_true(ob_slice_starts(first, OB_S("@ openai\n= gpt-5 ")));
    assert_true(ob_slice_ends(first, OB_S("$ -end 4 4 4 4\n")));
    assert_true(ob_slice_starts(last, OB_S("@ google-ai-studio\n^")));
    assert_ptr_equal(last.ptr + last.len, all.ptr + all.len);
    assert_int_equal(ob_prices_of(all, OB_S("openais")).len, 0);
    assert_int_equal(ob_prices_of(OB_S(""), OB_S("openai")).len, 0);
    ob_prices *own;
    assert_int_equal(ob_prices_parse(last, &own), OB_OK);
    assert_non_null(
        ob_prices_find(own, OB_S("google-ai-studio"), OB_S("gemini-2.5-pro")));
    assert_null(ob_prices_find(own, OB_S("openai"), OB_S("gpt-5")));
    ob_prices_free(own);
}

static void prices_are_found_by_the_best_fit(void **state)
{
    assert_int_equal(input_rate("openai", "gpt-5"), 1250000);
    assert_int_equal(input_rate("openai", "GPT-5"), 1250000);
    assert_int_equal(input_rate("openai", "gpt-5-2030"), 1);
    assert_int_equal(input_rate("openai", "gpt-5-mini-2030"), 2);
    assert_int_equal(input_rate("openai", "my-audio-model"), 3);
    assert_int_equal(input_rate("openai", "audio-end"), 4);
    assert_int_equal(input_rate("openai", "other"), -1);
    assert_int_equal(input_rate("openai", "vendor/gpt-5"), 1250000);
    assert_int_equal(input_rate("groq", "gpt-5"), -1);
}

static int64_t cost(const char *provider, const char *model, int64_t input,
                    int64_t output, int64_t cached, int64_t written)
{
    ob_usage usage = {input, output, cached, written, -1, true};
    return ob_cost(NULL, 0, prices, ob_slice_str(provider), ob_slice_str(model),
                   &usage);
}

static void costs_count_each_kind_of_token_once(void **state)
{
    /* 1000 × $1.25 + 100 × $10 a million: 2,250,000 nano-dollars. */
    assert_int_equal(cost("openai", "gpt-5", 1000, 100, -1, -1), 2250000);
    assert_int_equal(cost("openai", "gpt-5", 1000, 100, 400, -1),
                     600 * 1250 + 400 * 125 + 1000000);
    /* Without a price of their own, written ones cost as input. */
    assert_int_equal(cost("openai", "gpt-5", 1000, 0, 400, 600),
                     600 * 1250 + 400 * 125);
    /* More cached ones than there are of input are none. */
    assert_int_equal(cost("openai", "gpt-5", 10, 0, 400, 600), 10 * 125);
    assert_int_equal(cost("openai", "gpt-5", -1, 100, -1, -1), 1000000);
}

static void costs_rise_above_so_many_tokens(void **state)
{
    const char *google = "google-ai-studio";
    assert_int_equal(cost(google, "gemini-2.5-pro", 200000, 0, 0, 0),
                     INT64_C(200000) * 1250);
    assert_int_equal(cost(google, "gemini-2.5-pro", 200001, 10, 0, 0),
                     INT64_C(200001) * 2500 + 10 * 15000);
}

static void costs_are_bounded_whatever_is_told(void **state)
{
    int64_t most =
        cost("openai", "gpt-5", INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX);
    assert_true(most > 0 && most < INT64_C(1) << 50);
}

static void own_prices_go_first(void **state)
{
    ob_own_price own[] = {
        {OB_S("openai"), OB_S("gpt-5"), {1000, -1, -1, 2000}},
        {OB_S("my-vllm"), OB_S("qwen"), {5000, -1, -1, -1}},
    };
    ob_usage usage = {1000, 1000, 500, -1, -1, true};
    assert_int_equal(
        ob_cost(own, 2, prices, OB_S("openai"), OB_S("gpt-5"), &usage),
        1000 + 2000);
    assert_int_equal(
        ob_cost(own, 2, prices, OB_S("my-vllm"), OB_S("qwen"), &usage), 5000);
    assert_int_equal(
        ob_cost(own, 2, NULL, OB_S("openai"), OB_S("other"), &usage), -1);
    usage.known = false;
    assert_int_equal(
        ob_cost(own, 2, prices, OB_S("openai"), OB_S("gpt-5"), &usage), -1);
}

static void tables_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {
        "= gpt-5 1 1 1 1\n", /* of nobody */
        "@ openai\n= gpt-5 1 1 1\n",
        "@ openai\n= gpt-5 1 1 1 1 1\n",
        "@ openai\n? gpt-5 1 1 1 1\n",
        "@ openai\n= gpt-5 1 1 1 x\n",
        "@ openai\n= gpt-5 1 1 1 99999999999\n",
    };
    ob_prices *made = NULL;
    for (size_t i = 0; i < OB_LEN(bad); i++)
        assert_int_equal(ob_prices_parse(ob_slice_str(bad[i]), &made),
                         OB_INVALID);
    assert_int_equal(ob_prices_parse(OB_S(""), &made), OB_OK);
    assert_null(ob_prices_find(made, OB_S("openai"), OB_S("gpt-5")));
    ob_prices_free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_provider_has_its_own_lines),
        cmocka_unit_test(prices_are_found_by_the_best_fit),
        cmocka_unit_test(costs_count_each_kind_of_token_once),
        cmocka_unit_test(costs_rise_above_so_many_tokens),
        cmocka_unit_test(costs_are_bounded_whatever_is_told),
        cmocka_unit_test(own_prices_go_first),
        cmocka_unit_test(tables_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
