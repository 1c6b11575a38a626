/* pem: any bytes are objects or a refusal, and what was decoded is not longer than its text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct pem pem;
    size_t total = 0;
    volatile uint8_t sum = 0;
    bool decoded = pem_decode(&arena, data, size, &pem);

    if (!decoded && pem.count != 0)
        abort();
    for (size_t i = 0; i < pem.count; i++) {
        if (strchr(pem.objects[i].name, '\n') != NULL)
            abort();
        for (size_t at = 0; at < pem.objects[i].size; at++)
            sum = (uint8_t) (sum + pem.objects[i].data[at]);
        total += pem.objects[i].size;
    }
    if (total > size)
        abort();
    arena_free(&arena);
    return 0;
}
