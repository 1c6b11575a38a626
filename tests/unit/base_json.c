/* json: what is valid is read as it is, what is not is refused with an offset, and nothing beyond
 * the input is ever touched. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"

static const char document[] =
    "{\"format\":1,\"name\":\"dump-5\",\"big\":18446744073709551615,\"part\":-1.5e+3,\n"
    " \"yes\":true,\"no\":false,\"none\":null,\"empty\":[],\"object\":{},\n"
    " \"text\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\xc3\xa9\",\n"
    " \"list\":[1,\"two\",[3,{\"four\":4}]]}\t\r\n ";

/* Parse what ends exactly where the readable memory ends. */
static const struct json *
parse(struct arena *arena, const char *data, size_t size, struct fault *fault)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE), pages = size / page + 2;
    char *memory =
        mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(mprotect(memory + (pages - 1) * page, page, PROT_NONE), 0);
    char *input = memory + (pages - 1) * page - size;
    if (size > 0)
        memcpy(input, data, size);
    const struct json *json = json_parse(arena, input, size, "it", fault);
    munmap(memory, pages * page);
    return json;
}

static void
refused(const char *data, size_t size, const char *why)
{
    struct arena arena = {0};
    struct fault fault = {0};

    assert_null(parse(&arena, data, size, &fault));
    assert_int_equal(fault.err, ERR_INTEGRITY);
    if (strstr(fault.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", fault.text, why);
    arena_free(&arena);
}

static void
test_reads(void **state)
{
    struct arena arena = {0};
    struct fault fault = {0};
    uint64_t number;
    (void) state;

    const struct json *json = parse(&arena, document, sizeof document - 1, &fault);
    assert_non_null(json);
    assert_int_equal(json->size, 11);
    assert_true(json_get_number(json, "format", &number));
    assert_int_equal(number, 1);
    assert_true(json_get_number(json, "big", &number));
    assert_true(number == UINT64_MAX);
    assert_false(json_get_number(json, "part", &number));
    assert_string_equal(json_get(json, "part")->text, "-1.5e+3");
    assert_false(json_get_number(json, "name", &number));
    assert_false(json_get_number(json, "missing", &number));
    assert_true(json_get_bool(json, "yes", false));
    assert_false(json_get_bool(json, "no", true));
    assert_true(json_get_bool(json, "none", true));
    assert_string_equal(json_get_text(json, "name", "?"), "dump-5");
    assert_string_equal(json_get_text(json, "yes", "?"), "?");
    assert_string_equal(json_get_text(json, "text", "?"),
                        "a\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9");
    const struct json *list = json_get(json, "list");
    assert_int_equal(list->size, 3);
    assert_string_equal(list->first->next->text, "two");
    assert_null(list->first->name);
    assert_true(json_get_number(list->first->next->next->first->next, "four", &number));
    assert_int_equal(number, 4);
    assert_null(json_get(list, "four"));
    assert_null(json_get(NULL, "four"));
    arena_free(&arena);
}

static void
test_refuses(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "a value is missing at byte 0"},
        {"  ", "a value is missing at byte 2"},
        {"tru", "no value stands at byte 0"},
        {"[1,]", "no value stands at byte 3"},
        {"[,1]", "no value stands at byte 1"},
        {"[1 2]", "a comma or closing bracket"},
        {"[1}", "a comma or closing bracket"},
        {"{\"a\":1,}", "the name of a member is missing"},
        {"{\"a\" 1}", "a colon is missing"},
        {"{a:1}", "the name of a member is missing"},
        {"{\"a\\u0000b\":1}", "zero byte"},
        {"{\"a\":1,\"a\":1}", "the same name twice at byte 10"},
        {"{\"a\":1,\"b\":{\"a\":2,\"c\":3,\"\\u0061\":4}}", "the same name twice"},
        {"{\"\":1,\"\":2}", "the same name twice"},
        {"[{\"a\":{},\"b\":[],\"a\":{}}]", "the same name twice"},
        {"1 2", "something stands behind its end at byte 2"},
        {"01", "something stands behind its end"},
        {"-", "a digit is missing"},
        {"1.", "a digit is missing"},
        {"1e", "a digit is missing"},
        {"+1", "no value stands"},
        {"\"a", "a string does not end"},
        {"\"a\nb\"", "a control character"},
        {"\"\\x\"", "an unknown escape"},
        {"\"\\u12g4\"", "four hexadecimal digits"},
        {"\"\\u12", "an escape is cut short"},
        {"\"\\", "an escape is cut short"},
        {"\"\\ud83d\"", "a surrogate stands alone"},
        {"\"\\ud83dx\"", "a surrogate stands alone"},
        {"\"\\ud83d\\u0041\"", "a surrogate stands alone"},
        {"\"\\udc7f\"", "a surrogate stands alone"},
        {"\"\\udd00\"", "a surrogate stands alone"},
        {"\"\x80\"", "no utf-8"},
        {"\"\xc0\xaf\"", "no utf-8"},
        {"\"\xe0\x80\xaf\"", "no utf-8"},
        {"\"\xed\xa0\x80\"", "no utf-8"},
        {"\"\xf4\x90\x80\x80\"", "no utf-8"},
        {"\"\xf5\x80\x80\x80\"", "no utf-8"},
        {"\"\xe2\x82", "no utf-8"},
        {"\xef\xbb\xbf{}", "no value stands at byte 0"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].text, strlen(cases[i].text), cases[i].why);
    refused("\0", 1, "no value stands");
    refused("\"\0\"", 3, "a control character");
}

/* Looking for a pair must not take for ever. */
static void
test_members(void **state)
{
    (void) state;
    for (unsigned count = JSON_MEMBERS_MAX; count <= JSON_MEMBERS_MAX + 1; count++) {
        struct text text = {0};
        struct arena arena = {0};
        struct fault fault = {0};
        for (unsigned i = 0; i < count; i++)
            text_addf(&text, "%s\"m%u\":%u", i == 0 ? "{" : ",", i, i);
        text_add(&text, "}");
        if (count > JSON_MEMBERS_MAX)
            refused(text.data, text.size, "an object has more than 100 members");
        else
            assert_non_null(parse(&arena, text.data, text.size, &fault));
        arena_free(&arena);
        text_free(&text);
    }
}

/* What is taken is what was foretold, also for what costs most. */
static void
test_memory(void **state)
{
    static const struct {
        const char *open, *again, *close;
    } forms[] = {
        {"[0", ",0", "]"}, {"[[]", ",[]", "]"}, {"[{}", ",{}", "]"}, {"[\"\"", ",\"\"", "]"},
        {"[\"[,{\\\"\"", ",\"[,{\\\"\"", "]"}, {"[{\"a\":[0]}", ",{\"a\":[0],\"b\":1}", "]"},
        {"[0 ", "  ,\n 0", "\n]\n"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct text text = {0};
        struct arena arena = {0};
        struct fault fault = {0};
        text_add(&text, forms[i].open);
        for (int n = 0; n < 100000; n++)
            text_add(&text, forms[i].again);
        text_add(&text, forms[i].close);
        uint64_t foretold = json_memory(text.data, text.size);
        assert_non_null(json_parse(&arena, text.data, text.size, "it", &fault));
        assert_true(arena.bytes <= foretold + 2 * 64 * 1024);
        assert_true(foretold <= 2 * arena.bytes); /* empty brackets count twice */
        arena_free(&arena);
        text_free(&text);
    }
}

static void
test_depth(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 2];
    struct arena arena = {0};
    struct fault fault = {0};
    (void) state;

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_non_null(parse(&arena, text, 2 * JSON_DEPTH_MAX, &fault));
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    refused(text, 2 * JSON_DEPTH_MAX + 2, "32 levels");
    arena_free(&arena);
}

static void
test_numbers(void **state)
{
    static const char text[] = "{\"a\":18446744073709551616,\"b\":-0,\"c\":1.0,\"d\":1e3,\"e\":0}";
    struct arena arena = {0};
    struct fault fault = {0};
    uint64_t number = 7;
    (void) state;

    const struct json *json = parse(&arena, text, sizeof text - 1, &fault);
    assert_non_null(json);
    assert_false(json_get_number(json, "a", &number));
    assert_false(json_get_number(json, "b", &number));
    assert_false(json_get_number(json, "c", &number));
    assert_false(json_get_number(json, "d", &number));
    assert_int_equal(number, 7);
    assert_true(json_get_number(json, "e", &number));
    assert_int_equal(number, 0);
    arena_free(&arena);
}

static void
test_zero_bytes(void **state)
{
    static const char text[] = "{\"a\":\"x\\u0000y\"}";
    struct arena arena = {0};
    struct fault fault = {0};
    (void) state;

    const struct json *json = parse(&arena, text, sizeof text - 1, &fault);
    assert_non_null(json);
    assert_int_equal(json_get(json, "a")->size, 3);
    assert_string_equal(json_get_text(json, "a", "?"), "?");
    arena_free(&arena);
}

/* Every prefix is refused, but those that only lack the blanks at the end. */
static void
test_prefixes(void **state)
{
    size_t whole = sizeof document - 1;
    (void) state;

    while (document[whole - 1] != '}')
        whole--;
    for (size_t size = 0; size < whole; size++)
        refused(document, size, " at byte ");
}

/* Every byte changed to every other: refused or read, never a fault of ours. */
static void
test_mutations(void **state)
{
    char copy[sizeof document];
    (void) state;

    memcpy(copy, document, sizeof copy);
    for (size_t i = 0; i + 1 < sizeof document; i++) {
        for (int byte = 0; byte < 256; byte++) {
            struct arena arena = {0};
            struct fault fault = {0};
            copy[i] = (char) byte;
            const struct json *json = json_parse(&arena, copy, sizeof document - 1, "it", &fault);
            assert_true((json == NULL) == (fault.err == ERR_INTEGRITY));
            arena_free(&arena);
        }
        copy[i] = document[i];
    }
}

static void
comes_back(const char *string)
{
    struct arena arena = {0};
    struct fault fault = {0};
    struct text text = {0};

    text_add(&text, "{\"it\":");
    json_add_bytes(&text, string);
    text_add(&text, "}");
    const struct json *json = parse(&arena, text.data, text.size, &fault);
    if (json == NULL)
        fail_msg("%s", fault.text);
    assert_string_equal(json_get_text(json, "it", NULL), string);
    text_free(&text);
    arena_free(&arena);
}

static void
test_bytes_come_back(void **state)
{
    uint64_t noise = 1;
    char string[9];
    (void) state;

    for (int first = 1; first < 256; first++) {
        for (int second = 1; second < 256; second++) {
            snprintf(string, sizeof string, "%c%cz", first, second);
            comes_back(string);
        }
    }
    comes_back("");
    comes_back("\xed\xa0\xbd\xed\xb8\x80 a surrogate pair, each in three bytes");
    comes_back("\xed\xb2\x80 what an escape of ours looks like when taken for a character");
    comes_back("\\udc80 \\ \" / \x7f \x01");
    for (int i = 0; i < 20000; i++) {
        for (size_t j = 0; j < 8; j++)
            string[j] = (char) (noise_next(&noise) % 255 + 1);
        string[8] = '\0';
        comes_back(string);
    }
}

static void
test_written_form(void **state)
{
    struct text text = {0};
    (void) state;

    json_add_string(&text, "a\"\\/\b\f\n\r\t\x01\x7f\xc3\xa9\xff\xe2\x82");
    assert_string_equal(text_of(&text), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f\xc3\xa9"
                                        "\\ufffd\\ufffd\\ufffd\"");
    text_clear(&text);
    json_add_string(&text, "\xc2\x9b\xc2\xa0\xe2\x80\xa8\xe2\x80\xae");
    assert_string_equal(text_of(&text), "\"\\u009b\xc2\xa0\\u2028\\u202e\"");
    text_clear(&text);
    json_add_bytes(&text, "\xc3\xa9\xff\xe2\x82\x1f");
    assert_string_equal(text_of(&text), "\"\xc3\xa9\\udcff\\udce2\\udc82\\u001f\"");
    text_clear(&text);
    json_add_document(&text, "{\"\xc2\x9b\":\r\n\t\"\x7f\xc3\xa9\\u009b\"}\n", 22);
    assert_string_equal(text_of(&text), "{\"\\u009b\":\r\n\t\"\\u007f\xc3\xa9\\u009b\"}\n");
    text_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_depth),        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_zero_bytes),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_mutations),    cmocka_unit_test(test_bytes_come_back),
        cmocka_unit_test(test_written_form), cmocka_unit_test(test_members),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
