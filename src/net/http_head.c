/* http_head - see http_head.h.  Each line is understood as soon as it is whole, so that a peer that
 * speaks something else is found out by its first bytes. */
#include "net/http_head.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char version[] = "HTTP/1.";

enum {
    VERSION_SIZE = sizeof version - 1,
    QUOTED_BYTES_MAX = 24, /* of what is no HTTP */
};

void
http_head_begin(struct http_head *head, bool bodiless, enum err err)
{
    head->err = err;
    head->bodiless = bodiless;
    head->status = 0;
    head->framing = HTTP_NO_BODY;
    head->length = 0;
    head->close = head->has_length = head->chunked = false;
    head->headers_count = head->line = head->size = 0;
}

/* ---- one line ------------------------------------------------------------------------- */

/* tchar of RFC 9110 section 5.6.2. */
static bool
is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char) text[i]) &&
            (text[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text[i]) == NULL))
            return false;
    return size > 0;
}

/* field-vchar, blanks and obs-text of RFC 9110 section 5.5. */
static bool
is_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char) text[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

/* Whether a comma-separated list holds a word. */
static bool
has_word(const char *list, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        size_t item = strcspn(at, " \t,;");
        if (item == size && strncasecmp(at, word, size) == 0)
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

static bool
set_length(struct http_head *head, const char *value, struct fault *fault)
{
    uint64_t length = 0;

    for (const char *at = value; *at != '\0'; at++) {
        unsigned digit = (unsigned) (*at - '0');
        if (digit > 9 || length > (UINT64_MAX - digit) / 10)
            return fault_set(fault, head->err, "the answer's length \"%.40s\" is no number", value);
        length = length * 10 + digit;
    }
    if (*value == '\0')
        return fault_set(fault, head->err, "the answer's length is empty");
    if (head->has_length && head->length != length)
        return fault_set(fault, head->err,
                         "the answer has two lengths, %" PRIu64 " and %" PRIu64, head->length,
                         length);
    head->has_length = true;
    head->length = length;
    return true;
}

/* What a header says about the framing. */
static bool
heed(struct http_head *head, const struct http_header *header, struct fault *fault)
{
    if (strcasecmp(header->name, "content-length") == 0)
        return set_length(head, header->value, fault);
    if (strcasecmp(header->name, "connection") == 0) {
        head->close = head->close || has_word(header->value, "close");
    } else if (strcasecmp(header->name, "transfer-encoding") == 0) {
        if (head->chunked || strcasecmp(header->value, "chunked") != 0)
            return fault_set(fault, head->err,
                             "the answer's transfer encoding \"%.40s\" is not just \"chunked\"",
                             header->value);
        head->chunked = true;
    }
    return true;
}

/* line is the size bytes before CRLF; they, and the two after them, may be changed. */
static bool
take_header(struct http_head *head, char *line, size_t size, struct fault *fault)
{
    const char *colon = memchr(line, ':', size);
    size_t name_size = colon == NULL ? 0 : (size_t) (colon - line);

    if (head->headers_count == HTTP_HEADERS_MAX)
        return fault_set(fault, head->err, "the answer has more than %d headers", HTTP_HEADERS_MAX);
    if (!is_token(line, name_size))
        return fault_set(fault, head->err, "header %zu of the answer has no proper name",
                         head->headers_count + 1);
    char *value = line + name_size + 1, *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    line[name_size] = '\0';
    if (!is_value(value, (size_t) (end - value)))
        return fault_set(fault, head->err, "the answer's header %.40s holds a control character",
                         line);
    *end = '\0';
    struct http_header *header = &head->headers[head->headers_count++];
    *header = (struct http_header){.name = line, .value = value};
    return heed(head, header, fault);
}

static bool
refuse_status(struct http_head *head, const char *line, size_t size, struct fault *fault)
{
    char quoted[QUOTED_BYTES_MAX * 4 + 1] = "";

    for (size_t i = 0, at = 0; i < size && i < QUOTED_BYTES_MAX && line[i] != '\r'; i++)
        at += (size_t) snprintf(quoted + at, sizeof quoted - at,
                                line[i] >= ' ' && line[i] < 0x7f ? "%c" : "\\x%02x",
                                (unsigned char) line[i]);
    return fault_set(fault, head->err, "the answer is no HTTP/1.1: it begins with \"%s\"", quoted);
}

/* "HTTP/1.1 200 OK"; the words may be missing, and so may the blank before them. */
static bool
take_status(struct http_head *head, const char *line, size_t size, struct fault *fault)
{
    const char *code = line + VERSION_SIZE + 2;

    if (size < VERSION_SIZE + 5 || !isdigit((unsigned char) line[VERSION_SIZE]) ||
        code[-1] != ' ' || code[0] < '1' || code[0] > '5' || !isdigit((unsigned char) code[1]) ||
        !isdigit((unsigned char) code[2]) || (size > VERSION_SIZE + 5 && code[3] != ' ') ||
        !is_value(line, size))
        return refuse_status(head, line, size, fault);
    head->status =
        (unsigned) ((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
    /* Before 1.1 a connection served one answer, and chunks were unknown. */
    head->close = line[VERSION_SIZE] == '0';
    return true;
}

/* ---- the whole head ------------------------------------------------------------------- */

/* RFC 9112 section 6.3, without what it allows for old times' sake. */
static bool
set_framing(struct http_head *head, struct fault *fault)
{
    if (head->chunked && head->has_length)
        return fault_set(fault, head->err,
                         "the answer has both a length, %" PRIu64 ", and chunks", head->length);
    if (head->status == 101)
        return fault_set(fault, head->err, "the answer switches protocols unasked");
    if (head->bodiless || head->status < 200 || head->status == 204 || head->status == 304)
        head->framing = HTTP_NO_BODY;
    else if (head->chunked)
        head->framing = HTTP_CHUNKED;
    else if (head->has_length)
        head->framing = HTTP_LENGTH;
    else if (head->status >= 300)
        head->framing = HTTP_UNTIL_CLOSE;
    else
        return fault_set(fault, head->err,
                         "the answer, %u, says nothing about the length of its body", head->status);
    head->close = head->close || head->framing == HTTP_UNTIL_CLOSE;
    return true;
}

/* The line in progress is whole: CRLF are the last two bytes held. */
static enum head_step
take_line(struct http_head *head, struct fault *fault)
{
    char *line = head->bytes + head->line;
    size_t size = head->size - head->line - 2;

    head->line = head->size;
    if (head->status == 0)
        return take_status(head, line, size, fault) ? HEAD_MORE : HEAD_FAILED;
    if (size == 0)
        return set_framing(head, fault) ? HEAD_DONE : HEAD_FAILED;
    return take_header(head, line, size, fault) ? HEAD_MORE : HEAD_FAILED;
}

/* Hold bytes up to the end of a line, or all of them; *used is how many. */
static bool
hold(struct http_head *head, const char *data, size_t size, size_t *used, struct fault *fault)
{
    const char *end = memchr(data, '\n', size);

    *used = end == NULL ? size : (size_t) (end - data) + 1;
    if (*used > sizeof head->bytes - head->size)
        return fault_set(fault, head->err, "the answer's head has more than %d bytes",
                         HTTP_HEAD_BYTES_MAX);
    memcpy(head->bytes + head->size, data, *used);
    head->size += *used;
    return true;
}

enum head_step
http_head_take(struct http_head *head, const char *data, size_t size, size_t *used,
               struct fault *fault)
{
    *used = 0;
    while (*used < size) {
        size_t held;
        if (!hold(head, data + *used, size - *used, &held, fault))
            return HEAD_FAILED;
        *used += held;

        size_t first = head->size < VERSION_SIZE ? head->size : VERSION_SIZE;
        if (head->status == 0 && memcmp(head->bytes, version, first) != 0) {
            refuse_status(head, head->bytes, head->size, fault);
            return HEAD_FAILED;
        }
        if (head->bytes[head->size - 1] != '\n')
            return HEAD_MORE;
        if (head->size - head->line < 2 || head->bytes[head->size - 2] != '\r') {
            fault_set(fault, head->err, "a line of the answer's head ends without CR");
            return HEAD_FAILED;
        }
        enum head_step step = take_line(head, fault);
        if (step != HEAD_MORE)
            return step;
    }
    return HEAD_MORE;
}

const char *
http_head_value(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->headers_count; i++)
        if (strcasecmp(head->headers[i].name, name) == 0)
            return head->headers[i].value;
    return NULL;
}
