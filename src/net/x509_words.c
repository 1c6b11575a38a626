/* x509_words - why a chain was refused, for people.  See x509_check.h.
 *
 * The number alone says "62"; what helps is which certificate, which name, which date. */
#include <stdio.h>
#include <time.h>

#include "net/x509_check.h"

enum { WHO_BYTES = 2 * X509_NAME_BYTES + 128, TIME_BYTES = 32 };

static const char *
time_text(char text[static TIME_BYTES], int64_t seconds)
{
    time_t time = (time_t) seconds;
    struct tm tm;

    if (gmtime_r(&time, &tm) == NULL || strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, TIME_BYTES, "an unknown time");
    return text;
}

static bool
explain_dates(const struct x509_check *check, const char *who, enum err err, struct fault *fault)
{
    const struct x509_report *report = &check->report;
    int64_t now_s = (int64_t) (check->now_ms / 1000);
    char then[TIME_BYTES], now[TIME_BYTES];

    time_text(now, now_s);
    if (!report->read)
        return fault_set(fault, err,
                         "%s has expired, or is not valid yet; this machine's clock says %s", who,
                         now);
    if (now_s < report->not_before_s)
        return fault_set(fault, err, "%s is not valid before %s; this machine's clock says %s", who,
                         time_text(then, report->not_before_s), now);
    return fault_set(fault, err,
                     "%s has expired: it was valid until %s; this machine's clock says %s", who,
                     time_text(then, report->not_after_s), now);
}

static bool
explain_trust(const struct x509_check *check, const char *who, const char *peer, enum err err,
              struct fault *fault)
{
    const struct x509_report *report = &check->report;
    const char *origin = check->trust->origin;
    char issued[WHO_BYTES + 32];

    if (report->index == 0)
        snprintf(issued, sizeof issued, "%s was issued by", who);
    else
        snprintf(issued, sizeof issued, "the chain of %s leads to", peer);
    if (report->self_signed && report->index == 0)
        return fault_set(fault, err, "%s is signed by itself and is none of %s", who, origin);
    if (report->issuer_name_known)
        return fault_set(fault, err, "%s %s, but another one than that of the same name among %s",
                         issued, report->issuer, origin);
    return fault_set(fault, err, "%s %s, which is none of %s", issued, report->issuer, origin);
}

static bool
explain_names(const struct x509_check *check, const char *who, enum err err, struct fault *fault)
{
    if (check->names[0] == '\0')
        return fault_set(fault, err, "%s names no host; it was not issued for %s", who,
                         check->name);
    return fault_set(fault, err, "%s was issued for %s, not for %s", who, check->names,
                     check->name);
}

static bool
explain_algorithm(const struct x509_report *report, const char *who, enum err err,
                  struct fault *fault)
{
    if (report->read && !report->signature_strong)
        return fault_set(fault, err, "%s is signed with %s; replica accepts RSA (PKCS#1 v1.5) and "
                         "ECDSA with SHA-2", who, report->signature);
    return fault_set(fault, err, "%s holds a key of the kind %s; replica accepts RSA up to 4096 "
                     "bits and EC on P-256, P-384 and P-521", who,
                     report->read ? report->key : "unknown");
}

static bool
explain_extension(const struct x509_report *report, const char *who, enum err err,
                  struct fault *fault)
{
    const char *name = report->unknown[0] != '\0' ? report->unknown : "certificatePolicies";

    if (report->index == 0)
        return fault_set(fault, err, "%s has a critical extension that replica cannot check: %s",
                         who, name);
    return fault_set(fault, err, "%s has a critical extension that replica cannot check: %s; it is "
                     "believed only when it stands itself among the authorities", who, name);
}

static bool
explain_authority(const struct x509_report *report, const char *who, unsigned verdict, enum err err,
                  struct fault *fault)
{
    switch (verdict) {
    case BR_ERR_X509_DN_MISMATCH:
        return fault_set(fault, err, "%s did not issue the one before it: a chain must come in "
                         "order", who);
    case BR_ERR_X509_BAD_SIGNATURE:
    case BR_ERR_X509_WRONG_KEY_TYPE:
        return fault_set(fault, err, "%s did not sign the one before it, though it bears the name "
                         "of its issuer", who);
    case BR_ERR_X509_NOT_CA:
        return fault_set(fault, err, "%s issued the one before it without being an authority for "
                         "so long a chain (basicConstraints)", who);
    default:
        return fault_set(fault, err, report->index == 0
                                         ? "%s may not be used (keyUsage)"
                                         : "%s may not issue certificates (keyUsage)", who);
    }
}

static bool
explain_issuer(const struct x509_check *check, const char *peer, enum err err, struct fault *fault)
{
    switch (check->verdict) {
    case X509_ISSUER_NOT_FOR_SERVERS:
        return fault_set(fault, err, "the certificate %s in the chain of %s may not issue those of "
                         "servers (extendedKeyUsage)", check->issuer, peer);
    case X509_ISSUER_CONSTRAINED:
        return fault_set(fault, err, "the certificate %s in the chain of %s may issue for certain "
                         "names only (nameConstraints), which replica cannot check; it is believed "
                         "only when it stands itself among the authorities", check->issuer, peer);
    default:
        return fault_set(fault, err, "a certificate in the chain of %s cannot be read, or is "
                         "larger than %d bytes", peer, X509_CERTIFICATE_BYTES_MAX);
    }
}

bool
x509_check_explain(const struct x509_check *check, const char *peer, enum err err,
                   struct fault *fault)
{
    const struct x509_report *report = &check->report;
    char who[WHO_BYTES];

    /* What we found in the server's own certificate counts only once its chain is good. */
    if (report->index == 0 || check->verdict == check->name_verdict)
        snprintf(who, sizeof who, "the certificate of %s", peer);
    else
        snprintf(who, sizeof who, "the certificate %s in the chain of %s",
                 report->read ? report->subject : "that follows", peer);
    switch (check->verdict) {
    case BR_ERR_X509_EXPIRED:
        return explain_dates(check, who, err, fault);
    case BR_ERR_X509_NOT_TRUSTED:
        return explain_trust(check, who, peer, err, fault);
    case BR_ERR_X509_BAD_SERVER_NAME:
        return explain_names(check, who, err, fault);
    case BR_ERR_X509_UNSUPPORTED:
    case BR_ERR_X509_LIMIT_EXCEEDED:
        return explain_algorithm(report, who, err, fault);
    case BR_ERR_X509_CRITICAL_EXTENSION:
        return explain_extension(report, who, err, fault);
    case BR_ERR_X509_DN_MISMATCH:
    case BR_ERR_X509_BAD_SIGNATURE:
    case BR_ERR_X509_WRONG_KEY_TYPE:
    case BR_ERR_X509_NOT_CA:
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
        return explain_authority(report, who, check->verdict, err, fault);
    case BR_ERR_X509_WEAK_PUBLIC_KEY:
        return fault_set(fault, err, "%s has an RSA key of less than %d bits", who,
                         X509_RSA_BITS_MIN);
    case X509_TOO_LARGE:
        return fault_set(fault, err, "%s is larger than %d bytes", who, X509_CERTIFICATE_BYTES_MAX);
    case X509_NAME_DAMAGED:
        return fault_set(fault, err, "%s bears a damaged name, or one with a zero byte in it", who);
    case X509_NOT_FOR_SERVERS:
        return fault_set(fault, err, "%s is not meant for a server (extendedKeyUsage)", who);
    case X509_ISSUER_UNREADABLE:
    case X509_ISSUER_NOT_FOR_SERVERS:
    case X509_ISSUER_CONSTRAINED:
        return explain_issuer(check, peer, err, fault);
    default:
        return fault_set(fault, err, "%s cannot be read (BearSSL says %u)", who, check->verdict);
    }
}
