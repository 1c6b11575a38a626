/* volume: the frame, byte by byte; names and digests there and back. */
#include "support.h"

#include "store/digest.h"
#include "store/volume.h"

static void
test_preamble(void **state)
{
    struct manifest_column columns[] = {{.name = "film_id"}, {.name = "ti\"tle"}, {.name = "A B"}};
    struct manifest_table table = {
        .schema = "public", .name = "film", .columns = columns, .columns_count = 3};
    struct text text = {0};
    (void) state;

    volume_preamble(&text, "dump-1653170039392", "UTF8", &table, 3);
    assert_string_equal(
        text_of(&text),
        "-- replica dump-1653170039392 volume 3: \"public\".\"film\"\n"
        "SET client_encoding = 'UTF8';\n"
        "SET xmloption = content;\n"
        "SET statement_timeout = 0;\n"
        "SELECT pg_catalog.set_config('search_path', '', false);\n"
        "COPY \"public\".\"film\" (\"film_id\", \"ti\"\"tle\", \"A B\") FROM stdin;\n");
    text_free(&text);
}

/* A name must not end the comment, and a table without columns has no parentheses. */
static void
test_awkward_names(void **state)
{
    struct manifest_table table = {.schema = "a\r\nb", .name = "drop\ntable\xff"};
    struct text text = {0};
    (void) state;

    volume_preamble(&text, "dump-1", "SQL_ASCII", &table, 4294967295u);
    assert_string_equal(text_of(&text),
                        "-- replica dump-1 volume 4294967295: \"a  b\".\"drop table\xff\"\n"
                        "SET client_encoding = 'SQL_ASCII';\n"
                        "SET xmloption = content;\n"
                        "SET statement_timeout = 0;\n"
                        "SELECT pg_catalog.set_config('search_path', '', false);\n"
                        "COPY \"a\r\nb\".\"drop\ntable\xff\" FROM stdin;\n");
    text_free(&text);
}

static void
test_names(void **state)
{
    static const char *const bad[] = {"",
                                      "0.sql.zst",
                                      "01.sql.zst",
                                      "-1.sql.zst",
                                      "+1.sql.zst",
                                      "1.sql",
                                      "1.sql.zst ",
                                      " 1.sql.zst",
                                      "1.sql.zst.age",
                                      "x.sql.zst",
                                      "1",
                                      "1.",
                                      "../1.sql.zst",
                                      "4294967296.sql.zst",
                                      "data.sql.zst",
                                      "1/.sql.zst",
                                      "1.sql.zst/",
                                      "9999999999999999999999999999999999.sql.zst"};
    char name[VOLUME_NAME_MAX];
    unsigned number;
    (void) state;

    assert_string_equal(volume_name(name, 1, ""), "1.sql");
    assert_string_equal(volume_name(name, 4294967295u, ".zst.age"), "4294967295.sql.zst.age");
    assert_true(volume_number("12.sql.zst", ".zst", &number) && number == 12);
    assert_true(volume_number("4294967295.sql", "", &number) && number == 4294967295u);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(volume_number(bad[i], ".zst", &number));
}

static void
test_suffix(void **state)
{
    static const char *const unknown[] = {"",        "zstd",  "zstd:", "zstd:-", "zstd:x",
                                          "zstd:3x", "lz4:1", "None",  "none ",  "zstd:--1"};
    (void) state;

    assert_string_equal(object_suffix("none"), "");
    assert_string_equal(object_suffix("zstd:3"), ".zst");
    assert_string_equal(object_suffix("zstd:-5"), ".zst");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_null(object_suffix(unknown[i]));
}

static void
test_digest(void **state)
{
    uint8_t digest[32], back[32];
    char text[DIGEST_TEXT_MAX];
    (void) state;

    for (int i = 0; i < 32; i++)
        digest[i] = (uint8_t) (i * 37);
    digest_text(text, digest);
    assert_int_equal(strlen(text), 64);
    assert_true(digest_read(text, back));
    assert_memory_equal(digest, back, 32);
    text[63] = 'g';
    assert_false(digest_read(text, back));
    text[63] = 'A';
    assert_false(digest_read(text, back));
    text[63] = '\0';
    assert_false(digest_read(text, back));
    assert_false(digest_read("", back));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preamble), cmocka_unit_test(test_awkward_names),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_suffix),
        cmocka_unit_test(test_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
