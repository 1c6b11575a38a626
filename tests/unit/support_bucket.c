/* support_bucket - see support_bucket.h. */
#include "support_bucket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define BUCKET_PREFIX "team/shop/"

enum { VALUE_MAX = 512 };

struct bucket_object {
    struct bucket_object *next;
    char key[VALUE_MAX], etag[40];
    struct bytes bytes;
};

struct bucket_upload {
    struct bucket_upload *next;
    char key[VALUE_MAX], id[16];
    struct bytes parts[BUCKET_PARTS_MAX];
    size_t parts_count;
};

struct request {
    struct bucket *bucket;
    int fd;
    char head[8192], method[8], key[VALUE_MAX], query[2048];
    struct bytes body;
    struct text answer;
};

/* ---- objects -------------------------------------------------------------------------------- */

static struct bucket_object *
object_find(struct bucket *bucket, const char *key)
{
    struct bucket_object *object = bucket->objects;

    while (object != NULL && strcmp(object->key, key) != 0)
        object = object->next;
    return object;
}

/* Objects stand in the order of their keys. */
static struct bucket_object *
object_put(struct bucket *bucket, const char *key, const void *data, size_t size)
{
    struct bucket_object *object = object_find(bucket, key), **at = &bucket->objects;

    if (object == NULL) {
        object = calloc(1, sizeof *object);
        assert(object != NULL);
        snprintf(object->key, sizeof object->key, "%s", key);
        while (*at != NULL && strcmp((*at)->key, key) < 0)
            at = &(*at)->next;
        object->next = *at;
        *at = object;
    }
    bytes_free(&object->bytes);
    bytes_add(&object->bytes, data, size);
    snprintf(object->etag, sizeof object->etag, "\"%u\"", ++bucket->etags);
    return object;
}

static void
object_remove(struct bucket *bucket, const char *key)
{
    for (struct bucket_object **at = &bucket->objects; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->key, key) == 0) {
            struct bucket_object *object = *at;
            *at = object->next;
            bytes_free(&object->bytes);
            free(object);
            return;
        }
}

static struct bucket_upload *
upload_add(struct bucket *bucket, const char *key)
{
    struct bucket_upload *upload = calloc(1, sizeof *upload);

    assert(upload != NULL);
    snprintf(upload->key, sizeof upload->key, "%s", key);
    snprintf(upload->id, sizeof upload->id, "u%u", ++bucket->ids);
    upload->next = bucket->uploads;
    bucket->uploads = upload;
    return upload;
}

static bool
upload_remove(struct bucket *bucket, const char *id)
{
    for (struct bucket_upload **at = &bucket->uploads; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->id, id) == 0) {
            struct bucket_upload *upload = *at;
            *at = upload->next;
            for (size_t i = 0; i < BUCKET_PARTS_MAX; i++)
                bytes_free(&upload->parts[i]);
            free(upload);
            return true;
        }
    return false;
}

/* ---- requests ------------------------------------------------------------------------------- */

static void
decode(char *target, size_t size, const char *from, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        unsigned code = (unsigned char) from[i];
        if (from[i] == '%' && i + 2 < length + 1) {
            sscanf(from + i + 1, "%2x", &code);
            i += 2;
        }
        assert(used + 1 < size);
        target[used++] = (char) code;
    }
    target[used] = '\0';
}

/* The value of a query's field; false when there is none. */
static bool
field(const struct request *request, const char *name, char value[static VALUE_MAX])
{
    size_t size = strlen(name);

    value[0] = '\0';
    for (const char *at = request->query; *at != '\0';) {
        size_t length = strcspn(at, "&");
        if (length >= size && strncmp(at, name, size) == 0 &&
            (at[size] == '=' || at[size] == '&' || at[size] == '\0')) {
            size_t skip = at[size] == '=' ? size + 1 : size;
            decode(value, VALUE_MAX, at + skip, length - skip);
            return true;
        }
        at += length + (at[length] == '&');
    }
    return false;
}

static bool
header(const struct request *request, const char *name, char value[static VALUE_MAX])
{
    char line[64];

    snprintf(line, sizeof line, "\r\n%s:", name);
    const char *at = strcasestr(request->head, line);
    if (at == NULL)
        return false;
    at += strlen(line);
    at += strspn(at, " ");
    snprintf(value, VALUE_MAX, "%.*s", (int) strcspn(at, "\r"), at);
    return true;
}

static bool
receive(int fd, void *data, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(fd, data, size, 0);
        if (got <= 0)
            return false;
        data = (char *) data + got;
        size -= (size_t) got;
    }
    return true;
}

static bool
head_read(struct request *request)
{
    size_t size = 0;

    while (size < 4 || memcmp(request->head + size - 4, "\r\n\r\n", 4) != 0) {
        assert(size + 1 < sizeof request->head);
        if (!receive(request->fd, request->head + size, 1))
            return false;
        size++;
    }
    request->head[size] = '\0';
    return true;
}

static bool
request_read(struct request *request)
{
    char value[VALUE_MAX];
    uint8_t piece[65536];

    if (!head_read(request))
        return false;
    size_t method = strcspn(request->head, " ");
    snprintf(request->method, sizeof request->method, "%.*s", (int) method, request->head);
    const char *path = request->head + method + 1;
    assert(strncmp(path, "/bucket", 7) == 0);
    path += path[7] == '/' ? 8 : 7;
    size_t length = strcspn(path, "? ");
    decode(request->key, sizeof request->key, path, length);
    const char *query = path + length + (path[length] == '?');
    snprintf(request->query, sizeof request->query, "%.*s", (int) strcspn(query, " "), query);

    bytes_free(&request->body);
    if (header(request, "Expect", value))
        send(request->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
    size_t left = header(request, "Content-Length", value) ? strtoull(value, NULL, 10) : 0;
    while (left > 0) {
        size_t size = left < sizeof piece ? left : sizeof piece;
        if (!receive(request->fd, piece, size))
            return false;
        bytes_add(&request->body, piece, size);
        left -= size;
    }
    return true;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void
answer(struct request *request, unsigned status, const char *headers, const void *body, size_t size)
{
    bool bare = strcmp(request->method, "HEAD") == 0;
    time_t now = time(NULL);
    struct tm parts;
    char date[64];

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
    text_clear(&request->answer);
    text_addf(&request->answer, "HTTP/1.1 %u X\r\nDate: %s\r\nContent-Length: %zu\r\n%s\r\n",
              status, date, size, headers);
    if (!bare && size > 0)
        text_add_bytes(&request->answer, body, size);
    const char *at = request->answer.data;
    for (size_t left = request->answer.size; left > 0;) {
        ssize_t sent = send(request->fd, at, left, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        left -= (size_t) sent;
    }
}

static void
answer_xml(struct request *request, unsigned status, const char *headers, struct text *xml)
{
    answer(request, status, headers, text_of(xml), xml->size);
    text_free(xml);
}

static void
answer_error(struct request *request, unsigned status, const char *code)
{
    struct text xml = {0};

    text_addf(&xml, "<Error><Code>%s</Code><Message>as the test wants</Message></Error>", code);
    answer_xml(request, status, "", &xml);
}

/* Whether this is the request that is to be refused. */
static bool
denied(struct request *request, atomic_int *count)
{
    if (atomic_load(count) == 0 || atomic_fetch_sub(count, 1) != 1)
        return false;
    answer_error(request, 403, "AccessDenied");
    return true;
}

static const char *
etag_shown(const struct bucket *bucket, const struct bucket_object *object, char text[static 64])
{
    snprintf(text, 64, bucket->etags_change ? "\"x%s" : "%s",
             object->etag + (bucket->etags_change ? 1 : 0));
    return text;
}

static void
object_answer(struct request *request)
{
    char headers[256], etag[64];

    pthread_mutex_lock(&request->bucket->lock);
    const struct bucket_object *object = object_find(request->bucket, request->key);
    struct bytes bytes = {0};
    if (object != NULL) {
        bytes_add(&bytes, object->bytes.data, object->bytes.size);
        snprintf(headers, sizeof headers, "ETag: %s\r\n",
                 etag_shown(request->bucket, object, etag));
    }
    pthread_mutex_unlock(&request->bucket->lock);
    if (object == NULL)
        answer_error(request, 404, "NoSuchKey");
    else
        answer(request, 200, headers, bytes.data, bytes.size);
    bytes_free(&bytes);
}

static void
put_answer(struct request *request)
{
    struct bucket *bucket = request->bucket;
    char match[VALUE_MAX], headers[128], etag[64];

    atomic_fetch_add(&bucket->puts, 1);
    if (denied(request, &bucket->deny_put))
        return;
    pthread_mutex_lock(&bucket->lock);
    const struct bucket_object *object = object_find(bucket, request->key);
    bool refused = bucket->conditions && header(request, "If-Match", match) &&
                   (object == NULL || strcmp(object->etag, match) != 0);
    if (!refused) {
        object = object_put(bucket, request->key, request->body.data, request->body.size);
        snprintf(headers, sizeof headers, "ETag: %s\r\n", etag_shown(bucket, object, etag));
    }
    pthread_mutex_unlock(&bucket->lock);
    if (refused)
        answer_error(request, 412, "PreconditionFailed");
    else
        answer(request, 200, headers, NULL, 0);
}

static void
part_answer(struct request *request, const char *id)
{
    struct bucket *bucket = request->bucket;
    char number[VALUE_MAX], headers[64];
    unsigned now = atomic_fetch_add(&bucket->parts_now, 1) + 1;
    unsigned most = atomic_load(&bucket->parts_at_once);

    while (now > most && !atomic_compare_exchange_weak(&bucket->parts_at_once, &most, now))
        continue;
    atomic_fetch_add(&bucket->parts, 1);
    bool refused = denied(request, &bucket->deny_part), found = false;
    pthread_mutex_lock(&bucket->lock);
    struct bucket_upload *upload = bucket->uploads;
    while (upload != NULL && strcmp(upload->id, id) != 0)
        upload = upload->next;
    if (upload != NULL && !refused) {
        assert(field(request, "partNumber", number));
        size_t index = strtoul(number, NULL, 10) - 1;
        assert(index < BUCKET_PARTS_MAX && strcmp(upload->key, request->key) == 0);
        bytes_free(&upload->parts[index]);
        bytes_add(&upload->parts[index], request->body.data, request->body.size);
        upload->parts_count = index + 1 > upload->parts_count ? index + 1 : upload->parts_count;
        snprintf(headers, sizeof headers, "ETag: \"p%zu\"\r\n", index + 1);
        found = true;
    }
    pthread_mutex_unlock(&bucket->lock);
    atomic_fetch_sub(&bucket->parts_now, 1);
    if (found)
        answer(request, 200, headers, NULL, 0);
    else if (!refused)
        answer_error(request, 404, "NoSuchUpload");
}

static void
complete_answer(struct request *request, const char *id)
{
    struct bucket *bucket = request->bucket;
    struct bytes whole = {0};
    struct text xml = {0};

    atomic_fetch_add(&bucket->completes, 1);
    pthread_mutex_lock(&bucket->lock);
    struct bucket_upload *upload = bucket->uploads;
    while (upload != NULL && strcmp(upload->id, id) != 0)
        upload = upload->next;
    if (upload != NULL) {
        bucket->sizes_count = upload->parts_count;
        for (size_t i = 0; i < upload->parts_count; i++) {
            bucket->sizes[i] = upload->parts[i].size;
            bytes_add(&whole, upload->parts[i].data, upload->parts[i].size);
        }
        const struct bucket_object *object =
            object_put(bucket, request->key, whole.data, whole.size);
        text_addf(&xml, "<CompleteMultipartUploadResult><ETag>%s</ETag>"
                        "</CompleteMultipartUploadResult>", object->etag);
        upload_remove(bucket, id);
    }
    pthread_mutex_unlock(&bucket->lock);
    bytes_free(&whole);
    if (xml.size > 0)
        answer_xml(request, 200, "", &xml);
    else
        answer_error(request, 404, "NoSuchUpload");
}

static void
add_time(struct text *xml, const char *name, const struct bucket *bucket)
{
    char time[32];

    text_addf(xml, "<%s>%s</%s>", name, clock_text(time, clock_epoch_ms() - bucket->age_ms), name);
}

static void
list_answer(struct request *request)
{
    struct bucket *bucket = request->bucket;
    char prefix[VALUE_MAX], delimiter[VALUE_MAX], common[VALUE_MAX] = "";
    struct text xml = {0};

    if (denied(request, &bucket->deny_list))
        return;
    field(request, "prefix", prefix);
    field(request, "delimiter", delimiter);
    text_add(&xml, "<ListBucketResult><IsTruncated>false</IsTruncated>");
    pthread_mutex_lock(&bucket->lock);
    for (const struct bucket_object *at = bucket->objects; at != NULL; at = at->next) {
        size_t size = strlen(prefix);
        if (strncmp(at->key, prefix, size) != 0)
            continue;
        const char *slash = delimiter[0] == '\0' ? NULL : strchr(at->key + size, '/');
        if (slash == NULL) {
            text_addf(&xml, "<Contents><Key>%s</Key><Size>%zu</Size>", at->key, at->bytes.size);
            add_time(&xml, "LastModified", bucket);
            text_add(&xml, "</Contents>");
        } else if (strncmp(common, at->key, (size_t) (slash - at->key) + 1) != 0 ||
                   common[slash - at->key + 1] != '\0') {
            snprintf(common, sizeof common, "%.*s", (int) (slash - at->key) + 1, at->key);
            text_addf(&xml, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", common);
        }
    }
    pthread_mutex_unlock(&bucket->lock);
    text_add(&xml, "</ListBucketResult>");
    answer_xml(request, 200, "", &xml);
}

static void
uploads_answer(struct request *request)
{
    struct bucket *bucket = request->bucket;
    char prefix[VALUE_MAX];
    struct text xml = {0};

    if (bucket->uploads_unlisted) {
        answer_error(request, 501, "NotImplemented");
        return;
    }
    field(request, "prefix", prefix);
    text_add(&xml, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>");
    pthread_mutex_lock(&bucket->lock);
    for (const struct bucket_upload *at = bucket->uploads; at != NULL; at = at->next)
        if (strncmp(at->key, prefix, strlen(prefix)) == 0) {
            text_addf(&xml, "<Upload><Key>%s</Key><UploadId>%s</UploadId>", at->key, at->id);
            add_time(&xml, "Initiated", bucket);
            text_add(&xml, "</Upload>");
        }
    pthread_mutex_unlock(&bucket->lock);
    text_add(&xml, "</ListMultipartUploadsResult>");
    answer_xml(request, 200, "", &xml);
}

static void
upload_answer(struct request *request)
{
    struct text xml = {0};

    pthread_mutex_lock(&request->bucket->lock);
    const struct bucket_upload *upload = upload_add(request->bucket, request->key);
    text_addf(&xml, "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>%s</Key>"
                    "<UploadId>%s</UploadId></InitiateMultipartUploadResult>",
              request->key, upload->id);
    pthread_mutex_unlock(&request->bucket->lock);
    answer_xml(request, 200, "", &xml);
}

static void
abort_answer(struct request *request, const char *id)
{
    struct bucket *bucket = request->bucket;

    atomic_fetch_add(&bucket->aborts, 1);
    if (denied(request, &bucket->deny_abort))
        return;
    pthread_mutex_lock(&bucket->lock);
    bool removed = upload_remove(bucket, id);
    pthread_mutex_unlock(&bucket->lock);
    if (removed)
        answer(request, 204, "", NULL, 0);
    else
        answer_error(request, 404, "NoSuchUpload");
}

static void
delete_answer(struct request *request)
{
    struct text xml = {0};
    char key[VALUE_MAX];
    bytes_add(&request->body, "", 1);
    const char *at = (const char *) request->body.data;

    pthread_mutex_lock(&request->bucket->lock);
    while ((at = strstr(at, "<Key>")) != NULL) {
        at += 5;
        snprintf(key, sizeof key, "%.*s", (int) strcspn(at, "<"), at);
        object_remove(request->bucket, key);
        atomic_fetch_add(&request->bucket->deletes, 1);
    }
    pthread_mutex_unlock(&request->bucket->lock);
    text_add(&xml, "<DeleteResult></DeleteResult>");
    answer_xml(request, 200, "", &xml);
}

static void
request_serve(struct request *request)
{
    struct bucket *bucket = request->bucket;
    char id[VALUE_MAX], value[VALUE_MAX];
    const char *method = request->method;
    bool upload = field(request, "uploadId", id);

    if (bucket->before != NULL)
        bucket->before(bucket, method, request->key + (request->key[0] == '\0'
                                                           ? 0 : strlen(BUCKET_PREFIX)));
    if (strcmp(method, "PUT") == 0 && upload)
        part_answer(request, id);
    else if (strcmp(method, "PUT") == 0)
        put_answer(request);
    else if (strcmp(method, "POST") == 0 && upload)
        complete_answer(request, id);
    else if (strcmp(method, "POST") == 0 && field(request, "uploads", value))
        upload_answer(request);
    else if (strcmp(method, "POST") == 0 && field(request, "delete", value))
        delete_answer(request);
    else if (strcmp(method, "DELETE") == 0 && upload)
        abort_answer(request, id);
    else if (strcmp(method, "DELETE") == 0) {
        pthread_mutex_lock(&bucket->lock);
        object_remove(bucket, request->key);
        pthread_mutex_unlock(&bucket->lock);
        atomic_fetch_add(&bucket->deletes, 1);
        answer(request, 204, "", NULL, 0);
    } else if (request->key[0] != '\0')
        object_answer(request);
    else if (field(request, "uploads", value))
        uploads_answer(request);
    else
        list_answer(request);
}

/* ---- the server ----------------------------------------------------------------------------- */

struct visit {
    struct bucket *bucket;
    int fd;
};

static void *
visit_run(void *argument)
{
    struct visit *visit = argument;
    struct request *request = calloc(1, sizeof *request);

    assert(request != NULL);
    request->bucket = visit->bucket;
    request->fd = visit->fd;
    while (request_read(request))
        request_serve(request);
    bytes_free(&request->body);
    text_free(&request->answer);
    free(request);
    free(visit);
    return NULL;
}

static void *
acceptor_run(void *argument)
{
    struct bucket *bucket = argument;
    int fd;

    while ((fd = accept(bucket->listener, NULL, NULL)) >= 0) {
        struct visit *visit = malloc(sizeof *visit);
        assert(visit != NULL && bucket->connections < BUCKET_CONNECTIONS_MAX);
        *visit = (struct visit){bucket, fd};
        bucket->fds[bucket->connections] = fd;
        int error = pthread_create(&bucket->threads[bucket->connections++], NULL, visit_run, visit);
        assert(error == 0);
    }
    return NULL;
}

void
bucket_begin(struct bucket *bucket)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct fault fault = {0};

    memset(bucket, 0, sizeof *bucket);
    pthread_mutex_init(&bucket->lock, NULL);
    assert_true(stop_init(&bucket->stop, &fault));
    bucket->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bucket->listener, (struct sockaddr *) &address, size), 0);
    assert_int_equal(listen(bucket->listener, 64), 0);
    getsockname(bucket->listener, (struct sockaddr *) &address, &size);
    snprintf(bucket->endpoint, sizeof bucket->endpoint, "http://127.0.0.1:%u",
             ntohs(address.sin_port));
    snprintf(bucket->url, sizeof bucket->url, "s3://bucket/team/shop/");
    bucket->config = (struct s3_config){
        .bucket = "", .endpoint = bucket->endpoint, .region = "us-east-1", .sse = "",
        .kms_key = "", .storage_class = "", .attempts_max = 2, .ca_file = "",
        .credentials = {.access_key = "AK", .secret_key = "SK", .session_token = "",
                        .access_key_file = "", .secret_key_file = "", .session_token_file = "",
                        .token_file = "", .role_arn = "", .role_session_name = "",
                        .sts_endpoint = "", .region = "", .relative_uri = "", .full_uri = "",
                        .authorization = "", .authorization_file = "", .metadata_endpoint = "",
                        .metadata_disabled = true, .metadata_timeout_ms = 1000,
                        .metadata_attempts = 1}};
    bucket->conditions = true;
    assert_int_equal(pthread_create(&bucket->acceptor, NULL, acceptor_run, bucket), 0);
}

void
bucket_end(struct bucket *bucket)
{
    shutdown(bucket->listener, SHUT_RDWR);
    pthread_join(bucket->acceptor, NULL);
    for (unsigned i = 0; i < bucket->connections; i++)
        shutdown(bucket->fds[i], SHUT_RDWR);
    for (unsigned i = 0; i < bucket->connections; i++) {
        pthread_join(bucket->threads[i], NULL);
        close(bucket->fds[i]);
    }
    close(bucket->listener);
    while (bucket->objects != NULL)
        object_remove(bucket, bucket->objects->key);
    while (bucket->uploads != NULL)
        upload_remove(bucket, bucket->uploads->id);
    stop_free(&bucket->stop);
    pthread_mutex_destroy(&bucket->lock);
}

/* ---- what the test asks --------------------------------------------------------------------- */

static const char *
key_of(char key[static VALUE_MAX], const char *name)
{
    snprintf(key, VALUE_MAX, BUCKET_PREFIX "%s", name);
    return key;
}

bool
bucket_has(struct bucket *bucket, const char *name)
{
    char key[VALUE_MAX];

    pthread_mutex_lock(&bucket->lock);
    bool has = object_find(bucket, key_of(key, name)) != NULL;
    pthread_mutex_unlock(&bucket->lock);
    return has;
}

struct bytes
bucket_read(struct bucket *bucket, const char *name)
{
    char key[VALUE_MAX];
    struct bytes bytes = {0};

    pthread_mutex_lock(&bucket->lock);
    const struct bucket_object *object = object_find(bucket, key_of(key, name));
    if (object != NULL)
        bytes_add(&bytes, object->bytes.data, object->bytes.size);
    pthread_mutex_unlock(&bucket->lock);
    return bytes;
}

void
bucket_put(struct bucket *bucket, const char *name, const char *data)
{
    char key[VALUE_MAX];

    pthread_mutex_lock(&bucket->lock);
    object_put(bucket, key_of(key, name), data, strlen(data));
    pthread_mutex_unlock(&bucket->lock);
}

void
bucket_upload(struct bucket *bucket, const char *name)
{
    char key[VALUE_MAX];

    pthread_mutex_lock(&bucket->lock);
    upload_add(bucket, key_of(key, name));
    pthread_mutex_unlock(&bucket->lock);
}

size_t
bucket_count(struct bucket *bucket, const char *prefix)
{
    char key[VALUE_MAX];
    size_t count = 0;

    key_of(key, prefix);
    pthread_mutex_lock(&bucket->lock);
    for (const struct bucket_object *at = bucket->objects; at != NULL; at = at->next)
        count += strncmp(at->key, key, strlen(key)) == 0;
    pthread_mutex_unlock(&bucket->lock);
    return count;
}

size_t
bucket_uploads(struct bucket *bucket)
{
    size_t count = 0;

    pthread_mutex_lock(&bucket->lock);
    for (const struct bucket_upload *at = bucket->uploads; at != NULL; at = at->next)
        count++;
    pthread_mutex_unlock(&bucket->lock);
    return count;
}
