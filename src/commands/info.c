/* info - transformers, env, help, version: references, from the tables that the parsers use. */
#include <libpq-fe.h>
#include <string.h>
#include <vendor_versions.h>
#include <zstd.h>

#include "commands/commands.h"
#include "commands/output.h"
#include "transform/transform.h"

static bool
write_and_free(struct text *text, struct stop *stop, struct fault *fault)
{
    bool ok = output_write(text, stop, fault);
    text_free(text);
    return ok;
}

bool
transformers_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    size_t count;
    const struct transformer_info *infos = transformers_list(&count);
    struct output table;
    struct text text = {0};
    (void) env;

    output_begin(&table, "llll");
    output_cells(&table, "transformer", "parameters", "serves", "does");
    for (size_t i = 0; i < count; i++)
        output_cells(&table, infos[i].name, infos[i].parameters, infos[i].serves,
                     infos[i].sentence);
    output_end(&table, &text);
    text_add(&text, "\nA rule of REPLICA_TRANSFORM is a column and a transformer, its parameters "
                    "in brackets:\n  shop.customers.email  email(domain=keep)\n");
    return write_and_free(&text, stop, fault);
}

/* Those of libpq's own variables that are set, as libpq itself knows them and which of them are
 * secret. */
static void
add_libpq(struct text *text)
{
    PQconninfoOption *options = PQconninfoParse("", NULL);

    for (PQconninfoOption *option = options; option != NULL && option->keyword; option++) {
        const char *value = option->envvar == NULL ? NULL : env_foreign(option->envvar);
        bool secret = strchr(option->dispchar, '*') != NULL;
        if (value != NULL)
            env_add_value(option->envvar, secret ? "(set, not shown)" : value, text);
    }
    PQconninfoFree(options);
}

bool
env_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct text text = {0};

    if (env->markdown) {
        env_add_markdown(&text);
    } else {
        env_add_values(env, &text);
        add_libpq(&text);
    }
    return write_and_free(&text, stop, fault);
}

bool
help_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct text text = {0};
    (void) env;

    env_add_help(&text);
    return write_and_free(&text, stop, fault);
}

/* What can tell its version is asked; for the others it is what the build took. */
bool
version_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct text text = {0};
    int libpq = PQlibVersion();
    (void) env;

    text_addf(&text, "replica  %s\n", REPLICA_VERSION);
    text_addf(&text, "musl     %s\n", VENDOR_MUSL_VERSION);
    text_addf(&text, "BearSSL  %s\n", VENDOR_BEARSSL_VERSION);
    text_addf(&text, "zstd     %s\n", ZSTD_versionString());
    text_addf(&text, "libpq    %d.%d (PostgreSQL)\n", libpq / 10000, libpq % 10000);
    text_addf(&text, "pg_dump  %s (PostgreSQL)\n", VENDOR_POSTGRESQL_VERSION);
    return write_and_free(&text, stop, fault);
}
