/* rows - see rows.h.
 *
 * Every byte of a dump comes along here, so blocks of 64 bytes are first asked, sixteen lanes at
 * once, whether they hold anything to look at; GCC makes of the lanes whatever the machine has.
 * Only the backslashes of a block are then walked, a bit each. */
#include "codec/rows.h"

#include <string.h>

enum {
    LANES = 16,
    BLOCK_BYTES = 64,
    BLOCKS_MAX = 63, /* a lane counts to 255, four a block */
};

typedef uint8_t lanes __attribute__((vector_size(LANES)));

static const bool letters[256] = {['b'] = true, ['f'] = true, ['n'] = true, ['r'] = true,
                                  ['t'] = true, ['v'] = true, ['N'] = true, ['\\'] = true};

static lanes
lanes_load(const uint8_t *at)
{
    lanes loaded;
    memcpy(&loaded, at, sizeof loaded);
    return loaded;
}

static bool
lanes_any(lanes some)
{
    uint64_t words[2];
    memcpy(words, &some, sizeof words);
    return (words[0] | words[1]) != 0;
}

static uint64_t
lanes_sum(lanes counts)
{
    uint64_t sum = 0;

    for (int i = 0; i < LANES; i++)
        sum += counts[i];
    return sum;
}

/* The backslashes among size bytes, at most a block, the first one the lowest bit. */
static uint64_t
backslashes(const uint8_t *data, size_t size)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t) (data[i] == '\\') << i;
    return bits;
}

/* The same of a whole block: the high bit of each byte that is one, by arithmetic that carries
 * nothing from byte to byte; the product brings bit 8i+7 to bit 56+i. */
static uint64_t
backslashes_of_block(const uint8_t *block)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t bits = 0;

    for (int i = 0; i < BLOCK_BYTES / 8; i++) {
        uint64_t word;
        memcpy(&word, block + 8 * i, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        uint64_t differs = word ^ UINT64_C(0x5c5c5c5c5c5c5c5c);
        uint64_t high = ~(((differs & low) + low) | differs | low);
        bits |= ((high >> 7) * UINT64_C(0x0102040810204080) >> 56) << 8 * i;
    }
    return bits;
}

/* Walk along the backslashes of a piece, at most a block.  Returns the place of the first letter
 * that is none, or size. */
static size_t
walk(struct rows *rows, const uint8_t *data, size_t size, uint64_t bits)
{
    if (rows->escaped) {
        if (!letters[data[0]])
            return 0;
        bits &= ~UINT64_C(1);
        rows->escaped = false;
    }
    while (bits != 0) {
        size_t letter = (size_t) __builtin_ctzll(bits) + 1;
        if (letter == size) {
            rows->escaped = true;
            break;
        }
        if (!letters[data[letter]])
            return letter;
        bits &= ~(UINT64_C(3) << (letter - 1));
    }
    return size;
}

static bool
refuse(const struct rows *rows, const uint8_t *data, size_t at, enum err err, const char *name,
       struct fault *fault)
{
    uint64_t row = rows->count + 1;

    for (size_t i = 0; i < at; i++)
        row += data[i] == '\n';
    if (data[at] == '\0' || data[at] == '\r')
        return fault_set(fault, err, "%s holds a %s in row %llu, where COPY writes none", name,
                         data[at] == '\0' ? "zero byte" : "carriage return",
                         (unsigned long long) row);
    if (data[at] == '.')
        return fault_set(fault, err, "%s holds the end mark of a COPY, \\., in row %llu", name,
                         (unsigned long long) row);
    return fault_set(fault, err, "%s holds a backslash before byte 0x%02x in row %llu, where COPY "
                     "writes none", name, data[at], (unsigned long long) row);
}

/* A few bytes, one by one. */
static bool
look_closely(struct rows *rows, const uint8_t *data, size_t size, enum err err, const char *name,
             struct fault *fault)
{
    size_t end = walk(rows, data, size, backslashes(data, size));

    for (size_t i = 0; i < end; i++)
        if (data[i] == '\0' || data[i] == '\r')
            end = i;
    if (end < size)
        return refuse(rows, data, end, err, name, fault);
    for (size_t i = 0; i < size; i++)
        rows->count += data[i] == '\n';
    return true;
}

/* Backslashes with a letter behind them, and no two in a row: then there is nothing to walk.  The
 * letters in pairs that differ by a bit: f v, b r, n N, and t.  One byte behind the block is read,
 * too. */
static bool
escapes_are_plain(const uint8_t *block)
{
    lanes bad = {0};

#pragma GCC unroll 4
    for (int i = 0; i < BLOCK_BYTES; i += LANES) {
        lanes slash = (lanes) (lanes_load(block + i) == '\\'), next = lanes_load(block + i + 1);
        lanes fine = (lanes) (((next | 0x10) == 'v') | ((next | 0x10) == 'r') |
                              ((next | 0x20) == 'n') | (next == 't'));
        bad |= slash & ~fine;
    }
    return !lanes_any(bad);
}

/* Whole blocks, behind which there is at least one more byte.  Stops before one that holds what it
 * should not; returns how many are well. */
static size_t
look_at_blocks(struct rows *rows, const uint8_t *data, size_t blocks)
{
    lanes newlines = {0};
    size_t done = 0;

    for (; done < blocks; done++, data += BLOCK_BYTES) {
        lanes strange = {0}, slashes = {0}, ends = {0};
#pragma GCC unroll 4
        for (int i = 0; i < BLOCK_BYTES; i += LANES) {
            lanes bytes = lanes_load(data + i);
            strange |= (lanes) ((bytes == '\0') | (bytes == '\r'));
            slashes |= (lanes) (bytes == '\\');
            ends -= (lanes) (bytes == '\n');
        }
        bool escaped = rows->escaped;
        if (lanes_any(strange) ||
            ((escaped || (lanes_any(slashes) && !escapes_are_plain(data))) &&
             walk(rows, data, BLOCK_BYTES, backslashes_of_block(data)) < BLOCK_BYTES)) {
            rows->escaped = escaped;
            break;
        }
        newlines += ends;
    }
    rows->count += lanes_sum(newlines);
    return done;
}

bool
rows_look(struct rows *rows, const uint8_t *data, size_t size, enum err err, const char *name,
          struct fault *fault)
{
    if (size == 0)
        return true;
    rows->open = data[size - 1] != '\n';
    while (size > BLOCK_BYTES) {
        size_t blocks = (size - 1) / BLOCK_BYTES;
        if (blocks > BLOCKS_MAX)
            blocks = BLOCKS_MAX;
        size_t done = look_at_blocks(rows, data, blocks);
        data += done * BLOCK_BYTES;
        size -= done * BLOCK_BYTES;
        if (done < blocks)
            return look_closely(rows, data, BLOCK_BYTES, err, name, fault);
    }
    return look_closely(rows, data, size, err, name, fault);
}

bool
rows_whole(const struct rows *rows, uint64_t wanted, enum err err, const char *name,
           struct fault *fault)
{
    if (rows->open)
        return fault_set(fault, err, "%s ends inside a row", name);
    return rows->count == wanted ||
           fault_set(fault, err, "%s holds %llu rows, %llu were announced", name,
                     (unsigned long long) rows->count, (unsigned long long) wanted);
}
