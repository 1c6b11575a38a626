/* sigv4: every case of the signing test suite that lies in ../shared/vectors/sigv4, by header and
 * by query, each at the canonical request, the string to sign and the signature. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "s3/sigv4.h"
#include "support.h"

/* Tests run in the repository's own directory. */
static const char vectors_path[] = "../shared/vectors/sigv4";

enum { PATH_MAX_BYTES = 512 };

struct request {
    struct sigv4_request sigv4;
    struct sigv4_field query[SIGV4_FIELDS_MAX], headers[SIGV4_FIELDS_MAX];
    char hash[SIGV4_HASH_TEXT], hash_of_body[SIGV4_HASH_TEXT];
    struct sigv4_scope scope;
    const char *token;
    bool omit_token, sign_body;
    uint64_t expires;
};

static char *
file_read(struct arena *arena, const char *folder, const char *name, size_t *size)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s/%s/%s", vectors_path, folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s cannot be opened", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t) ftell(file);
    rewind(file);
    char *data = arena_take(arena, *size + 1);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

static void
field_add(struct sigv4_field *fields, size_t *count, const char *name, const char *value)
{
    assert_true(*count < SIGV4_FIELDS_MAX);
    fields[(*count)++] = (struct sigv4_field){name, value};
}

/* "Param1=value1&Param2=value2"; the suite has no escapes in it. */
static void
query_read(struct request *request, char *text)
{
    assert_null(strchr(text, '%'));
    for (char *next; text != NULL && *text != '\0'; text = next) {
        next = strchr(text, '&');
        if (next != NULL)
            *next++ = '\0';
        char *value = strchr(text, '=');
        if (value != NULL)
            *value++ = '\0';
        field_add(request->query, &request->sigv4.query_count, text, value == NULL ? "" : value);
    }
}

static void
request_line_read(struct request *request, char *line)
{
    char *path = strchr(line, ' ');
    assert_non_null(path);
    *path++ = '\0';
    char *end = strstr(path, " HTTP/1.1");
    assert_non_null(end);
    *end = '\0';
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
        query_read(request, query);
    }
    request->sigv4.method = line;
    request->sigv4.path = path;
}

/* The end of a header's value; lines that begin with a blank belong to it. */
static char *
header_end(char *at)
{
    do {
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    } while (*at == ' ' || *at == '\t');
    return at - 1;
}

static void
request_read(struct request *request, char *text)
{
    char *at = strchr(text, '\n');
    assert_non_null(at);
    *at++ = '\0';
    request_line_read(request, text);
    while (*at != '\n' && *at != '\0') {
        char *end = header_end(at), *colon = strchr(at, ':');
        assert_true(colon != NULL && colon < end);
        *colon = *end = '\0';
        field_add(request->headers, &request->sigv4.headers_count, at, colon + 1);
        at = end + 1;
    }
    const char *body = *at == '\n' ? at + 1 : at;
    sigv4_hash(request->hash_of_body, body, strlen(body));
    sigv4_hash(request->hash, "", 0);
    request->sigv4.query = request->query;
    request->sigv4.headers = request->headers;
}

static void
case_read(struct arena *arena, const char *name, struct request *request)
{
    struct fault fault = {0};
    size_t size;
    char *text = file_read(arena, name, "request.txt", &size);
    *request = (struct request){0};
    request_read(request, text);

    text = file_read(arena, name, "context.json", &size);
    const struct json *context = json_parse(arena, text, size, name, &fault);
    const struct json *keys = json_get(context, "credentials");
    assert_non_null(keys);
    request->scope.access_key = json_get_text(keys, "access_key_id", "");
    request->scope.secret_key = json_get_text(keys, "secret_access_key", "");
    request->token = json_get_text(keys, "token", NULL);
    request->scope.region = json_get_text(context, "region", "");
    request->scope.service = json_get_text(context, "service", "");
    request->omit_token = json_get_bool(context, "omit_session_token", false);
    request->sign_body = json_get_bool(context, "sign_body", false);
    assert_true(json_get_number(context, "expiration_in_seconds", &request->expires));
    request->sigv4.path_rule =
        json_get_bool(context, "normalize", true) ? SIGV4_PATH_NORMALISED : SIGV4_PATH_S3;

    /* 2015-08-30T12:36:00Z, without what parts it */
    const char *stamp = json_get_text(context, "timestamp", "");
    char *date = arena_take(arena, SIGV4_DATE_TEXT);
    size_t used = 0;
    for (; *stamp != '\0'; stamp++)
        if (*stamp != '-' && *stamp != ':' && used < SIGV4_DATE_TEXT - 1)
            date[used++] = *stamp;
    request->scope.date = date;
    request->sigv4.payload_hash = request->sign_body ? request->hash_of_body : request->hash;
}

static void
point_check(struct arena *arena, const char *name, const char *kind, const char *point,
            const char *got)
{
    char file[64];
    size_t size;
    snprintf(file, sizeof file, "%s-%s.txt", kind, point);
    char *wanted = file_read(arena, name, file, &size);
    while (size > 0 && wanted[size - 1] == '\n')
        wanted[--size] = '\0';
    if (strcmp(wanted, got) != 0)
        fail_msg("%s, %s:\n--- wanted\n%s\n--- got\n%s", name, file, wanted, got);
}

static void
points_check(struct arena *arena, const char *name, const char *kind, const struct request *request)
{
    struct text canonical = {0}, string_to_sign = {0};
    struct sigv4_key key = {0};
    char signature[SIGV4_HASH_TEXT];

    sigv4_canonical(&canonical, &request->sigv4);
    point_check(arena, name, kind, "canonical-request", text_of(&canonical));
    sigv4_string_to_sign(&string_to_sign, &request->scope, canonical.data, canonical.size);
    point_check(arena, name, kind, "string-to-sign", text_of(&string_to_sign));
    sigv4_signature(signature, &key, &request->scope, string_to_sign.data, string_to_sign.size);
    point_check(arena, name, kind, "signature", signature);
    text_free(&canonical);
    text_free(&string_to_sign);
}

static void
header_check(struct arena *arena, const char *name)
{
    struct request request;
    struct sigv4_key key = {0};
    struct text line = {0};
    size_t size;

    case_read(arena, name, &request);
    size_t *count = &request.sigv4.headers_count;
    field_add(request.headers, count, "X-Amz-Date", request.scope.date);
    if (request.token != NULL && !request.omit_token)
        field_add(request.headers, count, "X-Amz-Security-Token", request.token);
    if (request.sign_body)
        field_add(request.headers, count, "x-amz-content-sha256", request.hash_of_body);
    points_check(arena, name, "header", &request);

    sigv4_authorize(&line, &key, &request.scope, &request.sigv4);
    if (strstr(file_read(arena, name, "header-signed-request.txt", &size), text_of(&line)) == NULL)
        fail_msg("%s: the header %s is not in the signed request", name, text_of(&line));
    text_free(&line);
}

/* The presigned form: what the Authorization header says stands in the query. */
static void
query_check(struct arena *arena, const char *name)
{
    struct request request;
    struct text text = {0};

    case_read(arena, name, &request);
    size_t *count = &request.sigv4.query_count;
    sigv4_canonical(&text, &request.sigv4);
    char *names_end = memrchr(text.data, '\n', text.size);
    char *names = memrchr(text.data, '\n', (size_t) (names_end - text.data));
    *names_end = '\0';
    field_add(request.query, count, "X-Amz-SignedHeaders", arena_text(arena, names + 1));
    text_free(&text);
    field_add(request.query, count, "X-Amz-Algorithm", "AWS4-HMAC-SHA256");
    field_add(request.query, count, "X-Amz-Credential",
              arena_print(arena, "%s/%.8s/%s/%s/aws4_request", request.scope.access_key,
                          request.scope.date, request.scope.region, request.scope.service));
    field_add(request.query, count, "X-Amz-Date", request.scope.date);
    field_add(request.query, count, "X-Amz-Expires",
              arena_print(arena, "%llu", (unsigned long long) request.expires));
    if (request.token != NULL && !request.omit_token)
        field_add(request.query, count, "X-Amz-Security-Token", request.token);
    points_check(arena, name, "query", &request);
}

static void
test_vectors(void **state)
{
    struct dirent **names;
    unsigned cases = 0;
    (void) state;

    int count = scandir(vectors_path, &names, NULL, alphasort);
    if (count < 0) {
        print_message("%s is not here; the examples of s3_sigv4.c are all there is\n",
                      vectors_path);
        skip();
    }
    for (int i = 0; i < count; i++) {
        struct arena arena = {0};
        if (names[i]->d_name[0] != '.') {
            header_check(&arena, names[i]->d_name);
            query_check(&arena, names[i]->d_name);
            cases++;
        }
        arena_free(&arena);
        free(names[i]);
    }
    free(names);
    print_message("%u cases, by header and by query, three points each: %u points\n", cases,
                  cases * 6);
    assert_true(cases > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
