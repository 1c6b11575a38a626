/* tls_words - see tls_words.h. */
#include "net/tls_words.h"

#include <bearssl.h>
#include <stddef.h>

struct words {
    const char *predicate; /* stands behind the peer's name */
    bool refused;          /* trying again cannot help */
};

/* Alerts (RFC 5246 section 7.2.2) during a handshake. */
static const struct {
    int code;
    struct words words;
} alerts[] = {
    {42, {"refuses our certificate as damaged (bad_certificate)", true}},
    {43, {"refuses the kind of our certificate (unsupported_certificate)", true}},
    {44, {"says that our certificate was revoked (certificate_revoked)", true}},
    {45, {"says that our certificate has run out (certificate_expired)", true}},
    {46, {"refuses our certificate (certificate_unknown)", true}},
    {48, {"does not know the authority that issued our certificate (unknown_ca)", true}},
    {49, {"does not let our certificate in (access_denied)", true}},
    {51, {"cannot verify our handshake (decrypt_error)", true}},
    {70, {"wants TLS 1.3; replica speaks TLS 1.2", true}},
    {71, {"wants stronger ciphers than replica offers: TLS 1.2 with ECDHE, AES-GCM or "
          "ChaCha20-Poly1305 (insufficient_security)", true}},
    {80, {"failed by itself (internal_error)", false}},
    {86, {"refuses a fall-back to TLS 1.2 (inappropriate_fallback)", true}},
    {112, {"knows no host of that name (unrecognized_name)", true}},
    {116, {"wants a client certificate (certificate_required)", true}},
    {120, {"does not speak the protocol that was asked for (no_application_protocol)", true}},
};

static const struct {
    int error;
    struct words words;
} errors[] = {
    {BR_ERR_UNSUPPORTED_VERSION, {"speaks only versions older than TLS 1.2", true}},
    {BR_ERR_BAD_VERSION, {"changed the version of TLS in the middle", false}},
    {BR_ERR_BAD_MAC, {"sent a TLS record that was damaged on its way", false}},
    {BR_ERR_BAD_FINISHED, {"saw another TLS handshake than we did: someone changed it", false}},
    {BR_ERR_BAD_SIGNATURE, {"did not prove that its certificate is its own", true}},
    {BR_ERR_INVALID_ALGORITHM, {"chose a curve, hash or signature in TLS that replica does not "
                                "accept", true}},
    {BR_ERR_BAD_CIPHER_SUITE, {"chose a cipher that was not offered", true}},
    {BR_ERR_WRONG_KEY_USAGE, {"has a certificate whose key may not sign (keyUsage), or does not "
                              "fit the cipher", true}},
    {BR_ERR_RESUME_MISMATCH, {"resumed a TLS session with other parameters", false}},
    {BR_ERR_LIMIT_EXCEEDED, {"signed with a key larger than RSA with 4096 bits", true}},
    {BR_ERR_BAD_LENGTH, {"sent a TLS record of an impossible length", false}},
    {BR_ERR_TOO_LARGE, {"sent a TLS record that is too large", false}},
};

static bool
explain_alert(int code, const struct tls_failure *failure, bool *refused, enum err err,
              struct fault *fault)
{
    const char *peer = failure->peer;

    if (failure->done)
        return fault_set(fault, err, "%s broke off the TLS session with alert %d", peer, code);
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
        if (alerts[i].code == code) {
            *refused = alerts[i].words.refused;
            return fault_set(fault, err, "%s %s", peer, alerts[i].words.predicate);
        }
    if (code != 40)
        return fault_set(fault, err, "%s refuses the TLS handshake with alert %d", peer, code);

    /* handshake_failure: once its own certificate was accepted, ours is all that is left. */
    *refused = true;
    if (!failure->server_shown)
        return fault_set(fault, err, "%s has no version, cipher or kind of key in common with "
                         "replica, which speaks TLS 1.2 with ECDHE, AES-GCM or ChaCha20-Poly1305, "
                         "and takes RSA or ECDSA certificates (handshake_failure)", peer);
    return fault_set(fault, err, failure->identity
                                     ? "%s refuses our certificate (handshake_failure)"
                                     : "%s wants a client certificate, and there is none to show "
                                       "(handshake_failure)", peer);
}

bool
tls_words_explain(const struct tls_failure *failure, bool *refused, enum err err,
                  struct fault *fault)
{
    *refused = failure->alien;
    if (failure->alien)
        return fault_set(fault, err, "%s does not speak TLS there", failure->peer);
    if (failure->error >= BR_ERR_RECV_FATAL_ALERT && failure->error < BR_ERR_SEND_FATAL_ALERT)
        return explain_alert(failure->error - BR_ERR_RECV_FATAL_ALERT, failure, refused, err,
                             fault);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].error == failure->error) {
            *refused = errors[i].words.refused && !failure->done;
            return fault_set(fault, err, "%s %s", failure->peer, errors[i].words.predicate);
        }
    return fault_set(fault, err, "%s broke the rules of TLS (BearSSL says %d)", failure->peer,
                     failure->error);
}
