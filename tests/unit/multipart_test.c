#include "test.h"

#include "../../src/core/scan.h"

#define TYPE OB_S("multipart/form-data; boundary=XX")
#define MODEL                                                                  \
    "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper"    \
    "\r\n"
#define FILE_PART                                                              \
    "--XX\r\ncontent-disposition: form-data; name=\"file\"; "                  \
    "filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n\x01--X\r\n\r\n"     \
    "--\r\n"
#define END "--XX--\r\n"

static ob_status find(ob_slice type, ob_slice body, ob_slice *value)
{
    const char *why = NULL;
    ob_status status =
        ob_scan_multipart(type, body, OB_S("model"), value, &why);
    assert_true(status != OB_INVALID || why);
    return status;
}

static void expect(const char *body, ob_status expected)
{
    ob_slice value;
    ob_status status = find(TYPE, ob_slice_str(body), &value);
    if (status != expected)
        fail_msg("%d for: %s", status, body);
}

static void multipart_finds_the_field(void **state)
{
    ob_slice value;
    assert_int_equal(find(TYPE, OB_S(FILE_PART MODEL END), &value), OB_OK);
    assert_slice(value, "whisper");
    assert_int_equal(find(OB_S("Multipart/Form-Data; charset=utf-8; "
                               "boundary=\"XX\""),
                          OB_S("\r\n" MODEL FILE_PART "--XX--"), &value),
                     OB_OK);
    assert_slice(value, "whisper");
    assert_int_equal(
        find(TYPE,
             OB_S("--XX\r\nContent-Disposition: form-data; name=model\r\n\r\n"
                  "\r\n" END),
             &value),
        OB_OK);
    assert_slice(value, "");
}

static void multipart_tells_a_missing_and_a_doubled_field(void **state)
{
    expect(FILE_PART END, OB_NOT_FOUND);
    expect("--XX--", OB_NOT_FOUND);
    expect(MODEL FILE_PART MODEL END, OB_EXISTS);
}

static void multipart_refuses_a_content_type_without_one_boundary(void **state)
{
    static const char *const types[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=XX; boundary=YY",
        "multipart/form-data; boundary*=utf-8''XX",
        "multipart/form-data; boundary=\"XX",
        "multipart/form-data; boundary=\"X\\\"X\"",
        "multipart/mixed; boundary=XX",
        "application/json",
        "",
        "multipart/form-data; boundary="
        "01234567890123456789012345678901234567890123456789"
        "012345678901234567890",
    };
    for (size_t i = 0; i < OB_LEN(types); i++) {
        ob_slice value;
        if (find(ob_slice_str(types[i]), OB_S(MODEL END), &value) != OB_INVALID)
            fail_msg("accepted: %s", types[i]);
    }
}

static void
multipart_refuses_what_readers_could_take_apart_in_two_ways(void **state)
{
    static const char *const bodies[] = {
        "",
        "x" MODEL END,
        MODEL,                     /* no end */
        "--XX\n\nx\r\n" END,       /* bare line feed */
        MODEL "--XX-- " MODEL END, /* a part behind the last */
        MODEL "--XX \r\n" END,     /* padding */
        MODEL "--XXY\r\n" END,     /* a longer boundary */
        "--XX\r\n\r\nx\r\n" END,   /* no head */
        "--XX\r\nA: b\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\nx"
        "\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n"
        "Content-Disposition: form-data; name=\"model\"\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"a\"; name=\"model\""
        "\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name*=utf-8''model\r\n\r\nx"
        "\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"Model\"\r\n\r\nx"
        "\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"mod%65l\"\r\n\r\nx"
        "\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"a\\\"; x=\"model\""
        "\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"model\"; "
        "filename=\"f\"\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\neA==\r\n" END,
        "--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
        "a\n" MODEL END,
        "--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
        "a" MODEL END,
    };
    for (size_t i = 0; i < OB_LEN(bodies); i++)
        expect(bodies[i], OB_INVALID);
}

static void multipart_reads_no_byte_past_the_end(void **state)
{
    static const char text[] = FILE_PART MODEL "--XX--";
    for (size_t len = 1; len < sizeof(text); len++) {
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, text, len);
        ob_slice value;
        assert_int_equal(find(TYPE, ob_slice_make(copy, len), &value),
                         len + 1 == sizeof(text) ? OB_OK : OB_INVALID);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multipart_finds_the_field),
        cmocka_unit_test(multipart_tells_a_missing_and_a_doubled_field),
        cmocka_unit_test(multipart_refuses_a_content_type_without_one_boundary),
        cmocka_unit_test(
            multipart_refuses_what_readers_could_take_apart_in_two_ways),
        cmocka_unit_test(multipart_reads_no_byte_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
