/* s3_page - any page adds keys or none; what it says of the next page is a text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_keys(const struct text *page)
{
    struct arena arena = {0};
    struct s3_listing listing = {0};
    struct s3_keys keys = {.prefix = "", .arena = &arena, .listing = &listing};

    for (int i = 0; i < 2; i++)
        s3_keys_read(&keys, page);
    if (listing.entries_count % 2 != 0 || listing.prefixes_count % 2 != 0)
        abort();
    for (size_t i = 0; i < listing.entries_count; i++)
        if (strcmp(listing.entries[i].key,
                   listing.entries[i % (listing.entries_count / 2)].key) != 0)
            abort();
    for (size_t i = 0; i < listing.prefixes_count; i++)
        if (strlen(listing.prefixes[i]) > page->size)
            abort();
    s3_keys_free(&keys);
    arena_free(&arena);
}

static void
check_uploads(const struct text *page)
{
    struct arena arena = {0};
    struct s3_uploads uploads = {.prefix = "", .arena = &arena};

    s3_uploads_read(&uploads, page);
    for (size_t i = 0; i < uploads.count; i++)
        if (strlen(uploads.pending[i].key) + strlen(uploads.pending[i].id) > page->size)
            abort();
    s3_uploads_free(&uploads);
    arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text page = {0};

    text_add_bytes(&page, data, size);
    check_keys(&page);
    check_uploads(&page);
    text_free(&page);
    return 0;
}
