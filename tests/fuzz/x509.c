/* x509: any bytes are a certificate or none; what is read stays within them, and the checker beside
 * BearSSL comes to the same end in whatever pieces they arrive. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/x509_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
within(const struct der *der, const uint8_t *data, size_t size)
{
    if (der->data != NULL && (der->data < data || der->data + der->size > data + size))
        abort();
}

static void
look(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"db.example.com", "10.0.0.5", "::1", "*.example.com", "."};
    char name[X509_NAME_BYTES], all[X509_NAMES_BYTES], oid[X509_OID_BYTES];
    struct x509 x509;

    if (!x509_read(data, size, &x509))
        return;
    const struct der *spans[] = {&x509.issuer,    &x509.subject,  &x509.signature, &x509.key,
                                 &x509.alt_names, &x509.purposes, &x509.unknown};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        within(spans[i], data, size);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        x509_match(&x509, names[i]);
    if (strlen(x509_names_text(&x509, all)) >= sizeof all ||
        strlen(x509_name_text(&x509.subject, name)) >= sizeof name ||
        strlen(x509_name_text(&x509.issuer, name)) >= sizeof name ||
        strlen(x509_oid_text(&x509.key, oid)) >= sizeof oid)
        abort();
    x509_serves(&x509);
    x509_signature_hash(&x509);
}

/* A key that both read, we and BearSSL, is the same one. */
static void
compare_keys(const uint8_t *data, size_t size)
{
    br_x509_decoder_context decoder;
    br_x509_pkey ours;
    struct x509 x509;

    br_x509_decoder_init(&decoder, NULL, NULL);
    br_x509_decoder_push(&decoder, data, size);
    const br_x509_pkey *theirs = br_x509_decoder_get_pkey(&decoder);
    if (theirs == NULL || !x509_read(data, size, &x509) || !x509_public_key(&x509, &ours))
        return;
    if (ours.key_type != theirs->key_type)
        abort();
    if (ours.key_type == BR_KEYTYPE_EC) {
        if (ours.key.ec.curve != theirs->key.ec.curve ||
            ours.key.ec.qlen != theirs->key.ec.qlen ||
            memcmp(ours.key.ec.q, theirs->key.ec.q, ours.key.ec.qlen) != 0)
            abort();
    } else if (ours.key.rsa.nlen != theirs->key.rsa.nlen ||
               ours.key.rsa.elen != theirs->key.rsa.elen ||
               memcmp(ours.key.rsa.n, theirs->key.rsa.n, ours.key.rsa.nlen) != 0 ||
               memcmp(ours.key.rsa.e, theirs->key.rsa.e, ours.key.rsa.elen) != 0) {
        abort();
    }
}

static unsigned
check_whole(struct x509_check *check, const struct trust *trust, const uint8_t *data, size_t size,
            size_t piece)
{
    struct fault fault = {0};

    x509_check_init(check, trust, "db.example.com", br_ec_get_default());
    x509_check_at(check, 1800000000000);
    check->vtable->start_chain(&check->vtable, NULL);
    check->vtable->start_cert(&check->vtable, (uint32_t) size);
    for (size_t at = 0; at < size; at += piece)
        check->vtable->append(&check->vtable, data + at, size - at < piece ? size - at : piece);
    check->vtable->end_cert(&check->vtable);
    unsigned verdict = check->vtable->end_chain(&check->vtable);
    if (verdict != 0 && (x509_check_explain(check, "db:5432", ERR_STORE, &fault) ||
                         fault.err != ERR_STORE))
        abort();
    return verdict;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct x509_check check;
    static const struct trust nobody = {.origin = "nobody"};

    look(data, size);
    compare_keys(data, size);
    if (size == 0)
        return 0;
    unsigned verdict = check_whole(&check, &nobody, data, size, 256);
    if (verdict == 0 || check_whole(&check, &nobody, data, size, 7) != verdict)
        abort();
    verdict = check_whole(&check, NULL, data, size, 256);
    if (check_whole(&check, NULL, data, size, 7) != verdict)
        abort();
    return 0;
}
