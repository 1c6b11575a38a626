/* env_uri - see env_uri.h. */
#include "env/env_uri.h"

#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

enum { NAME_BYTES_MAX = 32, PORT_MAX = 65535 };

static const struct {
    const char *name;
    bool shown;
} parameters[] = {
#define PARAMETER(name, shown) {name, shown},
#include "env/uri.def"
#undef PARAMETER
};

/* A URI's pieces, each without the marks around it. */
struct piece {
    const char *text;
    size_t size;
};

struct uri {
    struct piece user, password, hosts, database, query;
    bool has_user, has_database;
};

bool
uri_parameter_shown(const char *name, size_t size, bool *known)
{
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (strlen(parameters[i].name) == size && memcmp(parameters[i].name, name, size) == 0) {
            if (known != NULL)
                *known = true;
            return parameters[i].shown;
        }
    if (known != NULL)
        *known = false;
    return false;
}

/* As libpq does it: a user ends at the first @, unless a / comes before. */
static struct uri
uri_cut(const char *uri)
{
    const char *rest = strstr(uri, "://") + 3;
    struct uri cut = {0};
    size_t size = strcspn(rest, "@/");

    if (rest[size] == '@') {
        const char *colon = memchr(rest, ':', size);
        size_t user = colon == NULL ? size : (size_t) (colon - rest);
        cut.has_user = true;
        cut.user = (struct piece){rest, user};
        cut.password = (struct piece){rest + user + (colon != NULL),
                                      size - user - (colon != NULL)};
        rest += size + 1;
    }
    cut.hosts = (struct piece){rest, strcspn(rest, "/?")};
    rest += cut.hosts.size;
    cut.has_database = *rest == '/';
    rest += cut.has_database;
    cut.database = (struct piece){rest, strcspn(rest, "?")};
    rest = cut.database.text + cut.database.size;
    cut.query = (struct piece){rest + (*rest == '?'), strlen(rest) - (*rest == '?')};
    return cut;
}

static bool
has(const struct piece *piece, char c)
{
    return piece->size > 0 && memchr(piece->text, c, piece->size) != NULL;
}

static bool
is_hex(char c)
{
    return c != '\0' && strchr("0123456789abcdefABCDEF", c) != NULL;
}

/* What is wrong whichever piece it stands in. */
static const char *
bytes_mistake(const char *uri)
{
    for (const char *at = uri; *at != '\0'; at++) {
        if ((unsigned char) *at <= ' ' || *at == 0x7f)
            return "it holds a blank or a control character";
        if (*at == '%' && (!is_hex(at[1]) || !is_hex(at[2])))
            return "a % in it is not followed by two hexadecimal digits";
        if (*at == '%' && at[1] == '0' && at[2] == '0')
            return "it holds %00";
    }
    return NULL;
}

static const char *
port_mistake(const char *port, size_t size)
{
    unsigned long number = 0;

    for (size_t i = 0; i < size; i++) {
        if (port[i] < '0' || port[i] > '9')
            return "what stands where the port belongs is no number";
        number = number * 10 + (unsigned long) (port[i] - '0');
        if (number > PORT_MAX)
            break;
    }
    return size > 0 && (number < 1 || number > PORT_MAX) ? "its port is not in 1 to 65535" : NULL;
}

/* One of "db:5432,[::1]:5433". */
static const char *
host_mistake(const char *host, size_t size)
{
    size_t name = 0;

    if (size > 0 && host[0] == '[') {
        const char *end = memchr(host, ']', size);
        if (end == NULL || end == host + 1)
            return "a [ in it is no IPv6 address up to a ]";
        name = (size_t) (end - host) + 1;
        if (name < size && host[name] != ':')
            return "more than a port follows its IPv6 address";
    } else {
        const char *colon = memchr(host, ':', size);
        name = colon == NULL ? size : (size_t) (colon - host);
    }
    return name < size ? port_mistake(host + name + 1, size - name - 1) : NULL;
}

static const char *
hosts_mistake(const struct piece *hosts)
{
    const char *mistake = NULL;

    for (size_t at = 0; at <= hosts->size && mistake == NULL;) {
        const char *comma = memchr(hosts->text + at, ',', hosts->size - at);
        size_t size = comma == NULL ? hosts->size - at : (size_t) (comma - hosts->text) - at;
        mistake = host_mistake(hosts->text + at, size);
        at += size + 1;
    }
    return mistake;
}

/* The name of a parameter, as it is once decoded; "" for none, or one that is too long. */
static void
name_decode(char name[static NAME_BYTES_MAX], const char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < size; i++) {
        char digits[3] = {0};
        if (used == NAME_BYTES_MAX - 1)
            used = size = 0;
        else if (text[i] == '%') {
            memcpy(digits, text + i + 1, 2);
            name[used++] = (char) strtol(digits, NULL, 16);
            i += 2;
        } else {
            name[used++] = text[i];
        }
    }
    name[used] = '\0';
}

static const char *
parameter_mistake(const char *text, size_t size)
{
    const char *equals = memchr(text, '=', size);
    char name[NAME_BYTES_MAX];
    bool known;

    if (equals == NULL)
        return "a parameter in it has no =";
    size_t value = size - (size_t) (equals + 1 - text);
    if (memchr(equals + 1, '=', value) != NULL)
        return "a parameter in it has more than one =";
    name_decode(name, text, (size_t) (equals - text));
    uri_parameter_shown(name, strlen(name), &known);
    if (!known)
        return "it has a parameter that libpq does not know";
    if (strcmp(name, "ssl") == 0 && (value != 4 || memcmp(equals + 1, "true", 4) != 0))
        return "ssl can only be true in it; sslmode says more";
    return NULL;
}

typedef bool parameter_fn(void *argument, const char *text, size_t size);

/* Visit each parameter until one returns false. */
static void
parameters_walk(const struct piece *query, parameter_fn *visit, void *argument)
{
    for (size_t at = 0; at < query->size;) {
        const char *next = memchr(query->text + at, '&', query->size - at);
        size_t size = next == NULL ? query->size - at : (size_t) (next - query->text) - at;
        if (!visit(argument, query->text + at, size))
            return;
        at += size + 1;
    }
}

static bool
parameter_look(void *argument, const char *text, size_t size)
{
    const char **mistake = argument;
    *mistake = parameter_mistake(text, size);
    return *mistake == NULL;
}

const char *
uri_mistake(const char *uri)
{
    const char *mistake = bytes_mistake(uri);

    if (mistake != NULL)
        return mistake;
    struct uri cut = uri_cut(uri);
    if (has(&cut.hosts, '@') || has(&cut.database, '@'))
        return "an @ stands where none belongs";
    if (has(&cut.user, '?') || has(&cut.password, '?'))
        return "a ? stands before the @";
    mistake = hosts_mistake(&cut.hosts);
    if (mistake == NULL)
        parameters_walk(&cut.query, parameter_look, &mistake);
    return mistake;
}

static bool
parameter_guess(void *argument, const char *text, size_t size)
{
    const char *equals = memchr(text, '=', size);
    char name[NAME_BYTES_MAX] = "";
    bool known = true;

    if (equals != NULL) {
        name_decode(name, text, (size_t) (equals - text));
        uri_parameter_shown(name, strlen(name), &known);
    }
    if (known)
        return true;
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        nearest_offer(&nearest, parameters[i].name, parameters[i].name);
    *(const char **) argument = nearest.best;
    return false;
}

const char *
uri_parameter_meant(const char *uri)
{
    const char *meant = NULL;

    if (bytes_mistake(uri) == NULL) {
        struct uri cut = uri_cut(uri);
        parameters_walk(&cut.query, parameter_guess, &meant);
    }
    return meant;
}

struct adding {
    struct text *text;
    const char *mark;
};

static bool
parameter_add(void *argument, const char *text, size_t size)
{
    struct adding *adding = argument;
    const char *equals = memchr(text, '=', size);
    char name[NAME_BYTES_MAX];

    name_decode(name, text, (size_t) (equals - text));
    if (uri_parameter_shown(name, strlen(name), NULL)) {
        text_add(adding->text, adding->mark);
        text_add_bytes(adding->text, text, size);
        adding->mark = "&";
    }
    return true;
}

void
uri_add_safe(struct text *text, const char *uri)
{
    struct adding adding = {.text = text, .mark = "?"};

    text_add_bytes(text, uri, (size_t) (strstr(uri, "://") + 3 - uri));
    if (uri_mistake(uri) != NULL) {
        text_add(text, "...");
        return;
    }
    struct uri cut = uri_cut(uri);
    text_add_bytes(text, cut.user.text, cut.user.size);
    text_add(text, cut.has_user ? "@" : "");
    text_add_bytes(text, cut.hosts.text, cut.hosts.size);
    text_add(text, cut.has_database ? "/" : "");
    text_add_bytes(text, cut.database.text, cut.database.size);
    parameters_walk(&cut.query, parameter_add, &adding);
}
