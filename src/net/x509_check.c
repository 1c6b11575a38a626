/* x509_check - see x509_check.h. */
#include "net/x509_check.h"

#include <string.h>

#include "base/clock.h"

enum {
    DAYS_BEFORE_1970 = 719528, /* BearSSL counts from the year 0 */
    SECONDS_A_DAY = 86400,
};

static struct x509_check *
check_of(const br_x509_class **context)
{
    return (struct x509_check *) context;
}

static void
on_start_chain(const br_x509_class **context, const char *server_name)
{
    struct x509_check *check = check_of(context);

    (void) server_name; /* what was sent as SNI; an address is not */
    check->count = 0;
    check->decided = check->ended = false;
    check->digest_size = 0;
    check->name_verdict = check->issuer_verdict = check->verdict = 0;
    if (check->trust != NULL)
        br_x509_minimal_vtable.start_chain(&check->engine.minimal.vtable, NULL);
    else
        br_x509_decoder_init(&check->engine.decoder, NULL, NULL);
}

static void
on_start_cert(const br_x509_class **context, uint32_t length)
{
    struct x509_check *check = check_of(context);

    check->size = 0;
    check->too_large = false;
    if (check->trust != NULL)
        br_x509_minimal_vtable.start_cert(&check->engine.minimal.vtable, length);
}

/* BearSSL's decoder must not be pushed on after it has failed: it would go on behind the
 * failure. */
static void
key_push(br_x509_decoder_context *decoder, const unsigned char *data, size_t size)
{
    int error = br_x509_decoder_last_error(decoder);

    if (error == 0 || error == BR_ERR_X509_TRUNCATED)
        br_x509_decoder_push(decoder, data, size);
}

static void
on_append(const br_x509_class **context, const unsigned char *data, size_t size)
{
    struct x509_check *check = check_of(context);

    if (size > sizeof check->certificate - check->size) {
        check->too_large = true;
    } else if (!check->decided && !check->too_large) {
        memcpy(check->certificate + check->size, data, size);
        check->size += size;
    }
    if (check->trust != NULL)
        br_x509_minimal_vtable.append(&check->engine.minimal.vtable, data, size);
    else if (check->count == 0)
        key_push(&check->engine.decoder, data, size);
}

/* The digest of RFC 5929 section 4.1. */
static void
digest_take(struct x509_check *check, int hash)
{
    const br_hash_class *class = hash == br_sha224_ID   ? &br_sha224_vtable
                                 : hash == br_sha256_ID ? &br_sha256_vtable
                                 : hash == br_sha384_ID ? &br_sha384_vtable
                                 : hash == br_sha512_ID ? &br_sha512_vtable
                                                        : NULL;
    br_hash_compat_context context;

    if (class == NULL)
        return;
    class->init(&context.vtable);
    class->update(&context.vtable, check->certificate, check->size);
    class->out(&context.vtable, check->digest);
    check->digest_size = (class->desc >> BR_HASHDESC_OUT_OFF) & BR_HASHDESC_OUT_MASK;
}

/* What we think of the server's own certificate, apart from its chain. */
static unsigned
own_verdict(struct x509_check *check, const struct x509 *x509)
{
    if (!x509_serves(x509))
        return X509_NOT_FOR_SERVERS;
    if (check->name == NULL)
        return 0;
    switch (x509_match(x509, check->name)) {
    case X509_MATCHES:
        return 0;
    case X509_DIFFERS:
        x509_names_text(x509, check->names);
        return BR_ERR_X509_BAD_SERVER_NAME;
    case X509_DAMAGED:
        break;
    }
    return X509_NAME_DAMAGED;
}

/* What we think of an authority between the server and those we trust.  BearSSL passes over what it
 * does not know unless it is critical; but authorities for mail alone, or for the names of one
 * company alone, stand below public ones, and these extensions are all that binds them. */
static unsigned
issuer_verdict(const struct x509_report *report, const struct x509 *x509)
{
    if (!report->read)
        return X509_ISSUER_UNREADABLE;
    if (!x509_serves(x509))
        return X509_ISSUER_NOT_FOR_SERVERS;
    return x509->constrained ? X509_ISSUER_CONSTRAINED : 0;
}

static bool
issuer_name_known(const struct trust *trust, const struct der *issuer)
{
    for (size_t i = 0; trust != NULL && i < trust->anchors_count; i++)
        if (der_is(issuer, trust->anchors[i].dn.data, trust->anchors[i].dn.len))
            return true;
    return false;
}

static void
report_fill(const struct x509_check *check, const struct x509 *x509, struct x509_report *report)
{
    report->self_signed = der_is(&x509->issuer, x509->subject.data, x509->subject.size);
    report->signature_strong = x509_signature_strong(x509);
    report->not_before_s = x509->not_before_s;
    report->not_after_s = x509->not_after_s;
    x509_name_text(&x509->subject, report->subject);
    x509_name_text(&x509->issuer, report->issuer);
    x509_oid_text(&x509->signature, report->signature);
    x509_oid_text(&x509->key, report->key);
    if (x509->unknown_given)
        x509_oid_text(&x509->unknown, report->unknown);
    report->issuer_name_known = issuer_name_known(check->trust, &x509->issuer);
}

/* Look at a certificate that has come whole. */
static void
certificate_look(struct x509_check *check)
{
    struct x509 x509;

    check->report = (struct x509_report){.index = check->count};
    check->report.read =
        !check->too_large && x509_read(check->certificate, check->size, &x509);
    if (check->report.read)
        report_fill(check, &x509, &check->report);
    if (check->count > 0 && check->issuer_verdict == 0) {
        check->issuer_verdict = issuer_verdict(&check->report, &x509);
        memcpy(check->issuer, check->report.subject, sizeof check->issuer);
    }
    if (check->count > 0)
        return;
    if (check->report.read) {
        check->name_verdict = own_verdict(check, &x509);
        digest_take(check, x509_signature_hash(&x509));
    } else {
        check->name_verdict = check->too_large ? X509_TOO_LARGE : X509_UNREADABLE;
    }
}

static void
on_end_cert(const br_x509_class **context)
{
    struct x509_check *check = check_of(context);

    if (check->trust != NULL)
        br_x509_minimal_vtable.end_cert(&check->engine.minimal.vtable);
    if (!check->decided)
        certificate_look(check);
    /* BearSSL tells its verdict only at the chain's end, but what it is about stands here. */
    check->decided = check->trust == NULL || check->engine.minimal.err != 0;
    check->count++;
}

static unsigned
on_end_chain(const br_x509_class **context)
{
    struct x509_check *check = check_of(context);

    check->ended = true;
    if (check->trust == NULL) {
        check->verdict = (unsigned) br_x509_decoder_last_error(&check->engine.decoder);
    } else {
        check->verdict = br_x509_minimal_vtable.end_chain(&check->engine.minimal.vtable);
        if (check->verdict == 0)
            check->verdict = check->name_verdict;
        if (check->verdict == 0)
            check->verdict = check->issuer_verdict;
    }
    return check->verdict;
}

static const br_x509_pkey *
on_get_pkey(const br_x509_class *const *context, unsigned *usages)
{
    struct x509_check *check = (struct x509_check *) context;

    if (check->verdict != 0)
        return NULL;
    if (check->trust != NULL)
        return br_x509_minimal_vtable.get_pkey(&check->engine.minimal.vtable, usages);
    if (usages != NULL)
        *usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    return br_x509_decoder_get_pkey(&check->engine.decoder);
}

static const br_x509_class check_class = {
    .context_size = sizeof(struct x509_check),
    .start_chain = on_start_chain,
    .start_cert = on_start_cert,
    .append = on_append,
    .end_cert = on_end_cert,
    .end_chain = on_end_chain,
    .get_pkey = on_get_pkey,
};

void
x509_check_at(struct x509_check *check, uint64_t epoch_ms)
{
    uint64_t seconds = epoch_ms / 1000;

    check->now_ms = epoch_ms;
    if (check->trust != NULL)
        br_x509_minimal_set_time(&check->engine.minimal,
                                 (uint32_t) (seconds / SECONDS_A_DAY) + DAYS_BEFORE_1970,
                                 (uint32_t) (seconds % SECONDS_A_DAY));
}

void
x509_check_init(struct x509_check *check, const struct trust *trust, const char *name,
                const br_ec_impl *ec)
{
    static const br_hash_class *const hashes[] = {&br_sha224_vtable, &br_sha256_vtable,
                                                  &br_sha384_vtable, &br_sha512_vtable};
    br_x509_minimal_context *minimal = &check->engine.minimal;

    *check = (struct x509_check){.vtable = &check_class, .trust = trust, .name = name};
    if (trust == NULL)
        return;
    br_x509_minimal_init(minimal, &br_sha256_vtable, trust->anchors, trust->anchors_count);
    br_x509_minimal_set_rsa(minimal, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(minimal, ec, br_ecdsa_vrfy_asn1_get_default());
    for (int i = 0; i < 4; i++)
        br_x509_minimal_set_hash(minimal, br_sha224_ID + i, hashes[i]);
    br_x509_minimal_set_minrsa(minimal, X509_RSA_BITS_MIN / 8);
    x509_check_at(check, clock_epoch_ms());
}
