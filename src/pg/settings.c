/* settings - see settings.h. */
#include "pg/settings.h"

#include <string.h>

#include "base/log.h"

enum ends { ENDS_SOURCE = 1, ENDS_TARGET = 2, ENDS_BOTH = 3 };
enum kind { EVERYBODY, SCRIPTS, MINOR, GUARD, WISH };

struct setting {
    const char *name, *value;
    int since;
    enum ends ends;
    enum kind kind;
};

static const struct setting settings[] = {
#define SETTING(name, value, since, ends, kind, reason) {name, value, since, ends, kind},
#include "pg/settings.def"
#undef SETTING
};

enum { SETTINGS_COUNT = sizeof settings / sizeof *settings };

static void
add_set(struct text *sql, const char *name, const char *value)
{
    text_addf(sql, "pg_catalog.set_config('%s', '%s', false)", name, value);
}

static bool
is_superusers(const struct setting *setting)
{
    return setting->kind == GUARD || setting->kind == WISH;
}

static bool
is_of(const struct setting *setting, bool source, int server_version)
{
    return (setting->ends & (source ? ENDS_SOURCE : ENDS_TARGET)) != 0 &&
           server_version >= setting->since;
}

/* The timeout is off from the second statement of a query on (start_xact_command() in postgres.c).
 * What only superusers set comes back as it is, in a column of its name. */
void
settings_add(struct text *sql, bool source, int server_version, const char *encoding)
{
    text_add(sql, "SET statement_timeout = 0; SELECT true");
    if (encoding != NULL) {
        text_add(sql, ", ");
        add_set(sql, "client_encoding", encoding);
    }
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *setting = &settings[i];
        if (!is_of(setting, source, server_version) || is_superusers(setting))
            continue;
        text_add(sql, ", ");
        if (setting->kind == MINOR)
            text_addf(sql, "CASE WHEN pg_catalog.current_setting('%s', true) IS NOT NULL THEN ",
                      setting->name);
        add_set(sql, setting->name, setting->value);
        text_add(sql, setting->kind == MINOR ? " END" : "");
    }
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (is_of(&settings[i], source, server_version) && is_superusers(&settings[i]))
            text_addf(sql, ", pg_catalog.current_setting('%s') AS %s", settings[i].name,
                      settings[i].name);
}

void
settings_add_guards(struct text *sql)
{
    text_add(sql, "SELECT true");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (settings[i].kind != GUARD)
            continue;
        text_addf(sql, ", CASE WHEN pg_catalog.current_setting('%s') <> '%s' THEN ",
                  settings[i].name, settings[i].value);
        add_set(sql, settings[i].name, settings[i].value);
        text_add(sql, " END");
    }
}

void
settings_add_script(struct text *sql)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (settings[i].kind == SCRIPTS)
            text_addf(sql, "SET %s = '%s';\n", settings[i].name, settings[i].value);
}

/* Set what only superusers may. */
static bool
superusers_set(struct pg_session *conn, const struct setting *setting, const char *found,
               struct fault *fault)
{
    struct fault refused = {0};
    struct text sql = {0};
    const char *end = conn->side == ERR_SOURCE ? "source" : "destination";

    text_add(&sql, "SELECT ");
    add_set(&sql, setting->name, setting->value);
    bool done = pg_run(conn, "prepare the session", text_of(&sql), &refused);
    text_free(&sql);
    if (done)
        return true;
    if (strcmp(conn->sqlstate, "42501") != 0) {
        fault_hand_over(fault, &refused);
        return false;
    }
    if (setting->kind == GUARD)
        return fault_set(fault, conn->side,
                         "%s is %s at the %s, and role %s may not change it: damaged rows would be"
                         " lost or passed on without an error; reset it for the role and the"
                         " database, or let a superuser dump", setting->name, found, end,
                         PQuser(conn->pq));
    if (!conn->warned)
        log_warning("%s is %s at the %s, and role %s may not set it to %s", setting->name, found,
                    end, PQuser(conn->pq), setting->value);
    return true;
}

static bool
superusers_check(struct pg_session *conn, const PGresult *result, struct fault *fault)
{
    bool source = conn->side == ERR_SOURCE;

    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *setting = &settings[i];
        if (!is_of(setting, source, conn->server_version) || !is_superusers(setting))
            continue;
        int column = PQfnumber(result, setting->name);
        if (PQntuples(result) != 1 || column < 0)
            return fault_set(fault, conn->side,
                             "unable to prepare the session: the server does not say what %s is",
                             setting->name);
        const char *found = PQgetvalue(result, 0, column);
        if (strcmp(found, setting->value) != 0 && !superusers_set(conn, setting, found, fault))
            return false;
    }
    return true;
}

bool
settings_apply(struct pg_session *conn, const char *encoding, struct fault *fault)
{
    struct text sql = {0};
    struct fault cut = {0};
    PGresult *result = NULL;

    settings_add(&sql, conn->side == ERR_SOURCE, conn->server_version, encoding);
    for (int tried = 0; result == NULL && tried < SETTINGS_TRIES; tried++) {
        cut = (struct fault){0};
        result = pg_query(conn, "prepare the session", text_of(&sql), &cut);
        if (result == NULL && strcmp(conn->sqlstate, SETTINGS_CUT_SHORT) != 0)
            break;
    }
    text_free(&sql);
    if (result == NULL)
        fault_hand_over(fault, &cut);
    bool done = result != NULL && superusers_check(conn, result, fault);
    conn->warned = true;
    PQclear(result);
    return done;
}
