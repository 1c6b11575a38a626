/* credentials_ask - see credentials_ask.h. */
#include "s3/credentials_ask.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "net/stream_connect.h"
#include "s3/s3_date.h"

/* ---- requests -------------------------------------------------------------------------------- */

struct ask_answer *
ask_answer_new(void)
{
    struct ask_answer *answer = calloc(1, sizeof *answer);

    if (answer == NULL)
        memory_exhausted(sizeof *answer);
    return answer;
}

void
ask_answer_free(struct ask_answer *answer)
{
    explicit_bzero(answer, sizeof *answer);
    free(answer);
}

static bool
answer_read(struct http *http, struct ask_answer *answer, struct fault *fault)
{
    size_t got;

    answer->status = http_status(http);
    do {
        if (answer->size == ASK_ANSWER_MAX)
            return fault_set(fault, ERR_STORE, "an answer has more than %d bytes", ASK_ANSWER_MAX);
        if (!http_read(http, answer->body + answer->size, ASK_ANSWER_MAX - answer->size, &got,
                       fault))
            return false;
        answer->size += got;
    } while (got > 0);
    answer->body[answer->size] = '\0';
    return true;
}

bool
ask_send(const struct ask_context *context, const struct ask_request *request,
         struct ask_answer *answer, enum trouble *trouble, struct fault *fault)
{
    char host[URL_HOST_MAX + 16];
    const struct tls_config tls = {
        .trust = context->trust, .check_name = true, .send_name = true, .alpn = "http/1.1"};
    const struct stream_config stream = {
        .host = request->url->host,
        .port = request->url->port,
        .tls = &tls,
        .connect_ms = request->timeout_ms,
        .idle_ms = request->timeout_ms,
        .err = ERR_STORE,
        .stop = context->stop,
    };
    struct http_header headers[3] = {{"Host", host}};
    struct http_request sent = {
        .method = request->method,
        .target = request->url->path[0] == '\0' ? "/" : request->url->path,
        .headers = headers,
        .headers_count = 1,
        .body = request->body,
        .body_size = request->body_size,
        .total_ms = 4 * request->timeout_ms,
    };

    assert(context->trust != NULL || !request->url->tls);
    url_host_header(request->url, host);
    for (size_t i = 0; i < 2; i++)
        if (request->headers[i].name != NULL)
            headers[sent.headers_count++] = request->headers[i];
    answer->size = 0;

    struct http *http = http_open(request->url, &stream);
    bool done = http_send(http, &sent, fault) && answer_read(http, answer, fault);
    *trouble = done ? TROUBLE_NONE : http_trouble(http);
    http_close(http);
    return done;
}

enum ask
ask_after(enum trouble trouble)
{
    return trouble == TROUBLE_REFUSED || trouble == TROUBLE_STOPPED ? ASK_FAILED : ASK_AGAIN;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool
file_read(int fd, struct text *content)
{
    char piece[1024];
    ssize_t got;

    while ((got = read(fd, piece, sizeof piece)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got > 0 && content->size + (size_t) got > ASK_FILE_MAX)
            errno = EFBIG;
        else if (got > 0) {
            text_add_bytes(content, piece, (size_t) got);
            continue;
        }
        return false;
    }
    explicit_bzero(piece, sizeof piece);
    return true;
}

bool
ask_file(const char *variable, const char *path, struct text *content, struct fault *fault)
{
    char words[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    text_clear(content);
    bool done = fd >= 0 && file_read(fd, content);
    if (!done)
        fault_set(fault, ERR_CONFIG, "unable to read %s, which %s names: %s", path, variable,
                  errno == EFBIG ? "it has more than 32 KiB" : stream_reason(words, errno));
    if (fd >= 0)
        close(fd);
    if (!done)
        return false;
    if (content->size > 0 && content->data[content->size - 1] == '\n')
        content->data[--content->size] = '\0';
    if (content->size == 0)
        return fault_set(fault, ERR_CONFIG, "%s, which %s names, is empty", path, variable);
    if (strlen(content->data) == content->size && ask_is_line(content->data))
        return true;
    return fault_set(fault, ERR_CONFIG,
                     "%s, which %s names, holds more than one line of printable characters", path,
                     variable);
}

/* ---- keys ------------------------------------------------------------------------------------ */

void
ask_text_free(struct text *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->size);
    text_free(text);
}

bool
ask_is_line(const char *text)
{
    while (*text >= ' ' && *text < 0x7f)
        text++;
    return *text == '\0';
}

bool
ask_keep(char *slot, size_t size, const char *value)
{
    size_t length = strlen(value);

    if (length == 0 || length >= size || !ask_is_line(value) || strchr(value, ' ') != NULL)
        return false;
    memcpy(slot, value, length + 1);
    return true;
}

const char *
ask_words(char buffer[static ASK_WORDS_MAX], const char *words)
{
    size_t size = 0;

    for (; *words != '\0' && size < ASK_WORDS_MAX - 4; words++)
        buffer[size++] = *words >= ' ' && *words < 0x7f ? *words : '?';
    snprintf(buffer + size, ASK_WORDS_MAX - size, "%s", *words == '\0' ? "" : "...");
    return buffer;
}

/* The arena's memory is ours, and goes back to the heap as it is. */
static void
secrets_free(struct arena *arena, const struct json *json)
{
    bool object = json != NULL && json->type == JSON_OBJECT;

    for (const struct json *item = object ? json->first : NULL; item != NULL; item = item->next)
        if (item->type == JSON_STRING)
            explicit_bzero((char *) item->text, item->size);
    arena_free(arena);
}

static bool
keys_take(const struct json *json, bool all, struct credential *credential, struct fault *fault)
{
    static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token"};
    char *slots[] = {credential->access_key, credential->secret_key, credential->token};
    const size_t sizes[] = {sizeof credential->access_key, sizeof credential->secret_key,
                            sizeof credential->token};
    const char *expires = json_get_text(json, "Expiration", "");

    for (size_t i = 0; i < 3; i++) {
        const char *value = json_get_text(json, names[i], "");
        bool needed = all || i < 2;
        if (*value == '\0' && needed)
            return fault_set(fault, ERR_STORE, "an answer lacks %s", names[i]);
        if (*value != '\0' && !ask_keep(slots[i], sizes[i], value))
            return fault_set(fault, ERR_STORE, "an answer's %s is not one, by its length or bytes",
                             names[i]);
    }
    if (*expires == '\0' && !all)
        return true;
    if (!s3_date_iso(expires, &credential->expires_ms) || credential->expires_ms == 0)
        return fault_set(fault, ERR_STORE, "an answer's Expiration is no time");
    return true;
}

bool
ask_keys_read(const struct ask_answer *answer, bool all, struct credential *credential,
              struct fault *fault)
{
    struct arena arena = {0};
    struct fault no_json = {0};
    const struct json *json = json_parse(&arena, answer->body, answer->size, "it", &no_json);
    const char *code = json_get_text(json, "Code", "Success");
    bool done;

    *credential = (struct credential){0};
    if (json == NULL || json->type != JSON_OBJECT)
        done = fault_set(fault, ERR_STORE, "an answer is no json object");
    else if (strcmp(code, "Success") != 0)
        done = ask_refused(answer, ERR_STORE, fault);
    else
        done = keys_take(json, all, credential, fault);
    if (!done)
        explicit_bzero(credential, sizeof *credential);
    secrets_free(&arena, json);
    return done;
}

static const char *
either(const struct json *json, const char *name, const char *other)
{
    return json_get_text(json, name, json_get_text(json, other, ""));
}

bool
ask_refused(const struct ask_answer *answer, enum err err, struct fault *fault)
{
    struct arena arena = {0};
    struct fault no_json = {0};
    char code[ASK_WORDS_MAX], message[ASK_WORDS_MAX];
    const struct json *json = json_parse(&arena, answer->body, answer->size, "it", &no_json);

    ask_words(code, either(json, "code", "Code"));
    ask_words(message, either(json, "message", "Message"));
    fault_set(fault, err, "http %u%s%s%s%s%s", answer->status, *code == '\0' ? "" : " ", code,
              *message == '\0' ? "" : " (", message, *message == '\0' ? "" : ")");
    secrets_free(&arena, json);
    return false;
}
