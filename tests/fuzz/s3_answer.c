/* s3_answer - any headers and any body are understood as something, and printable.
 *
 * Input: status, Date, x-amz-bucket-region and Retry-After, a line each; then the body. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "s3/s3_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Take a line off the front; NULL when it is empty. */
static char *
line_take(struct arena *arena, const uint8_t **data, size_t *size)
{
    const uint8_t *end = memchr(*data, '\n', *size);
    size_t length = end == NULL ? *size : (size_t) (end - *data);
    char *line = arena_copy(arena, (const char *) *data, length);

    *data += end == NULL ? length : length + 1;
    *size -= end == NULL ? length : length + 1;
    return line[0] == '\0' ? NULL : line;
}

static void
check_printable(const char *words, size_t room)
{
    if (strlen(words) >= room)
        abort();
    for (; *words != '\0'; words++)
        if (*words < ' ' || *words > '~')
            abort();
}

static void
check(const struct answer_source *source)
{
    struct s3_answer answer;
    struct text text = {0};

    s3_answer_read(&answer, source);
    check_printable(answer.code, sizeof answer.code);
    check_printable(answer.message, sizeof answer.message);
    check_printable(answer.region, sizeof answer.region);
    bool good = source->status >= 200 && source->status < 300;
    if (answer.kind == ANSWER_GOOD && !good)
        abort();
    if (good && answer.kind != ANSWER_GOOD && answer.kind != ANSWER_TRANSIENT)
        abort();
    if (answer.kind == ANSWER_SKEWED && answer.date_ms == 0 && answer.code[0] == '\0')
        abort();
    s3_answer_text(&answer, &text);
    check_printable(text_of(&text), SIZE_MAX);
    text_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"PUT", "HEAD"};
    static const char *const musts[] = {NULL, "ListBucketResult",
                                        "CompleteMultipartUploadResult/ETag"};
    struct arena arena = {0};
    char *status = line_take(&arena, &data, &size);
    struct answer_source source = {
        .status = status == NULL ? 200 : (unsigned) strtoul(status, NULL, 10) % 1000,
        .region = "us-east-1",
        .signed_ms = 1763812800000,
    };

    source.date = line_take(&arena, &data, &size);
    source.bucket_region = line_take(&arena, &data, &size);
    source.retry_after = line_take(&arena, &data, &size);
    source.body = data;
    source.body_size = size;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        for (size_t j = 0; j < sizeof musts / sizeof *musts; j++) {
            source.method = methods[i];
            source.must = musts[j];
            check(&source);
        }
    arena_free(&arena);
    return 0;
}
