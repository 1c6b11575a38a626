/* store - see store.h. */
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/dir.h"

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* Decode the path of a file URL.  A bare '?' or '#' would begin a query or a fragment, which a
 * directory does not have: rather than guess, demand %3F or %23. */
static bool
path_decode(struct text *path, const char *url, const char *encoded, struct fault *fault)
{
    for (const char *at = encoded; *at != '\0'; at++) {
        char c = *at;
        if (c == '?' || c == '#')
            return fault_set(fault, ERR_CONFIG, "'%c' in %s must be written as %%%02X", c, url,
                             (unsigned) c);
        if (c == '%') {
            int high = hex_value(at[1]), low = high < 0 ? -1 : hex_value(at[2]);
            if (low < 0 || high * 16 + low == 0)
                return fault_set(fault, ERR_CONFIG,
                                 "'%%' in %s must be followed by two hexadecimal digits other than "
                                 "00; the character itself is written as %%25",
                                 url);
            c = (char) (high * 16 + low);
            at += 2;
        }
        text_add_bytes(path, &c, 1);
    }
    return true;
}

struct store *
store_open(const char *url, bool create, struct stop *stop, struct fault *fault)
{
    static const char scheme[] = "file://";
    struct text path = {0};
    struct store *store = NULL;

    assert(stop != NULL);
    if (strncmp(url, scheme, sizeof scheme - 1) != 0 || url[sizeof scheme - 1] != '/')
        fault_set(fault, ERR_CONFIG, "%s names no store: one is written as file:///directory", url);
    else if (path_decode(&path, url, url + sizeof scheme - 1, fault))
        store = dir_open(url, text_of(&path), create, stop, fault);
    text_free(&path);
    return store;
}

void
store_close(struct store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

bool
store_write(struct store *store, const char *name, const void *data, size_t size,
            struct fault *fault)
{
    struct store_writer *writer = store->ops->put_begin(store, name, fault);

    if (writer == NULL)
        return false;
    if (!store->ops->put_write(writer, data, size, fault)) {
        store->ops->put_abort(writer);
        return false;
    }
    return store->ops->put_commit(writer, fault);
}

static bool
read_all(struct store_reader *reader, const char *name, size_t bytes_max, struct text *text,
         struct fault *fault)
{
    struct store *store = reader->store;
    char buffer[16 * 1024];
    size_t total = 0, got;

    for (;;) {
        if (!store->ops->get_read(reader, buffer, sizeof buffer, &got, fault))
            return false;
        if (got == 0)
            return true;
        if (got > bytes_max - total)
            return fault_set(fault, ERR_STORE, "%s in %s is larger than the %zu bytes it may have",
                             name, store->url, bytes_max);
        text_add_bytes(text, buffer, got);
        total += got;
    }
}

bool
store_read(struct store *store, const char *name, size_t bytes_max, struct text *text, bool *found,
           struct fault *fault)
{
    struct store_reader *reader;

    if (!store->ops->get_begin(store, name, &reader, fault))
        return false;
    *found = reader != NULL;
    if (reader == NULL)
        return true;
    bool done = read_all(reader, name, bytes_max, text, fault);
    store->ops->get_end(reader);
    return done;
}

bool
store_name_valid(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t first = strspn(name, letters);

    if (first == 0 || name[0] == '.' || strlen(name) > STORE_NAME_MAX)
        return false;
    if (name[first] == '\0')
        return true;
    const char *second = name + first + 1;
    return name[first] == '/' && second[0] != '.' && second[0] != '\0' &&
           second[strspn(second, letters)] == '\0';
}
