/* env_foreign - the variables of foreign.def, and REPLICA_S3_*, which go with them. */
#include <string.h>
#include <strings.h>

#include "env/env_table.h"

enum { NUMBER_DIGITS_MAX = 4 }; /* of attempts and seconds, nobody means more than 9,999 */

const struct foreign_row foreign_rows[FOREIGN_COUNT] = {
#define FOREIGN(member, name, allowed, secret, sentence) \
    {name, allowed, secret, sentence, offsetof(struct env_foreign, member)},
#include "env/foreign.def"
#undef FOREIGN
};

static const char **
slot(const struct env *env, const struct foreign_row *row)
{
    return (const char **) ((char *) &env->foreign + row->offset);
}

const char *
foreign_value(const struct env *env, const struct foreign_row *row)
{
    return *slot(env, row);
}

bool
foreign_matters(const struct env *env)
{
    return env_place(env->from) == PLACE_S3 || env_place(env->to) == PLACE_S3;
}

static bool
is_word(const char *allowed, const char *value)
{
    size_t size = strlen(value);

    for (;; allowed++) {
        size_t length = strcspn(allowed, "|");
        if (length == size && strncasecmp(allowed, value, size) == 0)
            return true;
        allowed += length;
        if (*allowed == '\0')
            return false;
    }
}

static bool
is_number(const char *value)
{
    size_t size = strlen(value);

    return size <= NUMBER_DIGITS_MAX && strspn(value, "0123456789") == size &&
           strspn(value, "0") < size;
}

void
foreign_add_allowed(const struct foreign_row *row, struct text *text)
{
    size_t first = strcspn(row->allowed, "|");

    if (strcmp(row->allowed, "number") == 0)
        text_add(text, "a whole number from 1 to 9999");
    else if (strcmp(row->allowed, "file") == 0)
        text_add(text, "a path");
    else if (row->allowed[0] == '\0')
        text_add(text, "any text");
    else
        text_addf(text, "%.*s or %s", (int) first, row->allowed, row->allowed + first + 1);
}

/* A value that breaks a line would end up in the header of a request. */
static bool
is_line(const char *value)
{
    for (; *value != '\0'; value++)
        if ((unsigned char) *value < 0x20 || *value == 0x7f)
            return false;
    return true;
}

static void
row_check(struct env *env, const struct foreign_row *row)
{
    const char *value = foreign_value(env, row), *allowed = row->allowed;
    struct text words = {0};

    if (*value == '\0')
        return;
    if (!is_line(value))
        env_mistake(env, "%s holds a control character%s", row->name,
                    row->secret ? ", perhaps a newline at its end" : "");
    else if (strcmp(allowed, "file") == 0)
        variable_file(env, arena_copy(&env->arena, row->name, strlen(row->name) - 5), value);
    else if (strcmp(allowed, "number") == 0 ? !is_number(value)
                                            : *allowed != '\0' && !is_word(allowed, value)) {
        foreign_add_allowed(row, &words);
        env_mistake(env, "%s is %s; allowed is %s", row->name, env_shown(env, NULL, value),
                    text_of(&words));
        text_free(&words);
    }
}

static void
both_check(struct env *env, const char *name, const char *value, const char *path)
{
    if (*value != '\0' && *path != '\0')
        env_mistake(env, "%s and %s_FILE are both set; unset one of them", name, name);
}

static void
keys_check(struct env *env)
{
    const struct env_foreign *foreign = &env->foreign;
    bool access = *foreign->access_key != '\0' || *foreign->access_key_file != '\0';
    bool secret = *foreign->secret_key != '\0' || *foreign->secret_key_file != '\0';

    both_check(env, "AWS_ACCESS_KEY_ID", foreign->access_key, foreign->access_key_file);
    both_check(env, "AWS_SECRET_ACCESS_KEY", foreign->secret_key, foreign->secret_key_file);
    both_check(env, "AWS_SESSION_TOKEN", foreign->session_token, foreign->session_token_file);
    if (access != secret)
        env_mistake(env, "%s is set, but %s is not; one is of no use without the other",
                    access ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                    access ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    if (*foreign->token_file != '\0' && *foreign->role_arn == '\0')
        env_mistake(env, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not; the token "
                         "is exchanged for the keys of a role");
}

/* The key would be passed over in silence, and the objects encrypted with another one. */
static void
kms_check(struct env *env)
{
    bool kms = env->s3_sse == ENV_SSE_KMS || env->s3_sse == ENV_SSE_KMS_DSSE;

    if (*env->s3_kms_key != '\0' && !kms)
        env_mistake(env, "REPLICA_S3_KMS_KEY is set, but REPLICA_S3_SSE is neither aws:kms nor "
                         "aws:kms:dsse");
    if (!is_line(env->s3_kms_key) || !is_line(env->s3_storage_class))
        env_mistake(env, "REPLICA_S3_KMS_KEY or REPLICA_S3_STORAGE_CLASS holds a control "
                         "character");
}

void
foreign_read(struct env *env, char *const *variables)
{
    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        const char *value = variable_find(variables, foreign_rows[i].name);
        *slot(env, &foreign_rows[i]) = value == NULL ? "" : value;
    }
    if (!foreign_matters(env))
        return;
    for (size_t i = 0; i < FOREIGN_COUNT; i++)
        row_check(env, &foreign_rows[i]);
    keys_check(env);
    kms_check(env);
}
