/* pattern - any text as a list of patterns; what was read fits a name without a fault. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "pg/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct patterns patterns;
    struct fault fault = {0};
    const char *text = arena_copy(&arena, (const char *) data, size);

    if (patterns_read(&arena, "REPLICA_TABLES", text, &patterns, &fault)) {
        for (size_t i = 0; i < patterns.count; i++) {
            const struct pattern *pattern = &patterns.items[i];
            bool itself = pattern_part_fits(&pattern->name, pattern->name.text);
            assert(itself || pattern->name.has_glob);
            patterns_find(&patterns, "public", pattern->name.text);
        }
    } else {
        assert(fault.err == ERR_CONFIG && strlen(fault.text) > 0);
    }
    arena_free(&arena);
    return 0;
}
