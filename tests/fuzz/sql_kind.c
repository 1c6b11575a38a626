/* sql_kind - any text as a statement: names lie inside it, and a key that was cut in two is made of
 * one statement each, of the kinds that are expected. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "pg/sql_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    const char *sql = arena_copy(&arena, (const char *) data, size);
    struct text index = {0}, constraint = {0};
    struct sql_facts facts = sql_facts(sql);

    for (size_t i = 0; i < 2; i++)
        if (facts.tables[i].size > 0)
            assert(facts.tables[i].text >= sql &&
                   facts.tables[i].text + facts.tables[i].size <= sql + strlen(sql));
    if (sql_key_split(sql, &index, &constraint)) {
        assert(facts.kind == SQL_KEY);
        assert(sql_facts(text_of(&index)).kind == SQL_INDEX);
        assert(strstr(text_of(&constraint), "USING INDEX ") != NULL);
        assert(index.data[index.size - 1] == ';' && constraint.data[constraint.size - 1] == ';');
    } else {
        assert(index.size + constraint.size == 0);
    }
    text_free(&index);
    text_free(&constraint);
    arena_free(&arena);
    return 0;
}
