/* store_url - see store_url.h. */
#include "store/store_url.h"

#include <string.h>

static const char file_scheme[] = "file://", s3_scheme[] = "s3://";

enum store_url_scheme
store_url_scheme(const char *url)
{
    if (strncmp(url, file_scheme, sizeof file_scheme - 1) == 0 &&
        url[sizeof file_scheme - 1] == '/')
        return STORE_URL_DIR;
    return strncmp(url, s3_scheme, sizeof s3_scheme - 1) == 0 ? STORE_URL_S3 : STORE_URL_NONE;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static bool
decode(struct text *path, const char *url, const char *encoded, struct fault *fault)
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

bool
store_url_path(const char *url, struct text *path, struct fault *fault)
{
    return decode(path, url, url + sizeof file_scheme - 1, fault);
}

/* The sentences do not repeat what stands before the '@': it may be a secret key. */
static bool
bucket_take(const char *url, struct text *bucket, const char **rest, struct fault *fault)
{
    const char *name = url + sizeof s3_scheme - 1;
    size_t size = strcspn(name, "/");

    *rest = name + size;
    if (memchr(name, '@', size) != NULL)
        return fault_set(fault, ERR_CONFIG,
                         "an s3 url holds no keys: it is s3://bucket/prefix, and the keys are "
                         "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    if (memchr(name, ':', size) != NULL && strncmp(name, "arn:", 4) != 0)
        return fault_set(fault, ERR_CONFIG,
                         "%s has a port where a bucket's name stands: it is s3://bucket/prefix, "
                         "and the server is AWS_ENDPOINT_URL_S3",
                         url);
    if (size == 0)
        return fault_set(fault, ERR_CONFIG, "%s names no bucket: it is s3://bucket/prefix", url);
    if (strcspn(name, "%?#\\") < size)
        return fault_set(fault, ERR_CONFIG, "'%c' in %s cannot stand in a bucket's name",
                         name[strcspn(name, "%?#\\")], url);
    text_add_bytes(bucket, name, size);
    return true;
}

static bool
part_check(const char *url, const char *part, size_t size, struct fault *fault)
{
    if (size == 0)
        return fault_set(fault, ERR_CONFIG, "%s has two slashes in a row", url);
    if (part[0] == '.' && (size == 1 || (size == 2 && part[1] == '.')))
        return fault_set(fault, ERR_CONFIG, "'%.*s' in %s is no name: keys are not paths",
                         (int) size, part, url);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char) part[i] < 0x20 || part[i] == 0x7f)
            return fault_set(fault, ERR_CONFIG, "%s has a control character in its prefix", url);
    return true;
}

bool
store_url_bucket(const char *url, struct text *bucket, struct text *prefix, struct fault *fault)
{
    const char *rest;
    struct text whole = {0};
    bool right = bucket_take(url, bucket, &rest, fault) &&
                 decode(&whole, url, rest + strspn(rest, "/"), fault);

    while (right && whole.size > 0 && whole.data[whole.size - 1] == '/')
        whole.size--;
    for (size_t at = 0; right && at < whole.size;) {
        const char *part = whole.data + at;
        const char *slash = memchr(part, '/', whole.size - at);
        size_t size = slash == NULL ? whole.size - at : (size_t) (slash - part);
        right = part_check(url, part, size, fault);
        at += size + 1;
    }
    if (right && whole.size >= STORE_PREFIX_MAX)
        right = fault_set(fault, ERR_CONFIG, "the prefix in %s has %zu bytes; at most %d are taken",
                          url, whole.size, STORE_PREFIX_MAX - 1);
    if (right && whole.size > 0) {
        text_add_bytes(prefix, whole.data, whole.size);
        text_add(prefix, "/");
    }
    text_free(&whole);
    return right;
}
