/* credentials: whatever an endpoint answers gives whole keys that can stand in a header, or none and
 * a sentence; nothing of it is left behind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "s3/credentials_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_key(const char *text)
{
    return *text != '\0' && ask_is_line(text) && strchr(text, ' ') == NULL;
}

static void
check(const struct credential *keys, bool done, bool all, const struct fault *fault)
{
    static const struct credential none;

    if (done != (fault->err == ERR_NONE) || (!done && memcmp(keys, &none, sizeof none) != 0))
        abort();
    if (done && (!is_key(keys->access_key) || !is_key(keys->secret_key)))
        abort();
    if (done && *keys->token == '\0' ? all : done && !is_key(keys->token))
        abort();
    if (done && all && keys->expires_ms == 0)
        abort();
    if (!done && (fault->text[0] == '\0' || !ask_is_line(fault->text)))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ask_answer *answer = ask_answer_new();
    struct credential keys;

    if (size > ASK_ANSWER_MAX)
        size = ASK_ANSWER_MAX;
    if (size > 0)
        memcpy(answer->body, data, size);
    answer->size = size;
    answer->status = 403;
    for (int all = 0; all <= 1; all++) {
        struct fault fault = {0};
        memset(&keys, 1, sizeof keys);
        bool done = ask_keys_read(answer, all, &keys, &fault);
        check(&keys, done, all, &fault);
    }
    struct fault sts = {0}, refused = {0};
    memset(&keys, 1, sizeof keys);
    bool done = sts_keys_read(answer, &keys, &sts);
    check(&keys, done, true, &sts);
    ask_refused(answer, ERR_STORE, &refused);
    if (refused.text[0] == '\0' || !ask_is_line(refused.text))
        abort();
    ask_answer_free(answer);
    return 0;
}
