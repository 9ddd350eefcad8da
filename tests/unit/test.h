/* test.h - what every unit test includes before anything else. */
#ifndef OB_TEST_H
#define OB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/core/base/base.h"

#define assert_slice(actual, expected)                                         \
    do {                                                                       \
        ob_slice actual_ = (actual);                                           \
        ob_slice expected_ = ob_slice_str(expected);                           \
        assert_int_equal(actual_.len, expected_.len);                          \
        assert_memory_equal(actual_.ptr, expected_.ptr, expected_.len);        \
    } while (0)

#endif
