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

bool
s3_list(struct s3 *s3, const char *prefix, const char *delimiter, struct arena *arena,
        struct s3_listing *listing, struct fault *fault)
{
    struct s3_keys keys = {.prefix = prefix, .arena = arena, .listing = listing};
    struct text token = {0};
    bool done;

    *listing = (struct s3_listing){0};
    do {
        text_clear(&token);
        text_add(&token, text_of(&keys.token));
        done = keys_page(s3, prefix, delimiter == NULL ? "" : delimiter, text_of(&token), &keys,
                         fault);
    } while (done && keys.more);
    if (done && listing->entries_count > 1)
        qsort(listing->entries, listing->entries_count, sizeof *listing->entries, entry_compare);
    if (done && listing->prefixes_count > 1)
        qsort(listing->prefixes, listing->prefixes_count, sizeof *listing->prefixes,
              prefix_compare);
    text_free(&keys.token);
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
s3_uploads_list(struct s3 *s3, const char *prefix, struct arena *arena,
                struct s3_pending **pending, size_t *count, bool *known, struct fault *fault)
{
    struct s3_uploads uploads = {.prefix = prefix, .arena = arena};
    struct text key = {0}, id = {0};
    bool done;

    do {
        text_clear(&key);
        text_clear(&id);
        text_add(&key, text_of(&uploads.next_key));
        text_add(&id, text_of(&uploads.next_id));
        done = uploads_page(s3, prefix, text_of(&key), text_of(&id), &uploads, known, fault);
    } while (done && uploads.more);
    *pending = uploads.pending;
    *count = uploads.count;
    text_free(&uploads.next_key);
    text_free(&uploads.next_id);
    text_free(&key);
    text_free(&id);
    return done;
}
