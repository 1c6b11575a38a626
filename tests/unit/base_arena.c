/* base_arena - pieces of every size: zeroed, aligned, apart from each other. */
#include <stdalign.h>

#include "base/arena.h"
#include "support.h"

static void
test_pieces(void **state)
{
    (void) state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 65535, 65536, 65537, 200000, 3};
    struct arena arena = {0};
    uint8_t *pieces[40][sizeof sizes / sizeof *sizes];

    for (size_t round = 0; round < 40; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            uint8_t *piece = pieces[round][i] = arena_take(&arena, sizes[i]);
            assert_non_null(piece);
            assert_int_equal((uintptr_t) piece % alignof(max_align_t), 0);
            for (size_t j = 0; j < sizes[i]; j++)
                assert_int_equal(piece[j], 0);
            memset(piece, (int) (round + i), sizes[i]);
        }
    for (size_t round = 0; round < 40; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t j = 0; j < sizes[i]; j += 7)
                assert_int_equal(pieces[round][i][j], round + i);
    assert_true(arena.bytes >= 40 * 400000);
    arena_free(&arena);
    assert_int_equal(arena.bytes, 0);
    assert_non_null(arena_take(&arena, 1));
    arena_free(&arena);
    arena_free(&arena);
}

/* A piece with a block of its own does not cost the room left in the current block. */
static void
test_large_piece(void **state)
{
    (void) state;
    struct arena arena = {0};

    uint8_t *first = arena_take(&arena, 16);
    arena_take(&arena, 1 << 20);
    assert_ptr_equal(arena_take(&arena, 16), first + 16);
    arena_free(&arena);
}

static void
test_texts(void **state)
{
    (void) state;
    struct arena arena = {0};
    char long_text[70000];

    memset(long_text, 'y', sizeof long_text);
    assert_null(arena_text(&arena, NULL));
    assert_string_equal(arena_text(&arena, ""), "");
    assert_string_equal(arena_text(&arena, "film"), "film");
    assert_string_equal(arena_copy(&arena, "film", 2), "fi");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    assert_string_equal(arena_print(&arena, "%s %d", "film", 7), "film 7");
    char *made = arena_print(&arena, "%.*s!", (int) sizeof long_text, long_text);
    assert_int_equal(strlen(made), sizeof long_text + 1);
    assert_int_equal(((char *) arena_array(&arena, 3, 5))[14], 0);
    arena_free(&arena);
}

/* Items stay as they are while the array under them is replaced. */
static void
test_growing(void **state)
{
    struct arena arena = {0};
    unsigned *items = NULL;
    (void) state;

    for (unsigned count = 0; count < 1000; count++) {
        items = arena_grow(&arena, items, count, sizeof *items);
        items[count] = count * 3;
        assert_int_equal(items[count / 2], count / 2 * 3);
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(items[i], i * 3);
    arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_large_piece),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_growing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
