/* pem - files of certificates and keys: PEM (RFC 7468), or the bare DER it wraps.
 *
 *     text, text, -----BEGIN CERTIFICATE-----  …base64…  -----END CERTIFICATE-----, text, …
 *
 * Text around objects is passed over; CRLF and a last line without an end are fine.
 *
 * Limits: PEM_FILE_BYTES_MAX.   Threads: any. */
#ifndef NET_PEM_H
#define NET_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"

enum { PEM_FILE_BYTES_MAX = 16 * 1024 * 1024 };

struct pem_object {
    const char *name; /* "CERTIFICATE", "EC PRIVATE KEY"; "" when the file was bare DER */
    uint8_t *data;    /* DER */
    size_t size;
};

struct pem {
    struct pem_object *objects;
    size_t count;
    bool encrypted; /* a legacy key behind "Proc-Type: 4,ENCRYPTED"; it is not among the objects */
};

/* Take text apart; all of pem lies in the arena.  Whoever expects keys wipes the objects' data; no
 * other copy is left.  False when an object is damaged: an illegal character, or no end. */
bool pem_decode(struct arena *arena, const void *text, size_t size, struct pem *pem);

/* Read a file whole, PEM or DER, and take it apart.  False with err and a sentence that names the
 * file and says what it was for: "unable to read the certificate in /x: no such file". */
bool pem_file_read(struct arena *arena, const char *path, const char *what, struct pem *pem,
                   enum err err, struct fault *fault);

#endif
