/* env - any bytes as arguments and variables: each line is one; those before the first empty line
 * are arguments.  Files are left alone: their bytes come through the same parsers. */
#include "env/env.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Split into lines until the first empty one.  Returns what follows it. */
static char *
lines_take(char *at, char **words)
{
    size_t count = 0;

    while (*at != '\0') {
        size_t length = strcspn(at, "\n");
        char *next = at + length + (at[length] == '\n');
        at[length] = '\0';
        if (length > 0 && count < WORDS_MAX && strstr(at, "_FILE=") == NULL)
            words[count++] = at;
        at = next;
        if (length == 0)
            break;
    }
    words[count] = NULL;
    return at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1), *arguments[WORDS_MAX + 1], *variables[WORDS_MAX + 1];
    struct env env;
    struct text text = {0};

    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    lines_take(lines_take(copy, arguments), variables);

    bool ok = env_read(&env, arguments, variables);
    assert(!ok || env.command != COMMAND_NONE);
    assert(ok || env.mistakes.size > 0);
    assert(env.jobs >= 1 && env.jobs <= 64);
    assert(env.compress_level >= -5 && env.compress_level <= 19);
    env_add_values(&env, &text);
    assert(text.size > 0);
    text_free(&text);
    env_free(&env);
    free(copy);
    return 0;
}
