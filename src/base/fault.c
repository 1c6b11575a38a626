/* fault - see fault.h. */
#include "base/fault.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    size_t at = FAULT_TEXT_MAX - 4;

    while (at > 0 && (text[at] & 0xc0) == 0x80)
        at--;
    memcpy(text + at, "...", 4);
}

bool
fault_set(struct fault *fault, enum err err, const char *format, ...)
{
    assert(err != ERR_NONE);

    if (fault->err != ERR_NONE)
        return false;

    va_list args;
    va_start(args, format);
    int length = vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    if (length >= FAULT_TEXT_MAX)
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

    va_list args;
    va_start(args, format);
    int length = vsnprintf(fault->text + used + 2, sizeof fault->text - used - 2, format, args);
    va_end(args);
    if (used + 2 + (size_t) length >= sizeof fault->text)
        mark_cut(fault->text);
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
