/* s3_page - see s3_page.h. */
#include "s3/s3_page.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_date.h"
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

/* Keep the element's text as a key. */
static void
key_keep(struct text *key, const struct xml *xml, bool encoded)
{
    text_clear(key);
    text_add(key, text_of(&xml->text));
    if (encoded && key->size > 0) {
        url_decode(key->data);
        key->size = strlen(key->data);
    }
}

static bool
is_below(const char *prefix, const struct text *key)
{
    return key->size > 0 && strncmp(text_of(key), prefix, strlen(prefix)) == 0;
}

static void
entry_add(struct s3_keys *keys, struct s3_entry *entry)
{
    struct s3_listing *listing = keys->listing;

    if (!is_below(keys->prefix, &keys->key))
        return;
    entry->key = arena_text(keys->arena, text_of(&keys->key));
    listing->entries = array_grow(keys->arena, listing->entries, listing->entries_count,
                                  &keys->entries_capacity, sizeof *listing->entries);
    listing->entries[listing->entries_count++] = *entry;
}

static void
prefix_add(struct s3_keys *keys, const struct xml *xml, bool encoded)
{
    struct s3_listing *listing = keys->listing;

    key_keep(&keys->key, xml, encoded);
    if (!is_below(keys->prefix, &keys->key))
        return;
    listing->prefixes = array_grow(keys->arena, listing->prefixes, listing->prefixes_count,
                                   &keys->prefixes_capacity, sizeof *listing->prefixes);
    listing->prefixes[listing->prefixes_count++] = arena_text(keys->arena, text_of(&keys->key));
}

void
s3_keys_read(struct s3_keys *keys, const struct text *page)
{
    bool encoded =
        xml_find(page->data, page->size, "ListBucketResult/EncodingType", NULL);
    struct s3_entry entry = {0};
    enum xml_event event;
    struct xml xml;

    keys->more = false;
    text_clear(&keys->token);
    text_clear(&keys->key);
    xml_init(&xml, page->data, page->size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END) {
        const char *text = text_of(&xml.text);
        if (event == XML_BEGIN)
            continue;
        if (xml_is(&xml, "ListBucketResult/Contents/Key"))
            key_keep(&keys->key, &xml, encoded);
        else if (xml_is(&xml, "ListBucketResult/Contents/Size"))
            entry.bytes = strtoull(text, NULL, 10);
        else if (xml_is(&xml, "ListBucketResult/Contents/LastModified"))
            s3_date_iso(text, &entry.modified_ms);
        else if (xml_is(&xml, "ListBucketResult/CommonPrefixes/Prefix"))
            prefix_add(keys, &xml, encoded);
        else if (xml_is(&xml, "ListBucketResult/IsTruncated"))
            keys->more = strcmp(text, "true") == 0;
        else if (xml_is(&xml, "ListBucketResult/NextContinuationToken")) {
            text_clear(&keys->token);
            text_add(&keys->token, text);
        } else if (xml_is(&xml, "ListBucketResult/Contents")) {
            entry_add(keys, &entry);
            entry = (struct s3_entry){0};
            text_clear(&keys->key);
        }
    }
    xml_free(&xml);
}

static void
upload_add(struct s3_uploads *uploads, struct s3_pending *one)
{
    if (!is_below(uploads->prefix, &uploads->key) || uploads->id.size == 0)
        return;
    one->key = arena_text(uploads->arena, text_of(&uploads->key));
    one->id = arena_text(uploads->arena, text_of(&uploads->id));
    uploads->pending = array_grow(uploads->arena, uploads->pending, uploads->count,
                                  &uploads->capacity, sizeof *one);
    uploads->pending[uploads->count++] = *one;
}

void
s3_uploads_read(struct s3_uploads *uploads, const struct text *page)
{
    bool encoded =
        xml_find(page->data, page->size, "ListMultipartUploadsResult/EncodingType", NULL);
    struct s3_pending one = {0};
    enum xml_event event;
    struct xml xml;

    uploads->more = false;
    text_clear(&uploads->next_key);
    text_clear(&uploads->next_id);
    text_clear(&uploads->key);
    text_clear(&uploads->id);
    xml_init(&xml, page->data, page->size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END) {
        const char *text = text_of(&xml.text);
        if (event == XML_BEGIN)
            continue;
        if (xml_is(&xml, "ListMultipartUploadsResult/Upload/Key"))
            key_keep(&uploads->key, &xml, encoded);
        else if (xml_is(&xml, "ListMultipartUploadsResult/Upload/UploadId"))
            key_keep(&uploads->id, &xml, false);
        else if (xml_is(&xml, "ListMultipartUploadsResult/Upload/Initiated"))
            s3_date_iso(text, &one.initiated_ms);
        else if (xml_is(&xml, "ListMultipartUploadsResult/IsTruncated"))
            uploads->more = strcmp(text, "true") == 0;
        else if (xml_is(&xml, "ListMultipartUploadsResult/NextKeyMarker"))
            key_keep(&uploads->next_key, &xml, encoded);
        else if (xml_is(&xml, "ListMultipartUploadsResult/NextUploadIdMarker"))
            key_keep(&uploads->next_id, &xml, false);
        else if (xml_is(&xml, "ListMultipartUploadsResult/Upload")) {
            upload_add(uploads, &one);
            one = (struct s3_pending){0};
            text_clear(&uploads->key);
            text_clear(&uploads->id);
        }
    }
    xml_free(&xml);
}

void
s3_keys_free(struct s3_keys *keys)
{
    text_free(&keys->key);
    text_free(&keys->token);
}

void
s3_uploads_free(struct s3_uploads *uploads)
{
    text_free(&uploads->key);
    text_free(&uploads->id);
    text_free(&uploads->next_key);
    text_free(&uploads->next_id);
}
