/* metadata_ask - keys of the instance's own role (EC2's instance metadata service, version 2, or 1
 * where that is all there is).
 *
 *     PUT /latest/api/token ─▶ token     GET …/security-credentials/ ─▶ role     GET …/role ─▶ keys
 *
 * Out of a container the answer to the PUT may never come: it is sent with a hop limit of 1. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "net/url.h"
#include "s3/credentials_ask.h"

enum { ROLE_MAX = 128, TOKEN_MAX = 1024, METADATA_TIMEOUT_MS = 1000 };

static const char credentials_path[] = "/latest/meta-data/iam/security-credentials/";

struct metadata {
    const struct ask_context *context;
    struct url url;
    char endpoint[URL_PATH_MAX]; /* the path before all others, without a slash at its end */
    char token[TOKEN_MAX];       /* "" for version 1 */
    struct ask_answer *answer;
};

static bool
metadata_url(struct metadata *metadata, struct fault *fault)
{
    const struct credentials_config *config = metadata->context->config;
    const char *endpoint = config->metadata_endpoint;

    if (*endpoint == '\0')
        endpoint = config->metadata_ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    if (!url_parse(endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata->url, fault))
        return false;
    size_t size = strlen(metadata->url.path);
    while (size > 0 && metadata->url.path[size - 1] == '/')
        size--;
    memcpy(metadata->endpoint, metadata->url.path, size);
    metadata->endpoint[size] = '\0';
    return true;
}

static bool
metadata_send(struct metadata *metadata, const char *method, const char *path, const char *more,
              const char *header, const char *value, enum trouble *trouble, struct fault *fault)
{
    struct ask_request request = {
        .method = method,
        .url = &metadata->url,
        .headers = {{*value == '\0' ? NULL : header, value}},
        .timeout_ms = metadata->context->config->metadata_timeout_ms,
    };
    if (request.timeout_ms == 0)
        request.timeout_ms = METADATA_TIMEOUT_MS;
    int length = snprintf(metadata->url.path, sizeof metadata->url.path, "%s%s%s",
                          metadata->endpoint, path, more);
    *trouble = TROUBLE_NONE;
    if (length >= URL_PATH_MAX)
        return fault_set(fault, ERR_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
    return ask_send(metadata->context, &request, metadata->answer, trouble, fault);
}

/* The first line of an answer, cut out of it. */
static const char *
first_line(struct ask_answer *answer)
{
    answer->body[strcspn(answer->body, "\r\n")] = '\0';
    return answer->body;
}

/* Version 1 it is, unless that is forbidden. */
static enum ask
without_token(const struct metadata *metadata, const char *why, struct fault *fault)
{
    if (!metadata->context->config->metadata_v1_disabled)
        return ASK_KEYS;
    fault_set(fault, ERR_STORE,
              "version 2 of the instance's metadata is not to be had (%s), and "
              "AWS_EC2_METADATA_V1_DISABLED forbids version 1",
              why);
    return ASK_AGAIN;
}

/* ASK_KEYS: the way to the keys is free, with a token or without. */
static enum ask
token_get(struct metadata *metadata, struct fault *fault)
{
    struct ask_answer *answer = metadata->answer;
    struct fault silence = {0};
    enum trouble trouble;
    char why[32];

    bool answered = metadata_send(metadata, "PUT", "/latest/api/token", "",
                                  "x-aws-ec2-metadata-token-ttl-seconds", "21600", &trouble,
                                  &silence);
    if (!answered && trouble == TROUBLE_TIMEOUT)
        return without_token(metadata, "no answer to the request for a token", fault);
    if (!answered) {
        fault_hand_over(fault, &silence);
        return trouble == TROUBLE_CONNECT ? ASK_ABSENT : ask_after(trouble);
    }
    snprintf(why, sizeof why, "http %u", answer->status);
    if (answer->status == 403 || answer->status == 404 || answer->status == 405)
        return without_token(metadata, why, fault);
    if (answer->status != 200) {
        ask_refused(answer, ERR_STORE, fault);
        return answer->status == 400 ? ASK_FAILED : ASK_AGAIN;
    }
    if (ask_keep(metadata->token, sizeof metadata->token, first_line(answer)))
        return ASK_KEYS;
    fault_set(fault, ERR_STORE, "the token for the instance's metadata is none");
    return ASK_AGAIN;
}

static enum ask
get(struct metadata *metadata, const char *role, struct fault *fault)
{
    struct ask_answer *answer = metadata->answer;
    enum trouble trouble;

    if (!metadata_send(metadata, "GET", credentials_path, role, "x-aws-ec2-metadata-token",
                       metadata->token, &trouble, fault))
        return trouble == TROUBLE_CONNECT ? ASK_ABSENT : ask_after(trouble);
    if (answer->status == 200)
        return ASK_KEYS;
    if (answer->status == 404) {
        fault_set(fault, ERR_CONFIG, "the instance has no role (http 404)");
        return ASK_FAILED;
    }
    ask_refused(answer, ERR_STORE, fault);
    return ASK_AGAIN;
}

static bool
is_role(const char *role)
{
    size_t size = 0;

    while (isalnum((unsigned char) role[size]) ||
           (role[size] != '\0' && strchr("+=,.@_-", role[size]) != NULL))
        size++;
    return size > 0 && size < ROLE_MAX && role[size] == '\0';
}

enum ask
metadata_ask(const struct ask_context *context, struct credential *credential,
             struct fault *fault)
{
    struct metadata metadata = {.context = context, .answer = ask_answer_new()};
    char role[ROLE_MAX] = "";
    enum ask ask = metadata_url(&metadata, fault) ? token_get(&metadata, fault) : ASK_FAILED;

    if (ask == ASK_KEYS)
        ask = get(&metadata, "", fault);
    if (ask == ASK_KEYS && !is_role(first_line(metadata.answer))) {
        fault_set(fault, ERR_STORE, "the name of the instance's role is none");
        ask = ASK_AGAIN;
    }
    if (ask == ASK_KEYS) {
        memcpy(role, metadata.answer->body, strlen(metadata.answer->body) + 1);
        ask = get(&metadata, role, fault);
    }
    if (ask == ASK_KEYS && !ask_keys_read(metadata.answer, true, credential, fault))
        ask = ASK_AGAIN;
    explicit_bzero(metadata.token, sizeof metadata.token);
    ask_answer_free(metadata.answer);
    return ask;
}
