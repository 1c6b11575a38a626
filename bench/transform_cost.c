/* transform_cost - what the transform stage costs a dump: rows in memory ─▶ transform ─▶ nowhere.
 *
 *     make && build/static/bin/musl-gcc -O2 -D_GNU_SOURCE -Isrc -static -no-pie \
 *         -o build/transform_cost bench/transform_cost.c $(find build/obj -name '*.o' ! -name main.o) \
 *         -Lbuild/static/lib build/static/lib/pg_dump.o -lpgfeutils -lpq -lpgcommon -lpgport -lzstd -lbearssl
 *     build/transform_cost [MiB of a round] [a word of the cases wanted]
 *
 * Linked like replica itself, since musl's memcpy() and memset() are part of the cost.  First the
 * search for tabs alone, by each kind of instructions this CPU has; then the stage, with windows
 * like those of the corridor, for narrow and wide rows.  Figures are the best of several rounds, CPU
 * time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "transform/mask.h"
#include "transform/rule.h"
#include "transform/scan.h"

enum { INPUT_BYTES = 4 << 20, WINDOW_BYTES = 64 << 10, ROUNDS = 7, COLUMNS_MAX = 24 };

/* A letter is a column: i integer, u uuid, n name, e email, p phone, d date, t timestamp, w words of
 * about 90 bytes, c card, W words of about 220 bytes. */
static const struct shape {
    const char *name, *columns;
} shapes[] = {
    {"20 bytes", "iii"},
    {"100 bytes", "iinepdi"},
    {"340 bytes", "iuunepdnnttwniii"},
    {"525 bytes", "iunnepdnnttcniWw"},
};

static const struct {
    const char *shape, *rules;
} cases[] = {
    {"20 bytes", ""},
    {"20 bytes", "1 null"},
    {"20 bytes", "1 random"},
    {"20 bytes", "0 null;1 null;2 null"},
    {"20 bytes", "0 random;1 random;2 random"},
    {"100 bytes", ""},
    {"100 bytes", "3 null"},
    {"100 bytes", "2 null;3 null;4 null"},
    {"100 bytes", "2 random;3 email;4 phone-number"},
    {"340 bytes", "4 null"},
    {"340 bytes", "3 null;4 null;5 null"},
    {"340 bytes", "3 random;4 email;5 phone-number"},
    {"525 bytes", ""},
    {"525 bytes", "4 null"},
    {"525 bytes", "3 null;4 null;5 null"},
    {"525 bytes", "3 random;4 email;5 phone-number"},
    {"525 bytes", "3 random"},
    {"525 bytes", "3 fixed(x)"},
    {"525 bytes", "3 first-name"},
    {"525 bytes", "4 email"},
    {"525 bytes", "5 phone-number"},
    {"525 bytes", "6 random-date"},
    {"525 bytes", "9 random-date"},
    {"525 bytes", "3 keep-first-char"},
    {"525 bytes", "3 redacted"},
    {"525 bytes", "11 credit-card"},
    {"525 bytes", "1 random"},
    {"525 bytes", "14 random"},
};

static uint8_t input[INPUT_BYTES];
static uint64_t noise = 42;

static uint64_t
draw(uint64_t limit)
{
    noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (noise >> 33) % limit;
}

static void
words_add(struct text *row, size_t size)
{
    static const char *const words[] = {"order", "the", "of", "and", "customer", "Zoë", "delivery",
                                        "invoice", "to", "a", "approved,", "warehouse\\n"};
    for (size_t end = row->size + size; row->size < end;)
        text_addf(row, "%s ", words[draw(12)]);
}

static void
column_add(struct text *row, char letter)
{
    static const char *const names[] = {"Anna", "Ben", "Müller", "Johansson", "Hoffmann", "Wójcik"};
    unsigned day = 1 + (unsigned) draw(28), month = 1 + (unsigned) draw(12);

    switch (letter) {
    case 'i': text_addf(row, "%u", (unsigned) draw(1000000)); break;
    case 'u': text_addf(row, "%08x-%04x-4%03x-8%03x-%012x", (unsigned) draw(1u << 31),
                        (unsigned) draw(65536), (unsigned) draw(4096), (unsigned) draw(4096),
                        (unsigned) draw(1u << 31)); break;
    case 'n': text_add(row, names[draw(6)]); break;
    case 'e': text_addf(row, "%s.%s%u@warehouse.example", names[draw(2)], names[3 + draw(2)],
                        (unsigned) draw(10000)); break;
    case 'p': text_addf(row, "+%u %u %07u", 30 + (unsigned) draw(20), 100 + (unsigned) draw(900),
                        (unsigned) draw(10000000)); break;
    case 'd': text_addf(row, "19%02u-%02u-%02u", (unsigned) draw(99), month, day); break;
    case 't': text_addf(row, "2019-%02u-%02u %02u:11:12.%06u+00", month, day, (unsigned) draw(24),
                        (unsigned) draw(1000000)); break;
    case 'c': text_addf(row, "4%07u%08u", (unsigned) draw(10000000), (unsigned) draw(100000000)); break;
    case 'w': words_add(row, 30 + draw(120)); break;
    case 'W': words_add(row, 120 + draw(180)); break;
    default: abort();
    }
}

static size_t
input_fill(const char *columns, double *row_bytes)
{
    struct text row = {0};
    size_t size = 0, rows = 0;

    for (;; rows++) {
        text_clear(&row);
        for (const char *at = columns; *at != '\0'; at++) {
            column_add(&row, *at);
            text_addf(&row, "%c", at[1] != '\0' ? '\t' : '\n');
        }
        if (size + row.size > INPUT_BYTES)
            break;
        memcpy(input + size, row.data, row.size);
        size += row.size;
    }
    text_free(&row);
    *row_bytes = (double) size / (double) rows;
    return size;
}

static struct column
column_of(struct arena *arena, size_t i, char letter)
{
    struct column column = {.name = arena_print(arena, "c%zu", i), .type = "text",
                            .base_type = "text", .kind = VALUE_TEXT};
    if (letter == 'i')
        column.kind = VALUE_INTEGER, column.byte_width = 4;
    if (letter == 'u')
        column.kind = VALUE_UUID;
    if (letter == 'd')
        column.kind = VALUE_DATE;
    if (letter == 't')
        column.kind = VALUE_TIMESTAMP, column.with_zone = true;
    return column;
}

static const struct table_masks *
masks_of(struct arena *arena, const char *columns, const char *rules_text)
{
    struct column *list = arena_array(arena, COLUMNS_MAX, sizeof *list);
    struct table *table = arena_take(arena, sizeof *table);
    struct text text = {0};
    struct fault fault = {0};
    struct table_masks *masks = NULL;

    for (size_t i = 0; i < strlen(columns); i++)
        list[i] = column_of(arena, i, columns[i]);
    *table = (struct table){.oid = 1, .schema = "s", .name = "t", .copied = true, .columns = list,
                            .columns_count = strlen(columns)};
    for (const char *at = rules_text; *at != '\0';) {
        size_t size = strcspn(at, ";");
        text_addf(&text, "s.t.c%.*s\n", (int) size, at);
        at += size + (at[size] == ';');
    }
    const struct rules *rules = rules_read(arena, text_of(&text), &fault);
    struct catalog catalog = {.tables = table, .tables_count = 1};
    if (rules == NULL || !rules_bind(rules, &catalog, arena, &masks, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        exit(1);
    }
    text_free(&text);
    return masks;
}

static double
seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Push the input through the stage times times. */
static void
push(struct stage *stage, size_t size, size_t times)
{
    static uint8_t window[WINDOW_BYTES];
    struct fault fault = {0};

    for (; times > 0; times--)
        for (size_t begin = 0; begin < size;) {
            size_t piece = size - begin < WINDOW_BYTES ? size - begin : WINDOW_BYTES;
            struct source_span source = {.data = input + begin, .size = piece};
            while (source.used < source.size) {
                struct target_span target = {.data = window, .size = WINDOW_BYTES};
                if (stage_step(stage, &source, &target, false, &fault) == STEP_FAILED) {
                    fprintf(stderr, "%s\n", fault.text);
                    exit(1);
                }
            }
            begin += piece;
        }
}

/* The search alone, in the pieces that scan.c makes. */
static void
ways_measure(size_t megabytes)
{
    enum { PIECE_BYTES = SCAN_BLOCK_BYTES * SCAN_BLOCKS_MAX };
    const struct scan_way *ways;
    size_t count = scan_ways(&ways);
    double row_bytes;
    size_t pieces = input_fill("iunnepdnnttcniWw", &row_bytes) / PIECE_BYTES;

    for (size_t way = 0; way < count; way++) {
        double best = 1e9;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t tabs[SCAN_BLOCKS_MAX], newlines[SCAN_BLOCKS_MAX];
            double begun = seconds();
            size_t done = 0;
            for (; done < megabytes << 20; done += PIECE_BYTES)
                ways[way].blocks(input + done / PIECE_BYTES % pieces * PIECE_BYTES, SCAN_BLOCKS_MAX,
                                 tabs, newlines);
            double took = (seconds() - begun) * 1e9 / (double) done;
            best = took < best ? took : best;
        }
        printf("the search by %-10s %7.3f ns/byte\n", ways[way].name, best);
    }
}

int
main(int count, char **arguments)
{
    size_t megabytes = count > 1 ? strtoull(arguments[1], NULL, 10) : 64;
    const char *wanted = count > 2 ? arguments[2] : "";
    struct transform transform;

    ways_measure(megabytes);
    transform_open(&transform);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct shape *shape = shapes;
        struct arena arena = {0};
        double best = 1e9, row_bytes;
        while (strcmp(shape->name, cases[i].shape) != 0)
            shape++;
        if (strstr(cases[i].shape, wanted) == NULL && strstr(cases[i].rules, wanted) == NULL)
            continue;
        size_t size = input_fill(shape->columns, &row_bytes);
        const struct table_masks *masks = masks_of(&arena, shape->columns, cases[i].rules);
        size_t times = (megabytes << 20) / size + 1;
        for (int round = 0; round < ROUNDS; round++) {
            double begun = seconds();
            push(transform_init(&transform, masks), size, times);
            double took = (seconds() - begun) * 1e9 / (double) size / (double) times;
            best = took < best ? took : best;
        }
        printf("%3.0f bytes a row  %-36s %7.3f ns/byte %8.1f ns/row\n", row_bytes, cases[i].rules,
               best, best * row_bytes);
        fflush(stdout);
        arena_free(&arena);
    }
    transform_close(&transform);
    return 0;
}
