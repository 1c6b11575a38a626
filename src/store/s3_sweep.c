/* s3_sweep - see s3_sweep.h. */
#include "store/s3_sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/claim.h"
#include "store/manifest.h"

bool
s3_trace_is_over(const struct s3_trace *trace)
{
    if (trace->claims > 0 && (trace->manifest || trace->claims_gone == trace->claims))
        return true;
    return trace->claims_living == 0 && !trace->undated && trace->now_ms != 0 &&
           trace->now_ms > trace->newest_ms + SWEEP_AGE_MS;
}

static bool
upload_abort(struct s3_store *store, const struct s3_pending *pending, struct fault *fault)
{
    struct s3_upload upload = {0};

    if (strlen(pending->key) >= sizeof upload.key || strlen(pending->id) >= sizeof upload.id)
        return fault_set(fault, ERR_STORE, "%s lists an upload whose key or id is too long",
                         store->store.url);
    snprintf(upload.key, sizeof upload.key, "%s", pending->key);
    snprintf(upload.id, sizeof upload.id, "%s", pending->id);
    return s3_upload_abort(store->s3, &upload, fault);
}

bool
s3_sweep_directory(struct s3_store *store, const char *directory, struct fault *fault)
{
    struct arena arena = {0};
    struct s3_pending *pending;
    size_t count = 0;
    bool known = false, done;
    char prefix[STORE_NAME_MAX + 2], key[S3_KEY_MAX + 1];

    if (store->unlisted)
        return true;
    snprintf(prefix, sizeof prefix, "%s/", directory);
    done = s3_uploads_list(store->s3, s3_store_key(store, prefix, key),
                           store_listing_bytes(&store->store), &arena, &pending, &count,
                           &known, fault);
    for (size_t i = 0; i < count && known && done; i++)
        done = upload_abort(store, &pending[i], fault);
    /* What an abort could not do before is done now: a run wins one directory and uploads there. */
    if (known && done)
        store->littered = false;
    arena_free(&arena);
    return done;
}

/* The dump that an upload would belong to: its directory, with a slash at the end. */
static bool
dump_of(const struct s3_store *store, const char *key, char prefix[static DUMP_NAME_MAX + 1])
{
    const char *name = s3_store_name(store, key);
    size_t size = strcspn(name, "/");
    uint64_t created_ms;

    if (size >= DUMP_NAME_MAX || !store_name_valid(name))
        return false;
    snprintf(prefix, DUMP_NAME_MAX + 1, "%.*s", (int) size, name);
    if (!dump_name_read(prefix, &created_ms))
        return false;
    prefix[size] = name[size];
    prefix[size + 1] = '\0';
    return name[size] == '/';
}

/* A claim that cannot be read is one of a run elsewhere. */
static void
claim_look(struct s3_store *store, const char *name, struct s3_trace *trace)
{
    struct text text = {0};
    struct fault ignored = {0};
    struct claim claim;
    bool found;
    enum claim_holder holder = HOLDER_ELSEWHERE;

    if (store_read(&store->store, name, CLAIM_BYTES_MAX, &text, &found, &ignored) && found &&
        claim_parse(text_of(&text), text.size, &claim))
        holder = claim_holder(&claim);
    trace->claims++;
    trace->claims_gone += holder == HOLDER_GONE;
    trace->claims_living += holder == HOLDER_LIVES;
    text_free(&text);
}

static void
trace_date(struct s3_trace *trace, uint64_t ms)
{
    trace->undated |= ms == 0;
    if (ms > trace->newest_ms)
        trace->newest_ms = ms;
}

/* What lies in a dump's directory. */
static bool
trace_look(struct s3_store *store, const char *prefix, const struct s3_listing *listing,
           struct s3_trace *trace)
{
    for (size_t i = 0; i < listing->entries_count; i++) {
        const char *name = s3_store_name(store, listing->entries[i].key);
        const char *object = name + strlen(prefix);
        trace_date(trace, listing->entries[i].modified_ms);
        if (strcmp(object, "manifest.json") == 0)
            trace->manifest = true;
        else if (claim_name_valid(object))
            claim_look(store, name, trace);
    }
    trace->now_ms = s3_server_ms(store->s3);
    return s3_trace_is_over(trace);
}

/* The claims of a killed run have served; those of one that has written its manifest, too. */
static bool
claims_remove(struct s3_store *store, const char *prefix, const struct s3_listing *listing,
              struct fault *fault)
{
    for (size_t i = 0; i < listing->entries_count; i++) {
        const char *key = listing->entries[i].key;
        if (claim_name_valid(s3_store_name(store, key) + strlen(prefix)) &&
            !s3_delete(store->s3, &key, 1, fault))
            return false;
    }
    return true;
}

/* All uploads of one dump, which stand together in the list. */
static bool
dump_sweep(struct s3_store *store, const char *prefix, const struct s3_pending *pending,
           size_t count, struct fault *fault)
{
    struct arena arena = {0};
    struct s3_listing listing;
    struct s3_trace trace = {0};
    char key[S3_KEY_MAX + 1];
    bool done = s3_list(store->s3, s3_store_key(store, prefix, key), "",
                        store_listing_bytes(&store->store), &arena, &listing, fault);

    for (size_t i = 0; i < count; i++)
        trace_date(&trace, pending[i].initiated_ms);
    if (done && trace_look(store, prefix, &listing, &trace)) {
        for (size_t i = 0; i < count && done; i++)
            done = upload_abort(store, &pending[i], fault);
        done = done && claims_remove(store, prefix, &listing, fault);
        if (done)
            log_info("aborted %zu unfinished upload%s of %s in %s, whose run is over", count,
                     text_plural(count), prefix, store->store.url);
    } else if (done) {
        log_debug("%s in %s has %zu unfinished upload%s; its run may still go on", prefix,
                  store->store.url, count, text_plural(count));
    }
    arena_free(&arena);
    return done;
}

bool
s3_sweep(struct store *base, struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;
    struct arena arena = {0};
    struct s3_pending *pending = NULL;
    size_t count = 0, next;
    bool known = false;
    bool done = s3_uploads_list(store->s3, store->prefix, store_listing_bytes(base), &arena,
                                &pending, &count, &known, fault);

    store->unlisted = !known;
    if (done && !known)
        log_debug("%s cannot list unfinished uploads", base->url);
    for (size_t i = 0; i < count && known && done; i = next) {
        char prefix[DUMP_NAME_MAX + 1], other[DUMP_NAME_MAX + 1];
        next = i + 1;
        if (!dump_of(store, pending[i].key, prefix))
            continue;
        while (next < count && dump_of(store, pending[next].key, other) &&
               strcmp(prefix, other) == 0)
            next++;
        done = dump_sweep(store, prefix, &pending[i], next - i, fault);
    }
    arena_free(&arena);
    return done;
}
