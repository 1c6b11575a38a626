/* tls_backend_options - see tls_backend_options.h. */
#include "pg/libpq_inside.h"

#include "pg/tls_backend_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The session's failures have no side of their own: pg_open() gives them one. */
static const enum err kind = ERR_SOURCE;

static bool
is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* The file that a parameter names, or the one of that name at home; "" when there is no home. */
static void
file_name(char path[static MAXPGPATH], const char *value, const char *at_home)
{
    char home[MAXPGPATH];

    path[0] = '\0';
    if (is_set(value))
        snprintf(path, MAXPGPATH, "%s", value);
    else if (pqGetHomeDirectory(home, sizeof home))
        snprintf(path, MAXPGPATH, "%s/%s", home, at_home);
}

static void
peer_set(struct tls_options *options, const PGconn *conn)
{
    const pg_conn_host *at = &conn->connhost[conn->whichhost];
    const char *host = is_set(at->host) ? at->host : at->hostaddr;
    bool brackets = strchr(host, ':') != NULL;

    snprintf(options->peer, sizeof options->peer, "%s%s%s:%s", brackets ? "[" : "", host,
             brackets ? "]" : "", is_set(at->port) ? at->port : DEF_PGPORT_STR);
    options->config.peer = options->peer;
    options->config.name = host;
}

/* libpq takes TLSv1 to TLSv1.3 in any case of letters, and a minimum not above the maximum. */
static bool
versions_check(const PGconn *conn, struct fault *fault)
{
    const char *least = conn->ssl_min_protocol_version, *most = conn->ssl_max_protocol_version;

    if (is_set(least) && pg_strcasecmp(least, "TLSv1.3") == 0)
        return fault_set(fault, kind,
                         "ssl_min_protocol_version=%s asks for more than replica speaks: TLS 1.2",
                         least);
    if (is_set(most) && pg_strcasecmp(most, "TLSv1.2") != 0 && pg_strcasecmp(most, "TLSv1.3") != 0)
        return fault_set(fault, kind,
                         "ssl_max_protocol_version=%s asks for less than replica speaks: TLS 1.2",
                         most);
    return true;
}

/* BearSSL knows no revocation lists; who names one believes that it is obeyed. */
static bool
revocation_check(const PGconn *conn, struct fault *fault)
{
    char path[MAXPGPATH];
    struct stat status;

    if (is_set(conn->sslcrl) || is_set(conn->sslcrldir))
        return fault_set(fault, kind, "replica can't check revocation lists: %s=%s",
                         is_set(conn->sslcrl) ? "sslcrl" : "sslcrldir",
                         is_set(conn->sslcrl) ? conn->sslcrl : conn->sslcrldir);
    file_name(path, NULL, ROOT_CRL_FILE);
    if (is_set(path) && stat(path, &status) == 0)
        return fault_set(fault, kind, "replica can't check revocation lists, such as %s", path);
    return true;
}

static bool
trust_set(struct tls_options *options, const PGconn *conn, struct fault *fault)
{
    char path[MAXPGPATH];
    struct stat status;

    file_name(path, conn->sslrootcert, ROOT_CERT_FILE);
    if (strcmp(path, "system") == 0) {
        options->trust = trust_open_system(kind, fault);
    } else if (is_set(path) && stat(path, &status) == 0) {
        options->trust = trust_open(path, NULL, kind, fault);
    } else if (conn->sslmode[0] == 'v') {
        return fault_set(fault, kind,
                         "sslmode=%s needs the certificates of authorities, and %s%s; name a file "
                         "with sslrootcert, or sslrootcert=system for those built into replica",
                         conn->sslmode, is_set(path) ? path : "there is no home directory",
                         is_set(path) ? " does not exist" : " to look for them");
    } else {
        return true;
    }
    options->config.trust = options->trust;
    options->config.check_name = strcmp(conn->sslmode, "verify-full") == 0;
    if (options->trust == NULL)
        return false;
    if (options->config.check_name && !is_set(conn->connhost[conn->whichhost].host))
        return fault_set(fault, kind, "sslmode=verify-full needs a host name; hostaddr=%s is none",
                         options->config.name);
    return strcmp(path, "system") == 0 || revocation_check(conn, fault);
}

/* Who may read a private key; libpq's own rule, which thinks of a key that root owns and a group
 * may read. */
static bool
key_check(const char *certificate, const char *key, struct fault *fault)
{
    struct stat status;

    if (!is_set(key))
        return fault_set(fault, kind, "there is a certificate, %s, but no private key: set sslkey",
                         certificate);
    if (stat(key, &status) != 0)
        return fault_set(fault, kind,
                         "there is a certificate, %s, but its private key can't be read: %s: %s",
                         certificate, key, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fault_set(fault, kind, "the private key %s is not a regular file", key);
    mode_t refused = status.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if (status.st_mode & refused)
        return fault_set(fault, kind,
                         "the private key %s can be read by others, its mode is %04o; 0600 is "
                         "allowed, and 0640 when root owns it",
                         key, (unsigned) status.st_mode & 07777);
    return true;
}

static bool
identity_set(struct tls_options *options, const PGconn *conn, struct fault *fault)
{
    char certificate[MAXPGPATH], key[MAXPGPATH];
    struct stat status;

    file_name(certificate, conn->sslcert, USER_CERT_FILE);
    if (conn->sslcertmode[0] == 'd' || !is_set(certificate))
        return true;
    if (stat(certificate, &status) != 0) {
        /* The server may do without, and says so when it does not. */
        return errno == ENOENT || errno == ENOTDIR ||
               fault_set(fault, kind, "unable to open the certificate %s: %s", certificate,
                         strerror(errno));
    }
    file_name(key, conn->sslkey, USER_KEY_FILE);
    if (!key_check(certificate, key, fault))
        return false;
    options->identity = identity_open(certificate, key, kind, fault);
    options->config.identity = options->identity;
    return options->identity != NULL;
}

bool
tls_options_open(struct tls_options *options, const PGconn *conn, struct fault *fault)
{
    *options = (struct tls_options){.config = {
        .send_name = is_set(conn->sslsni) && conn->sslsni[0] == '1',
        .alpn = "postgresql",
        .alpn_required = conn->sslnegotiation[0] == 'd',
        .err = kind,
    }};
    peer_set(options, conn);
    return versions_check(conn, fault) && trust_set(options, conn, fault) &&
           identity_set(options, conn, fault);
}

void
tls_options_close(struct tls_options *options)
{
    trust_close(options->trust);
    identity_close(options->identity);
    *options = (struct tls_options){0};
}
