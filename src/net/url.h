/* url - an http or https URL taken apart.
 *
 *     https://user@s3.example.com:9000/some/path
 *     scheme  (refused) host        port path
 *
 * The host is kept in lower case; an empty path stays empty.
 *
 * Threads: any. */
#ifndef NET_URL_H
#define NET_URL_H

#include <stdbool.h>

#include "base/fault.h"

enum { URL_HOST_MAX = 254, URL_PATH_MAX = 2048 };

struct url {
    bool tls;
    bool port_given;          /* a port that is not the scheme's own: it belongs into Host */
    unsigned port;            /* 1 .. 65535 */
    char host[URL_HOST_MAX];  /* a DNS name, IPv4, or IPv6 without brackets */
    char path[URL_PATH_MAX];  /* as written, with its query; "" or begins with '/' */
};

/* Take text apart.  ERR_CONFIG names what is wrong with it; `what` names the variable it came from.
 * User, password and fragment are refused: nothing here sends them. */
bool url_parse(const char *text, const char *what, struct url *url, struct fault *fault);

/* Whether a host is an address: IPv4 or IPv6. */
bool url_host_is_address(const char *host);

/* What belongs into the Host header (RFC 9112 section 3.2): IPv6 in brackets, the port when it is
 * not the scheme's own. */
void url_host_header(const struct url *url, char header[static URL_HOST_MAX + 16]);

/* A host and a port as sentences name them: "db.example.com:5432", "[::1]:443". */
void url_peer(const char *host, unsigned port, char peer[static URL_HOST_MAX + 16]);

#endif
