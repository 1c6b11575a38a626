/* sql_split - see sql_split.h.  Driven line by line, as psql's MainLoop() drives the same lexer. */
#include <postgres_fe.h>

#include "pg/sql_split.h"

#include <fe_utils/psqlscan_int.h>
#include <mb/pg_wchar.h>
#include <pqexpbuffer.h>
#include <string.h>

static const PsqlScanCallbacks no_variables = {NULL};

void
sql_split_init(struct sql_split *split)
{
    *split = (struct sql_split){.standard_strings = true};
    split->scan = psql_scan_create(&no_variables);
    split->statement = createPQExpBuffer();
    if (split->statement == NULL)
        memory_exhausted(sizeof *split->statement);
}

void
sql_split_free(struct sql_split *split)
{
    psql_scan_destroy(split->scan);
    destroyPQExpBuffer(split->statement);
    text_free(&split->line);
}

static bool
begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static bool
emit(struct sql_split *split, sql_statement_fn *statement, void *argument, struct fault *fault)
{
    PQExpBuffer sql = split->statement;

    if (PQExpBufferBroken(sql))
        memory_exhausted(split->line.size);
    if (begins(sql->data, "SET standard_conforming_strings = "))
        split->standard_strings = !begins(sql->data, "SET standard_conforming_strings = off");
    split->atomic = false;
    bool carried_on = sql->len == 0 || statement(argument, sql->data, fault);
    resetPQExpBuffer(sql);
    return carried_on;
}

/* Before a line: does it end the body?  Then whatever was counted, this END is the last one. */
static void
atomic_end(struct sql_split *split, const char *line)
{
    if (split->atomic && split->plain && strcmp(line, "END;") == 0)
        split->scan->begin_depth = 1;
}

/* Behind a line: was the BEGIN that the lexer counted the beginning of a body? */
static void
atomic_begin(struct sql_split *split, const char *line)
{
    if (split->scan->begin_depth == 0 || split->atomic)
        return;
    split->atomic = strstr(line, "BEGIN ATOMIC") != NULL;
    if (!split->atomic)
        split->scan->begin_depth = 0;
}

/* All server encodings are safe to scan as single bytes: no byte of a multi-byte character is ASCII
 * (PostgreSQL documentation, "Character Set Support"). */
static bool
scan_line(struct sql_split *split, sql_statement_fn *statement, void *argument, struct fault *fault)
{
    const char *line = text_of(&split->line);
    promptStatus_t prompt = PROMPT_READY;
    PsqlScanResult result;
    bool carried_on = true;

    if (strlen(line) != split->line.size)
        return fault_set(fault, ERR_INTEGRITY, "the SQL holds a zero byte behind: %.60s", line);
    if (!split->open && line[0] == '\\') {
        if (begins(line, "\\restrict ") || begins(line, "\\unrestrict "))
            return true;
        return fault_set(fault, ERR_INTEGRITY, "the SQL holds the psql command %.40s", line);
    }
    if (split->statement->len > 0)
        appendPQExpBufferChar(split->statement, '\n');
    atomic_end(split, line);
    psql_scan_setup(split->scan, line, (int) split->line.size, PG_SQL_ASCII,
                    split->standard_strings);
    do {
        result = psql_scan(split->scan, split->statement, &prompt);
        if (result == PSCAN_SEMICOLON)
            carried_on = emit(split, statement, argument, fault);
        else if (result == PSCAN_BACKSLASH)
            carried_on = fault_set(fault, ERR_INTEGRITY, "the SQL holds a psql command: %.60s",
                                   line);
    } while (carried_on && result == PSCAN_SEMICOLON);
    psql_scan_finish(split->scan);
    atomic_begin(split, line);
    split->open = prompt != PROMPT_READY || split->statement->len > 0;
    split->plain = prompt == PROMPT_CONTINUE;
    if (split->statement->len > SQL_STATEMENT_BYTES_MAX)
        return fault_set(fault, ERR_INTEGRITY, "an SQL statement is longer than %d bytes",
                         SQL_STATEMENT_BYTES_MAX);
    return carried_on;
}

bool
sql_split_feed(struct sql_split *split, const char *data, size_t size, sql_statement_fn *statement,
               void *argument, struct fault *fault)
{
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t piece = newline == NULL ? size : (size_t) (newline - data);
        text_add_bytes(&split->line, data, piece);
        if (split->line.size > SQL_STATEMENT_BYTES_MAX)
            return fault_set(fault, ERR_INTEGRITY, "an SQL line is longer than %d bytes",
                             SQL_STATEMENT_BYTES_MAX);
        if (newline == NULL)
            return true;
        if (!scan_line(split, statement, argument, fault))
            return false;
        text_clear(&split->line);
        data += piece + 1;
        size -= piece + 1;
    }
    return true;
}

bool
sql_split_end(struct sql_split *split, sql_statement_fn *statement, void *argument,
              struct fault *fault)
{
    if (split->line.size > 0 && !scan_line(split, statement, argument, fault))
        return false;
    text_clear(&split->line);
    if (split->statement->len > 0 || split->open)
        return fault_set(fault, ERR_INTEGRITY, "the SQL ends inside a statement: %.60s",
                         split->statement->data);
    return true;
}
