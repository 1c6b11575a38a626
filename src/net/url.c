/* url - see url.h.  What is wrong is named without quoting the text, which may hold a password. */
#include "net/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LABEL_MAX = 63 }; /* RFC 1035 section 2.3.4 */

bool
url_host_is_address(const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Labels of letters, digits, '-' and '_', with a dot between them, and perhaps one at the end.
 * Dots and digits alone are an address, or nothing. */
static bool
is_host(const char *host)
{
    size_t label = 0;

    for (const char *at = host; *at != '\0'; at++) {
        bool dot = *at == '.';
        if (dot ? label == 0 : !isalnum((unsigned char) *at) && *at != '-' && *at != '_')
            return false;
        label = dot ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return host[strspn(host, "0123456789.")] != '\0' || url_host_is_address(host);
}

static bool
parse_host(const char *text, size_t size, bool brackets, struct url *url)
{
    uint8_t address[sizeof(struct in6_addr)];

    if (size == 0 || size >= sizeof url->host)
        return false;
    for (size_t i = 0; i < size; i++)
        url->host[i] = (char) tolower((unsigned char) text[i]);
    url->host[size] = '\0';
    return brackets ? inet_pton(AF_INET6, url->host, address) == 1 : is_host(url->host);
}

static bool
parse_port(const char *text, size_t size, struct url *url)
{
    unsigned port = 0;

    if (size == 0 || size > 5)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char) text[i]))
            return false;
        port = port * 10 + (unsigned) (text[i] - '0');
    }
    url->port_given = port != url->port;
    url->port = port;
    return port >= 1 && port <= 65535;
}

/* Take "host", "host:port", "[address]" or "[address]:port" apart. */
static bool
parse_authority(const char *text, size_t size, const char *what, struct url *url,
                struct fault *fault)
{
    bool brackets = size > 0 && text[0] == '[';
    const char *close = brackets ? memchr(text, ']', size) : NULL;
    const char *rest = brackets ? close : memchr(text, ':', size);

    if (memchr(text, '@', size) != NULL)
        return fault_set(fault, ERR_CONFIG, "%s must not hold a user or a password", what);
    if (brackets && close == NULL)
        return fault_set(fault, ERR_CONFIG, "%s has no ']' behind its address", what);
    size_t host_size = rest == NULL ? size : (size_t) (rest - text);
    if (!parse_host(text + brackets, host_size - brackets, brackets, url))
        return fault_set(fault, ERR_CONFIG,
                         "%s names no host: behind its \"//\" there must be a DNS name, an IPv4 "
                         "address, or an IPv6 address in brackets",
                         what);
    if (rest != NULL)
        rest += brackets;
    if (rest == NULL || rest == text + size)
        return true;
    if (*rest != ':' || !parse_port(rest + 1, (size_t) (text + size - rest - 1), url))
        return fault_set(fault, ERR_CONFIG, "%s has a port that is no number of 1 .. 65535", what);
    return true;
}

bool
url_parse(const char *text, const char *what, struct url *url, struct fault *fault)
{
    bool tls = strncasecmp(text, "https://", 8) == 0;

    *url = (struct url){.tls = tls, .port = tls ? 443 : 80};
    if (!tls && strncasecmp(text, "http://", 7) != 0)
        return fault_set(fault, ERR_CONFIG, "%s must begin with http:// or https://", what);
    for (const char *at = text; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return fault_set(fault, ERR_CONFIG,
                             "%s holds a blank or another character that no URL may have", what);

    const char *authority = text + (tls ? 8 : 7);
    size_t size = strcspn(authority, "/?#");
    const char *path = authority + size;
    if (!parse_authority(authority, size, what, url, fault))
        return false;
    if (strchr(path, '#') != NULL)
        return fault_set(fault, ERR_CONFIG, "%s has a fragment ('#'), which no server gets to see",
                         what);
    int length = snprintf(url->path, sizeof url->path, "%s%s", *path == '?' ? "/" : "", path);
    if (length >= URL_PATH_MAX)
        return fault_set(fault, ERR_CONFIG, "%s has a path of %d bytes; at most %d are possible",
                         what, length, URL_PATH_MAX - 1);
    return true;
}

void
url_peer(const char *host, unsigned port, char peer[static URL_HOST_MAX + 16])
{
    bool brackets = strchr(host, ':') != NULL;

    snprintf(peer, URL_HOST_MAX + 16, "%s%s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "",
             port);
}

void
url_host_header(const struct url *url, char header[static URL_HOST_MAX + 16])
{
    url_peer(url->host, url->port, header);
    if (!url->port_given)
        *strrchr(header, ':') = '\0';
}
