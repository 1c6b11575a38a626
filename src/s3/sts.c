/* sts_ask - keys for a role, in exchange for the token that Kubernetes has written into a file (EKS
 * IRSA): STS AssumeRoleWithWebIdentity.  The request is not signed: the token is what proves, so it
 * goes into the body, and into no URL, which proxies write down. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/url.h"
#include "s3/credentials_ask.h"
#include "s3/s3_date.h"
#include "s3/sigv4.h"
#include "s3/xml.h"

enum { STS_TIMEOUT_MS = 5000 };

/* A region becomes a part of a host name. */
static bool
is_region(const char *region)
{
    const char *at = region;

    while (islower((unsigned char) *at) || isdigit((unsigned char) *at) || *at == '-')
        at++;
    return *at == '\0' && at > region && at - region < 64;
}

bool
sts_url(const struct credentials_config *config, struct url *url, struct fault *fault)
{
    char text[160];
    const char *region = config->region;

    if (*config->sts_endpoint != '\0')
        return url_parse(config->sts_endpoint, "the endpoint of STS", url, fault);
    if (*region != '\0' && !is_region(region))
        return fault_set(fault, ERR_CONFIG, "the region is no word of a-z, 0-9 and '-'");
    if (*region == '\0' || strcmp(region, "auto") == 0)
        snprintf(text, sizeof text, "https://sts.amazonaws.com");
    else
        snprintf(text, sizeof text, "https://sts.%s.amazonaws.com%s", region,
                 strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    return url_parse(text, "the endpoint of STS", url, fault);
}

static void
form_add(struct text *form, const char *name, const char *value)
{
    text_addf(form, "%s%s=", form->size == 0 ? "" : "&", name);
    sigv4_encode(form, value, false);
}

static void
form_make(const struct credentials_config *config, const char *token, struct text *form)
{
    char session[64];

    snprintf(session, sizeof session, "replica-%llu",
             (unsigned long long) (clock_epoch_ms() / 1000));
    form_add(form, "Action", "AssumeRoleWithWebIdentity");
    form_add(form, "Version", "2011-06-15");
    form_add(form, "RoleArn", config->role_arn);
    form_add(form, "RoleSessionName",
             *config->role_session_name == '\0' ? session : config->role_session_name);
    form_add(form, "WebIdentityToken", token);
}

bool
sts_keys_read(const struct ask_answer *answer, struct credential *credential, struct fault *fault)
{
#define KEYS "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/"
    struct xml xml;
    enum xml_event event;
    bool access = false, secret = false, token = false, expires = false;

    *credential = (struct credential){0};
    xml_init(&xml, answer->body, answer->size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END) {
        const char *text = text_of(&xml.text);
        if (event == XML_BEGIN)
            continue;
        if (xml_is(&xml, KEYS "AccessKeyId"))
            access = ask_keep(credential->access_key, sizeof credential->access_key, text);
        else if (xml_is(&xml, KEYS "SecretAccessKey"))
            secret = ask_keep(credential->secret_key, sizeof credential->secret_key, text);
        else if (xml_is(&xml, KEYS "SessionToken"))
            token = ask_keep(credential->token, sizeof credential->token, text);
        else if (xml_is(&xml, KEYS "Expiration"))
            expires = s3_date_iso(text, &credential->expires_ms) && credential->expires_ms > 0;
        if (xml.text.size > 0)
            explicit_bzero(xml.text.data, xml.text.size);
    }
    bool whole = event == XML_DONE || xml_refuse(&xml, ERR_STORE, "an answer", fault);
    xml_free(&xml);
    if (whole && access && secret && token && expires)
        return true;
    explicit_bzero(credential, sizeof *credential);
    return fault_set(fault, ERR_STORE, "an answer lacks %s, or holds what is none",
                     !access   ? "AccessKeyId"
                     : !secret ? "SecretAccessKey"
                     : !token  ? "SessionToken"
                               : "Expiration");
#undef KEYS
}

/* IDPCommunicationError: STS could not reach the cluster's own authority.  InvalidIdentityToken
 * also comes for a short while after that authority has become known. */
static enum ask
refuse(const struct credentials_config *config, const struct ask_answer *answer, const char *token,
       struct fault *fault)
{
    static const char *const passing[] = {
        "IDPCommunicationError", "InvalidIdentityToken", "Throttling", "ThrottlingException",
        "RequestLimitExceeded", "TooManyRequestsException", "ServiceUnavailable",
    };
    struct text code = {0}, message = {0};
    char code_words[ASK_WORDS_MAX], words[ASK_WORDS_MAX];
    bool again = answer->status >= 500 || answer->status == 429;

    xml_find(answer->body, answer->size, "ErrorResponse/Error/Code", &code);
    xml_find(answer->body, answer->size, "ErrorResponse/Error/Message", &message);
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        again = again || strcmp(text_of(&code), passing[i]) == 0;
    if (strstr(text_of(&message), token) != NULL)
        text_clear(&message);
    ask_words(code_words, text_of(&code));
    ask_words(words, text_of(&message));
    fault_set(fault, ERR_STORE, "http %u%s%s%s%s%s for role %s with the token of %s",
              answer->status, code.size == 0 ? "" : " ", code_words,
              message.size == 0 ? "" : " (", words, message.size == 0 ? "" : ")",
              config->role_arn, config->token_file);
    text_free(&code);
    text_free(&message);
    return again ? ASK_AGAIN : ASK_FAILED;
}

enum ask
sts_ask(const struct ask_context *context, struct credential *credential, struct fault *fault)
{
    const struct credentials_config *config = context->config;
    struct url url;
    struct text token = {0}, form = {0};
    struct ask_answer *answer = ask_answer_new();
    enum ask ask = ASK_FAILED;
    enum trouble trouble;

    if (*config->role_arn == '\0')
        fault_set(fault, ERR_CONFIG, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
    else if (sts_url(config, &url, fault) &&
        ask_file("AWS_WEB_IDENTITY_TOKEN_FILE", config->token_file, &token, fault)) {
        form_make(config, text_of(&token), &form);
        const struct ask_request request = {
            .method = "POST",
            .url = &url,
            .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
            .body = form.data,
            .body_size = form.size,
            .timeout_ms = STS_TIMEOUT_MS,
        };
        if (!ask_send(context, &request, answer, &trouble, fault))
            ask = ask_after(trouble);
        else if (answer->status != 200)
            ask = refuse(config, answer, text_of(&token), fault);
        else
            ask = sts_keys_read(answer, credential, fault) ? ASK_KEYS : ASK_AGAIN;
    }
    ask_text_free(&token);
    ask_text_free(&form);
    ask_answer_free(answer);
    return ask;
}
