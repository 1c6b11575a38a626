/* s3_upload - objects in parts: begin, part, complete, abort; see s3.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "s3/s3_mark.h"
#include "s3/s3_request.h"
#include "s3/xml.h"

/* A part in flight may outlive an abort; ours was cut off, and the store finds its end soon. */
static const unsigned abort_pauses_ms[] = {50, 200, 800};
enum { ABORTS_MAX = 1 + sizeof abort_pauses_ms / sizeof *abort_pauses_ms };

bool
s3_upload_begin(struct s3 *s3, const char *key, struct s3_upload *upload, struct fault *fault)
{
    struct text id = {0};
    struct s3_call call = {
        .permission = "s3:PutObject",
        .method = "POST",
        .key = key,
        .must = "InitiateMultipartUploadResult/UploadId",
    };

    assert(strlen(key) <= S3_KEY_MAX);
    snprintf(upload->key, sizeof upload->key, "%s", key);
    s3_mark_draw(upload->mark);
    snprintf(call.what, sizeof call.what, "begin to upload %s into", key);
    s3_call_query(&call, "uploads", "");
    s3_call_header(&call, S3_MARK_HEADER, upload->mark);
    if (s3->checksums)
        s3_call_header(&call, "x-amz-checksum-algorithm", "CRC32C");
    s3_call_keeping(&call, s3);

    bool done = s3_call(s3, &call, fault);
    if (done) {
        xml_find(call.text.data, call.text.size, call.must, &id);
        if (id.size == 0 || id.size >= sizeof upload->id)
            done = fault_set(fault, ERR_STORE,
                             "unable to %s %s: the store gave an upload id of %zu bytes",
                             call.what, s3_endpoint_text(s3), id.size);
        else
            memcpy(upload->id, id.data, id.size + 1);
    }
    text_free(&id);
    s3_call_free(&call);
    return done;
}

bool
s3_upload_part(struct s3 *s3, const struct s3_upload *upload, unsigned number, const void *data,
               size_t size, struct s3_part *part, struct fault *fault)
{
    char digits[16];
    struct s3_call call = {
        .permission = "s3:PutObject",
        .method = "PUT",
        .key = upload->key,
        .body = data,
        .body_size = size,
        .must_etag = true,
        .crc32c = true,
    };

    assert(number >= 1 && number <= S3_PARTS_MAX);
    snprintf(digits, sizeof digits, "%u", number);
    snprintf(call.what, sizeof call.what, "put part %u of %s into", number, upload->key);
    s3_call_query(&call, "partNumber", digits);
    s3_call_query(&call, "uploadId", upload->id);
    bool done = s3_call(s3, &call, fault);
    if (done) {
        _Static_assert(sizeof call.digests.crc32c <= sizeof part->checksum, "it fits");
        memcpy(part->etag, call.etag, sizeof part->etag);
        memcpy(part->checksum, call.digests.crc32c, sizeof call.digests.crc32c);
    }
    s3_call_free(&call);
    return done;
}

/* ETags are the store's words, and may hold anything but a line's end. */
static void
etag_add(struct text *text, const char *etag)
{
    for (const char *at = etag; *at != '\0'; at++)
        if (*at == '&' || *at == '<' || *at == '>')
            text_addf(text, "&#%d;", *at);
        else
            text_add_bytes(text, at, 1);
}

static void
parts_write(struct text *text, const struct s3_part *parts, unsigned count)
{
    text_add(text,
             "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (unsigned i = 0; i < count; i++) {
        text_addf(text, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        etag_add(text, parts[i].etag);
        text_add(text, "</ETag>");
        if (parts[i].checksum[0] != '\0')
            text_addf(text, "<ChecksumCRC32C>%s</ChecksumCRC32C>", parts[i].checksum);
        text_add(text, "</Part>");
    }
    text_add(text, "</CompleteMultipartUpload>");
}

/* Whether the object is there as this upload made it.  The mark is ours alone, so it says so even
 * if nobody heard the store say it. */
static bool
upload_arrived(struct s3 *s3, const struct s3_upload *upload, uint64_t bytes)
{
    struct fault unheard_of = {0};
    struct s3_head head;

    if (!s3_head(s3, upload->key, &head, &unheard_of) || !head.exists || head.bytes != bytes ||
        strcmp(head.mark, upload->mark) != 0)
        return false;
    log_info("the upload of %s was complete although the store's answer was lost", upload->key);
    return true;
}

bool
s3_upload_complete(struct s3 *s3, const struct s3_upload *upload, const struct s3_part *parts,
                   unsigned parts_count, uint64_t bytes, struct fault *fault)
{
    struct text text = {0};
    struct fault why = {0};
    struct s3_call call = {
        .permission = "s3:PutObject",
        .method = "POST",
        .key = upload->key,
        .must = "CompleteMultipartUploadResult/ETag",
        .accept = {404},
        .patient = true,
    };

    assert(parts_count >= 1 && parts_count <= S3_PARTS_MAX);
    parts_write(&text, parts, parts_count);
    call.body = text.data;
    call.body_size = text.size;
    snprintf(call.what, sizeof call.what, "complete the upload of %s into", upload->key);
    s3_call_query(&call, "uploadId", upload->id);

    bool settled = s3_call(s3, &call, &why);
    bool done = settled && call.answer.kind == ANSWER_GOOD;
    if (!done && why.err != ERR_STOPPED && (settled || call.uncertain))
        done = upload_arrived(s3, upload, bytes);
    if (!done && settled)
        s3_call_refuse(s3, &call, fault);
    else if (!done)
        fault_hand_over(fault, &why);
    s3_call_free(&call);
    text_free(&text);
    return done;
}

/* Whether the store still knows an upload.  One that does not answer this question has no parts to
 * look for. */
static bool
upload_lives(struct s3 *s3, const struct s3_upload *upload)
{
    struct s3_call call = {
        .permission = "s3:ListMultipartUploadParts",
        .method = "GET",
        .key = upload->key,
        .must = "ListPartsResult",
        .accept = {404, 405, 403, 400, 501},
        .tidy = true,
    };

    snprintf(call.what, sizeof call.what, "look for the upload of %s in", upload->key);
    s3_call_query(&call, "uploadId", upload->id);
    bool lives = s3_call(s3, &call, &(struct fault){0}) && call.answer.kind == ANSWER_GOOD;
    s3_call_free(&call);
    return lives;
}

bool
s3_upload_abort(struct s3 *s3, const struct s3_upload *upload, struct fault *fault)
{
    unsigned aborts = 0;

    for (; aborts < ABORTS_MAX; aborts++) {
        if (aborts > 0 && !s3_rest(s3, abort_pauses_ms[aborts - 1], true, fault))
            break;
        struct s3_call call = {
            .permission = "s3:AbortMultipartUpload",
            .method = "DELETE",
            .key = upload->key,
            .accept = {404},
            .tidy = true,
        };

        snprintf(call.what, sizeof call.what, "abort the upload of %s into", upload->key);
        s3_call_query(&call, "uploadId", upload->id);
        bool done = s3_call(s3, &call, fault);
        bool gone = done && call.answer.status == 404;
        s3_call_free(&call);
        if (!done)
            return false;
        if (gone || !upload_lives(s3, upload))
            return true;
    }
    return fault_set(fault, ERR_STORE,
                     "the upload of %s into %s lives on although it was aborted %u times",
                     upload->key, s3_endpoint_text(s3), aborts);
}
