/* container_ask - keys for a container: the agents of ECS and of EKS Pod Identity.  Whoever can set
 * an environment variable must not get keys sent, nor an authorization, to just anywhere: without
 * TLS only this machine and the agents' own addresses are asked. */
#include <arpa/inet.h>
#include <string.h>

#include "net/url.h"
#include "s3/credentials_ask.h"

enum { CONTAINER_TIMEOUT_MS = 2000 };

static const char relative_name[] = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
static const char full_name[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
static const char agent[] = "http://169.254.170.2";

static bool
is_near(const char *host)
{
    static const char *const agents[] = {"169.254.170.2", "169.254.170.23"};
    struct in_addr four;
    struct in6_addr six, pod_identity;

    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127 || strcmp(host, agents[0]) == 0 ||
               strcmp(host, agents[1]) == 0;
    inet_pton(AF_INET6, "fd00:ec2::23", &pod_identity);
    return inet_pton(AF_INET6, host, &six) == 1 &&
           (memcmp(&six, &in6addr_loopback, sizeof six) == 0 ||
            memcmp(&six, &pod_identity, sizeof six) == 0);
}

static bool
container_url(const struct credentials_config *config, struct url *url, struct fault *fault)
{
    struct text text = {0};

    if (*config->relative_uri == '\0') {
        if (!url_parse(config->full_uri, full_name, url, fault))
            return false;
        return url->tls || is_near(url->host) ||
               fault_set(fault, ERR_CONFIG,
                         "%s names %s without https; only this machine (localhost, 127.0.0.0/8, "
                         "::1), 169.254.170.2, 169.254.170.23 and fd00:ec2::23 are asked that way",
                         full_name, url->host);
    }
    if (*config->relative_uri != '/')
        return fault_set(fault, ERR_CONFIG, "%s must begin with '/'", relative_name);
    text_add(&text, agent);
    text_add(&text, config->relative_uri);
    bool done = url_parse(text_of(&text), relative_name, url, fault);
    text_free(&text);
    return done;
}

/* The token is read anew each time, since it is replaced on disk as it ages. */
static bool
authorization_get(const struct credentials_config *config, struct text *value,
                  struct fault *fault)
{
    if (*config->authorization_file != '\0')
        return ask_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", config->authorization_file,
                        value, fault);
    text_add(value, config->authorization);
    return ask_is_line(config->authorization) ||
           fault_set(fault, ERR_CONFIG,
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN holds more than one line of printable "
                     "characters");
}

enum ask
container_ask(const struct ask_context *context, struct credential *credential,
              struct fault *fault)
{
    struct url url;
    struct text authorization = {0};
    struct ask_answer *answer = ask_answer_new();
    struct ask_request request = {.method = "GET", .url = &url, .timeout_ms = CONTAINER_TIMEOUT_MS};
    enum ask ask = ASK_FAILED;
    enum trouble trouble;

    if (container_url(context->config, &url, fault) &&
        authorization_get(context->config, &authorization, fault)) {
        if (authorization.size > 0)
            request.headers[0] = (struct http_header){"Authorization", text_of(&authorization)};
        if (!ask_send(context, &request, answer, &trouble, fault))
            ask = ask_after(trouble);
        else if (answer->status == 200 && ask_keys_read(answer, false, credential, fault))
            ask = ASK_KEYS;
        else {
            ask = ASK_AGAIN;
            if (answer->status != 200)
                ask_refused(answer, ERR_STORE, fault);
        }
    }
    ask_text_free(&authorization);
    ask_answer_free(answer);
    return ask;
}
