/* uri: any text behind the scheme is refused, or libpq reads it as we do, and what is shown of it holds no password. */
#include <libpq-fe.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "env/env_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
has_password(const char *uri)
{
    PQconninfoOption *options = PQconninfoParse(uri, NULL);
    bool has = false;

    if (options == NULL)
        abort();
    for (const PQconninfoOption *each = options; each->keyword != NULL; each++)
        has |= each->val != NULL && each->val[0] != '\0' && each->dispchar[0] == '*';
    PQconninfoFree(options);
    return has;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char scheme[] = "postgres://";
    char *uri = malloc(sizeof scheme + size);
    struct text safe = {0};

    memcpy(uri, scheme, sizeof scheme - 1);
    memcpy(uri + sizeof scheme - 1, data, size);
    uri[sizeof scheme - 1 + size] = '\0';
    const char *mistake = uri_mistake(uri), *meant = uri_parameter_meant(uri);
    uri_add_safe(&safe, uri);
    if (mistake != NULL && strcmp(text_of(&safe), "postgres://...") != 0)
        abort();
    if (mistake == NULL) {
        has_password(uri);
        if (meant != NULL || uri_mistake(text_of(&safe)) != NULL || has_password(text_of(&safe)))
            abort();
    }
    text_free(&safe);
    free(uri);
    return 0;
}
