/* frame: put on and taken off it is nothing, under every window; what is not the volume it should
 * be is noticed, whether the frame is taken off or passes. */
#include "support.h"

#include "store/frame.h"

static const char preamble_text[] = "-- replica dump-1 volume 3: \"public\".\"film\"\n"
                                    "COPY \"public\".\"film\" (\"a\", \"b\") FROM stdin;\n";

struct framing {
    struct text preamble;
    struct frame_on on;
    struct frame_off off;
    _Atomic uint64_t moved;
    struct manifest_object object;
    bool whole; /* it passes */
};

static void
framing_init(struct framing *framing)
{
    *framing = (struct framing){0};
    text_add(&framing->preamble, preamble_text);
}

static struct stage *
on_begin(void *context)
{
    struct framing *framing = context;
    atomic_store(&framing->moved, 0);
    return frame_on_init(&framing->on, &framing->preamble, &framing->moved);
}

static void
on_end(void *context)
{
    struct framing *framing = context;
    assert_int_equal(framing->on.bytes, atomic_load(&framing->moved));
}

static struct stage *
off_begin(void *context)
{
    struct framing *framing = context;
    atomic_store(&framing->moved, 0);
    return (framing->whole ? frame_check_init : frame_off_init)(
        &framing->off, &framing->preamble, "dump-1/3.sql", &framing->object, &framing->moved);
}

static void
off_end(void *context)
{
    struct framing *framing = context;
    assert_int_equal(framing->off.bytes, atomic_load(&framing->moved));
}

static void
test_round_trip(void **state)
{
    static const char *const rows[] = {"", "\n", "1\ta\n", "\\\\.\n", "1\t\\\\.\n2\tx\n",
                                       "\\\\.\n\\n.\n.\n"};
    struct framing framing;
    struct windows_stage on = {.begin = on_begin, .end = on_end, .context = &framing};
    struct windows_stage off = {.begin = off_begin, .end = off_end, .context = &framing};
    (void) state;

    framing_init(&framing);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes expected = {0};
        bytes_add(&expected, preamble_text, strlen(preamble_text));
        bytes_add(&expected, rows[i], strlen(rows[i]));
        bytes_add(&expected, "\\.\n", 3);
        framing.object.plain_bytes = expected.size;
        framing.object.rows = 0;
        for (const char *at = rows[i]; *at != '\0'; at++)
            framing.object.rows += *at == '\n';
        windows_check(&on, &off, rows[i], strlen(rows[i]), &expected, NULL);
        framing.whole = true;
        windows_check(&off, NULL, expected.data, expected.size, &expected, NULL);
        framing.whole = false;
        bytes_free(&expected);
    }
    text_free(&framing.preamble);
}

static void
test_many_rows(void **state)
{
    struct framing framing;
    struct windows_stage on = {.begin = on_begin, .end = on_end, .context = &framing};
    struct windows_stage off = {.begin = off_begin, .end = off_end, .context = &framing};
    struct bytes rows = {0}, volume = {0};
    (void) state;

    framing_init(&framing);
    bytes_add_rows(&rows, 3, 10000);
    rows.data[rows.size - 1] = '\n';
    for (size_t i = 0; i < rows.size; i++)
        framing.object.rows += rows.data[i] == '\n';
    framing.object.plain_bytes = strlen(preamble_text) + rows.size + 3;
    windows_check(&on, &off, rows.data, rows.size, NULL, &volume);
    assert_int_equal(volume.size, framing.object.plain_bytes);
    windows_check_abandoned(&on, rows.data, rows.size);
    windows_check_abandoned(&off, volume.data, volume.size);
    windows_check_truncated(&off, volume.data, volume.size, 1, ERR_INTEGRITY);
    framing.whole = true;
    windows_check(&off, NULL, volume.data, volume.size, &volume, NULL);
    windows_check_abandoned(&off, volume.data, volume.size);
    windows_check_truncated(&off, volume.data, volume.size, 1, ERR_INTEGRITY);
    bytes_free(&rows);
    bytes_free(&volume);
    text_free(&framing.preamble);
}

/* Of a volume that is refused at its end, the end mark does not pass. */
static void
check_refused_once(struct framing *framing, const struct bytes *volume, size_t window,
                   const char *sentence, bool nothing)
{
    struct bytes rows = {0};
    struct fault fault = {0};

    struct stage *stage = off_begin(framing);
    assert_false(windows_push(stage, volume->data, volume->size, window, window, &rows, &fault));
    stage_free(stage);
    assert_int_equal(fault.err, ERR_INTEGRITY);
    if (strstr(fault.text, sentence) == NULL || strstr(fault.text, "dump-1/3.sql") == NULL)
        fail_msg("%s", fault.text);
    if (nothing)
        assert_int_equal(rows.size, 0);
    if (framing->whole)
        assert_true(rows.size < volume->size);
    if (rows.size > 0)
        assert_null(memmem(rows.data, rows.size, "\\.\n", 3));
    bytes_free(&rows);
}

static void
check_refused(struct framing *framing, const struct bytes *volume, size_t window,
              const char *sentence, bool nothing)
{
    framing->whole = false;
    check_refused_once(framing, volume, window, sentence, nothing);
    framing->whole = true;
    check_refused_once(framing, volume, window, sentence, nothing);
}

static void
volume_of(struct bytes *volume, const char *rows)
{
    bytes_add(volume, preamble_text, strlen(preamble_text));
    bytes_add(volume, rows, strlen(rows));
}

/* Not one row goes on behind a preamble in which a single bit is wrong. */
static void
test_flipped_preamble(void **state)
{
    struct framing framing;
    struct bytes volume = {0};
    (void) state;

    framing_init(&framing);
    volume_of(&volume, "1\ta\n\\.\n");
    framing.object.plain_bytes = volume.size;
    for (size_t at = 0; at < strlen(preamble_text); at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            volume.data[at] ^= (uint8_t) (1u << bit);
            check_refused(&framing, &volume, bit % 2 == 0 ? 4096 : 7, "begins differently", true);
            volume.data[at] ^= (uint8_t) (1u << bit);
        }
    }
    bytes_free(&volume);
    text_free(&framing.preamble);
}

static void
test_wrong_ends(void **state)
{
    static const char *const rows[] = {"1\ta\n\\.", "1\ta\n", "1\ta\n\\.\n ", "1\ta\n\\.\n\n",
                                       "1\ta\n\\,\n", ".\n", "\n", "1\ta\n\\.\r\n"};
    struct framing framing;
    (void) state;

    framing_init(&framing);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes volume = {0};
        volume_of(&volume, rows[i]);
        framing.object.plain_bytes = volume.size;
        for (size_t window = 1; window < 5000; window *= 4)
            check_refused(&framing, &volume, window, "ends before its end mark", false);
        bytes_free(&volume);
    }
    text_free(&framing.preamble);
}

static void
test_wrong_size(void **state)
{
    struct framing framing;
    struct bytes volume = {0};
    (void) state;

    framing_init(&framing);
    volume_of(&volume, "1\ta\n\\.\n");
    framing.object.rows = 1;
    framing.object.plain_bytes = volume.size - 1;
    check_refused(&framing, &volume, 7, "plain bytes, the manifest says", false);
    framing.object.plain_bytes = volume.size + 1;
    check_refused(&framing, &volume, 7, "plain bytes, the manifest says", false);
    bytes_free(&volume);
    text_free(&framing.preamble);
}

/* The frame is right, and what stands in it is not what the manifest says, or no rows at all. */
static void
test_wrong_rows(void **state)
{
    static const struct {
        const char *rows, *sentence;
    } cases[] = {
        {"", "holds 0 rows, 2 were announced"},
        {"1\ta\n", "holds 1 rows, 2 were announced"},
        {"1\ta\n2\tb\n3\tc\n", "holds 3 rows, 2 were announced"},
        {"1\ta\n2\tb\n3", "ends inside a row"},
        {"1\ta\n\\.\n", "holds the end mark of a COPY, \\., in row 2"},
        {"1\ta\n2\tb\\.\n", "holds the end mark of a COPY, \\., in row 2"},
        {"1\ta\\\n2\tb\n", "holds a backslash before byte 0x0a in row 1"},
        {"1\ta\n2\t\\! touch x\n", "holds a backslash before byte 0x21 in row 2"},
        {"1\ta\r\n2\tb\r\n", "holds a carriage return in row 1"},
    };
    struct framing framing;
    (void) state;

    framing_init(&framing);
    framing.object.rows = 2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes volume = {0};
        volume_of(&volume, cases[i].rows);
        bytes_add(&volume, "\\.\n", 3);
        framing.object.plain_bytes = volume.size;
        for (size_t window = 1; window < 5000; window *= 4)
            check_refused(&framing, &volume, window, cases[i].sentence, false);
        bytes_free(&volume);
    }
    text_free(&framing.preamble);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_flipped_preamble), cmocka_unit_test(test_wrong_ends),
        cmocka_unit_test(test_wrong_size),       cmocka_unit_test(test_wrong_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
