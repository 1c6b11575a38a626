/* transform_words - what looks at eight bytes at once, against one byte by byte: every length, and
 * a byte of every value at every place of it. */
#include <stdlib.h>

#include "base/copy.h"
#include "support.h"
#include "transform/copy_value.h"
#include "transform/mask.h"
#include "transform/words.h"

enum { LENGTHS = 40 };

static void
test_words(void **state)
{
    (void) state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t size = 1; size <= WORD_BYTES; size++)
            for (size_t place = 0; place < size; place++) {
                uint8_t *data = malloc(size); /* so that the sanitizer sees a read too far */
                memset(data, 'k', size);
                data[place] = (uint8_t) byte;
                uint64_t word = size == WORD_BYTES ? word_load(data) : word_load_few(data, size);
                assert_int_equal(word_has(word, '\\'), byte == '\\');
                assert_int_equal(word_has(word, 0), byte == 0);
                assert_int_equal(word_has_below(word, 14), byte < 14);
                assert_int_equal(word_is_ascii(word), byte < 128);
                if (size == WORD_BYTES)
                    assert_int_equal(word_continuations(word), byte >= 0x80 && byte < 0xC0);
                free(data);
            }
}

/* Escape as COPY's documentation has it. */
static size_t
write_slowly(const uint8_t *data, size_t size, uint8_t *target)
{
    static const char *const escapes[256] = {['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",
                                             ['\r'] = "\\r", ['\t'] = "\\t", ['\v'] = "\\v",
                                             ['\\'] = "\\\\"};
    size_t to = 0;

    for (size_t i = 0; i < size; i++)
        if (escapes[data[i]] != NULL) {
            memcpy(target + to, escapes[data[i]], 2);
            to += 2;
        } else {
            target[to++] = data[i];
        }
    return to;
}

static void
value_check(const uint8_t *data, size_t size)
{
    uint8_t slow[2 * LENGTHS + 1], *target = malloc(2 * size);
    size_t characters = 0;
    bool ascii = true;

    size_t wanted = write_slowly(data, size, slow);
    assert_int_equal(copy_value_write(data, size, target), wanted);
    if (size > 0)
        assert_memory_equal(target, slow, wanted);
    assert_int_equal(copy_value_is_plain(data, size),
                     size == 0 || memchr(data, '\\', size) == NULL);
    for (size_t i = 0; i < size; i++) {
        ascii = ascii && data[i] < 0x80;
        characters += data[i] < 0x80 || data[i] >= 0xC0;
    }
    assert_int_equal(utf8_is_ascii(data, size), ascii);
    assert_int_equal(utf8_characters(data, size), characters);
    if (ascii)
        assert_int_equal(utf8_valid_size(data, size), size);
    free(target);
}

static void
test_values(void **state)
{
    (void) state;
    for (size_t size = 0; size <= LENGTHS; size++)
        for (size_t place = 0; place < size + (size == 0); place++)
            for (unsigned byte = 0; byte < 256; byte += byte == 0x7f || byte < 16 ? 1 : 3) {
                uint8_t *data = malloc(size);
                memset(data, 'k', size);
                if (size > 0)
                    data[place] = (uint8_t) byte;
                value_check(data, size);
                free(data);
            }
}

/* A character that is wrong or cut is found at its place, whatever stands before it. */
static void
test_valid_size(void **state)
{
    (void) state;
    for (size_t place = 0; place < LENGTHS; place++) {
        uint8_t data[LENGTHS + 3];
        memset(data, 'k', sizeof data);
        memcpy(data + place, "\xe2\x82\xac", 3);
        assert_int_equal(utf8_valid_size(data, sizeof data), sizeof data);
        assert_int_equal(utf8_valid_size(data, place + 2), place);
        assert_int_equal(utf8_characters(data, sizeof data), sizeof data - 2);
        data[place + 1] = 'k';
        assert_int_equal(utf8_valid_size(data, sizeof data), place);
    }
}

static void
test_copy_small(void **state)
{
    (void) state;
    for (size_t size = 0; size < COPY_SMALL_BYTES + 100; size += size < 200 ? 1 : 13) {
        struct bytes source = {0};
        uint8_t *target = malloc(size), *flush = malloc(size);
        bytes_add_noise(&source, size, size + 1);
        if (size > 0)
            memcpy(flush, source.data, size);
        copy_small(target, flush, size);
        if (size > 0)
            assert_memory_equal(target, flush, size);
        bytes_free(&source);
        free(target);
        free(flush);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_valid_size),
        cmocka_unit_test(test_copy_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
