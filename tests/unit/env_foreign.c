/* The variables of others: what is set, what is wrong, and what is never shown. */
#include "env/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static bool
read_with(struct env *env, const char *const *variables)
{
    char *arguments[] = {"dump", NULL};
    return env_read(env, arguments, (char *const *) variables);
}

#define READ(env, ...) \
    read_with(env, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define S3_ENDS "REPLICA_FROM=postgres:", "REPLICA_TO=s3://bucket/a/b"
#define DIR_ENDS "REPLICA_FROM=postgres:", "REPLICA_TO=file:///d"

#define assert_mistakes(lines, ...)                            \
    do {                                                       \
        struct env wrong_;                                     \
        assert_false(READ(&wrong_, S3_ENDS, __VA_ARGS__));     \
        assert_string_equal(text_of(&wrong_.mistakes), lines); \
        env_free(&wrong_);                                     \
    } while (0)

static void
nothing_set(void **state)
{
    struct env env;
    (void) state;

    assert_true(READ(&env, S3_ENDS));
    assert_int_equal(env.command, COMMAND_DUMP);
    assert_string_equal(env.store, "s3://bucket/a/b");
    assert_string_equal(env.foreign.region, "");
    assert_string_equal(env.foreign.cert_directory, "");
    assert_string_equal(env.s3_kms_key, "");
    assert_string_equal(env.s3_storage_class, "");
    assert_int_equal(env.s3_path_style, ENV_STYLE_AUTO);
    assert_int_equal(env.s3_sse, ENV_SSE_AUTO);
    env_free(&env);
}

static void
values(void **state)
{
    struct env env;
    (void) state;

    assert_true(READ(&env, S3_ENDS, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AK",
                     "AWS_SECRET_ACCESS_KEY=SK", "AWS_MAX_ATTEMPTS=3", "AWS_SESSION_TOKEN=",
                     "AWS_REQUEST_CHECKSUM_CALCULATION=When_Required",
                     "AWS_USE_DUALSTACK_ENDPOINT=TRUE", "AWS_ENDPOINT_URL=http://h:9000",
                     "REPLICA_S3_SSE=aws:kms", "REPLICA_S3_KMS_KEY=arn:aws:kms:1",
                     "REPLICA_S3_PATH_STYLE=no", "REPLICA_S3_STORAGE_CLASS=STANDARD_IA"));
    assert_string_equal(env.foreign.region, "eu-west-1");
    assert_string_equal(env.foreign.access_key, "AK");
    assert_string_equal(env.foreign.secret_key, "SK");
    assert_string_equal(env.foreign.session_token, "");
    assert_string_equal(env.foreign.attempts, "3");
    assert_string_equal(env.foreign.checksums, "When_Required");
    assert_string_equal(env.foreign.endpoint, "http://h:9000");
    assert_int_equal(env.s3_sse, ENV_SSE_KMS);
    assert_int_equal(env.s3_path_style, ENV_STYLE_HOST);
    assert_string_equal(env.s3_kms_key, "arn:aws:kms:1");
    assert_string_equal(env.s3_storage_class, "STANDARD_IA");
    env_free(&env);
}

static void
mistakes(void **state)
{
    (void) state;
    assert_mistakes("AWS_MAX_ATTEMPTS is 'many'; allowed is a whole number from 1 to 9999",
                    "AWS_MAX_ATTEMPTS=many");
    assert_mistakes("AWS_MAX_ATTEMPTS is '0'; allowed is a whole number from 1 to 9999",
                    "AWS_MAX_ATTEMPTS=0");
    assert_mistakes("AWS_MAX_ATTEMPTS is '10000'; allowed is a whole number from 1 to 9999",
                    "AWS_MAX_ATTEMPTS=10000");
    assert_mistakes("AWS_USE_FIPS_ENDPOINT is 'yes'; allowed is true or false",
                    "AWS_USE_FIPS_ENDPOINT=yes");
    assert_mistakes("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is 'IP'; allowed is IPv4 or IPv6",
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IP");
    assert_mistakes("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not; one is of no use "
                    "without the other",
                    "AWS_ACCESS_KEY_ID=a");
    assert_mistakes("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not; one is of no use "
                    "without the other",
                    "AWS_SECRET_ACCESS_KEY=a");
    assert_mistakes("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not; the token is "
                    "exchanged for the keys of a role",
                    "AWS_WEB_IDENTITY_TOKEN_FILE=/t");
    assert_mistakes("AWS_SECRET_ACCESS_KEY holds a control character, perhaps a newline at its end",
                    "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=hidden\n");
    assert_mistakes("AWS_REGION holds a control character", "AWS_REGION=eu\r\nX: y");
    assert_mistakes("REPLICA_S3_KMS_KEY is set, but REPLICA_S3_SSE is neither aws:kms nor "
                    "aws:kms:dsse",
                    "REPLICA_S3_KMS_KEY=k", "REPLICA_S3_SSE=AES256");
    assert_mistakes("REPLICA_S3_SSE is 'aws'; allowed is auto, AES256, aws:kms or aws:kms:dsse\n"
                    "AWS_MAX_ATTEMPTS is '-1'; allowed is a whole number from 1 to 9999",
                    "REPLICA_S3_SSE=aws", "AWS_MAX_ATTEMPTS=-1");
}

/* A path is passed on, since what stands there changes; but it is looked at once. */
static void
files(void **state)
{
    char path[] = "/tmp/replica-foreign-XXXXXX", access[64], secret[64];
    int fd = mkstemp(path);
    struct env env;
    (void) state;

    assert_true(fd >= 0);
    snprintf(access, sizeof access, "AWS_ACCESS_KEY_ID_FILE=%s", path);
    snprintf(secret, sizeof secret, "AWS_SECRET_ACCESS_KEY_FILE=%s", path);
    assert_false(READ(&env, S3_ENDS, access, secret)); /* both are empty */
    assert_non_null(strstr(text_of(&env.mistakes), "AWS_SECRET_ACCESS_KEY_FILE: "));
    env_free(&env);
    assert_int_equal(write(fd, "key\n", 4), 4);
    close(fd);
    assert_true(READ(&env, S3_ENDS, access, secret));
    assert_string_equal(env.foreign.secret_key_file, path);
    assert_string_equal(env.foreign.secret_key, "");
    env_free(&env);
    assert_mistakes("AWS_ACCESS_KEY_ID and AWS_ACCESS_KEY_ID_FILE are both set; unset one of them",
                    access, secret, "AWS_ACCESS_KEY_ID=a");
    unlink(path);
    assert_false(READ(&env, S3_ENDS, access, secret));
    assert_non_null(strstr(text_of(&env.mistakes), "AWS_ACCESS_KEY_ID_FILE: unable to read"));
    env_free(&env);
}

/* Who writes into a directory need not have them in order. */
static void
without_s3_they_do_not_matter(void **state)
{
    struct env env;
    (void) state;

    assert_true(READ(&env, DIR_ENDS, "AWS_MAX_ATTEMPTS=many", "AWS_ACCESS_KEY_ID=a",
                     "REPLICA_S3_KMS_KEY=k"));
    env_free(&env);
}

static void
what_is_shown(void **state)
{
    struct env env;
    struct text text = {0};
    (void) state;

    assert_true(READ(&env, S3_ENDS, "AWS_ACCESS_KEY_ID=AKhidden", "AWS_SECRET_ACCESS_KEY=SKhidden",
                     "AWS_SESSION_TOKEN=Thidden", "AWS_REGION=eu-west-1",
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN=Chidden",
                     "AWS_ENDPOINT_URL_S3=https://u:hidden@h:9000"));
    env_add_values(&env, &text);
    assert_null(strstr(text_of(&text), "hidden"));
    assert_non_null(strstr(text_of(&text), "AWS_SECRET_ACCESS_KEY"));
    assert_non_null(strstr(text_of(&text), "eu-west-1"));
    assert_null(strstr(text_of(&text), "AWS_MAX_ATTEMPTS"));
    text_free(&text);
    env_free(&env);

    env_add_markdown(&text);
    assert_non_null(strstr(text_of(&text), "| `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` | true or "));
    assert_non_null(strstr(text_of(&text), "| `REPLICA_S3_PATH_STYLE` | auto, yes or no | auto |"));
    text_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set),   cmocka_unit_test(values),
        cmocka_unit_test(mistakes),      cmocka_unit_test(files),
        cmocka_unit_test(what_is_shown), cmocka_unit_test(without_s3_they_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
