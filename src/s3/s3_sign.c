/* s3_sign - see s3_sign.h. */
#include "s3/s3_sign.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"

static void
field_add(struct s3_signed *made, const char *name, const char *value)
{
    assert(made->fields_count < SIGV4_FIELDS_MAX);
    if (value[0] != '\0')
        made->fields[made->fields_count++] = (struct sigv4_field){name, value};
}

static void
fields_gather(struct s3_signed *made, const struct s3_call *call, const struct endpoint *place,
              const struct credential *keys)
{
    field_add(made, "host", place->host);
    field_add(made, "x-amz-content-sha256", call->digests.sha256);
    field_add(made, "x-amz-date", made->date);
    field_add(made, "x-amz-security-token", keys->token);
    field_add(made, "x-amz-checksum-crc32c", call->digests.crc32c);
    field_add(made, "content-md5", call->digests.md5);
    for (size_t i = 0; i < call->headers_count; i++)
        field_add(made, call->headers[i].name, call->headers[i].value);
}

void
s3_sign(struct s3_signed *made, struct s3 *s3, const struct s3_call *call,
        const struct endpoint *place, const struct credential *keys)
{
    *made = (struct s3_signed){0};
    sigv4_date(made->date, clock_epoch_ms() + (uint64_t) atomic_load(&s3->skew_ms));
    fields_gather(made, call, place, keys);
    endpoint_path(place, call->key, &made->path);

    struct sigv4_request request = {
        .method = call->method,
        .path = text_of(&made->path),
        .path_rule = SIGV4_PATH_S3,
        .query = call->query,
        .query_count = call->query_count,
        .headers = made->fields,
        .headers_count = made->fields_count,
        .payload_hash = call->digests.sha256,
    };
    struct sigv4_scope scope = {
        .access_key = keys->access_key,
        .secret_key = keys->secret_key,
        .generation = keys->generation,
        .region = place->region,
        .service = "s3",
        .date = made->date,
    };
    sigv4_target(&made->target, &request);
    pthread_mutex_lock(&s3->lock);
    sigv4_authorize(&made->authorization, &s3->key, &scope, &request);
    pthread_mutex_unlock(&s3->lock);

    /* Proxies may change a user agent, so it is not signed. */
    for (size_t i = 0; i < made->fields_count; i++)
        made->headers[made->headers_count++] =
            (struct http_header){made->fields[i].name, made->fields[i].value};
    made->headers[made->headers_count++] =
        (struct http_header){"authorization", text_of(&made->authorization)};
    made->headers[made->headers_count++] =
        (struct http_header){"user-agent", "replica/" REPLICA_VERSION};
}

void
s3_signed_free(struct s3_signed *made)
{
    text_free(&made->target);
    text_free(&made->path);
    text_free(&made->authorization);
}
