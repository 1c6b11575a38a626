/* sigv4 - see sigv4.h. */
#include "s3/sigv4.h"

#include <assert.h>
#include <bearssl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "codec/sha256.h"

static const char algorithm[] = "AWS4-HMAC-SHA256";

/* The order in which query fields or headers are written. */
struct order {
    size_t index[SIGV4_FIELDS_MAX];
};

void
sigv4_date(char date[static SIGV4_DATE_TEXT], uint64_t epoch_ms)
{
    time_t seconds = (time_t) (epoch_ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    size_t size = strftime(date, SIGV4_DATE_TEXT, "%Y%m%dT%H%M%SZ", &tm);
    assert(size == SIGV4_DATE_TEXT - 1);
}

static void
hex_write(char text[static SIGV4_HASH_TEXT], const uint8_t digest[static 32])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 32; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[64] = '\0';
}

void
sigv4_hash(char hash[static SIGV4_HASH_TEXT], const void *data, size_t size)
{
    struct sha256 sha256;
    uint8_t digest[32];

    sha256_init(&sha256);
    sha256_update(&sha256, data, size);
    sha256_out(&sha256, digest);
    hex_write(hash, digest);
}

/* ---- path and query -------------------------------------------------------------------------- */

static bool
is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void
sigv4_encode(struct text *text, const char *raw, bool keep_slash)
{
    for (const char *at = raw; *at != '\0';) {
        const char *begin = at;
        while (is_unreserved((unsigned char) *at) || (*at == '/' && keep_slash))
            at++;
        text_add_bytes(text, begin, (size_t) (at - begin));
        if (*at != '\0')
            text_addf(text, "%%%02X", (unsigned char) *at++);
    }
}

/* Where a byte stands among others once they are encoded, without encoding them: the end of a text
 * before all, '%' before whatever stays itself. */
static unsigned
rank(char c)
{
    unsigned char byte = (unsigned char) c;
    return is_unreserved(byte) ? 256u + byte : byte;
}

static int
compare_encoded(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return (int) rank(*a) - (int) rank(*b);
}

static int
compare_query(const struct sigv4_field *a, const struct sigv4_field *b)
{
    int names = compare_encoded(a->name, b->name);
    return names != 0 ? names : compare_encoded(a->value, b->value);
}

/* Names of headers are ASCII; repeated ones keep their order, so the sort must be stable. */
static int
compare_headers(const struct sigv4_field *a, const struct sigv4_field *b)
{
    return strcasecmp(a->name, b->name);
}

static void
order_make(struct order *order, const struct sigv4_field *fields, size_t count,
           int (*compare)(const struct sigv4_field *, const struct sigv4_field *))
{
    assert(count <= SIGV4_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && compare(&fields[order->index[at - 1]], &fields[i]) > 0; at--)
            order->index[at] = order->index[at - 1];
        order->index[at] = i;
    }
}

static void
query_add(struct text *text, const struct sigv4_request *request)
{
    struct order order;

    order_make(&order, request->query, request->query_count, compare_query);
    for (size_t i = 0; i < request->query_count; i++) {
        const struct sigv4_field *field = &request->query[order.index[i]];
        if (i > 0)
            text_add(text, "&");
        sigv4_encode(text, field->name, false);
        text_add(text, "=");
        sigv4_encode(text, field->value, false);
    }
}

void
sigv4_target(struct text *text, const struct sigv4_request *request)
{
    assert(request->path[0] == '/');
    if (request->path_rule == SIGV4_PATH_S3)
        sigv4_encode(text, request->path, true);
    else
        text_add(text, request->path);
    if (request->query_count > 0) {
        text_add(text, "?");
        query_add(text, request);
    }
}

/* Without empty segments, "." and ".." (RFC 3986, section 5.2.4), then encoded. */
static void
path_normalise(struct text *text, const char *path)
{
    struct text clean = {0};
    size_t size;

    for (const char *at = path; *at != '\0'; at += size) {
        at += strspn(at, "/");
        size = strcspn(at, "/");
        if (size == 2 && memcmp(at, "..", 2) == 0) {
            const char *parent = clean.size == 0 ? NULL : memrchr(clean.data, '/', clean.size);
            clean.size = parent == NULL ? 0 : (size_t) (parent - clean.data);
        } else if (size > 0 && !(size == 1 && *at == '.')) {
            text_add(&clean, "/");
            text_add_bytes(&clean, at, size);
        }
    }
    if (clean.size == 0 || path[strlen(path) - 1] == '/')
        text_add(&clean, "/");
    text_add_bytes(&clean, "", 0); /* ".." moved its end */
    sigv4_encode(text, text_of(&clean), true);
    text_free(&clean);
}

/* ---- headers --------------------------------------------------------------------------------- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without blanks around it, and with one for each run of them inside. */
static void
value_add(struct text *text, const char *value)
{
    bool first = true, parted = false;

    for (; *value != '\0'; value++) {
        if (is_blank(*value)) {
            parted = !first;
            continue;
        }
        if (parted)
            text_add(text, " ");
        text_add_bytes(text, value, 1);
        parted = first = false;
    }
}

static void
name_add(struct text *text, const char *name)
{
    for (; *name != '\0'; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char) (*name | 0x20) : *name;
        text_add_bytes(text, &c, 1);
    }
}

static void
headers_add(struct text *text, const struct sigv4_request *request, const struct order *order)
{
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct sigv4_field *header = &request->headers[order->index[i]];
        if (i > 0 && compare_headers(header, &request->headers[order->index[i - 1]]) == 0) {
            text->data[text->size - 1] = ','; /* in place of the line's end */
        } else {
            name_add(text, header->name);
            text_add(text, ":");
        }
        value_add(text, header->value);
        text_add(text, "\n");
    }
}

static void
headers_name(struct text *text, const struct sigv4_request *request, const struct order *order)
{
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct sigv4_field *header = &request->headers[order->index[i]];
        if (i > 0 && compare_headers(header, &request->headers[order->index[i - 1]]) == 0)
            continue;
        if (i > 0)
            text_add(text, ";");
        name_add(text, header->name);
    }
}

/* ---- the three points ------------------------------------------------------------------------ */

void
sigv4_canonical(struct text *text, const struct sigv4_request *request)
{
    struct order order;

    assert(request->path[0] == '/');
    order_make(&order, request->headers, request->headers_count, compare_headers);
    text_addf(text, "%s\n", request->method);
    if (request->path_rule == SIGV4_PATH_S3)
        sigv4_encode(text, request->path, true);
    else
        path_normalise(text, request->path);
    text_add(text, "\n");
    query_add(text, request);
    text_add(text, "\n");
    headers_add(text, request, &order);
    text_add(text, "\n");
    headers_name(text, request, &order);
    text_addf(text, "\n%s", request->payload_hash);
}

static void
scope_add(struct text *text, const struct sigv4_scope *scope)
{
    text_addf(text, "%.8s/%s/%s/aws4_request", scope->date, scope->region, scope->service);
}

void
sigv4_string_to_sign(struct text *text, const struct sigv4_scope *scope, const char *canonical,
                     size_t canonical_size)
{
    char hash[SIGV4_HASH_TEXT];

    sigv4_hash(hash, canonical, canonical_size);
    text_addf(text, "%s\n%s\n", algorithm, scope->date);
    scope_add(text, scope);
    text_addf(text, "\n%s", hash);
}

/* digest may be where the key lies. */
static void
hmac(uint8_t digest[static 32], const void *key, size_t key_size, const void *data, size_t size)
{
    br_hmac_key_context context;
    br_hmac_context mac;

    br_hmac_key_init(&context, &br_sha256_vtable, key, key_size);
    br_hmac_init(&mac, &context, 0);
    br_hmac_update(&mac, data, size);
    br_hmac_out(&mac, digest);
    explicit_bzero(&context, sizeof context);
    explicit_bzero(&mac, sizeof mac);
}

/* A region or service too long to be kept is cut here, so that it never equals and the key is
 * derived each time. */
static bool
key_is_stale(const struct sigv4_key *key, const struct sigv4_scope *scope)
{
    return strncmp(key->day, scope->date, 8) != 0 || key->generation != scope->generation ||
           strcmp(key->region, scope->region) != 0 || strcmp(key->service, scope->service) != 0;
}

static void
key_derive(struct sigv4_key *key, const struct sigv4_scope *scope)
{
    struct text secret = {0};

    snprintf(key->day, sizeof key->day, "%.8s", scope->date);
    snprintf(key->region, sizeof key->region, "%s", scope->region);
    snprintf(key->service, sizeof key->service, "%s", scope->service);
    key->generation = scope->generation;

    text_addf(&secret, "AWS4%s", scope->secret_key);
    hmac(key->bytes, secret.data, secret.size, scope->date, 8);
    hmac(key->bytes, key->bytes, sizeof key->bytes, scope->region, strlen(scope->region));
    hmac(key->bytes, key->bytes, sizeof key->bytes, scope->service, strlen(scope->service));
    hmac(key->bytes, key->bytes, sizeof key->bytes, "aws4_request", 12);
    explicit_bzero(secret.data, secret.size);
    text_free(&secret);
}

void
sigv4_signature(char signature[static SIGV4_HASH_TEXT], struct sigv4_key *key,
                const struct sigv4_scope *scope, const char *string_to_sign, size_t size)
{
    uint8_t digest[32];

    assert(strlen(scope->date) == SIGV4_DATE_TEXT - 1);
    if (key_is_stale(key, scope))
        key_derive(key, scope);
    hmac(digest, key->bytes, sizeof key->bytes, string_to_sign, size);
    hex_write(signature, digest);
}

void
sigv4_authorize(struct text *text, struct sigv4_key *key, const struct sigv4_scope *scope,
                const struct sigv4_request *request)
{
    struct text canonical = {0}, string_to_sign = {0};
    char signature[SIGV4_HASH_TEXT];
    struct order order;

    sigv4_canonical(&canonical, request);
    sigv4_string_to_sign(&string_to_sign, scope, canonical.data, canonical.size);
    sigv4_signature(signature, key, scope, string_to_sign.data, string_to_sign.size);

    text_addf(text, "%s Credential=%s/", algorithm, scope->access_key);
    scope_add(text, scope);
    text_add(text, ", SignedHeaders=");
    order_make(&order, request->headers, request->headers_count, compare_headers);
    headers_name(text, request, &order);
    text_addf(text, ", Signature=%s", signature);

    explicit_bzero(canonical.data, canonical.size); /* it may hold a session token */
    text_free(&canonical);
    text_free(&string_to_sign);
}
