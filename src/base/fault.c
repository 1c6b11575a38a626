/* fault - see fault.h. */
#include "base/fault.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tame.h"

static const struct {
    const char *name;
    int exit_status;
} errs[] = {
#define ERR(code, name, status, transient) [code] = {name, status},
#include "base/err.def"
#undef ERR
};

/* A sentence that did not fit ends in dots, and not inside a character of UTF-8. */
static void
mark_cut(char *text)
{
    size_t at = strnlen(text, FAULT_TEXT_MAX - 4);

    while (at > 0 && (text[at] & 0xc0) == 0x80)
        at--;
    memcpy(text + at, "...", 4);
}

/* Sentences are made of words of others: names, and what servers say. */
static void
sentence_add(struct fault *fault, size_t used, const char *said, bool cut)
{
    bool whole = tame_copy(fault->text + used, sizeof fault->text - used, said);

    if (cut || !whole)
        mark_cut(fault->text);
}

bool
fault_set(struct fault *fault, enum err err, const char *format, ...)
{
    assert(err != ERR_NONE);

    if (fault->err != ERR_NONE)
        return false;

    char said[FAULT_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(said, sizeof said, format, args);
    va_end(args);
    sentence_add(fault, 0, said, length >= FAULT_TEXT_MAX);
    fault->err = err;
    return false;
}

bool
fault_set_lines(struct fault *fault, enum err err, const char *lines)
{
    assert(err != ERR_NONE);

    if (fault->err != ERR_NONE)
        return false;
    size_t size = strlen(lines);
    bool cut = size >= sizeof fault->text;
    memcpy(fault->text, lines, cut ? FAULT_TEXT_MAX - 1 : size);
    fault->text[cut ? FAULT_TEXT_MAX - 1 : size] = '\0';
    if (cut)
        mark_cut(fault->text);
    fault->err = err;
    return false;
}

bool
fault_because(struct fault *fault, const char *format, ...)
{
    if (fault->err == ERR_NONE)
        return false;

    size_t used = strlen(fault->text);
    if (used + 3 >= sizeof fault->text) {
        mark_cut(fault->text);
        return false;
    }
    memcpy(fault->text + used, ", ", 3);

    char said[FAULT_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(said, sizeof said, format, args);
    va_end(args);
    sentence_add(fault, used + 2, said, length >= FAULT_TEXT_MAX);
    return false;
}

void
fault_hand_over(struct fault *target, const struct fault *source)
{
    if (target->err == ERR_NONE)
        *target = *source;
}

int
err_exit_status(enum err err)
{
    assert((size_t) err < sizeof errs / sizeof *errs);
    return errs[err].exit_status;
}

const char *
err_name(enum err err)
{
    assert((size_t) err < sizeof errs / sizeof *errs);
    return errs[err].name;
}

void
memory_exhausted(size_t wanted_bytes)
{
    fprintf(stderr, "replica: error: out of memory: unable to get %zu bytes\n", wanted_bytes);
    _exit(err_exit_status(ERR_INTERNAL));
}
