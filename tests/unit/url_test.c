#include "test.h"

#include "../../src/core/config.h"

static void url_is_taken_apart(void **state)
{
    ob_url url;
    const char *why = NULL;
    assert_int_equal(
        ob_url_parse(OB_S("https://api.openai.com/v1/"), &url, &why), OB_OK);
    assert_true(url.tls);
    assert_slice(url.host, "api.openai.com");
    assert_int_equal(url.port, 443);
    assert_slice(url.path, "/v1");

    assert_int_equal(ob_url_parse(OB_S("HTTP://[::1]:8000"), &url, &why),
                     OB_OK);
    assert_false(url.tls);
    assert_slice(url.host, "::1");
    assert_int_equal(url.port, 8000);
    assert_slice(url.path, "");

    assert_int_equal(ob_url_parse(OB_S("http://127.0.0.1:1//"), &url, &why),
                     OB_OK);
    assert_slice(url.path, "");
}

static void url_names_may_stand_in_labels_and_segments(void **state)
{
    ob_url url;
    const char *why = NULL;
    assert_int_equal(
        ob_url_parse(OB_S("https://{region}-aiplatform.googleapis.com/a/{b}"),
                     &url, &why),
        OB_OK);
    assert_slice(url.host, "{region}-aiplatform.googleapis.com");
    assert_slice(url.path, "/a/{b}");
}

static void url_refuses_what_is_ambiguous(void **state)
{
    static const char *const bad[] = {
        "",
        "api.openai.com",
        "ftp://x/",
        "https://",
        "https:///v1",
        "https://user@x/",
        "https://user:pw@x/",
        "https://x/?a=b",
        "https://x/#f",
        "https://x:0/",
        "https://x:65536/",
        "https://x:/",
        "https://x:8a/",
        "https://::1/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[1.2.3.4]/",
        "https://[fe80::1%25eth0]/",
        "https://a..b/",
        "https://-a/",
        "https://a b/",
        "https://a\\b/",
        "https://a%2eb/",
        "https://{}/",
        "https://{a/b}/",
        "https://{re gion}.x/",
        "https://x/a//b",
        "https://x/../a",
        "https://x/./a",
        "https://x/a{b}",
        "https://x/{b}{c}",
        "https://x/%2",
        "https://x/%zz",
        "https://x/\n",
        "https://x\r\nHost: y/",
        "https://x/\xc3\xbc",
    };
    for (size_t i = 0; i < OB_LEN(bad); i++) {
        ob_url url;
        const char *why = NULL;
        if (ob_url_parse(ob_slice_str(bad[i]), &url, &why) != OB_INVALID)
            fail_msg("accepted: %s", bad[i]);
        assert_non_null(why);
    }
}

static void ipv6_addresses_are_checked(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"[::]:1", true},
        {"[::1]:1", true},
        {"[2001:db8::2]:1", true},
        {"[1:2:3:4:5:6:7:8]:1", true},
        {"[1:2:3:4:5:6:7::]:1", true},
        {"[::ffff:192.0.2.1]:1", true},
        {"[1:2:3:4:5:6:1.2.3.4]:1", true},
        {"[]:1", false},
        {"[:]:1", false},
        {"[:::]:1", false},
        {"[1::2::3]:1", false},
        {"[1:2:3:4:5:6:7]:1", false},
        {"[1:2:3:4:5:6:7:8:9]:1", false},
        {"[1:2:3:4:5:6:7:8::]:1", false},
        {"[12345::]:1", false},
        {"[g::]:1", false},
        {"[1:]:1", false},
        {"[::1.2.3]:1", false},
        {"[::1.2.3.256]:1", false},
        {"[1:2:3:4:5:6:7:1.2.3.4]:1", false},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_slice host;
        uint16_t port;
        const char *why = NULL;
        ob_status status =
            ob_listen_parse(ob_slice_str(cases[i].text), &host, &port, &why);
        if ((status == OB_OK) != cases[i].valid)
            fail_msg("%s", cases[i].text);
    }
}

static void listen_is_host_and_port(void **state)
{
    ob_slice host;
    uint16_t port = 1;
    const char *why = NULL;
    assert_int_equal(ob_listen_parse(OB_S("localhost:0"), &host, &port, &why),
                     OB_OK);
    assert_slice(host, "localhost");
    assert_int_equal(port, 0);
    assert_int_equal(ob_listen_parse(OB_S("[::1]:8080"), &host, &port, &why),
                     OB_OK);
    assert_slice(host, "::1");
    assert_int_equal(port, 8080);

    static const char *const bad[] = {
        "",          "8080",        ":8080",       "*:8080",
        "x",         "x:",          "x:70000",     "x:-1",
        "1.2.3:80",  "1.2.3.4.5:1", "256.1.1.1:1", "::1:8080",
        "[::1]",     "[::1]8080",   "a_{b}:80",    "a b:80",
        "1.2.3.04:1"};
    for (size_t i = 0; i < OB_LEN(bad); i++)
        if (ob_listen_parse(ob_slice_str(bad[i]), &host, &port, &why) !=
            OB_INVALID)
            fail_msg("accepted: %s", bad[i]);
}

static void database_is_a_sqlite_file(void **state)
{
    static const struct {
        const char *text;
        const char *path; /* NULL: refused */
    } cases[] = {
        {"one-balance.db", "one-balance.db"},
        {"./a b.db", "./a b.db"},
        {"sqlite:x.db", "x.db"},
        {"sqlite:/x.db", "/x.db"},
        {"sqlite:///var/x.db", "/var/x.db"},
        {"sqlite://x.db", NULL},
        {"sqlite:", NULL},
        {"sqlite://", NULL},
        {"", NULL},
        {":memory:", NULL},
        {"sqlite::memory:", NULL},
        {"file:x.db?mode=ro", NULL},
        {"mysql://x", NULL},
    };
    for (size_t i = 0; i < OB_LEN(cases); i++) {
        ob_slice path;
        const char *why = NULL;
        ob_status status =
            ob_database_parse(ob_slice_str(cases[i].text), &path, &why);
        if ((status == OB_OK) != (cases[i].path != NULL))
            fail_msg("%s", cases[i].text);
        if (status == OB_OK)
            assert_slice(path, cases[i].path);
    }
}

static void postgres_is_refused_by_name(void **state)
{
    ob_slice path;
    const char *why = NULL;
    assert_int_equal(
        ob_database_parse(OB_S("postgres://u:p@h/db"), &path, &why),
        OB_INVALID);
    assert_non_null(strstr(why, "only SQLite"));
    assert_null(strstr(why, "u:p"));
}

static void host_labels_cannot_name_another_host(void **state)
{
    assert_true(ob_host_label_valid(OB_S("us-central1")));
    static const char *const bad[] = {"",     "-a",        "a-",  "a.b",
                                      "a/b",  "a@b",       "a:1", "a%2e",
                                      "a\nb", "evil.com#", "{a}"};
    for (size_t i = 0; i < OB_LEN(bad); i++)
        if (ob_host_label_valid(ob_slice_str(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    char label[64];
    memset(label, 'a', sizeof(label));
    assert_true(ob_host_label_valid(ob_slice_make(label, 63)));
    assert_false(ob_host_label_valid(ob_slice_make(label, 64)));
}

static void nearest_finds_slips_and_nothing_far(void **state)
{
    const ob_slice words[] = {OB_S("listen"), OB_S("database"),
                              OB_S("providers")};
    assert_slice(ob_nearest(OB_S("listne"), words, 3), "listen");
    assert_slice(ob_nearest(OB_S("Provider"), words, 3), "providers");
    assert_slice(ob_nearest(OB_S("databsae"), words, 3), "database");
    assert_null(ob_nearest(OB_S("frequency"), words, 3).ptr);
    assert_null(ob_nearest(OB_S(""), words, 3).ptr);
    assert_null(ob_nearest(OB_S("x"), words, 3).ptr);
    char word[200];
    memset(word, 'x', sizeof(word));
    assert_null(ob_nearest(ob_slice_make(word, sizeof(word)), words, 3).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_is_taken_apart),
        cmocka_unit_test(url_names_may_stand_in_labels_and_segments),
        cmocka_unit_test(url_refuses_what_is_ambiguous),
        cmocka_unit_test(ipv6_addresses_are_checked),
        cmocka_unit_test(listen_is_host_and_port),
        cmocka_unit_test(database_is_a_sqlite_file),
        cmocka_unit_test(postgres_is_refused_by_name),
        cmocka_unit_test(host_labels_cannot_name_another_host),
        cmocka_unit_test(nearest_finds_slips_and_nothing_far),
    };
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
