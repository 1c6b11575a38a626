/* s3_delete - deleting objects, a thousand at a time; see s3.h.
 *
 * DeleteObjects answers 200 also when it has deleted nothing: each key has an error of its own, and
 * each is looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "s3/s3_request.h"
#include "s3/xml.h"

static bool
object_delete(struct s3 *s3, const char *key, struct fault *fault)
{
    struct s3_call call = {
        .permission = "s3:DeleteObject",
        .method = "DELETE",
        .key = key,
        .accept = {404},
        .tidy = true,
    };

    snprintf(call.what, sizeof call.what, "delete %s from", key);
    bool done = s3_call(s3, &call, fault);
    s3_call_free(&call);
    return done;
}

/* XML's own five; a key of ours holds none of them. */
static void
escaped_add(struct text *text, const char *value)
{
    static const char special[] = "&<>\"'";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};

    for (const char *at = value; *at != '\0'; at++) {
        const char *found = strchr(special, *at);
        if (found != NULL)
            text_add(text, names[found - special]);
        else if (*at < ' ' && *at > 0)
            text_addf(text, "&#%d;", *at);
        else
            text_add_bytes(text, at, 1);
    }
}

static void
batch_write(struct text *text, const char *const *keys, size_t count)
{
    text_clear(text);
    text_add(text, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
    for (size_t i = 0; i < count; i++) {
        text_add(text, "<Object><Key>");
        escaped_add(text, keys[i]);
        text_add(text, "</Key></Object>");
    }
    text_add(text, "</Delete>");
}

/* What of a batch was not deleted. */
struct leftover {
    const char *keys[S3_DELETE_KEYS_MAX]; /* may be tried again */
    size_t count;
};

static const char *
key_among(const char *const *keys, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i], key) == 0)
            return keys[i];
    return NULL;
}

/* Read the errors of an answer that is a 200 all the same. */
static bool
batch_read(const struct s3 *s3, const struct s3_call *call, const char *const *keys, size_t count,
           struct leftover *leftover, struct fault *fault)
{
    char code[ANSWER_CODE_MAX] = "", message[ANSWER_MESSAGE_MAX] = "", name[CALL_WHAT_MAX] = "";
    struct xml xml;
    enum xml_event event;
    bool sound = true;

    leftover->count = 0;
    xml_init(&xml, call->text.data, call->text.size);
    while (sound && ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END)) {
        if (event == XML_BEGIN)
            continue;
        if (xml_is(&xml, "DeleteResult/Error/Code")) {
            s3_words_copy(code, sizeof code, text_of(&xml.text));
        } else if (xml_is(&xml, "DeleteResult/Error/Message")) {
            s3_words_copy(message, sizeof message, text_of(&xml.text));
        } else if (xml_is(&xml, "DeleteResult/Error/Key")) {
            snprintf(name, sizeof name, "%s", text_of(&xml.text));
        } else if (xml_is(&xml, "DeleteResult/Error")) {
            const char *key = key_among(keys, count, name);
            if (key != NULL && s3_code_transient(code) && leftover->count < count)
                leftover->keys[leftover->count++] = key;
            else if (strcmp(code, "NoSuchKey") != 0)
                sound = fault_set(fault, ERR_STORE, "unable to delete %s from %s: %s (%s)%s", name,
                                  s3_endpoint_text(s3), code, message,
                                  strcmp(code, "AccessDenied") == 0
                                      ? "; the keys may lack s3:DeleteObject" : "");
            code[0] = message[0] = name[0] = '\0';
        }
    }
    xml_free(&xml);
    return sound;
}

/* Make one DeleteObjects.  *known is false when the store does not have it. */
static bool
batch_delete(struct s3 *s3, const char *const *keys, size_t count, struct leftover *leftover,
             bool *known, struct fault *fault)
{
    struct text text = {0};
    struct s3_call call = {
        .permission = "s3:DeleteObject",
        .method = "POST",
        .key = "",
        .must = "DeleteResult",
        .accept = {400, 405, 411, 501},
        .md5 = true,
        .tidy = true,
    };

    batch_write(&text, keys, count);
    call.body = text.data;
    call.body_size = text.size;
    snprintf(call.what, sizeof call.what, "delete %zu objects from", count);
    s3_call_query(&call, "delete", "");
    bool done = s3_call(s3, &call, fault);
    *known = !done || call.answer.kind == ANSWER_GOOD;
    if (!*known)
        log_debug("s3: DeleteObjects: %u %s (%s); going on one by one", call.answer.status,
                  call.answer.code, call.answer.message);
    leftover->count = 0;
    if (done && *known)
        done = batch_read(s3, &call, keys, count, leftover, fault);
    s3_call_free(&call);
    text_free(&text);
    return done;
}

/* Delete one batch, and what is left of it, until nothing is. */
static bool
batch_delete_all(struct s3 *s3, const char *const *keys, size_t count, bool *known,
                 struct fault *fault)
{
    struct leftover *leftover = calloc(2, sizeof *leftover), *next = leftover + 1;
    struct retry retry;
    bool done;

    if (leftover == NULL)
        memory_exhausted(2 * sizeof *leftover);
    retry_begin(&retry, s3->config.attempts_max, S3_BUDGET_MS, clock_ms());
    while ((done = batch_delete(s3, keys, count, next, known, fault)) && *known &&
           next->count > 0) {
        if (next->count < count)
            retry_progress(&retry, clock_ms());
        retry.attempts++;
        keys = next->keys;
        count = next->count;
        next = next == leftover ? leftover + 1 : leftover;
        if (!s3_pause(s3, &retry, false, 0, true, fault)) {
            done = fault_set(fault, ERR_STORE,
                             "unable to delete %s and %zu other objects from %s: the store put it "
                             "off again and again", keys[0], count - 1, s3_endpoint_text(s3));
            break;
        }
    }
    if (done && retry.taken > 0)
        s3_retry_end(s3, &retry);
    free(leftover);
    return done;
}

bool
s3_delete(struct s3 *s3, const char *const *keys, size_t count, struct fault *fault)
{
    size_t i = 0;

    while (count - i > 1 && !atomic_load(&s3->batches_refused)) {
        size_t batch = count - i < S3_DELETE_KEYS_MAX ? count - i : S3_DELETE_KEYS_MAX;
        bool known;
        if (!batch_delete_all(s3, keys + i, batch, &known, fault))
            return false;
        if (known)
            i += batch;
        else
            atomic_store(&s3->batches_refused, true);
    }
    for (; i < count; i++)
        if (!object_delete(s3, keys[i], fault))
            return false;
    return true;
}
