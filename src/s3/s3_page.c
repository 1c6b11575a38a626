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

static char *
key_copy(struct arena *arena, const struct xml *xml, bool encoded)
{
    char *key = arena_text(arena, text_of(&xml->text));

    if (encoded)
        url_decode(key);
    return key;
}

static bool
is_below(const char *prefix, const char *key)
{
    return key != NULL && strncmp(key, prefix, strlen(prefix)) == 0;
}

static void
entry_add(struct s3_keys *keys, const struct s3_entry *entry)
{
    struct s3_listing *listing = keys->listing;

    if (!is_below(keys->prefix, entry->key))
        return;
    listing->entries = array_grow(keys->arena, listing->entries, listing->entries_count,
                                  &keys->entries_capacity, sizeof *listing->entries);
    listing->entries[listing->entries_count++] = *entry;
}

static void
prefix_add(struct s3_keys *keys, const char *prefix)
{
    struct s3_listing *listing = keys->listing;

    if (!is_below(keys->prefix, prefix))
        return;
    listing->prefixes = array_grow(keys->arena, listing->prefixes, listing->prefixes_count,
                                   &keys->prefixes_capacity, sizeof *listing->prefixes);
    listing->prefixes[listing->prefixes_count++] = prefix;
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
            entry_add(keys, &entry);
            entry = (struct s3_entry){0};
        }
    }
    xml_free(&xml);
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
            if (is_below(uploads->prefix, one.key) && one.id != NULL)
                uploads->pending[uploads->count++] = one;
            one = (struct s3_pending){0};
        }
    }
    xml_free(&xml);
}
