/* sql_split - see sql_split.h.  Driven line by line, as psql's MainLoop() drives the same lexer. */
#include <postgres_fe.h>

#include "pg/sql_split.h"

#include <common/string.h>
#include <fe_utils/psqlscan_int.h>
#include <mb/pg_wchar.h>
#include <pqexpbuffer.h>
#include <string.h>

/* What the lexer puts in the place of :name, :'name' and :"name". */
static char *
variable_value(const char *name, PsqlScanQuoteType quote, void *context)
{
    const char *mark = quote == PQUOTE_SQL_LITERAL ? "'" : quote == PQUOTE_SQL_IDENT ? "\"" : "";
    (void) context;

    return psprintf(": %s%s%s", mark, name, mark);
}

static const PsqlScanCallbacks variables = {.get_variable = variable_value};

static struct {
    size_t bytes_max;
    uint64_t memory_for_twice; /* 0: nobody has set it */
} statement_limit = {.bytes_max = SQL_STATEMENT_BYTES_MAX};

void
sql_statement_max_set(size_t bytes_max, uint64_t memory_for_twice)
{
    statement_limit.bytes_max = bytes_max;
    statement_limit.memory_for_twice = memory_for_twice;
    if (bytes_max >= SQL_STATEMENT_BYTES_MAX) {
        statement_limit.bytes_max = SQL_STATEMENT_BYTES_MAX;
        statement_limit.memory_for_twice = 0;
    }
}

/* Whether there is room for what has been read of a statement, and the line that may end it. */
static bool
statement_fits(const struct sql_split *split, struct fault *fault)
{
    char limit[16], memory[16];

    if (split->statement->len + split->line.size <= statement_limit.bytes_max)
        return true;
    text_bytes(limit, statement_limit.bytes_max);
    if (statement_limit.memory_for_twice == 0)
        return fault_set(fault, ERR_INTEGRITY, "an SQL statement is longer than %s", limit);
    return fault_set(fault, ERR_CONFIG,
                     "an SQL statement is longer than %s, and REPLICA_MEMORY leaves no more room: "
                     "one of %s would serve a statement of twice that",
                     limit, text_bytes(memory, statement_limit.memory_for_twice));
}

/* Outside of a statement, what the lexer would take for nothing.  A comment ends at a CR, too. */
static bool
is_nothing(const char *line)
{
    line += strspn(line, " \t\r\f\v");
    return line[0] == '\0' || (strncmp(line, "--", 2) == 0 && strchr(line, '\r') == NULL);
}

void
sql_split_init(struct sql_split *split)
{
    *split = (struct sql_split){.standard_strings = true};
    split->scan = psql_scan_create(&variables);
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

/* Only the last statement of a text may come, and it must be the whole text. */
static bool
is_whole(void *argument, const char *sql, struct fault *fault)
{
    const char **whole = argument;
    bool same = *whole != NULL && strcmp(*whole, sql) == 0;

    *whole = NULL;
    return same || fault_set(fault, ERR_INTEGRITY, "the SQL holds two statements in one: %.60s",
                             sql);
}

/* The lexer makes ";" of "\;", and nothing tells the two apart behind it. */
static bool
is_one_statement(const struct sql_split *split, const char *sql, struct fault *fault)
{
    struct sql_split again;

    sql_split_init(&again);
    again.alone = true;
    again.standard_strings = split->standard_strings;
    bool one = sql_split_feed(&again, sql, strlen(sql), is_whole, &sql, fault) &&
               sql_split_end(&again, is_whole, &sql, fault);
    sql_split_free(&again);
    return one;
}

/* Whoever reads the text by lines, as psql and we do, would read on as before to the line's end; a
 * server would not. */
static bool
strings_changed(const struct sql_split *split, struct fault *fault)
{
    return fault_set(fault, ERR_INTEGRITY,
                     "the SQL goes on behind standard_conforming_strings on its line: %.60s",
                     split->statement->data);
}

static bool
emit(struct sql_split *split, sql_statement_fn *statement, void *argument, struct fault *fault)
{
    PQExpBuffer sql = split->statement;

    if (PQExpBufferBroken(sql))
        memory_exhausted(split->line.size);
    if (split->standard_strings != split->line_strings)
        return strings_changed(split, fault);
    if (split->doubtful && !split->alone && !is_one_statement(split, sql->data, fault))
        return false;
    if (begins(sql->data, "SET standard_conforming_strings = "))
        split->standard_strings = !begins(sql->data, "SET standard_conforming_strings = off");
    split->atomic = false;
    bool carried_on = sql->len == 0 || statement(argument, sql->data, fault);
    split->ahead = 0;
    resetPQExpBuffer(sql);
    return carried_on;
}

/* Before a line: does it end the body?  Then whatever was counted, this END is the last one. */
static void
atomic_end(struct sql_split *split, const char *line)
{
    if (!split->atomic || !split->plain || strcmp(line, "END;") != 0)
        return;
    if (split->scan->begin_depth > 1)
        split->ahead += (unsigned) split->scan->begin_depth - 1;
    split->scan->begin_depth = 1;
}

/* Behind a line: was the BEGIN that the lexer counted the beginning of a body? */
static void
atomic_begin(struct sql_split *split, const char *line)
{
    if (split->scan->begin_depth == 0 || split->atomic)
        return;
    split->atomic = strstr(line, "BEGIN ATOMIC") != NULL;
    if (!split->atomic) {
        split->ahead += (unsigned) split->scan->begin_depth;
        split->scan->begin_depth = 0;
    }
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
    if (!split->open && is_nothing(line))
        return true;
    if (!split->open && line[0] == '\\') {
        if (begins(line, "\\restrict ") || begins(line, "\\unrestrict "))
            return true;
        return fault_set(fault, ERR_INTEGRITY, "the SQL holds the psql command %.40s", line);
    }
    if (split->statement->len > 0)
        appendPQExpBufferChar(split->statement, '\n');
    split->doubtful = (split->doubtful && split->statement->len > 0) ||
                      strstr(line, "\\;") != NULL || strstr(line, "\\:") != NULL;
    split->line_strings = split->standard_strings;
    atomic_end(split, line);
    psql_scan_setup(split->scan, line, (int) split->line.size, PG_SQL_ASCII, split->line_strings);
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
    if (carried_on && split->standard_strings != split->line_strings && split->statement->len > 0)
        return strings_changed(split, fault);
    split->open = prompt != PROMPT_READY || split->statement->len > 0;
    split->plain = prompt == PROMPT_CONTINUE;
    return carried_on;
}

bool
sql_split_feed(struct sql_split *split, const char *data, size_t size, sql_statement_fn *statement,
               void *argument, struct fault *fault)
{
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t piece = newline == NULL ? size : (size_t) (newline - data);
        if (!split->open && split->line.size == 0 && newline == data) {
            data++, size--; /* gigabytes of them are a few kilobytes in a store */
            continue;
        }
        text_add_bytes(&split->line, data, piece);
        if (!statement_fits(split, fault))
            return false;
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
