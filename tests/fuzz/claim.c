/* claim: any bytes are a claim or none, and what was read says the same when it is written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct claim claim, again;
    struct text text = {0};
    char *line = malloc(size + 1), state;
    uint64_t started;

    if (line == NULL)
        abort();
    if (size > 0)
        memcpy(line, data, size);
    line[size] = '\0';
    claim_name_valid(line);
    claim_stat_read(line, &state, &started);
    free(line);

    if (!claim_parse((const char *) data, size, &claim))
        return 0;
    claim_holder(&claim);
    claim_add(&text, &claim);
    if (!claim_parse(text.data, text.size, &again) || strcmp(again.machine, claim.machine) != 0 ||
        again.process != claim.process || again.started != claim.started)
        abort();
    text_free(&text);
    return 0;
}
