/* manifest: any bytes are a manifest or a fault, and a manifest comes back from its own writing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/manifest.h"
#include "store/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct arena *arena, const struct manifest *manifest, const char *name)
{
    struct text once = {0}, twice = {0};
    struct fault fault = {0};
    struct manifest back;

    manifest_add(&once, manifest);
    if (!manifest_parse(arena, name, once.data, once.size, &back, &fault))
        abort();
    manifest_add(&twice, &back);
    if (once.size != twice.size || memcmp(once.data, twice.data, once.size) != 0)
        abort();
    for (size_t i = 0; i < manifest->tables_count; i++) {
        text_clear(&once);
        volume_preamble(&once, name, manifest->encoding, &manifest->tables[i], 1);
    }
    text_free(&twice);
    text_free(&once);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char name[] = "dump-1653170039392";
    struct arena arena = {0};
    struct fault fault = {0};
    struct manifest manifest;

    bool parsed = manifest_parse(&arena, name, (const char *) data, size, &manifest, &fault);
    if (parsed != (fault.err == ERR_NONE))
        abort();
    if (parsed)
        check(&arena, &manifest, name);
    arena_free(&arena);
    return 0;
}
