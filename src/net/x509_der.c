/* x509_der - see x509_der.h. */
#include "net/x509_der.h"

#include <stdio.h>
#include <string.h>

enum { LENGTH_BYTES_MAX = 4 };

bool
der_take(struct der *rest, uint8_t *tag, struct der *body)
{
    const uint8_t *at = rest->data;
    size_t left = rest->size;

    if (left < 2 || (at[0] & 0x1f) == 0x1f)
        return false;
    uint8_t first = at[0];
    size_t length = at[1];
    at += 2;
    left -= 2;
    if (length >= 0x80) {
        size_t bytes = length & 0x7f;
        if (bytes == 0 || bytes > LENGTH_BYTES_MAX || bytes > left)
            return false;
        left -= bytes;
        for (length = 0; bytes > 0; bytes--)
            length = length << 8 | *at++;
    }
    if (length > left)
        return false;
    *tag = first;
    *body = (struct der){at, length};
    *rest = (struct der){at + length, left - length};
    return true;
}

bool
der_expect(struct der *rest, uint8_t tag, struct der *body)
{
    uint8_t found;
    return rest->size > 0 && rest->data[0] == tag && der_take(rest, &found, body);
}

bool
der_option(struct der *rest, uint8_t tag, struct der *body)
{
    *body = (struct der){0};
    return rest->size == 0 || rest->data[0] != tag || der_expect(rest, tag, body);
}

bool
der_is(const struct der *der, const void *data, size_t size)
{
    return der->size == size && (size == 0 || memcmp(der->data, data, size) == 0);
}

const char *
der_oid_text(const struct der *oid, char text[static DER_OID_TEXT_BYTES])
{
    uint64_t number = 0;
    size_t used = 0;
    bool first = true;

    text[0] = '\0';
    for (size_t i = 0; i < oid->size && used < DER_OID_TEXT_BYTES - 24; i++) {
        number = number << 7 | (oid->data[i] & 0x7f);
        if ((oid->data[i] & 0x80) != 0)
            continue;
        /* The first two share one number: 40 times the first, which is 0 to 2, and the second. */
        unsigned top = number < 40 ? 0 : number < 80 ? 1 : 2;
        int length = first ? snprintf(text + used, 48, "%u.%llu", top,
                                      (unsigned long long) (number - top * 40ULL))
                           : snprintf(text + used, 24, ".%llu", (unsigned long long) number);
        used += (size_t) length;
        number = 0;
        first = false;
    }
    return text;
}
