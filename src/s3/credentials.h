/* credentials - the keys that sign requests, from where the platform keeps them.
 *
 * The first source that is configured is the one (botocore's order, without files of profiles):
 *
 *     environment   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; by *_FILE read
 *                   anew whenever asked, since secrets rotate on disk
 *     web identity  AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN: STS AssumeRoleWithWebIdentity,
 *                   the token read anew each time (EKS IRSA)                              sts.c
 *     container     AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: ECS, EKS Pod Identity
 *                                                                       credentials_container.c
 *     instance      IMDSv2, falling back to v1 unless that is disabled               metadata.c
 *     none          nothing configured and no instance: an error that names what was tried
 *
 * They are renewed 15 minutes before they run out, or after half of what is left when that is less
 * than 30; when that fails while they are still valid, they serve on and it is tried again a minute
 * later.  Within 5 minutes of the end a failure is one.
 * Nothing is ever logged but the source's name and the time of expiry.
 *
 * Life:   credentials_open; credentials_get before each request; credentials_close wipes.
 * Threads: any; a renewal is made by one while the others wait. */
#ifndef S3_CREDENTIALS_H
#define S3_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/stop.h"
#include "net/trust.h"

enum { CREDENTIAL_MAX = 4096 }; /* session tokens have no stated limit; 2,000 were seen */

/* What the environment says; every text is "" when it is not set, and outlives the credentials. */
struct credentials_config {
    const char *access_key, *secret_key, *session_token;
    const char *access_key_file, *secret_key_file, *session_token_file;
    const char *token_file, *role_arn, *role_session_name; /* AWS_WEB_IDENTITY_TOKEN_FILE, ... */
    const char *sts_endpoint;             /* AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, or "" */
    const char *region;                   /* for STS; "" asks the global endpoint */
    const char *relative_uri, *full_uri;  /* AWS_CONTAINER_CREDENTIALS_… */
    const char *authorization, *authorization_file; /* AWS_CONTAINER_AUTHORIZATION_TOKEN[_FILE] */
    const char *metadata_endpoint;        /* AWS_EC2_METADATA_SERVICE_ENDPOINT, or "" */
    bool metadata_ipv6;                   /* AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6 */
    bool metadata_disabled, metadata_v1_disabled;
    unsigned metadata_timeout_ms, metadata_attempts; /* 1000 and 1 unless the user says otherwise */
};

/* A set of keys, copied out; the caller wipes it. */
struct credential {
    char access_key[256], secret_key[256], token[CREDENTIAL_MAX]; /* token "" for none */
    uint64_t expires_ms;  /* epoch; 0 for never */
    uint64_t generation;  /* grows with each renewal that brought other keys */
};

struct credentials;

/* trust serves https endpoints (STS, container); it must outlive the credentials.  No request is
 * made yet. */
struct credentials *credentials_open(const struct credentials_config *config,
                                     const struct trust *trust, struct stop *stop);

/* The keys that hold now.  ERR_STORE when a source fails, ERR_CONFIG when none is configured or one
 * is configured wrongly. */
bool credentials_get(struct credentials *credentials, struct credential *credential,
                     struct fault *fault);

/* The store called this generation expired or unknown: the next credentials_get() asks the source
 * anew, if it can give others.  Returns false when it cannot: keys given in the environment, and,
 * unless the store is sure of it, keys that came back as they were when the source was asked anew
 * for that reason. */
bool credentials_refused(struct credentials *credentials, uint64_t generation, bool sure);

/* "the environment", "STS web identity", "the container's endpoint", "the instance's metadata". */
const char *credentials_source(const struct credentials *credentials);

/* NULL is allowed. */
void credentials_close(struct credentials *credentials);

#endif
