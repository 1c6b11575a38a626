/* http_head: any bytes are an answer, head and body, or a fault; and they are the same in one piece
 * and byte by byte.  The first byte says whether it is the answer to HEAD. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum head_step step;
    bool body_good, body_done;
    size_t head_size, body_size, data_size;
    uint64_t data_hash;
};

static size_t
piece_of(size_t left, size_t piece)
{
    return left < piece ? left : piece;
}

static void
take_body(const char *text, size_t size, size_t piece, const struct http_head *head,
          struct outcome *outcome)
{
    struct http_body body;
    struct fault fault = {0};
    size_t used = 0;

    http_body_begin(&body, head);
    outcome->body_good = true;
    while (outcome->body_good && used < size && !http_body_done(&body)) {
        uint64_t run = http_body_run(&body);
        size_t some = piece_of(size - used, piece);
        if (run == 0) {
            size_t offered = some;
            outcome->body_good = http_body_take(&body, text + used, offered, &some, &fault);
            if (some > offered || (outcome->body_good && some == 0))
                abort();
        } else {
            some = run < some ? (size_t) run : some;
            for (size_t i = 0; i < some; i++)
                outcome->data_hash = outcome->data_hash * 31 + (uint8_t) text[used + i];
            outcome->data_size += some;
            http_body_pass(&body, some);
        }
        used += some;
    }
    if (outcome->body_good != (fault.err == ERR_NONE))
        abort();
    outcome->body_size = used;
    outcome->body_done = http_body_done(&body);
}

static struct outcome
take(const char *text, size_t size, size_t piece, bool bodiless)
{
    static struct http_head head;
    struct outcome outcome = {.step = HEAD_MORE};
    struct fault fault = {0};

    http_head_begin(&head, bodiless, ERR_STORE);
    while (outcome.step == HEAD_MORE && outcome.head_size < size) {
        size_t some = piece_of(size - outcome.head_size, piece), used;
        outcome.step = http_head_take(&head, text + outcome.head_size, some, &used, &fault);
        if (used > some || (outcome.step == HEAD_MORE && used != some))
            abort();
        outcome.head_size += used;
    }
    if ((outcome.step == HEAD_FAILED) != (fault.err == ERR_STORE))
        abort();
    if (outcome.step == HEAD_FAILED)
        outcome.head_size = 0; /* in larger pieces it is found out later */
    if (outcome.step != HEAD_DONE)
        return outcome;

    if (head.status < 100 || head.status > 599)
        abort();
    for (size_t i = 0; i < head.headers_count; i++)
        if (http_head_value(&head, head.headers[i].name) == NULL ||
            strpbrk(head.headers[i].value, "\r\n") != NULL)
            abort();
    take_body(text + outcome.head_size, size - outcome.head_size, piece, &head, &outcome);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool bodiless = data[0] % 2 != 0;
    struct outcome whole = take((const char *) data + 1, size - 1, SIZE_MAX, bodiless);
    struct outcome bytes = take((const char *) data + 1, size - 1, 1, bodiless);

    if (whole.step != bytes.step || whole.head_size != bytes.head_size ||
        whole.body_good != bytes.body_good || whole.body_done != bytes.body_done ||
        whole.body_size != bytes.body_size || whole.data_size != bytes.data_size ||
        whole.data_hash != bytes.data_hash)
        abort();
    return 0;
}
