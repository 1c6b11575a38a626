/* rows - any bytes as rows: what is found in them does not depend on how they are cut, and is what a
 * reader of single bytes finds.
 *
 * The first byte says where to cut. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "codec/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
are_rows(const uint8_t *data, size_t size, uint64_t *count)
{
    bool escaped = false;

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\0' || data[i] == '\r' ||
            (escaped && strchr("bfnrtvN\\", data[i]) == NULL))
            return false;
        escaped = !escaped && data[i] == '\\';
        *count += data[i] == '\n';
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows rows = {0};
    struct fault fault = {0};
    uint64_t count = 0;
    bool good = true;

    if (size == 0)
        return 0;
    size_t piece = data[0] + 1u;
    data++;
    size--;
    for (size_t at = 0; at < size && good; at += piece)
        good = rows_look(&rows, data + at, size - at < piece ? size - at : piece, ERR_SOURCE, "x",
                         &fault);
    assert(good == are_rows(data, size, &count));
    assert(good == (fault.err == ERR_NONE));
    assert(!good || rows.count == count);
    return 0;
}
