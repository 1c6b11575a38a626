/* s3_take - see s3_take.h. */
#include "store/s3_take.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/claim.h"
#include "store/s3_sweep.h"

enum { TOUCH_MS = 60 * 60 * 1000 }; /* a sweep believes in a run for a day */

struct s3_taken {
    struct s3_taken *next;
    char directory[STORE_NAME_MAX + 1], claim[STORE_NAME_MAX + 1];
    uint64_t put_ms;
    bool won; /* otherwise it may be another run's, with its uploads */
};

static bool
claim_put(struct s3_store *store, const char *name, struct fault *fault)
{
    char key[S3_KEY_MAX + 1];
    struct claim claim;
    struct text text = {0};

    claim_of_self(&claim);
    claim_add(&text, &claim);
    bool put = s3_put(store->s3, s3_store_key(store, name, key), text.data, text.size, NULL, NULL,
                      NULL, fault);
    text_free(&text);
    return put;
}

static bool
claim_withdraw(struct s3_store *store, const char *name, struct fault *fault)
{
    char key[S3_KEY_MAX + 1];
    const char *const keys[] = {s3_store_key(store, name, key)};

    return s3_delete(store->s3, keys, 1, fault);
}

/* Whether nothing but our claim lies in the directory. */
static bool
is_alone(struct s3_store *store, const char *directory, const char *claim, bool *alone,
         struct fault *fault)
{
    char prefix[STORE_NAME_MAX + 2], key[S3_KEY_MAX + 1];
    struct arena arena = {0};
    struct s3_listing listing;

    s3_store_key(store, directory, key);
    snprintf(prefix, sizeof prefix, "%s/", directory);
    bool listed = s3_list(store->s3, s3_store_key(store, prefix, key), "",
                          store_listing_bytes(&store->store), &arena, &listing, fault);
    *alone = listed;
    for (size_t i = 0; listed && i < listing.entries_count; i++)
        if (strcmp(s3_store_name(store, listing.entries[i].key), claim) != 0)
            *alone = false;
    if (*alone && listing.entries_count == 0)
        *alone = fault_set(fault, ERR_STORE,
                           "%s does not list %s, which was put a moment ago: a store must show "
                           "what it has taken",
                           store->store.url, claim);
    arena_free(&arena);
    return fault->err == ERR_NONE;
}

static struct s3_taken *
taken_add(struct s3_store *store, const char *directory)
{
    struct s3_taken *taken = calloc(1, sizeof *taken);
    char name[CLAIM_NAME_MAX];

    if (taken == NULL)
        memory_exhausted(sizeof *taken);
    snprintf(taken->directory, sizeof taken->directory, "%s", directory);
    snprintf(taken->claim, sizeof taken->claim, "%s/%s", directory, claim_name(name));
    taken->put_ms = clock_ms();
    pthread_mutex_lock(&store->lock);
    taken->next = store->taken;
    store->taken = taken;
    pthread_mutex_unlock(&store->lock);
    return taken;
}

static void
taken_drop(struct s3_store *store, struct s3_taken *taken)
{
    struct s3_taken **at = &store->taken;

    pthread_mutex_lock(&store->lock);
    while (*at != taken)
        at = &(*at)->next;
    *at = taken->next;
    pthread_mutex_unlock(&store->lock);
    free(taken);
}

/* What fails in the middle is withdrawn by s3_take_release: the claim may have arrived. */
bool
s3_take(struct store *base, const char *directory, bool *won, struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;

    assert(store_name_valid(directory) && strchr(directory, '/') == NULL);
    *won = false;
    struct s3_taken *taken = taken_add(store, directory);
    if (!claim_put(store, taken->claim, fault) ||
        !is_alone(store, directory, taken->claim, won, fault))
        return false;
    taken->won = *won;
    if (*won)
        return true;
    if (!claim_withdraw(store, taken->claim, fault))
        return false;
    taken_drop(store, taken);
    return true;
}

/* A failure is not worth a word: the next part tries again. */
void
s3_take_touch(struct s3_store *store)
{
    uint64_t now_ms = clock_ms();
    struct fault ignored = {0};

    pthread_mutex_lock(&store->lock);
    struct s3_taken *stale = store->taken;
    while (stale != NULL && now_ms - stale->put_ms < TOUCH_MS)
        stale = stale->next;
    if (stale != NULL)
        stale->put_ms = now_ms;
    pthread_mutex_unlock(&store->lock);
    if (stale != NULL)
        claim_put(store, stale->claim, &ignored);
}

void
s3_take_litter(struct s3_store *store, const char *reason)
{
    pthread_mutex_lock(&store->lock);
    store->littered = true;
    pthread_mutex_unlock(&store->lock);
    log_warning("an upload may be left in %s until the next dump: %s", store->store.url, reason);
}

void
s3_take_release(struct s3_store *store)
{
    while (store->taken != NULL) {
        struct s3_taken *taken = store->taken;
        struct fault fault = {0};
        if (taken->won && !s3_sweep_directory(store, taken->directory, &fault))
            s3_take_litter(store, fault.text);
        else if (!store->littered && !claim_withdraw(store, taken->claim, &fault))
            log_debug("the claim %s is left: %s", taken->claim, fault.text);
        taken_drop(store, taken);
    }
}
