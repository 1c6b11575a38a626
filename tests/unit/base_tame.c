/* Words of others in a line of ours: nothing that commands a terminal or ends a line gets through,
 * and whatever is shown is UTF-8. */
#include "base/tame.h"

#include <stdio.h>

#include "support.h"

static const struct {
    const char *words, *shown;
} table[] = {
    {"", ""},
    {"plain", "plain"},
    {"größe €𝄞", "größe €𝄞"},
    {"a\nb\rc\td", "a\\nb\\rc\\td"},
    {"\033[2J\a\x7f", "\\x1b[2J\\x07\\x7f"},
    {"\xc2\x9b" "2J\xc2\x80\xc2\xa0", "\\u009b2J\\u0080\xc2\xa0"},
    {"\x9b" "2J", "\\x9b2J"},
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},
    {"\xe2\x80\xaa\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9", "\\u202a\\u202e\\u2066\\u2069"},
    {"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa", /* their neighbours */
     "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"},
    {"caf\xe9", "caf\\xe9"},
    {"\xc0\x9b\xe0\x82\x9b\xed\xa0\x80\xf4\x90\x80\x80", /* overlong, a surrogate, too high */
     "\\xc0\\x9b\\xe0\\x82\\x9b\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80"},
    {"\xe2\x82", "\\xe2\\x82"},
    {"a\\nb", "a\\nb"},
    {"100%s", "100%s"},
};

static void
test_table(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text text = {0};
        text_add_tame(&text, table[i].words);
        assert_string_equal(text_of(&text), table[i].shown);
        text_clear(&text);
        text_add_tame(&text, table[i].shown); /* twice is as good as once */
        assert_string_equal(text_of(&text), table[i].shown);
        text_free(&text);
    }
}

/* Every point there is: what comes out is one whole character or an escape in ASCII. */
static void
test_points(void **state)
{
    (void) state;
    for (unsigned point = 1; point <= 0x10ffff; point++) {
        char words[5] = "", shown[16];
        size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        unsigned rest = point, read;
        for (size_t i = size - 1; i > 0; i--, rest >>= 6)
            words[i] = (char) (0x80 | (rest & 0x3f));
        words[0] = (char) (size == 1 ? point : rest | (0xf00u >> size & 0xff));
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        assert_int_equal(utf8_read(words, words + size, &read), surrogate ? 0 : size);
        assert_true(surrogate || read == point);
        assert_true(tame_copy(shown, sizeof shown, words));
        if (surrogate || point_is_wild(point))
            assert_int_equal(shown[0], '\\');
        else
            assert_string_equal(shown, words);
    }
}

/* Whatever the room, what is in it is whole. */
static void
test_room(void **state)
{
    (void) state;
    static const char words[] = "ä\n€\xc2\x9b𝄞\xff!", whole[] = "ä\\n€\\u009b𝄞\\xff!";

    for (size_t size = 1; size <= sizeof whole + 2; size++) {
        char *target = test_malloc(size);
        bool fits = tame_copy(target, size, words);
        assert_int_equal(fits, size >= sizeof whole);
        assert_int_equal(strncmp(target, whole, strlen(target)), 0);
        assert_true(((unsigned char) whole[strlen(target)] & 0xc0) != 0x80);
        test_free(target);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
