/* json: any bytes are a document or a fault, and what was read can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every string of the document, in the order of the document, must survive json_add_bytes(). */
static void
check_string(const struct json *json)
{
    struct arena arena = {0};
    struct fault fault = {0};
    struct text text = {0};

    if (json->type != JSON_STRING || strlen(json->text) != json->size)
        return;
    json_add_bytes(&text, json->text);
    const struct json *back = json_parse(&arena, text.data, text.size, "it", &fault);
    if (back == NULL || back->size != json->size || memcmp(back->text, json->text, json->size) != 0)
        abort();
    text_free(&text);
    arena_free(&arena);
}

/* Depth is bounded by JSON_DEPTH_MAX. */
static void
check(const struct json *json)
{
    size_t count = 0;

    check_string(json);
    if (json->type != JSON_ARRAY && json->type != JSON_OBJECT)
        return;
    for (const struct json *item = json->first; item != NULL; item = item->next, count++)
        check(item);
    if (count != json->size)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct fault fault = {0};
    const struct json *json = json_parse(&arena, (const char *) data, size, "it", &fault);

    if ((json == NULL) != (fault.err == ERR_INTEGRITY))
        abort();
    if (json != NULL)
        check(json);
    /* What is taken is what was foretold, but for the rest of a block, and pieces' alignment. */
    if (arena.bytes > json_memory((const char *) data, size) + 2 * 64 * 1024)
        abort();
    arena_free(&arena);
    return 0;
}
