#include "test.h"

#include "route_fixture.h"
#include "../../src/core/route_internal.h"

static size_t shown_count;
static ob_slice shown[OB_CREDENTIALS_MAX];

static void show(void)
{
    shown_count = ob_route_credentials(&call, &arena, shown);
}

static void credentials_are_found_in_every_place(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } cases[] = {
        {"Authorization", "Bearer s3"},
        {"authorization", "bearer  s3 "},
        {"AUTHORIZATION", "Token s3"},
        {"Authorization", "Key s3"},
        {"Authorization", "api-key s3"},
        {"x-api-key", "s3"},
        {"X-Goog-Api-Key", " s3"},
        {"api-key", "s3"},
        {"xi-api-key", "s3"},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        make_call("GET /x", OB_S(""));
        add_header(cases[i].name, cases[i].value);
        show();
        assert_int_equal(shown_count, 1);
        assert_slice(shown[0], "s3");
    }
    make_call("GET /x?a=b&key=s%2B3%3d&k%65y=+", OB_S(""));
    show();
    assert_int_equal(shown_count, 2);
    assert_slice(shown[0], "s+3=");
    assert_slice(shown[1], "+");
}

static void other_schemes_show_nothing(void **state)
{
    make_call("GET /x?api_key=a&key=&key=%", OB_S(""));
    add_header("authorization", "Basic dTpw");
    add_header("authorization", "Bearer");
    add_header("authorization", "Bearer ");
    add_header("authorization", "s3");
    add_header("cookie", "key=s3");
    add_header("x-api-key", "");
    show();
    assert_int_equal(shown_count, 0);
}

static void credentials_have_a_bound(void **state)
{
    make_call("GET /x?key=z", OB_S(""));
    for (int i = 0; i < 20; i++)
        add_header("x-api-key", "s3");
    show();
    assert_int_equal(shown_count, OB_CREDENTIALS_MAX);
}

static void caller_headers_that_must_not_travel_stay(void **state)
{
    static const char *const names[] = {
        "Authorization",
        "cookie",
        "X-API-Key",
        "x-goog-api-key",
        "api-key",
        "xi-api-key",
        "Proxy-Authorization",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "host",
        "expect",
        "accept-encoding",
        "x-forwarded-for",
        "X-Forwarded-Host",
        "forwarded",
        "cf-connecting-ip",
        "cf-ray",
        "cf-aig-authorization",
        "cf-aig-skip-cache",
        "x-fal-target-url",
        "x-http-method-override",
        "x-original-url",
        "openai-organization",
        "x-goog-user-project",
        "X-HF-Bill-To",
        "origin",
        "referer",
        "sec-fetch-site",
        "x-real-ip",
        "x-auth-key",
        "x-one-balance-provider",
        "proxy-connection",
        "via",
    };
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (ob_route_passes_header(ob_slice_str(names[i]), false))
            fail_msg("passes: %s", names[i]);
}

static void caller_headers_of_the_request_travel(void **state)
{
    static const char *const names[] = {
        "content-type",
        "accept",
        "user-agent",
        "anthropic-version",
        "anthropic-beta",
        "x-stainless-lang",
        "openai-beta",
        "x-goog-api-client",
        "http-referer",
        "x-title",
        "content-encoding",
        "idempotency-key",
        "cartesia-version",
        "x-request-id",
        "",
    };
    for (size_t i = 0; i < OB_LEN(names); i++)
        if (!ob_route_passes_header(ob_slice_str(names[i]), false))
            fail_msg("stays: %s", names[i]);
}

static void aig_headers_travel_to_cloudflare_only(void **state)
{
    assert_true(ob_route_passes_header(OB_S("cf-aig-skip-cache"), true));
    assert_true(ob_route_passes_header(OB_S("Cf-Aig-Metadata"), true));
    assert_false(ob_route_passes_header(OB_S("cf-aig-authorization"), true));
    assert_false(ob_route_passes_header(OB_S("cf-aig-whatever-comes"), true));
    assert_false(ob_route_passes_header(OB_S("cf-aig-"), true));
    assert_false(ob_route_passes_header(OB_S("CF-AIG-BYOK-Alias"), true));
    assert_false(ob_route_passes_header(OB_S("cf-connecting-ip"), true));
    assert_false(ob_route_passes_header(OB_S("authorization"), true));
}

static void response_headers_that_tell_of_the_pool_stay(void **state)
{
    static const char *const stay[] = {
        "Set-Cookie",
        "alt-svc",
        "cf-ray",
        "connection",
        "transfer-encoding",
        "content-length",
        "openai-organization",
        "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-requests-limit",
        "access-control-allow-origin",
        "server",
        "date",
        "x-request-id",
        "x-one-balance-provider",
        "clear-site-data",
        "strict-transport-security",
    };
    static const char *const travel[] = {
        "content-type",         "content-encoding", "retry-after", "request-id",
        "openai-processing-ms", "cf-aig-step",      "location",    "",
        "content-disposition",  "x-should-retry",
    };
    for (size_t i = 0; i < OB_LEN(stay); i++)
        if (ob_route_passes_response_header(ob_slice_str(stay[i])))
            fail_msg("passes: %s", stay[i]);
    for (size_t i = 0; i < OB_LEN(travel); i++)
        if (!ob_route_passes_response_header(ob_slice_str(travel[i])))
            fail_msg("stays: %s", travel[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_found_in_every_place),
        cmocka_unit_test(other_schemes_show_nothing),
        cmocka_unit_test(credentials_have_a_bound),
        cmocka_unit_test(caller_headers_that_must_not_travel_stay),
        cmocka_unit_test(caller_headers_of_the_request_travel),
        cmocka_unit_test(aig_headers_travel_to_cloudflare_only),
        cmocka_unit_test(response_headers_that_tell_of_the_pool_stay),
    };
    return cmocka_run_group_tests(tests, setup_direct, teardown);
}
