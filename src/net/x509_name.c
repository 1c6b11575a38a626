/* x509_name - the names in a certificate: for people, and against the name that was asked for.
 * See x509.h. */
#include "net/x509.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    DNS_NAME = DER_CONTEXT + 2,
    IP_ADDRESS = DER_CONTEXT + 7,
    ADDRESS_BYTES_MAX = 16,
};

/* Bytes of others, added to a text of ours as far as they fit. */
struct shown {
    char *text;
    size_t size, used;
};

static void
shown_add(struct shown *shown, const char *text)
{
    size_t size = strlen(text);

    if (size > shown->size - 1 - shown->used)
        size = shown->size - 1 - shown->used;
    memcpy(shown->text + shown->used, text, size);
    shown->used += size;
    shown->text[shown->used] = '\0';
}

/* A string of any type.  Bytes above ASCII pass in UTF-8 only; BMP strings are two bytes each. */
static void
shown_add_string(struct shown *shown, uint8_t tag, const struct der *string)
{
    size_t step = tag == DER_BMP ? 2 : 1;

    for (size_t i = step - 1; i < string->size && shown->used < shown->size - 1; i += step) {
        uint8_t byte = string->data[i];
        bool plain = byte >= 0x20 && byte < 0x7f && (step == 1 || string->data[i - 1] == 0);
        if (!plain && (tag != DER_UTF8 || byte < 0x80))
            byte = '?';
        shown->text[shown->used++] = (char) byte;
    }
    shown->text[shown->used] = '\0';
}

/* ---- distinguished names -------------------------------------------------------------- */

/* Take the next attribute of a name: the name is a SEQUENCE of SETs of pairs. */
static bool
attribute_take(struct der *name, struct der *set, struct der *oid, uint8_t *tag, struct der *value)
{
    struct der pair;

    while (set->size == 0)
        if (!der_expect(name, DER_SET, set))
            return false;
    return der_expect(set, DER_SEQUENCE, &pair) && der_expect(&pair, DER_OID, oid) &&
           der_take(&pair, tag, value);
}

/* Short names of the usual attributes, all below 2.5.4 (RFC 4519). */
static const char *
attribute_name(const struct der *oid)
{
    static const struct {
        uint8_t number;
        const char *name;
    } names[] = {{3, "CN"}, {6, "C"}, {7, "L"}, {8, "ST"}, {10, "O"}, {11, "OU"}};

    if (oid->size != 3 || oid->data[0] != 0x55 || oid->data[1] != 0x04)
        return "?";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (oid->data[2] == names[i].number)
            return names[i].name;
    return "?";
}

/* The last common name, which is the most particular one. */
static bool
common_name(const struct der *whole, uint8_t *tag, struct der *value)
{
    struct der rest = *whole, name, set = {0}, oid, found;
    uint8_t found_tag;
    bool any = false;

    if (!der_expect(&rest, DER_SEQUENCE, &name))
        return false;
    while (attribute_take(&name, &set, &oid, &found_tag, &found))
        if (der_is(&oid, "\x55\x04\x03", 3)) {
            *tag = found_tag;
            *value = found;
            any = true;
        }
    return any;
}

const char *
x509_name_text(const struct der *whole, char text[static X509_NAME_BYTES])
{
    struct shown shown = {.text = text, .size = X509_NAME_BYTES};
    struct der rest = *whole, name, set = {0}, oid, value;
    uint8_t tag;

    text[0] = '\0';
    if (common_name(whole, &tag, &value)) {
        shown_add(&shown, "CN=");
        shown_add_string(&shown, tag, &value);
        return text;
    }
    if (der_expect(&rest, DER_SEQUENCE, &name))
        while (attribute_take(&name, &set, &oid, &tag, &value)) {
            shown_add(&shown, shown.used > 0 ? ", " : "");
            shown_add(&shown, attribute_name(&oid));
            shown_add(&shown, "=");
            shown_add_string(&shown, tag, &value);
        }
    if (shown.used == 0)
        shown_add(&shown, "an empty name");
    return text;
}

/* ---- whom it is made out to ----------------------------------------------------------- */

/* "*.example.com" against "db.example.com": the star is one label, neither none nor two.  "*.com"
 * would be half the world. */
static bool
wildcard_matches(const char *pattern, size_t pattern_size, const char *name, size_t name_size)
{
    const char *dot = memchr(name, '.', name_size);

    if (pattern_size < 3 || pattern[0] != '*' || pattern[1] != '.' || dot == NULL || dot == name)
        return false;
    size_t label = (size_t) (dot - name);
    return memchr(pattern + 2, '.', pattern_size - 2) != NULL &&
           memchr(pattern + 2, '*', pattern_size - 2) == NULL &&
           pattern_size - 1 == name_size - label &&
           strncasecmp(pattern + 1, dot, pattern_size - 1) == 0;
}

static bool
dns_matches(const struct der *entry, const char *name)
{
    const char *pattern = (const char *) entry->data;
    size_t size = strlen(name), pattern_size = entry->size;

    /* "db.example.com." is the same name, said to be complete. */
    size -= size > 0 && name[size - 1] == '.';
    if (size == 0 || pattern_size == 0)
        return false;
    return (pattern_size == size && strncasecmp(pattern, name, size) == 0) ||
           wildcard_matches(pattern, pattern_size, name, size);
}

/* The bytes of an address, 4 or 16; 0 when the name is none. */
static size_t
address_bytes(const char *name, uint8_t address[static ADDRESS_BYTES_MAX])
{
    if (inet_pton(AF_INET, name, address) == 1)
        return 4;
    return inet_pton(AF_INET6, name, address) == 1 ? 16 : 0;
}

static enum x509_match
common_name_match(const struct x509 *x509, const char *name, bool is_address)
{
    struct der value;
    uint8_t tag;

    if (!common_name(&x509->subject, &tag, &value))
        return X509_DIFFERS;
    if (memchr(value.data, '\0', value.size) != NULL)
        return tag == DER_BMP ? X509_DIFFERS : X509_DAMAGED;
    if (is_address)
        return value.size == strlen(name) &&
                       strncasecmp((const char *) value.data, name, value.size) == 0
                   ? X509_MATCHES
                   : X509_DIFFERS;
    return dns_matches(&value, name) ? X509_MATCHES : X509_DIFFERS;
}

enum x509_match
x509_match(const struct x509 *x509, const char *name)
{
    uint8_t address[ADDRESS_BYTES_MAX], tag;
    size_t address_size = address_bytes(name, address);
    struct der rest = x509->alt_names, entry;
    bool matches = false, of_kind = false;

    while (rest.size > 0) {
        if (!der_take(&rest, &tag, &entry))
            return X509_DAMAGED;
        if (tag == DNS_NAME && entry.size > 0 && memchr(entry.data, '\0', entry.size) != NULL)
            return X509_DAMAGED;
        if (tag != (address_size > 0 ? IP_ADDRESS : DNS_NAME))
            continue;
        of_kind = true;
        matches |= address_size > 0 ? der_is(&entry, address, address_size)
                                    : dns_matches(&entry, name);
    }
    if (of_kind)
        return matches ? X509_MATCHES : X509_DIFFERS;
    return common_name_match(x509, name, address_size > 0);
}

/* An entry of subjectAltName as text; false for a kind that names no host. */
static bool
entry_text(uint8_t tag, const struct der *entry, char *text, size_t size)
{
    struct shown shown = {.text = text, .size = size};

    text[0] = '\0';
    if (tag == DNS_NAME) {
        shown_add_string(&shown, tag, entry);
        return true;
    }
    if (tag != IP_ADDRESS || (entry->size != 4 && entry->size != 16))
        return false;
    return inet_ntop(entry->size == 4 ? AF_INET : AF_INET6, entry->data, text,
                     (socklen_t) size) != NULL;
}

/* The next name of a host, with its text. */
static bool
host_take(struct der *rest, char text[static X509_NAME_BYTES])
{
    struct der entry;
    uint8_t tag;

    while (der_take(rest, &tag, &entry))
        if (entry_text(tag, &entry, text, X509_NAME_BYTES))
            return true;
    return false;
}

const char *
x509_names_text(const struct x509 *x509, char text[static X509_NAMES_BYTES])
{
    struct shown shown = {.text = text, .size = X509_NAMES_BYTES};
    struct der rest = x509->alt_names, value;
    char host[X509_NAME_BYTES], more[32];
    unsigned count = 0, at = 0;
    uint8_t tag;

    text[0] = '\0';
    while (host_take(&rest, host))
        count++;
    if (count == 0 && common_name(&x509->subject, &tag, &value))
        shown_add_string(&shown, tag, &value);
    rest = x509->alt_names;
    while (at < X509_NAMES_SHOWN_MAX && host_take(&rest, host)) {
        shown_add(&shown, at == 0 ? "" : at + 1 == count ? " and " : ", ");
        shown_add(&shown, host);
        at++;
    }
    if (count > at) {
        snprintf(more, sizeof more, " and %u more", count - at);
        shown_add(&shown, more);
    }
    return text;
}
