/* s3_list - listings, page by page; see s3.h.
 *
 * Keys that are no valid XML come through because we ask for them URL-encoded; a store that does
 * not echo <EncodingType> has not encoded them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_date.h"
#include "s3/s3_request.h"
#include "s3/xml.h"

/* An array that grows in an arena, by doubling. */
static void *
array_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity * 2 + 16;
    void *more = arena_array(arena, *capacity, item_size);
    if (count > 0)
        memcpy(more, items, count * item_size);
    return more;
}

static int
digit_value(char digit)
{
    const char *found = strchr("0123456789abcdef", tolower((unsigned char) digit));
    return digit == '\0' || found == NULL ? -1 : (int) (found - "0123456789abcdef");
}

/* Decode %XX and '+' in place. */
static void
url_decode(char *text)
{
    char *target = text;

    for (const char *at = text; *at != '\0'; at++) {
        int high = *at == '%' ? digit_value(at[1]) : -1;
        int low = high < 0 ? -1 : digit_value(at[2]);
        if (low >= 0) {
            *target++ = (char) (high * 16 + low);
            at += 2;
        } else {
            *target++ = *at == '+' ? ' ' : *at;
        }
    }
    *target = '\0';
}

static char *
key_copy(struct arena *arena, const struct xml *xml, bool encoded)
{
    char *key = arena_text(arena, text_of(&xml->text));

    if (encoded)
        url_decode(key);
    return key;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* What a listing is made into; token is that of the next page. */
struct keys {
    struct arena *arena;
    struct s3_listing *listing;
    size_t entries_capacity, prefixes_capacity;
    struct text token;
    bool more;
};

static void
entry_add(struct keys *keys, const struct s3_entry *entry)
{
    struct s3_listing *listing = keys->listing;

    listing->entries = array_grow(keys->arena, listing->entries, listing->entries_count,
                                  &keys->entries_capacity, sizeof *listing->entries);
    listing->entries[listing->entries_count++] = *entry;
}

static void
prefix_add(struct keys *keys, const char *prefix)
{
    struct s3_listing *listing = keys->listing;

    listing->prefixes = array_grow(keys->arena, listing->prefixes, listing->prefixes_count,
                                   &keys->prefixes_capacity, sizeof *listing->prefixes);
    listing->prefixes[listing->prefixes_count++] = prefix;
}

/* The answer has been found whole already. */
static void
keys_read(struct keys *keys, const struct text *page)
{
    bool encoded =
        xml_find(page->data, page->size, "ListBucketResult/EncodingType", NULL);
    struct s3_entry entry = {0};
    enum xml_event event;
    struct xml xml;

    keys->more = false;
    text_clear(&keys->token);
    xml_init(&xml, page->data, page->size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END) {
        const char *text = text_of(&xml.text);
        if (event == XML_BEGIN)
            continue;
        if (xml_is(&xml, "ListBucketResult/Contents/Key"))
            entry.key = key_copy(keys->arena, &xml, encoded);
        else if (xml_is(&xml, "ListBucketResult/Contents/Size"))
            entry.bytes = strtoull(text, NULL, 10);
        else if (xml_is(&xml, "ListBucketResult/Contents/LastModified"))
            s3_date_iso(text, &entry.modified_ms);
        else if (xml_is(&xml, "ListBucketResult/CommonPrefixes/Prefix"))
            prefix_add(keys, key_copy(keys->arena, &xml, encoded));
        else if (xml_is(&xml, "ListBucketResult/IsTruncated"))
            keys->more = strcmp(text, "true") == 0;
        else if (xml_is(&xml, "ListBucketResult/NextContinuationToken"))
            text_add(&keys->token, text);
        else if (xml_is(&xml, "ListBucketResult/Contents")) {
            if (entry.key != NULL)
                entry_add(keys, &entry);
            entry = (struct s3_entry){0};
        }
    }
    xml_free(&xml);
}

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
          struct keys *keys, struct fault *fault)
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
        keys_read(keys, &call.text);
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
    struct keys keys = {.arena = arena, .listing = listing};
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

/* ---- unfinished uploads ---------------------------------------------------------------------- */

struct uploads {
    struct arena *arena;
    struct s3_pending *pending;
    size_t count, capacity;
    struct text next_key, next_id;
    bool more;
};

static void
uploads_read(struct uploads *uploads, const struct text *page)
{
    bool encoded =
        xml_find(page->data, page->size, "ListMultipartUploadsResult/EncodingType", NULL);
    struct s3_pending one = {0};
    enum xml_event event;
    struct xml xml;

    uploads->more = false;
    text_clear(&uploads->next_key);
    text_clear(&uploads->next_id);
    xml_init(&xml, page->data, page->size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END) {
        const char *text = text_of(&xml.text);
        if (event == XML_BEGIN)
            continue;
        if (xml_is(&xml, "ListMultipartUploadsResult/Upload/Key"))
            one.key = key_copy(uploads->arena, &xml, encoded);
        else if (xml_is(&xml, "ListMultipartUploadsResult/Upload/UploadId"))
            one.id = arena_text(uploads->arena, text);
        else if (xml_is(&xml, "ListMultipartUploadsResult/Upload/Initiated"))
            s3_date_iso(text, &one.initiated_ms);
        else if (xml_is(&xml, "ListMultipartUploadsResult/IsTruncated"))
            uploads->more = strcmp(text, "true") == 0;
        else if (xml_is(&xml, "ListMultipartUploadsResult/NextKeyMarker"))
            text_add(&uploads->next_key, key_copy(uploads->arena, &xml, encoded));
        else if (xml_is(&xml, "ListMultipartUploadsResult/NextUploadIdMarker"))
            text_add(&uploads->next_id, text);
        else if (xml_is(&xml, "ListMultipartUploadsResult/Upload")) {
            uploads->pending = array_grow(uploads->arena, uploads->pending, uploads->count,
                                          &uploads->capacity, sizeof one);
            if (one.key != NULL && one.id != NULL)
                uploads->pending[uploads->count++] = one;
            one = (struct s3_pending){0};
        }
    }
    xml_free(&xml);
}

/* Get one page; key and id are the markers that the page before gave. */
static bool
uploads_page(struct s3 *s3, const char *prefix, const char *key, const char *id,
             struct uploads *uploads, bool *known, struct fault *fault)
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
        uploads_read(uploads, &call.text);
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
    struct uploads uploads = {.arena = arena};
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
