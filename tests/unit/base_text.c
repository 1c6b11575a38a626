/* base_text - growing, quoting, and numbers for people. */
#include "base/text.h"
#include "support.h"

static void
test_adding(void **state)
{
    (void) state;
    struct text text = {0};

    assert_string_equal(text_of(&text), "");
    text_clear(&text);
    text_add_bytes(&text, NULL, 0);
    assert_string_equal(text_of(&text), "");
    text_add(&text, "copy ");
    text_addf(&text, "%s (%d)", "film", 3);
    assert_string_equal(text_of(&text), "copy film (3)");
    assert_int_equal(text.size, 13);
    text_clear(&text);
    assert_string_equal(text_of(&text), "");
    for (int i = 0; i < 5000; i++)
        text_addf(&text, "%04d", i);
    assert_int_equal(text.size, 20000);
    assert_int_equal(strlen(text_of(&text)), 20000);
    assert_string_equal(text_of(&text) + 19996, "4999");
    text_free(&text);
    assert_string_equal(text_of(&text), "");
}

/* Every length around the steps in which it grows. */
static void
test_growing(void **state)
{
    (void) state;
    for (int first = 120; first < 130; first++)
        for (int second = 120; second < 140; second++) {
            struct text text = {0};
            text_addf(&text, "%*s", first, "");
            text_addf(&text, "%*s", second, "x");
            assert_int_equal(text.size, first + second);
            assert_int_equal(text.data[text.size], '\0');
            text_free(&text);
        }
}

static void
test_quoting(void **state)
{
    (void) state;
    struct text text = {0};

    text_add_name(&text, "say \"hi\"\n.");
    assert_string_equal(text_of(&text), "\"say \"\"hi\"\"\n.\"");
    text_clear(&text);
    text_add_name_pair(&text, "a.b", "");
    assert_string_equal(text_of(&text), "\"a.b\".\"\"");
    text_clear(&text);
    text_add_literal(&text, "it's \\ \"fine\"");
    assert_string_equal(text_of(&text), "E'it''s \\\\ \"fine\"'");
    text_free(&text);
}

static void
test_byte_counts(void **state)
{
    (void) state;
    static const struct {
        unsigned long long bytes;
        const char *text;
    } counts[] = {
        {0, "0 B"},
        {1, "1 B"},
        {999, "999 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {102348, "99.9 KiB"},
        {102400, "100 KiB"},
        {1048063, "1023 KiB"},
        {1048064, "1.0 MiB"},
        {1048575, "1.0 MiB"},
        {5ULL << 40, "5.0 TiB"},
        {~0ULL, "16.0 EiB"},
    };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char buffer[16];
        assert_string_equal(text_bytes(buffer, counts[i].bytes), counts[i].text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_byte_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
