/* credentials_ask - the places that hand out keys over HTTP, and what they have in common.
 *
 *     sts_ask         POST, answered in XML                        sts.c
 *     container_ask   GET, answered in JSON                        credentials_container.c
 *     metadata_ask    PUT (a token), GET (a name), GET, in JSON    metadata.c
 *
 * Each asks once, with deadlines, and says whether to ask again could help; how often that is done
 * is the business of credentials.c.  What was received is wiped.
 *
 * Threads: one at a time for one context. */
#ifndef S3_CREDENTIALS_ASK_H
#define S3_CREDENTIALS_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/stop.h"
#include "base/text.h"
#include "net/http.h"
#include "net/trust.h"
#include "s3/credentials.h"

enum {
    ASK_ANSWER_MAX = 64 * 1024, /* keys have about 2 KiB */
    ASK_FILE_MAX = 32 * 1024,   /* STS takes tokens of 20,000 bytes */
    ASK_WORDS_MAX = 256,
};

struct ask_context {
    const struct credentials_config *config;
    const struct trust *trust;
    struct stop *stop;
};

enum ask {
    ASK_KEYS,   /* here they are */
    ASK_AGAIN,  /* the fault says why not; another attempt may do */
    ASK_FAILED, /* the fault says why not; nothing will change for now */
    ASK_ABSENT, /* nobody answers: there is no such place here */
};

/* ERR_CONFIG when the configuration is wrong, ERR_STORE otherwise. */
enum ask sts_ask(const struct ask_context *context, struct credential *credential,
                 struct fault *fault);
enum ask container_ask(const struct ask_context *context, struct credential *credential,
                       struct fault *fault);
enum ask metadata_ask(const struct ask_context *context, struct credential *credential,
                      struct fault *fault);

/* ---- the parts ------------------------------------------------------------------------------- */

struct ask_request {
    const char *method;
    const struct url *url;           /* whose path is the target */
    struct http_header headers[2];   /* without Host; one without a name is none */
    const void *body;
    size_t body_size;
    unsigned timeout_ms;             /* to connect, and of silence; four times that for all of it */
};

struct ask_answer {
    unsigned status;
    size_t size;
    char body[ASK_ANSWER_MAX + 1];   /* zero-ended */
};

/* Send a request and take the whole answer, whatever its status. */
bool ask_send(const struct ask_context *context, const struct ask_request *request,
              struct ask_answer *answer, enum trouble *trouble, struct fault *fault);

/* Memory for an answer; and its end, wiped. */
struct ask_answer *ask_answer_new(void);
void ask_answer_free(struct ask_answer *answer);

/* Whether to ask again may help after such a failure of ask_send(). */
enum ask ask_after(enum trouble trouble);

/* Read a small file, of one line; its end is not part of the content.  ERR_CONFIG names the
 * variable and the path, never the content, which the caller frees in either case. */
bool ask_file(const char *variable, const char *path, struct text *content, struct fault *fault);

/* Wipe and free. */
void ask_text_free(struct text *text);

/* Whether a text can be a header's value: printable ASCII. */
bool ask_is_line(const char *text);

/* Keep one of the keys: printable ASCII without blanks, 1 .. size - 1 bytes; false for others. */
bool ask_keep(char *slot, size_t size, const char *value);

/* A server's words as a part of a sentence: one line, printable, cut. */
const char *ask_words(char buffer[static ASK_WORDS_MAX], const char *words);

/* Take the keys out of {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}; with all set,
 * none of them may be missing.  A "Code" other than "Success" is a failure (the instance's metadata
 * service says so with status 200). */
bool ask_keys_read(const struct ask_answer *answer, bool all, struct credential *credential,
                   struct fault *fault);

/* Where STS is: the endpoint that was given, else the region's own, else the one for all. */
bool sts_url(const struct credentials_config *config, struct url *url, struct fault *fault);

/* The same keys from STS's XML, where none may be missing. */
bool sts_keys_read(const struct ask_answer *answer, struct credential *credential,
                   struct fault *fault);

/* "http 403 AccessDenied (words)", from a JSON body's code and message if it has them.  Always
 * returns false. */
bool ask_refused(const struct ask_answer *answer, enum err err, struct fault *fault);

#endif
