/* identity - see identity.h.  BearSSL signs with whatever key it is given; that the key belongs to
 * the certificate is found out here, not by a server's "decrypt error". */
#include "net/identity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "net/pem.h"

/* BearSSL's limit for RSA, in both directions. */
enum { RSA_BITS_MAX = 4096 };

struct identity {
    struct arena arena; /* the certificates */
    br_x509_certificate *chain;
    size_t chain_length;
    br_x509_decoder_context certificate; /* of the first one; holds its public key */
    br_skey_decoder_context key;
};

static bool
name_is(const struct pem_object *object, const char *name)
{
    return object->name[0] == '\0' || strcmp(object->name, name) == 0;
}

static bool
chain_read(struct identity *identity, const char *path, enum err err, struct fault *fault)
{
    struct pem pem;

    if (!pem_file_read(&identity->arena, path, "client certificate", &pem, err, fault))
        return false;
    identity->chain = arena_array(&identity->arena, pem.count, sizeof *identity->chain);
    for (size_t i = 0; i < pem.count; i++)
        if (name_is(&pem.objects[i], "CERTIFICATE"))
            identity->chain[identity->chain_length++] =
                (br_x509_certificate){pem.objects[i].data, pem.objects[i].size};
    if (identity->chain_length == 0)
        return fault_set(fault, err, "%s holds no certificate", path);

    br_x509_decoder_init(&identity->certificate, NULL, NULL);
    br_x509_decoder_push(&identity->certificate, identity->chain[0].data,
                         identity->chain[0].data_len);
    if (br_x509_decoder_get_pkey(&identity->certificate) == NULL)
        return fault_set(fault, err, "the client certificate in %s cannot be used: replica reads "
                         "RSA keys up to %d bits and EC keys on P-256, P-384 and P-521", path,
                         RSA_BITS_MAX);
    return true;
}

/* The first private key among the objects; "EC PARAMETERS" may stand before it. */
static const struct pem_object *
key_find(const struct pem *pem)
{
    for (size_t i = 0; i < pem->count; i++)
        if (name_is(&pem->objects[i], "PRIVATE KEY") ||
            name_is(&pem->objects[i], "RSA PRIVATE KEY") ||
            name_is(&pem->objects[i], "EC PRIVATE KEY"))
            return &pem->objects[i];
    return NULL;
}

static bool
is_encrypted(const struct pem *pem)
{
    bool encrypted = pem->encrypted;

    for (size_t i = 0; i < pem->count; i++)
        encrypted |= strcmp(pem->objects[i].name, "ENCRYPTED PRIVATE KEY") == 0;
    return encrypted;
}

static bool
key_decode(struct identity *identity, const struct pem *pem, const char *path, enum err err,
           struct fault *fault)
{
    const struct pem_object *object = key_find(pem);

    if (object == NULL && is_encrypted(pem))
        return fault_set(fault, err, "the private key in %s is encrypted; replica needs it without "
                         "a passphrase (openssl pkey -in FILE -out FILE)", path);
    if (object == NULL)
        return fault_set(fault, err, "%s holds no private key", path);
    br_skey_decoder_init(&identity->key);
    br_skey_decoder_push(&identity->key, object->data, object->size);
    if (br_skey_decoder_last_error(&identity->key) != 0)
        return fault_set(fault, err, "the private key in %s cannot be used: replica reads RSA keys "
                         "up to %d bits and EC keys on P-256, P-384 and P-521, as PKCS#8 or legacy "
                         "PEM", path, RSA_BITS_MAX);
    return true;
}

/* Overwrite what the file's bytes were copied to, on the way to the decoder. */
static void
arena_wipe(struct arena *arena, const struct pem *pem)
{
    for (size_t i = 0; i < pem->count; i++)
        explicit_bzero(pem->objects[i].data, pem->objects[i].size);
    arena_free(arena);
}

static bool
key_read(struct identity *identity, const char *path, enum err err, struct fault *fault)
{
    struct arena arena = {0};
    struct pem pem = {0};
    bool read = pem_file_read(&arena, path, "private key", &pem, err, fault) &&
                key_decode(identity, &pem, path, err, fault);

    arena_wipe(&arena, &pem);
    return read;
}

/* By a signature that is made and checked: BearSSL's br_rsa_compute_modulus() has no room for the
 * modulus of a key of 4096 bits. */
static bool
rsa_belongs(const br_rsa_private_key *key, const br_rsa_public_key *public)
{
    static const unsigned char hash[br_sha256_SIZE] = {1};
    unsigned char signature[RSA_BITS_MAX / 8], signed_hash[br_sha256_SIZE];
    size_t size = (key->n_bitlen + 7) / 8;

    if (size > sizeof signature || size != public->nlen)
        return false;
    return br_rsa_pkcs1_sign_get_default()(BR_HASH_OID_SHA256, hash, sizeof hash, key,
                                           signature) != 0 &&
           br_rsa_pkcs1_vrfy_get_default()(signature, size, BR_HASH_OID_SHA256, sizeof hash,
                                           public, signed_hash) != 0 &&
           memcmp(hash, signed_hash, sizeof hash) == 0;
}

static bool
ec_belongs(const br_ec_private_key *key, const br_ec_public_key *public)
{
    unsigned char point[BR_EC_KBUF_PUB_MAX_SIZE];
    br_ec_public_key computed;
    size_t size = br_ec_compute_pub(br_ec_get_default(), &computed, point, key);

    return size > 0 && computed.curve == public->curve && size == public->qlen &&
           memcmp(point, public->q, size) == 0;
}

static bool
key_belongs(struct identity *identity)
{
    const br_x509_pkey *public = br_x509_decoder_get_pkey(&identity->certificate);

    if (public->key_type != br_skey_decoder_key_type(&identity->key))
        return false;
    return public->key_type == BR_KEYTYPE_RSA
               ? rsa_belongs(br_skey_decoder_get_rsa(&identity->key), &public->key.rsa)
               : ec_belongs(br_skey_decoder_get_ec(&identity->key), &public->key.ec);
}

struct identity *
identity_open(const char *certificate_file, const char *key_file, enum err err,
              struct fault *fault)
{
    struct identity *identity = calloc(1, sizeof *identity);

    if (identity == NULL)
        memory_exhausted(sizeof *identity);
    if (!chain_read(identity, certificate_file, err, fault) ||
        !key_read(identity, key_file, err, fault)) {
        identity_close(identity);
        return NULL;
    }
    if (!key_belongs(identity)) {
        fault_set(fault, err, "the private key in %s does not belong to the certificate in %s",
                  key_file, certificate_file);
        identity_close(identity);
        return NULL;
    }
    return identity;
}

void
identity_use(const struct identity *identity, br_ssl_client_context *client)
{
    if (br_skey_decoder_key_type(&identity->key) == BR_KEYTYPE_RSA)
        br_ssl_client_set_single_rsa(client, identity->chain, identity->chain_length,
                                     br_skey_decoder_get_rsa(&identity->key),
                                     br_rsa_pkcs1_sign_get_default());
    else
        br_ssl_client_set_single_ec(client, identity->chain, identity->chain_length,
                                    br_skey_decoder_get_ec(&identity->key), BR_KEYTYPE_SIGN, 0,
                                    br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
}

void
identity_close(struct identity *identity)
{
    if (identity == NULL)
        return;
    arena_free(&identity->arena);
    explicit_bzero(identity, sizeof *identity);
    free(identity);
}
