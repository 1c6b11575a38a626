/* tls_engine - see tls_engine.h. */
#include "net/tls_engine.h"

#include <stdbool.h>
#include <string.h>

#include "base/random.h"

enum { SEED_BYTES = 48 };

/* The order in which they are offered: AES comes first where the processor knows it. */
static const struct suite {
    uint16_t number;
    bool aes;
    unsigned bits;
    const char *name;
} suites[] = {
    {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true, 128, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true, 128, "ECDHE-RSA-AES128-GCM-SHA256"},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true, 256, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, true, 256, "ECDHE-RSA-AES256-GCM-SHA384"},
    {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false, 256, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, false, 256, "ECDHE-RSA-CHACHA20-POLY1305"},
};

enum { SUITES = sizeof suites / sizeof suites[0] };

/* BearSSL multiplies a point of small order on Curve25519 as if nothing were wrong, and the secret
 * is zero, for everyone to know (RFC 8422 section 5.11). */
static uint32_t
checked_mul(unsigned char *point, size_t size, const unsigned char *factor, size_t factor_size,
            int curve)
{
    uint32_t good = br_ec_get_default()->mul(point, size, factor, factor_size, curve);
    unsigned char any = 0;

    if (curve != BR_EC_curve25519)
        return good;
    for (size_t i = 0; i < size; i++)
        any |= point[i];
    return any == 0 ? 0 : good;
}

static void
suites_set(br_ssl_engine_context *engine)
{
    bool aes_first = br_aes_x86ni_ctr_get_vtable() != NULL && br_ghash_pclmul_get() != NULL;
    uint16_t numbers[SUITES];
    size_t count = 0;

    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < SUITES; i++)
            if (suites[i].aes == (aes_first == (turn == 0)))
                numbers[count++] = suites[i].number;
    br_ssl_engine_set_suites(engine, numbers, count);
}

void
tls_engine_init(br_ssl_client_context *client, br_ec_impl *ec)
{
    br_ssl_engine_context *engine = &client->eng;
    unsigned char seed[SEED_BYTES];

    br_ssl_client_zero(client);
    *ec = *br_ec_get_default();
    ec->mul = checked_mul;
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    suites_set(engine);
    br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(engine, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(engine, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
    br_ssl_engine_set_default_aes_gcm(engine);
    br_ssl_engine_set_default_chapol(engine);
    br_ssl_engine_set_ec(engine, ec);
    br_ssl_engine_set_rsavrfy(engine, br_rsa_pkcs1_vrfy_get_default());
    br_ssl_engine_set_ecdsa(engine, br_ecdsa_vrfy_asn1_get_default());
    br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION);

    /* BearSSL's own seeder opens /dev/urandom, which an empty image need not have. */
    random_bytes(seed, sizeof seed);
    br_ssl_engine_inject_entropy(engine, seed, sizeof seed);
    explicit_bzero(seed, sizeof seed);
}

static const struct suite *
suite_find(unsigned number)
{
    for (size_t i = 0; i < SUITES; i++)
        if (suites[i].number == number)
            return &suites[i];
    return NULL;
}

const char *
tls_engine_suite_name(unsigned number)
{
    const struct suite *suite = suite_find(number);
    return suite == NULL ? "" : suite->name;
}

unsigned
tls_engine_suite_bits(unsigned number)
{
    const struct suite *suite = suite_find(number);
    return suite == NULL ? 0 : suite->bits;
}
