/* sql_dialect - any text as a statement for any older server: refused with a sentence, or told in
 * words that can be looked at again.
 *
 * The first byte says for which server, and whether a backslash is a character in its strings. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "pg/sql_dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(int version, bool standard_strings, const char *sql, bool again)
{
    struct text rewritten = {0}, said = {0};
    struct sql_dialect dialect;

    sql_dialect_init(&dialect, version);
    dialect.standard_strings = standard_strings;
    enum sql_fate fate = sql_dialect_statement(&dialect, sql, &rewritten, &said);
    assert(fate == SQL_REWRITTEN || rewritten.size == 0 || fate == SQL_REFUSED ||
           fate == SQL_LEFT_OUT);
    assert(fate != SQL_REFUSED || said.size > 0);
    if (fate == SQL_REWRITTEN && again)
        look(version, standard_strings, text_of(&rewritten), false);
    sql_dialect_free(&dialect);
    text_free(&rewritten);
    text_free(&said);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};

    if (size == 0)
        return 0;
    const char *sql = arena_copy(&arena, (const char *) data + 1, size - 1);
    look(130000 + data[0] % 8 * 10000, data[0] < 128, sql, true);
    arena_free(&arena);
    return 0;
}
