/* recode - see recode.h. */
#include "pg/recode.h"

#include <string.h>

#include "base/text.h"

static bool
is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char) *text >= 0x80)
            return false;
    return true;
}

/* As bytea both ways, so that no client encoding has a say. */
const char *
pg_recode(struct pg_session *conn, struct arena *arena, const char *what, const char *text,
          struct fault *fault)
{
    const char *encoding = pg_encoding(conn);
    struct fault failed = {0};
    struct text sql = {0};

    if (is_ascii(text) || strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0)
        return text;

    text_add(&sql, "SELECT pg_catalog.convert('\\x");
    for (const char *at = text; *at != '\0'; at++)
        text_addf(&sql, "%02x", (unsigned char) *at);
    text_addf(&sql, "'::pg_catalog.bytea, 'UTF8', '%s')", encoding);
    PGresult *result = pg_query(conn, "convert to the database's encoding", text_of(&sql), &failed);
    text_free(&sql);
    if (result == NULL) {
        if (strncmp(conn->sqlstate, "22", 2) == 0)
            fault_set(fault, ERR_CONFIG,
                      "%s holds a character that the database's encoding %s lacks", what, encoding);
        fault_hand_over(fault, &failed);
        return NULL;
    }

    size_t size;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *) PQgetvalue(result, 0, 0), &size);
    if (bytes == NULL)
        memory_exhausted(strlen(text));
    const char *recoded = arena_copy(arena, (const char *) bytes, size);
    PQfreemem(bytes);
    PQclear(result);
    return recoded;
}
