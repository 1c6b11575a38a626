/* env_place - what a URL points at, and how it may be shown. */
#include <stdbool.h>
#include <string.h>

#include "env/env.h"
#include "env/env_uri.h"

static bool
starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum place
env_place(const char *url)
{
    if (*url == '\0')
        return PLACE_NONE;
    if (strcmp(url, "postgres:") == 0 || starts(url, "postgres://") || starts(url, "postgresql://"))
        return PLACE_POSTGRES;
    if (starts(url, "file:///"))
        return PLACE_DIR;
    if (strcmp(url, "stdout:") == 0)
        return PLACE_STDOUT;
    return starts(url, "s3://") ? PLACE_S3 : PLACE_UNKNOWN;
}

bool
env_place_is_store(enum place place)
{
    return place == PLACE_DIR || place == PLACE_S3;
}

/* Whether it is nothing but hosts and numeric ports, "db:5432,[::1]:5433": then no colon introduces
 * a password. */
static bool
is_hosts(const char *text, size_t size)
{
    bool port = false, brackets = false;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '@')
            return false;
        if (text[i] == '[' || text[i] == ']')
            brackets = text[i] == '[';
        else if (text[i] == ',')
            port = false;
        else if (text[i] == ':' && !brackets)
            port = true;
        else if (port && (text[i] < '0' || text[i] > '9'))
            return false;
    }
    return true;
}

/* A parameter is shown when its name is plain (libpq decodes %70assword, too) and does not speak of
 * a secret. */
static bool
is_parameter_safe(const char *text, size_t size)
{
    char name[64];
    size_t length = strcspn(text, "=&");

    if (length >= size || text[length] != '=' || length >= sizeof name)
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    return strspn(name, "abcdefghijklmnopqrstuvwxyz_") == length &&
           strstr(name, "password") == NULL && strstr(name, "secret") == NULL;
}

static void
add_parameters(struct text *text, const char *query)
{
    char mark = '?';

    while (*query == '?' || *query == '&') {
        size_t size = strcspn(++query, "&");
        if (is_parameter_safe(query, size)) {
            text_add_bytes(text, &mark, 1);
            text_add_bytes(text, query, size);
            mark = '&';
        }
        query += size;
    }
}

/* user:password@host/name?parameters.  People forget to encode '@', '/' and '?' in passwords, so
 * what is left out reaches from the first colon to the last '@' that may be meant. */
static void
add_authority(struct text *text, const char *rest)
{
    size_t authority = strcspn(rest, "/?");
    const char *at = strchr(rest, '@'), *tail = rest + authority;

    if (!is_hosts(rest, authority) || (at != NULL && at < rest + strcspn(rest, "?"))) {
        const char *query = at == NULL ? NULL : strchr(at, '?');
        const char *end = query != NULL ? query : rest + strlen(rest);
        while (at != NULL && memchr(at + 1, '@', (size_t) (end - at - 1)) != NULL)
            at = memchr(at + 1, '@', (size_t) (end - at - 1));
        size_t user = strcspn(rest, ":@/?");
        text_add_bytes(text, rest, user);
        tail = at != NULL ? at : rest + authority;
    } else {
        text_add_bytes(text, rest, authority);
    }
    size_t size = strcspn(tail, "?");
    text_add_bytes(text, tail, size);
    add_parameters(text, tail + size);
}

/* "stdout:", "postgres:" */
static bool
rest_is_colon(const char *url)
{
    return strcmp(url + strcspn(url, "@=:"), ":") == 0;
}

const char *
env_place_safe(struct arena *arena, const char *url)
{
    struct text text = {0};
    const char *rest = strstr(url, "://");

    if (starts(url, "postgres://") || starts(url, "postgresql://")) {
        uri_add_safe(&text, url);
    } else if (rest != NULL && !starts(url, "file://") &&
               strcspn(url, "@=") > (size_t) (rest - url)) {
        text_add_bytes(&text, url, (size_t) (rest - url) + 3);
        add_authority(&text, rest + 3);
    } else if (starts(url, "file://") || url[strcspn(url, "@=:")] == '\0' || rest_is_colon(url)) {
        text_add(&text, url);
    } else {
        text_add(&text, "..."); /* "host=... password=..." and the like */
    }
    char *safe = arena_text(arena, text_of(&text));
    text_free(&text);
    for (char *c = safe; *c != '\0'; c++)
        if ((unsigned char) *c < 0x20 || *c == 0x7f)
            *c = '?';
    return safe;
}
