/* s3_list - listings, page by page; see s3.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_page.h"
#include "s3/s3_request.h"

static int
entry_compare(const void *a, const void *b)
{
    return strcmp(((const struct s3_entry *) a)->key, ((const struct s3_entry *) b)->key);
}

static int
prefix_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Whether a listing moves on.  A store that means harm, or has lost its way, must neither fill the
 * memory nor keep us for ever. */
struct advance {
    const char *prefix;
    struct arena *arena;
    uint64_t bytes_before, bytes_max;
    const char **firsts; /* names that pages have begun with */
    size_t firsts_count, sparse_count;
};

static bool
advance_refuse(const struct advance *advance, struct s3 *s3, const char *why, struct fault *fault)
{
    return fault_set(fault, ERR_STORE, "unable to list %.900s* in %s: %s", advance->prefix,
                     s3_endpoint_text(s3), why);
}

/* A page was added, of `count` names below the prefix, the first of them `first`. */
static bool
advance_check(struct advance *advance, struct s3 *s3, const char *first, size_t count, bool more,
              struct fault *fault)
{
    char why[160], limit[16];

    if (advance->arena->bytes - advance->bytes_before > advance->bytes_max) {
        snprintf(why, sizeof why,
                 "its names take more than %s: use a prefix for dumps alone, or set REPLICA_MEMORY "
                 "higher", text_bytes(limit, advance->bytes_max));
        return advance_refuse(advance, s3, why, fault);
    }
    if (!more)
        return true;
    if (count < LISTING_SPARSE_NAMES && ++advance->sparse_count > LISTING_SPARSE_PAGES_MAX)
        return advance_refuse(advance, s3, "page after page brings nothing, and always is there "
                                           "more", fault);
    if (count == 0)
        return true;
    for (size_t i = 0; i < advance->firsts_count; i++)
        if (strcmp(advance->firsts[i], first) == 0)
            return advance_refuse(advance, s3, "the store goes round in circles: a page begins as "
                                               "one before it did", fault);
    advance->firsts = arena_grow(advance->arena, advance->firsts, advance->firsts_count,
                                 sizeof *advance->firsts);
    advance->firsts[advance->firsts_count++] = first;
    return true;
}

static struct advance
advance_begin(const char *prefix, struct arena *arena, uint64_t bytes_max)
{
    return (struct advance){
        .prefix = prefix, .arena = arena, .bytes_before = arena->bytes, .bytes_max = bytes_max};
}

/* Get one page.  token is that of the page before, "" for the first. */
static bool
keys_page(struct s3 *s3, const char *prefix, const char *delimiter, const char *token,
          struct s3_keys *keys, struct fault *fault)
{
    struct s3_call call = {
        .permission = "s3:ListBucket",
        .method = "GET",
        .key = "",
        .must = "ListBucketResult",
    };

    snprintf(call.what, sizeof call.what, "list %.1000s%s in", prefix,
             prefix[0] == '\0' ? "all" : "*");
    s3_call_query(&call, "list-type", "2");
    s3_call_query(&call, "encoding-type", "url");
    s3_call_query(&call, "prefix", prefix);
    if (delimiter[0] != '\0')
        s3_call_query(&call, "delimiter", delimiter);
    if (token[0] != '\0')
        s3_call_query(&call, "continuation-token", token);
    bool done = s3_call(s3, &call, fault);
    if (done)
        s3_keys_read(keys, &call.text);
    /* A store that gives the same page again and again must not fill the memory. */
    if (done && keys->more && (keys->token.size == 0 || strcmp(text_of(&keys->token), token) == 0))
        done = fault_set(fault, ERR_STORE,
                         "unable to %s %s: the store says that there is more, but not where",
                         call.what, s3_endpoint_text(s3));
    s3_call_free(&call);
    return done;
}

/* The first of the names that a page has brought, which has more entries than those before, or
 * more prefixes. */
static const char *
first_of(const struct s3_listing *listing, size_t entries_before, size_t prefixes_before)
{
    if (listing->entries_count > entries_before)
        return listing->entries[entries_before].key;
    return listing->prefixes_count > prefixes_before ? listing->prefixes[prefixes_before] : "";
}

bool
s3_list(struct s3 *s3, const char *prefix, const char *delimiter, uint64_t bytes_max,
        struct arena *arena, struct s3_listing *listing, struct fault *fault)
{
    struct s3_keys keys = {.prefix = prefix, .arena = arena, .listing = listing};
    struct advance advance = advance_begin(prefix, arena, bytes_max);
    struct text token = {0};
    bool done;

    *listing = (struct s3_listing){0};
    do {
        size_t entries = listing->entries_count, prefixes = listing->prefixes_count;
        text_clear(&token);
        text_add(&token, text_of(&keys.token));
        done = keys_page(s3, prefix, delimiter == NULL ? "" : delimiter, text_of(&token), &keys,
                         fault) &&
               advance_check(&advance, s3, first_of(listing, entries, prefixes),
                             listing->entries_count - entries + listing->prefixes_count - prefixes,
                             keys.more, fault);
    } while (done && keys.more);
    if (done && listing->entries_count > 1)
        qsort(listing->entries, listing->entries_count, sizeof *listing->entries, entry_compare);
    if (done && listing->prefixes_count > 1)
        qsort(listing->prefixes, listing->prefixes_count, sizeof *listing->prefixes,
              prefix_compare);
    s3_keys_free(&keys);
    text_free(&token);
    return done;
}

/* Get one page; key and id are the markers that the page before gave. */
static bool
uploads_page(struct s3 *s3, const char *prefix, const char *key, const char *id,
             struct s3_uploads *uploads, bool *known, struct fault *fault)
{
    struct s3_call call = {
        .permission = "s3:ListBucketMultipartUploads",
        .method = "GET",
        .key = "",
        .must = "ListMultipartUploadsResult",
        .accept = {405, 501},
        .tidy = true,
    };

    snprintf(call.what, sizeof call.what, "list the unfinished uploads of %.900s* in", prefix);
    s3_call_query(&call, "uploads", "");
    s3_call_query(&call, "encoding-type", "url");
    s3_call_query(&call, "prefix", prefix);
    if (key[0] != '\0')
        s3_call_query(&call, "key-marker", key);
    if (id[0] != '\0')
        s3_call_query(&call, "upload-id-marker", id);
    bool done = s3_call(s3, &call, fault);
    *known = done && call.answer.kind == ANSWER_GOOD;
    if (*known)
        s3_uploads_read(uploads, &call.text);
    if (*known && uploads->more &&
        (uploads->next_key.size == 0 || (strcmp(text_of(&uploads->next_key), key) == 0 &&
                                         strcmp(text_of(&uploads->next_id), id) == 0)))
        done = fault_set(fault, ERR_STORE,
                         "unable to %s %s: the store says that there is more, but not where",
                         call.what, s3_endpoint_text(s3));
    s3_call_free(&call);
    return done;
}

bool
s3_uploads_list(struct s3 *s3, const char *prefix, uint64_t bytes_max, struct arena *arena,
                struct s3_pending **pending, size_t *count, bool *known, struct fault *fault)
{
    struct s3_uploads uploads = {.prefix = prefix, .arena = arena};
    struct advance advance = advance_begin(prefix, arena, bytes_max);
    struct text key = {0}, id = {0};
    bool done;

    do {
        size_t before = uploads.count;
        text_clear(&key);
        text_clear(&id);
        text_add(&key, text_of(&uploads.next_key));
        text_add(&id, text_of(&uploads.next_id));
        done = uploads_page(s3, prefix, text_of(&key), text_of(&id), &uploads, known, fault);
        size_t brought = uploads.count - before;
        done = done && advance_check(&advance, s3, brought > 0 ? uploads.pending[before].id : "",
                                     brought, uploads.more, fault);
    } while (done && uploads.more);
    *pending = uploads.pending;
    *count = uploads.count;
    s3_uploads_free(&uploads);
    text_free(&key);
    text_free(&id);
    return done;
}
