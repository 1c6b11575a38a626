/* get - the store's source; see put.h. */
#include <assert.h>
#include <string.h>

#include "store/digest.h"
#include "store/put.h"

static bool
begin(struct store_get *get, struct fault *fault)
{
    if (get->reader != NULL)
        return true;
    if (!get->store->ops->get_begin(get->store, get->name, &get->reader, fault))
        return false;
    if (get->reader == NULL)
        return fault_set(fault, ERR_INTEGRITY,
                         "%s is missing from the store %s, though its manifest names it", get->name,
                         get->store->url);
    return true;
}

static enum step
finish(struct store_get *get, struct fault *fault)
{
    uint64_t bytes = atomic_load_explicit(&get->bytes, memory_order_relaxed);
    char found[DIGEST_TEXT_MAX], wanted[DIGEST_TEXT_MAX];
    uint8_t digest[32];

    sha256_out(&get->sha256, digest);
    if (bytes < get->bytes_wanted) {
        fault_set(fault, ERR_INTEGRITY,
                  "%s in %s is cut short: it has %llu bytes, its manifest says %llu", get->name,
                  get->store->url, (unsigned long long) bytes,
                  (unsigned long long) get->bytes_wanted);
        return STEP_FAILED;
    }
    if (memcmp(digest, get->digest_wanted, sizeof digest) != 0) {
        fault_set(fault, ERR_INTEGRITY,
                  "%s in %s is damaged: its sha-256 is %s, its manifest says %s", get->name,
                  get->store->url, digest_text(found, digest),
                  digest_text(wanted, get->digest_wanted));
        return STEP_FAILED;
    }
    return STEP_DONE;
}

/* What is longer than promised is refused at once: no more of it than was promised passes on. */
static bool
count(struct store_get *get, size_t size, struct fault *fault)
{
    uint64_t bytes = atomic_load_explicit(&get->bytes, memory_order_relaxed);

    if (size > get->bytes_wanted - bytes)
        return fault_set(fault, ERR_INTEGRITY,
                         "%s in %s is longer than the %llu bytes its manifest says", get->name,
                         get->store->url, (unsigned long long) get->bytes_wanted);
    atomic_store_explicit(&get->bytes, bytes + size, memory_order_relaxed);
    return true;
}

static enum step
get_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
         struct fault *fault)
{
    struct store_get *get = (struct store_get *) stage;
    uint8_t *room = target->data + target->used;
    size_t size;

    (void) source;
    assert(last);
    assert(target->used < target->size);
    if (stop_requested(get->store->stop)) {
        fault_set(fault, ERR_STOPPED, "stopped while reading %s", get->name);
        return STEP_FAILED;
    }
    if (!begin(get, fault))
        return STEP_FAILED;
    if (!get->store->ops->get_read(get->reader, room, target->size - target->used, &size, fault))
        return STEP_FAILED;
    if (size == 0)
        return finish(get, fault);
    if (!count(get, size, fault))
        return STEP_FAILED;
    sha256_update(&get->sha256, room, size);
    target->used += size;
    return STEP_AGAIN;
}

static void
get_free(struct stage *stage)
{
    struct store_get *get = (struct store_get *) stage;

    if (get->reader != NULL)
        get->store->ops->get_end(get->reader);
    get->reader = NULL;
}

static const struct stage_ops get_ops = {.name = "get", .step = get_step, .free = get_free};

struct stage *
store_get_init(struct store_get *get, struct store *store, const char *name, uint64_t bytes_wanted,
               const uint8_t digest_wanted[static 32])
{
    get->stage.ops = &get_ops;
    get->store = store;
    get->reader = NULL;
    get->name = name;
    get->bytes_wanted = bytes_wanted;
    memcpy(get->digest_wanted, digest_wanted, sizeof get->digest_wanted);
    atomic_init(&get->bytes, 0);
    sha256_init(&get->sha256);
    return &get->stage;
}
