/* credentials - see credentials.h.
 *
 *     now ─────────────┬─────────────────┬────────────────────┬────────▶
 *                 end − 15 min      end − 5 min              end
 *      serve as they are │ renew; on failure   │ renew; a failure is one
 *                        │ serve on, and again │
 *                        │ a minute later      │
 *
 * Keys that live shorter than that are renewed when half of what is left has passed. */
#include "s3/credentials.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "s3/credentials_ask.h"

enum {
    RENEW_MS = 15 * 60 * 1000,   /* before the end */
    NEEDED_MS = 5 * 60 * 1000,
    AGAIN_MS = 60 * 1000,        /* after a renewal that failed */
    EXTENSION_MS = 15 * 60 * 1000,
    PAUSE_MS = 500,              /* between two attempts; doubles */
};

struct source {
    const char *name;
    bool (*is_configured)(const struct credentials_config *config);
    enum ask (*ask)(const struct ask_context *context, struct credential *credential,
                    struct fault *fault);
    unsigned attempts; /* 0: as the user says */
};

struct credentials {
    struct ask_context context;
    struct credentials_config config;
    const struct source *source;

    pthread_mutex_t lock;
    pthread_cond_t renewed;
    bool renewing;              /* one thread does; lock is free meanwhile */
    bool failed;                /* the last renewal … */
    struct fault why;           /* … for this reason, which is also that of those who waited */
    struct credential current;  /* generation 0: none yet */
    uint64_t next_ms;           /* epoch; no renewal before */
    uint64_t refused;           /* generation that the store called expired or unknown */
    uint64_t exhausted;         /* generation that was refused, and yet came back as it was */
};

/* ---- the environment ------------------------------------------------------------------------- */

static bool
environment_is_configured(const struct credentials_config *config)
{
    return *config->access_key != '\0' || *config->secret_key != '\0' ||
           *config->access_key_file != '\0' || *config->secret_key_file != '\0';
}

static bool
environment_is_fixed(const struct credentials_config *config)
{
    return *config->access_key_file == '\0' && *config->secret_key_file == '\0' &&
           *config->session_token_file == '\0';
}

/* One of the keys, as it stands in the environment or in a file now. */
static bool
variable_get(const char *name, const char *value, const char *file_name, const char *file,
             char *slot, size_t size, struct fault *fault)
{
    struct text text = {0};
    bool done = *file == '\0' || ask_file(file_name, file, &text, fault);

    if (done && !ask_keep(slot, size, *file == '\0' ? value : text_of(&text)))
        done = fault_set(fault, ERR_CONFIG,
                         "%s holds a blank or another byte that no key has, or more than %zu bytes",
                         *file == '\0' ? name : file, size - 1);
    ask_text_free(&text);
    return done;
}

static enum ask
environment_ask(const struct ask_context *context, struct credential *credential,
                struct fault *fault)
{
    const struct credentials_config *config = context->config;
    bool access = *config->access_key != '\0' || *config->access_key_file != '\0';
    bool secret = *config->secret_key != '\0' || *config->secret_key_file != '\0';
    bool token = *config->session_token != '\0' || *config->session_token_file != '\0';

    *credential = (struct credential){0};
    if (!access || !secret) {
        fault_set(fault, ERR_CONFIG, "%s is set, but %s is not",
                  access ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                  access ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
        return ASK_FAILED;
    }
    bool done =
        variable_get("AWS_ACCESS_KEY_ID", config->access_key, "AWS_ACCESS_KEY_ID_FILE",
                     config->access_key_file, credential->access_key,
                     sizeof credential->access_key, fault) &&
        variable_get("AWS_SECRET_ACCESS_KEY", config->secret_key, "AWS_SECRET_ACCESS_KEY_FILE",
                     config->secret_key_file, credential->secret_key,
                     sizeof credential->secret_key, fault) &&
        (!token ||
         variable_get("AWS_SESSION_TOKEN", config->session_token, "AWS_SESSION_TOKEN_FILE",
                      config->session_token_file, credential->token, sizeof credential->token,
                      fault));
    return done ? ASK_KEYS : ASK_FAILED;
}

/* ---- the chain ------------------------------------------------------------------------------- */

static bool
sts_is_configured(const struct credentials_config *config)
{
    return *config->token_file != '\0';
}

static bool
container_is_configured(const struct credentials_config *config)
{
    return *config->relative_uri != '\0' || *config->full_uri != '\0';
}

static bool
metadata_is_configured(const struct credentials_config *config)
{
    return !config->metadata_disabled;
}

static bool
nothing_is_configured(const struct credentials_config *config)
{
    (void) config;
    return true;
}

#define UNSET                                                                                      \
    "there are no credentials for the store: none of AWS_ACCESS_KEY_ID, "                          \
    "AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and "                     \
    "AWS_CONTAINER_CREDENTIALS_FULL_URI is set, and "

static enum ask
nothing_ask(const struct ask_context *context, struct credential *credential, struct fault *fault)
{
    (void) context;
    (void) credential;
    fault_set(fault, ERR_CONFIG,
              UNSET "AWS_EC2_METADATA_DISABLED forbids to ask the instance's metadata");
    return ASK_FAILED;
}

/* In the order in which they are looked at; the first one that is configured is the one. */
enum { SOURCE_ENVIRONMENT, SOURCE_STS, SOURCE_CONTAINER, SOURCE_INSTANCE, SOURCE_NONE };
static const struct source sources[] = {
    {"the environment", environment_is_configured, environment_ask, 1},
    {"STS web identity", sts_is_configured, sts_ask, 5},
    {"the container's endpoint", container_is_configured, container_ask, 3},
    {"the instance's metadata", metadata_is_configured, metadata_ask, 0},
    {"nowhere", nothing_is_configured, nothing_ask, 1},
};

/* ---- asking ---------------------------------------------------------------------------------- */

/* Let some time pass, a random share of it so that many pods do not come at once. */
static bool
pause_before(struct stop *stop, unsigned attempt, struct fault *fault)
{
    struct random random;
    unsigned pause_ms = (unsigned) PAUSE_MS << (attempt < 4 ? attempt - 1 : 3);

    random_init(&random);
    pause_ms = pause_ms / 2 + (unsigned) random_below(&random, pause_ms / 2);
    return stop_wait(stop, -1, 0, (int) pause_ms, fault) == 0;
}

/* Ask the source, again and again if that may help.  Its own sentence is kept, of the last try. */
static enum ask
source_ask(const struct credentials *credentials, struct credential *credential,
           struct fault *fault)
{
    const struct source *source = credentials->source;
    unsigned attempts =
        source->attempts > 0 ? source->attempts : credentials->config.metadata_attempts;
    struct fault why;
    enum ask ask;

    for (unsigned attempt = 1;; attempt++) {
        why = (struct fault){0};
        ask = source->ask(&credentials->context, credential, &why);
        if (ask == ASK_KEYS || ask == ASK_FAILED || attempt >= attempts)
            break;
        if (!pause_before(credentials->context.stop, attempt, fault))
            return ASK_FAILED;
    }
    fault_hand_over(fault, &why);
    return ask;
}

/* The sentence as the user will read it. */
static void
explain(const struct credentials *credentials, enum ask ask, struct fault *fault)
{
    struct fault why = *fault;

    if (credentials->source == &sources[SOURCE_INSTANCE] && ask == ASK_ABSENT &&
        credentials->current.generation == 0) {
        *fault = (struct fault){0};
        fault_set(fault, ERR_CONFIG, UNSET "no instance's metadata answers: %s", why.text);
    } else if (credentials->source != &sources[SOURCE_ENVIRONMENT] &&
               credentials->source != &sources[SOURCE_NONE]) {
        fault_because(fault, "while asking %s for credentials", credentials->source->name);
    }
}

/* The instance's metadata service may serve keys that have run out when it cannot get others; they
 * are to be used on, as the services behind accept them then. */
static bool
end_check(const struct credentials *credentials, struct credential *credential, uint64_t now_ms,
          struct fault *fault)
{
    char text[32];

    if (credential->expires_ms == 0 || credential->expires_ms > now_ms)
        return true;
    clock_text(text, credential->expires_ms);
    if (credentials->source != &sources[SOURCE_INSTANCE])
        return fault_set(fault, ERR_STORE, "it gave keys that ran out at %s", text);
    log_warning("the instance's metadata gave credentials that ran out at %s; they are used on",
                text);
    credential->expires_ms = now_ms + EXTENSION_MS;
    return true;
}

static bool
same_keys(const struct credential *a, const struct credential *b)
{
    return strcmp(a->access_key, b->access_key) == 0 && strcmp(a->secret_key, b->secret_key) == 0 &&
           strcmp(a->token, b->token) == 0;
}

/* Take what a source gave; the lock is held. */
static void
keys_take(struct credentials *credentials, struct credential *credential, uint64_t now_ms)
{
    struct credential *current = &credentials->current;
    char end[32];

    credential->generation = current->generation;
    if (current->generation == 0 || !same_keys(current, credential)) {
        credential->generation++;
        if (credential->expires_ms > 0)
            log_debug("credentials come from %s, valid until %s", credentials->source->name,
                      clock_text(end, credential->expires_ms));
        else
            log_debug("credentials come from %s", credentials->source->name);
    } else if (credentials->refused == current->generation) {
        credentials->exhausted = current->generation;
    }
    *current = *credential;
    credentials->refused = 0;
    credentials->failed = false;
    uint64_t left_ms = current->expires_ms - now_ms;
    credentials->next_ms = current->expires_ms == 0 ? UINT64_MAX
                           : left_ms > 2 * RENEW_MS ? current->expires_ms - RENEW_MS
                                                    : now_ms + left_ms / 2;
}

/* Ask the source and take what it gives, or note why it gives nothing; the lock is held before and
 * after.  The others wait, or use the old keys as long as these are good. */
static void
renew(struct credentials *credentials)
{
    struct credential credential = {0};
    struct fault why = {0};
    uint64_t now_ms;

    assert(!credentials->renewing);
    credentials->renewing = true;
    pthread_mutex_unlock(&credentials->lock);
    enum ask ask = source_ask(credentials, &credential, &why);
    now_ms = clock_epoch_ms();
    bool done = ask == ASK_KEYS && end_check(credentials, &credential, now_ms, &why);
    pthread_mutex_lock(&credentials->lock);

    if (done) {
        keys_take(credentials, &credential, now_ms);
    } else {
        explain(credentials, ask, &why);
        credentials->failed = true;
        credentials->next_ms = now_ms + AGAIN_MS;
        credentials->why = why;
    }
    credentials->renewing = false;
    pthread_cond_broadcast(&credentials->renewed);
    explicit_bzero(&credential, sizeof credential);
}

/* ---- serving --------------------------------------------------------------------------------- */

/* Whether the keys have not run out by then. */
static bool
keys_last(const struct credentials *credentials, uint64_t until_ms)
{
    const struct credential *current = &credentials->current;

    return current->generation > 0 && credentials->refused != current->generation &&
           (current->expires_ms == 0 || until_ms < current->expires_ms);
}

/* Whether the keys will do without a renewal. */
static bool
keys_hold(const struct credentials *credentials, uint64_t now_ms)
{
    return keys_last(credentials, now_ms + NEEDED_MS);
}

static bool
renewal_is_due(const struct credentials *credentials, uint64_t now_ms)
{
    const struct credential *current = &credentials->current;

    if (current->generation == 0 || credentials->refused == current->generation)
        return true;
    if (credentials->source == &sources[SOURCE_ENVIRONMENT])
        return !environment_is_fixed(&credentials->config) &&
               (!credentials->failed || now_ms >= credentials->next_ms);
    if (credentials->failed && !keys_hold(credentials, now_ms))
        return true;
    return now_ms >= credentials->next_ms;
}

/* A renewal has failed: whether the keys serve on. */
static bool
failure_bear(const struct credentials *credentials, uint64_t now_ms, struct fault *fault)
{
    const struct fault *why = &credentials->why;
    uint64_t expires_ms = credentials->current.expires_ms;
    char end[32];

    if (why->err == ERR_STOPPED && keys_last(credentials, now_ms))
        return true; /* enough to tidy up */
    if (!keys_hold(credentials, now_ms)) {
        fault_hand_over(fault, why);
        return false;
    }
    log_warning("unable to renew credentials, which hold %s%s: %s",
                expires_ms == 0 ? "on" : "until ",
                expires_ms == 0 ? "" : clock_text(end, expires_ms), why->text);
    return true;
}

/* Many may need keys at once while their source is away; each of its failures is one for all who
 * waited for it, or they would wait for one another for minutes. */
static bool
current_make(struct credentials *credentials, struct fault *fault)
{
    bool waited = false;
    uint64_t now_ms;

    for (;; waited = true) {
        now_ms = clock_epoch_ms();
        if (!renewal_is_due(credentials, now_ms) ||
            (credentials->renewing && keys_hold(credentials, now_ms)))
            return true;
        if (!credentials->renewing)
            break;
        pthread_cond_wait(&credentials->renewed, &credentials->lock);
    }
    if (!waited || !credentials->failed)
        renew(credentials);
    return !credentials->failed || failure_bear(credentials, now_ms, fault);
}

struct credentials *
credentials_open(const struct credentials_config *config, const struct trust *trust,
                 struct stop *stop)
{
    struct credentials *credentials = calloc(1, sizeof *credentials);

    if (credentials == NULL)
        memory_exhausted(sizeof *credentials);
    credentials->config = *config;
    credentials->context = (struct ask_context){&credentials->config, trust, stop};
    credentials->source = sources;
    while (!credentials->source->is_configured(config))
        credentials->source++;
    pthread_mutex_init(&credentials->lock, NULL);
    pthread_cond_init(&credentials->renewed, NULL);
    return credentials;
}

bool
credentials_get(struct credentials *credentials, struct credential *credential,
                struct fault *fault)
{
    pthread_mutex_lock(&credentials->lock);
    bool done = current_make(credentials, fault);
    if (done)
        *credential = credentials->current;
    pthread_mutex_unlock(&credentials->lock);
    return done;
}

bool
credentials_refused(struct credentials *credentials, uint64_t generation, bool sure)
{
    pthread_mutex_lock(&credentials->lock);
    bool current = generation == credentials->current.generation;
    bool fixed = credentials->source == &sources[SOURCE_ENVIRONMENT] &&
                 environment_is_fixed(&credentials->config);
    bool hope = !current || (!fixed && (sure || generation != credentials->exhausted));
    if (current && hope)
        credentials->refused = generation;
    pthread_mutex_unlock(&credentials->lock);
    return hope;
}

const char *
credentials_source(const struct credentials *credentials)
{
    return credentials->source->name;
}

void
credentials_close(struct credentials *credentials)
{
    if (credentials == NULL)
        return;
    assert(!credentials->renewing);
    pthread_cond_destroy(&credentials->renewed);
    pthread_mutex_destroy(&credentials->lock);
    explicit_bzero(credentials, sizeof *credentials);
    free(credentials);
}
