/* The input is a content-type, a line feed and a body. */
#include "../../src/core/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ob_slice body = {(const char *)data, size};
    ob_slice type = ob_slice_cut(&body, '\n'), value;
    const char *why = NULL;
    ob_status status =
        ob_scan_multipart(type, body, OB_S("model"), &value, &why);
    OB_ASSERT(status == OB_OK || status == OB_NOT_FOUND ||
              status == OB_EXISTS || (status == OB_INVALID && why));
    if (status == OB_OK)
        OB_ASSERT(value.ptr >= body.ptr &&
                  value.ptr + value.len <= body.ptr + body.len);
    return 0;
}
