/* s3_object - whole objects: put and head; s3_get.c and s3_delete.c hold the rest.  See s3.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "s3/s3_mark.h"
#include "s3/s3_request.h"

/* Whether the object is there as this very call wrote it. */
static bool
is_ours(struct s3 *s3, const char *key, const char *mark, size_t size, struct s3_head *head)
{
    return s3_head(s3, key, head, &(struct fault){0}) && head->exists && head->bytes == size &&
           strcmp(head->mark, mark) == 0;
}

/* A PUT whose answer was lost and that was made again finds its own object there, which the
 * condition then refuses.  The mark tells whether it is that. */
bool
s3_put(struct s3 *s3, const char *key, const void *data, size_t size,
       const struct s3_condition *condition, bool *refused, char etag[S3_ETAG_MAX],
       struct fault *fault)
{
    bool conditional = condition != NULL && condition->kind != S3_ALWAYS;
    char mark[S3_MARK_MAX] = "";
    struct s3_head head;
    struct s3_call call = {
        .permission = "s3:PutObject",
        .method = "PUT",
        .key = key,
        .body = data,
        .body_size = size,
        .must_etag = true,
        .crc32c = true,
    };

    assert(!conditional || refused != NULL);
    snprintf(call.what, sizeof call.what, "put %s into", key);
    if (conditional) {
        s3_mark_draw(mark);
        s3_call_header(&call, S3_MARK_HEADER, mark);
        s3_call_header(&call, condition->kind == S3_IF_ABSENT ? "if-none-match" : "if-match",
                       condition->kind == S3_IF_ABSENT ? "*" : condition->etag);
        call.accept[0] = 412;
        call.accept[1] = condition->kind == S3_IF_MATCH ? 404 : 412;
    }
    s3_call_keeping(&call, s3);

    bool done = s3_call(s3, &call, fault);
    bool denied = done && call.answer.kind != ANSWER_GOOD;
    if (denied && call.uncertain && is_ours(s3, key, mark, size, &head)) {
        denied = false;
        memcpy(call.etag, head.etag, sizeof call.etag);
    }
    if (done && refused != NULL)
        *refused = denied;
    if (done && etag != NULL)
        memcpy(etag, call.etag, sizeof call.etag);
    s3_call_free(&call);
    return done;
}

bool
s3_head(struct s3 *s3, const char *key, struct s3_head *head, struct fault *fault)
{
    struct s3_call call = {
        .permission = "s3:GetObject, or s3:ListBucket by which a missing object is told from a "
                      "forbidden one",
        .method = "HEAD",
        .key = key,
        .accept = {404},
    };

    *head = (struct s3_head){0};
    snprintf(call.what, sizeof call.what, "look at %s in", key);
    bool done = s3_call(s3, &call, fault);
    if (done && call.answer.kind == ANSWER_GOOD) {
        head->exists = true;
        head->bytes = call.length == UINT64_MAX ? 0 : call.length;
        memcpy(head->etag, call.etag, sizeof head->etag);
        memcpy(head->mark, call.mark, sizeof head->mark);
    }
    s3_call_free(&call);
    return done;
}
