/* open_store - see open_store.h. */
#include "commands/open_store.h"

#include <stdlib.h>
#include <strings.h>

#include "commands/memory.h"

enum { SECOND_MS = 1000 };

static bool
is_true(const char *value)
{
    return strcasecmp(value, "true") == 0;
}

/* env_read has made sure that it is a number. */
static unsigned
number(const char *value, unsigned fallback)
{
    return *value == '\0' ? fallback : (unsigned) strtoul(value, NULL, 10);
}

static const char *
first(const char *one, const char *other)
{
    return *one != '\0' ? one : other;
}

static void
credentials_fill(const struct env_foreign *foreign, struct credentials_config *config)
{
    *config = (struct credentials_config){
        .access_key = foreign->access_key,
        .access_key_file = foreign->access_key_file,
        .secret_key = foreign->secret_key,
        .secret_key_file = foreign->secret_key_file,
        .session_token = foreign->session_token,
        .session_token_file = foreign->session_token_file,
        .token_file = foreign->token_file,
        .role_arn = foreign->role_arn,
        .role_session_name = foreign->role_session_name,
        .region = first(foreign->region, foreign->default_region),
        .relative_uri = foreign->relative_uri,
        .full_uri = foreign->full_uri,
        .authorization = foreign->authorization,
        .authorization_file = foreign->authorization_file,
        .metadata_endpoint = foreign->metadata_endpoint,
        .metadata_ipv6 = strcasecmp(foreign->metadata_mode, "IPv6") == 0,
        .metadata_disabled = is_true(foreign->metadata_disabled),
        .metadata_v1_disabled = is_true(foreign->metadata_v1_disabled),
        .metadata_timeout_ms = number(foreign->metadata_timeout, 1) * SECOND_MS,
        .metadata_attempts = number(foreign->metadata_attempts, 1),
        .sts_endpoint = "",
    };
    if (!is_true(foreign->endpoints_ignored))
        config->sts_endpoint = first(foreign->endpoint_sts, foreign->endpoint);
}

/* What the SDKs do by default is what others' stores stumble over, so only who asks for it gets
 * checksums everywhere. */
static enum s3_choice
checksums(const char *value)
{
    return *value == '\0'                              ? S3_AUTO
           : strcasecmp(value, "when_supported") == 0 ? S3_YES
                                                       : S3_NO;
}

void
s3_config_fill(const struct env *env, struct s3_config *config)
{
    static const char *const sse[] = {
        [ENV_SSE_AUTO] = "",
        [ENV_SSE_AES256] = "AES256",
        [ENV_SSE_KMS] = "aws:kms",
        [ENV_SSE_KMS_DSSE] = "aws:kms:dsse",
    };
    static const enum s3_choice styles[] = {
        [ENV_STYLE_AUTO] = S3_AUTO,
        [ENV_STYLE_PATH] = S3_YES,
        [ENV_STYLE_HOST] = S3_NO,
    };
    const struct env_foreign *foreign = &env->foreign;

    *config = (struct s3_config){
        .bucket = "",
        .endpoint = "",
        .region = first(foreign->region, foreign->default_region),
        .path_style = styles[env->s3_path_style],
        .dualstack = is_true(foreign->dualstack),
        .fips = is_true(foreign->fips),
        .sse = sse[env->s3_sse],
        .kms_key = env->s3_kms_key,
        .storage_class = env->s3_storage_class,
        .checksums = checksums(foreign->checksums),
        .attempts_max = number(foreign->attempts, 0),
        .ca_file = foreign->ca_bundle,
    };
    if (!is_true(foreign->endpoints_ignored))
        config->endpoint = first(foreign->endpoint_s3, foreign->endpoint);
    credentials_fill(foreign, &config->credentials);
}

struct store *
open_store(const struct env *env, const char *url, bool create, struct stop *stop,
           struct fault *fault)
{
    struct s3_config s3;

    s3_config_fill(env, &s3);
    struct store *store = store_open(url, &s3, create, stop, fault);
    if (store != NULL) {
        store->limits.document_bytes = memory_document_bytes(env->memory_bytes, 0);
        store->limits.listing_bytes = memory_listing_bytes(env->memory_bytes);
    }
    return store;
}
