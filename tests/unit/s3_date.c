/* s3_date - moments as S3 writes them, and all that is not quite one. */
#include "s3/s3_date.h"
#include "support.h"

static void
test_http(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199000},
        {"Fri, 01 Mar 2024 00:00:00 GMT", 1709251200000},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800000}, /* a leap second */
        {"Fri, 01 Jan 2100 00:00:00 GMT", 4102444800000},
        {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400000}, /* no leap year */
    };
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", /* the obsolete forms of RFC 9110 */
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Mon, 29 Feb 2100 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 19940 08:49:37 GMT",
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t ms = 1;
        assert_true(s3_date_http(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t ms = 77;
        if (s3_date_http(bad[i], &ms) || ms != 77)
            fail_msg("\"%s\" is a date", bad[i]);
    }
}

static void
test_iso(void **state)
{
    (void) state;
    static const char *const bad[] = {
        "", "2009-10-12", "2009-10-12T17:50:30", "2009-10-12 17:50:30Z",
        "2009-10-12T17:50:30.Z", "2009-10-12T17:50:30+00:00", "2009-13-12T17:50:30Z",
        "2009-10-12T17:50:30.000", "09-10-12T17:50:30Z", "2009-10-12T17:50:30Zz",
    };
    uint64_t ms;

    assert_true(s3_date_iso("2009-10-12T17:50:30.000Z", &ms));
    assert_int_equal(ms, 1255369830000);
    assert_true(s3_date_iso("2009-10-12T17:50:30Z", &ms));
    assert_int_equal(ms, 1255369830000);
    assert_true(s3_date_iso("2009-10-12T17:50:30.5Z", &ms));
    assert_int_equal(ms, 1255369830500);
    assert_true(s3_date_iso("2009-10-12T17:50:30.123456789Z", &ms));
    assert_int_equal(ms, 1255369830123);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (s3_date_iso(bad[i], &ms))
            fail_msg("\"%s\" is a date", bad[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_iso),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
