/* trust - see trust.h.  Certificates are read by x509 rather than by BearSSL's decoder, which takes
 * ten times as long; the embedded bundle is read at every start. */
#include "net/trust.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "net/pem.h"
#include "net/trust_bundle.h"
#include "net/x509.h"

_Static_assert((int) TRUST_FILE_BYTES_MAX == (int) PEM_FILE_BYTES_MAX, "files are read by pem");

/* The public face, and what it lies in. */
struct trust_held {
    struct trust trust;
    struct arena arena;
    size_t capacity;
};

static const char *system_file, *system_directory;

static void
key_copy(struct arena *arena, br_x509_pkey *target, const br_x509_pkey *source)
{
    *target = *source;
    if (source->key_type == BR_KEYTYPE_RSA) {
        const br_rsa_public_key *rsa = &source->key.rsa;
        target->key.rsa.n = (unsigned char *) arena_copy(arena, (const char *) rsa->n, rsa->nlen);
        target->key.rsa.e = (unsigned char *) arena_copy(arena, (const char *) rsa->e, rsa->elen);
    } else {
        const br_ec_public_key *ec = &source->key.ec;
        target->key.ec.q = (unsigned char *) arena_copy(arena, (const char *) ec->q, ec->qlen);
    }
}

static void
anchor_add(struct trust_held *held, const struct x509 *x509, const br_x509_pkey *key)
{
    struct trust *trust = &held->trust;

    if (trust->anchors_count == held->capacity) {
        br_x509_trust_anchor *more =
            arena_array(&held->arena, held->capacity * 2 + 8, sizeof *more);
        if (trust->anchors_count > 0)
            memcpy(more, trust->anchors, trust->anchors_count * sizeof *more);
        trust->anchors = more;
        held->capacity = held->capacity * 2 + 8;
    }
    br_x509_trust_anchor *anchor = &trust->anchors[trust->anchors_count++];
    const char *name = (const char *) x509->subject.data;
    anchor->dn.data = (unsigned char *) arena_copy(&held->arena, name, x509->subject.size);
    anchor->dn.len = x509->subject.size;
    anchor->flags = x509->authority ? BR_X509_TA_CA : 0;
    key_copy(&held->arena, &anchor->pkey, key);
}

/* Add a certificate.  False when it is none; a key that BearSSL cannot use passes without being
 * added. */
static bool
certificate_add(struct trust_held *held, const struct pem_object *object)
{
    struct x509 x509;
    br_x509_pkey key;

    if (!x509_read(object->data, object->size, &x509))
        return false;
    if (x509_public_key(&x509, &key))
        anchor_add(held, &x509, &key);
    return true;
}

/* "" is the name of an object that came as bare DER. */
static bool
is_certificate(const struct pem_object *object)
{
    return object->name[0] == '\0' || strcmp(object->name, "CERTIFICATE") == 0 ||
           strcmp(object->name, "X509 CERTIFICATE") == 0;
}

/* Add the certificates of one source.  A strict source must hold some, and none that is damaged. */
static bool
certificates_add(struct trust_held *held, const struct pem *pem, const char *source, bool strict,
                 enum err err, struct fault *fault)
{
    size_t seen = 0, before = held->trust.anchors_count;

    for (size_t i = 0; i < pem->count; i++) {
        if (!is_certificate(&pem->objects[i]))
            continue;
        seen++;
        if (held->trust.anchors_count == TRUST_ANCHORS_MAX)
            return fault_set(fault, err, "%s holds more than %d certificates", source,
                             TRUST_ANCHORS_MAX);
        if (!certificate_add(held, &pem->objects[i]) && strict)
            return fault_set(fault, err, "certificate %zu of %s cannot be read", seen, source);
    }
    if (strict && seen == 0)
        return fault_set(fault, err, "%s holds no certificate", source);
    if (strict && held->trust.anchors_count == before)
        return fault_set(fault, err, "%s holds no certificate with an RSA key of at most 4096 bits "
                         "or an EC key on P-256, P-384 or P-521", source);
    return true;
}

static bool
file_add(struct trust_held *held, const char *path, enum err err, struct fault *fault)
{
    struct arena arena = {0};
    struct pem pem;
    bool added = pem_file_read(&arena, path, "authorities", &pem, err, fault) &&
                 certificates_add(held, &pem, path, true, err, fault);

    arena_free(&arena);
    return added;
}

/* Add every file of one directory that holds certificates.  What else lies there is no concern of
 * ours: such directories hold links, indexes and notes. */
static bool
directory_add(struct trust_held *held, const char *path, enum err err, struct fault *fault)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool added = true;

    if (directory == NULL)
        return fault_set(fault, err, "unable to read the authorities in %s: %s", path,
                         strerror(errno));
    while (added && (entry = readdir(directory)) != NULL) {
        struct arena arena = {0};
        struct fault passed = {0};
        struct pem pem;
        if (entry->d_name[0] == '.' || entry->d_type == DT_DIR)
            continue;
        const char *name = arena_print(&arena, "%s/%s", path, entry->d_name);
        if (pem_file_read(&arena, name, "authorities", &pem, err, &passed))
            added = certificates_add(held, &pem, path, false, err, fault);
        arena_free(&arena);
    }
    closedir(directory);
    return added;
}

/* Several directories stand behind one another, as in SSL_CERT_DIR of others. */
static bool
directories_add(struct trust_held *held, const char *paths, enum err err, struct fault *fault)
{
    size_t before = held->trust.anchors_count;

    for (const char *at = paths; *at != '\0';) {
        size_t size = strcspn(at, ":");
        if (size > 0 &&
            !directory_add(held, arena_copy(&held->arena, at, size), err, fault))
            return false;
        at += size + (at[size] == ':');
    }
    return held->trust.anchors_count > before ||
           fault_set(fault, err, "no file in %s holds a certificate", paths);
}

static bool
bundle_add(struct trust_held *held, enum err err, struct fault *fault)
{
    struct arena arena = {0};
    struct pem pem;
    bool added = pem_decode(&arena, trust_bundle, (size_t) (trust_bundle_end - trust_bundle), &pem);

    assert(added);
    added = certificates_add(held, &pem, "the bundle built into replica", true, err, fault);
    arena_free(&arena);
    return added;
}

struct trust *
trust_open(const char *file, const char *directory, enum err err, struct fault *fault)
{
    struct trust_held *held = calloc(1, sizeof *held);
    bool has_file = file != NULL && file[0] != '\0';
    bool has_directory = directory != NULL && directory[0] != '\0';
    bool added;

    if (held == NULL)
        memory_exhausted(sizeof *held);
    if (!has_file && !has_directory)
        added = bundle_add(held, err, fault);
    else
        added = (!has_file || file_add(held, file, err, fault)) &&
                (!has_directory || directories_add(held, directory, err, fault));
    if (!added) {
        trust_close(&held->trust);
        return NULL;
    }
    held->trust.origin =
        has_file || has_directory
            ? arena_print(&held->arena, "the authorities in %s%s%s", has_file ? file : "",
                          has_file && has_directory ? " and " : "",
                          has_directory ? directory : "")
            : arena_print(&held->arena, "the %zu authorities built into replica",
                          held->trust.anchors_count);
    return &held->trust;
}

void
trust_system_set(const char *file, const char *directory)
{
    system_file = file;
    system_directory = directory;
}

struct trust *
trust_open_system(enum err err, struct fault *fault)
{
    return trust_open(system_file, system_directory, err, fault);
}

void
trust_close(struct trust *trust)
{
    struct trust_held *held = (struct trust_held *) trust;

    if (held == NULL)
        return;
    struct arena arena = held->arena;
    free(held);
    arena_free(&arena);
}
