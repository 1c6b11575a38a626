/* s3_answer - see s3_answer.h. */
#include "s3/s3_answer.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/s3_date.h"
#include "s3/xml.h"

/* Before and after these no clock is right, and no Date is believed. */
static const uint64_t date_ms_min = 1577836800000; /* 2020 */
static const uint64_t date_ms_max = 4102444800000; /* 2100 */

/* What the codes mean whose status alone does not say it (Amazon S3 API Reference, "Error
 * responses"; the names of throttling as the SDKs know them). */
static const struct code {
    const char *name;
    enum answer_kind kind;
} codes[] = {
    {"RequestTimeout", ANSWER_TRANSIENT},
    {"RequestTimeoutException", ANSWER_TRANSIENT},
    {"PriorRequestNotComplete", ANSWER_TRANSIENT},
    {"InternalError", ANSWER_TRANSIENT},
    {"ServiceUnavailable", ANSWER_TRANSIENT},
    {"OperationAborted", ANSWER_TRANSIENT},            /* 409: another one touches it right now */
    {"ConditionalRequestConflict", ANSWER_TRANSIENT},  /* 409: the same, with a condition */
    {"IncompleteBody", ANSWER_TRANSIENT},              /* 400: it got lost on the way */
    {"BadDigest", ANSWER_TRANSIENT},                   /* 400: or it was damaged there */
    {"XAmzContentSHA256Mismatch", ANSWER_TRANSIENT},
    {"SlowDown", ANSWER_THROTTLED},
    {"SlowDownRead", ANSWER_THROTTLED},
    {"SlowDownWrite", ANSWER_THROTTLED},
    {"Throttling", ANSWER_THROTTLED},
    {"ThrottlingException", ANSWER_THROTTLED},
    {"ThrottledException", ANSWER_THROTTLED},
    {"RequestThrottled", ANSWER_THROTTLED},
    {"RequestThrottledException", ANSWER_THROTTLED},
    {"EC2ThrottledException", ANSWER_THROTTLED},
    {"TooManyRequests", ANSWER_THROTTLED},
    {"TooManyRequestsException", ANSWER_THROTTLED},
    {"RequestLimitExceeded", ANSWER_THROTTLED},
    {"BandwidthLimitExceeded", ANSWER_THROTTLED},
    {"LimitExceededException", ANSWER_THROTTLED},
    {"PermanentRedirect", ANSWER_ELSEWHERE},
    {"TemporaryRedirect", ANSWER_ELSEWHERE},
    {"AuthorizationHeaderMalformed", ANSWER_ELSEWHERE},
    {"IllegalLocationConstraintException", ANSWER_ELSEWHERE},
    {"RequestTimeTooSkewed", ANSWER_SKEWED},
    {"RequestExpired", ANSWER_SKEWED},
    {"MissingContentMD5", ANSWER_UNDIGESTED},
    {"ExpiredToken", ANSWER_KEYS},
    {"ExpiredTokenException", ANSWER_KEYS},
    {"TokenRefreshRequired", ANSWER_KEYS},
    {"InvalidToken", ANSWER_KEYS},
    {"InvalidAccessKeyId", ANSWER_KEYS},
    {"SignatureDoesNotMatch", ANSWER_KEYS}, /* of two files of keys one was rotated first */
};

static const struct code *
code_find(const char *name)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i].name, name) == 0)
            return &codes[i];
    return NULL;
}

bool
s3_code_transient(const char *name)
{
    const struct code *code = code_find(name);
    return code != NULL && (code->kind == ANSWER_TRANSIENT || code->kind == ANSWER_THROTTLED);
}

void
s3_words_copy(char *words, size_t words_size, const char *foreign)
{
    int wanted = snprintf(words, words_size, "%s", foreign);

    assert(words_size > 4);
    for (char *at = words; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    if ((size_t) wanted >= words_size)
        memcpy(words + words_size - 4, "...", 4);
}

/* Take what an error says, as far as it can be read. */
static void
error_read(struct s3_answer *answer, const struct answer_source *source)
{
    struct xml xml;
    enum xml_event event;

    xml_init(&xml, source->body, source->body_size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END) {
        if (event == XML_BEGIN)
            continue;
        if (xml_is(&xml, "Error/Code"))
            s3_words_copy(answer->code, sizeof answer->code, text_of(&xml.text));
        else if (xml_is(&xml, "Error/Message"))
            s3_words_copy(answer->message, sizeof answer->message, text_of(&xml.text));
        else if (xml_is(&xml, "Error/Region") && answer->region[0] == '\0')
            s3_words_copy(answer->region, sizeof answer->region, text_of(&xml.text));
    }
    xml_free(&xml);
}

/* Whether a 2xx holds what it must, whole; where that is nothing, at least no error. */
static bool
body_holds(const struct answer_source *source)
{
    if (source->body_size == 0)
        return source->must == NULL;
    if (source->must == NULL)
        return !xml_find(source->body, source->body_size, "Error/Code", NULL);
    return xml_find(source->body, source->body_size, source->must, NULL);
}

static void
headers_read(struct s3_answer *answer, const struct answer_source *source)
{
    uint64_t ms;

    /* An answer out of a cache is as old as it says, or older. */
    if (source->date != NULL && source->age == NULL && s3_date_http(source->date, &ms) &&
        ms >= date_ms_min && ms < date_ms_max)
        answer->date_ms = ms;
    if (source->bucket_region != NULL)
        s3_words_copy(answer->region, sizeof answer->region, source->bucket_region);
    /* The other form, a date, asks for more than we would wait. */
    const char *after = source->retry_after;
    if (after != NULL && isdigit((unsigned char) after[0]) && strlen(after) < 8)
        answer->wish_ms = strtoull(after, NULL, 10) * 1000;
}

static bool
date_is_off(const struct s3_answer *answer, uint64_t signed_ms)
{
    uint64_t apart = answer->date_ms > signed_ms ? answer->date_ms - signed_ms
                                                 : signed_ms - answer->date_ms;
    return answer->date_ms != 0 && apart > ANSWER_SKEW_MS_MAX;
}

static bool
status_transient(unsigned status)
{
    return status == 408 || (status >= 500 && status != 501 && status != 505);
}

static enum answer_kind
kind_of(const struct s3_answer *answer, const struct answer_source *source)
{
    const struct code *code = code_find(answer->code);
    unsigned status = source->status;
    bool bare = strcmp(source->method, "HEAD") == 0;

    if (status == 301 || status == 302 || status == 307 || status == 308)
        return ANSWER_ELSEWHERE;
    if (status == 403 && date_is_off(answer, source->signed_ms))
        return ANSWER_SKEWED;
    if (code != NULL)
        return code->kind;
    if (status == 429)
        return ANSWER_THROTTLED;
    if (status_transient(status))
        return ANSWER_TRANSIENT;
    if (status == 400 && strstr(answer->message, "Content-MD5") != NULL)
        return ANSWER_UNDIGESTED;
    if (!bare || (status != 400 && status != 403))
        return ANSWER_FINAL;
    if (date_is_off(answer, source->signed_ms))
        return ANSWER_SKEWED;
    if (answer->region[0] != '\0' && strcmp(answer->region, source->region) != 0)
        return ANSWER_ELSEWHERE;
    return ANSWER_KEYS;
}

void
s3_answer_read(struct s3_answer *answer, const struct answer_source *source)
{
    *answer = (struct s3_answer){.status = source->status};
    headers_read(answer, source);
    if (source->status >= 200 && source->status < 300) {
        answer->kind = body_holds(source) ? ANSWER_GOOD : ANSWER_TRANSIENT;
        if (answer->kind == ANSWER_TRANSIENT && source->body_size > 0)
            error_read(answer, source);
        if (answer->kind == ANSWER_TRANSIENT && answer->code[0] == '\0')
            snprintf(answer->message, sizeof answer->message, "without a whole %.100s",
                     source->must == NULL ? "answer" : source->must);
        return;
    }
    if (source->body_size > 0)
        error_read(answer, source);
    answer->kind = kind_of(answer, source);
}

void
s3_answer_text(const struct s3_answer *answer, struct text *text)
{
    text_addf(text, "%u", answer->status);
    if (answer->code[0] != '\0')
        text_addf(text, " %s", answer->code);
    if (answer->message[0] != '\0')
        text_addf(text, " (%s)", answer->message);
}
