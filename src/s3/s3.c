/* s3 - opening and closing a client; see s3.h. */
#include "s3/s3.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "s3/s3_client.h"

/* Header values are checked here, so that nobody can add a header by them. */
static bool
value_check(const char *name, const char *value, struct fault *fault)
{
    for (const char *at = value; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return fault_set(fault, ERR_CONFIG,
                             "%s holds a character that is no visible ASCII", name);
    return true;
}

static bool
one_of(const char *value, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(value, *words) == 0)
            return true;
    return false;
}

/* The index of dumps and the manifests must be readable at any time, so no storage class will do
 * whose objects have to be thawed first. */
static bool
config_check(const struct s3_config *config, struct fault *fault)
{
    static const char *const encryptions[] = {"", "AES256", "aws:kms", "aws:kms:dsse", NULL};
    static const char *const frozen[] = {"GLACIER", "DEEP_ARCHIVE", NULL};

    if (!one_of(config->sse, encryptions))
        return fault_set(fault, ERR_CONFIG,
                         "REPLICA_S3_SSE: \"%.100s\" is none of AES256, aws:kms, aws:kms:dsse",
                         config->sse);
    if (config->kms_key[0] != '\0' && strncmp(config->sse, "aws:kms", 7) != 0)
        return fault_set(fault, ERR_CONFIG,
                         "REPLICA_S3_KMS_KEY wants REPLICA_S3_SSE=aws:kms or aws:kms:dsse");
    if (one_of(config->storage_class, frozen))
        return fault_set(fault, ERR_CONFIG,
                         "REPLICA_S3_STORAGE_CLASS: objects of %s cannot be read when they are "
                         "needed; let a lifecycle rule move old dumps", config->storage_class);
    return value_check("REPLICA_S3_KMS_KEY", config->kms_key, fault) &&
           value_check("REPLICA_S3_STORAGE_CLASS", config->storage_class, fault);
}

static void
config_copy(struct s3 *s3, const struct s3_config *config)
{
    struct credentials_config *keys = &s3->config.credentials;
    const char **texts[] = {
        &s3->config.bucket, &s3->config.endpoint, &s3->config.region, &s3->config.sse,
        &s3->config.kms_key, &s3->config.storage_class, &s3->config.ca_file,
        &keys->access_key, &keys->secret_key, &keys->session_token,
        &keys->access_key_file, &keys->secret_key_file, &keys->session_token_file,
        &keys->token_file, &keys->role_arn, &keys->role_session_name,
        &keys->sts_endpoint, &keys->region, &keys->relative_uri, &keys->full_uri,
        &keys->authorization, &keys->authorization_file, &keys->metadata_endpoint,
    };

    s3->config = *config;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_text(&s3->arena, *texts[i] == NULL ? "" : *texts[i]);
}

static bool
trust_get(struct s3 *s3, struct fault *fault)
{
    const char *file = s3->config.ca_file;

    s3->trust = file[0] == '\0' ? trust_open_system(ERR_CONFIG, fault)
                                : trust_open(file, "", ERR_CONFIG, fault);
    return s3->trust != NULL;
}

struct s3 *
s3_open(const struct s3_config *config, struct stop *stop, struct fault *fault)
{
    struct s3 *s3 = calloc(1, sizeof *s3);

    if (s3 == NULL)
        memory_exhausted(sizeof *s3);
    config_copy(s3, config);
    s3->stop = stop;
    s3->unheard.fd = -1;
    pthread_mutex_init(&s3->lock, NULL);
    pool_init(&s3->pool, NULL);
    if (!config_check(&s3->config, fault) ||
        !endpoint_init(&s3->places[0], &s3->config, fault) || !trust_get(s3, fault) ||
        !stop_init(&s3->unheard, fault)) {
        s3_close(s3);
        return NULL;
    }
    s3->places_count = 1;
    s3->pool.trust = s3->trust;
    s3->bucket.tokens = RETRY_TOKENS_MAX;
    random_init(&s3->random);
    s3->checksums = s3->config.checksums == S3_YES ||
                    (s3->config.checksums == S3_AUTO && s3->places[0].amazon);
    s3->credentials = credentials_open(&s3->config.credentials, s3->trust, stop);
    return s3;
}

static void
secret_wipe(const char *secret)
{
    if (secret != NULL)
        explicit_bzero((char *) secret, strlen(secret));
}

void
s3_close(struct s3 *s3)
{
    if (s3 == NULL)
        return;
    pool_free(&s3->pool);
    credentials_close(s3->credentials);
    trust_close(s3->trust);
    if (s3->unheard.fd >= 0)
        stop_free(&s3->unheard);
    pthread_mutex_destroy(&s3->lock);
    explicit_bzero(&s3->key, sizeof s3->key);
    secret_wipe(s3->config.credentials.secret_key);
    secret_wipe(s3->config.credentials.session_token);
    secret_wipe(s3->config.credentials.authorization);
    arena_free(&s3->arena);
    free(s3);
}

const struct endpoint *
s3_place(struct s3 *s3)
{
    pthread_mutex_lock(&s3->lock);
    const struct endpoint *place = &s3->places[s3->places_count - 1];
    pthread_mutex_unlock(&s3->lock);
    return place;
}

bool
s3_place_move(struct s3 *s3, const struct endpoint *from, const char *region)
{
    bool moved = true, first = false;

    pthread_mutex_lock(&s3->lock);
    struct endpoint *place = &s3->places[s3->places_count - 1];
    if (place == from) { /* otherwise another call was quicker */
        first = moved =
            s3->places_count < S3_PLACES_MAX && endpoint_move(place + 1, from, region);
        place += moved;
        s3->places_count += moved;
    }
    pthread_mutex_unlock(&s3->lock);
    if (first) {
        log_info("the bucket %s is in the region %s, not in %s", place->bucket, place->region,
                 from->region);
        pool_move(&s3->pool, place);
    }
    return moved;
}

const char *
s3_endpoint_text(const struct s3 *s3)
{
    return s3_place((struct s3 *) s3)->text;
}

uint64_t
s3_server_ms(const struct s3 *s3)
{
    int64_t base_ms = atomic_load(&s3->server_ms);
    return base_ms == 0 ? 0 : (uint64_t) (base_ms + (int64_t) clock_ms());
}
