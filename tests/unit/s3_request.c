/* s3_request - the engine: what is tried again, what is put right, when it ends, what is said. */
#include "base/log.h"
#include "s3/s3_client.h"
#include "s3_peer.h"
#include "s3_script.h"

#define ERROR(code) "<Error><Code>" code "</Code><Message>Because.</Message></Error>"

/* Play a script to a client that puts "k", count times; the last one must succeed or fail. */
static void
play(const struct turn *turns, size_t count, const struct s3_config *wish, unsigned puts,
     bool good, struct fault *fault)
{
    struct script script;

    script_begin(&script, turns, count);
    struct s3_config config = script_config(&script);
    if (wish != NULL) {
        config.attempts_max = wish->attempts_max;
        config.checksums = wish->checksums;
        config.credentials = wish->credentials;
    }
    struct s3 *s3 = script_client(&script, &config);
    for (unsigned i = 1; i < puts; i++)
        assert_true(s3_put(s3, "k", "x", 1, NULL, NULL, NULL, fault));
    assert_int_equal(s3_put(s3, "k", "x", 1, NULL, NULL, NULL, fault), good);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

#define PLAY(turns, puts, good, fault) \
    play(turns, sizeof turns / sizeof *turns, NULL, puts, good, fault)

/* ---- again ------------------------------------------------------------------------------ */

/* Each class of what may pass is followed by success. */
static void
test_what_passes(void **state)
{
    (void) state;
    static const struct turn passing[] = {
        {.way = SCRIPT_CUT},
        {.status = 500, .body = ERROR("InternalError")},
        {.status = 502, .body = "<html>Bad Gateway</html>"},
        {.status = 503, .body = ERROR("SlowDown")},
        {.status = 504},
        {.status = 408},
        {.status = 429},
        {.status = 400, .body = ERROR("RequestTimeout")},
        {.status = 409, .body = ERROR("OperationAborted")},
        {.status = 400, .body = ERROR("BadDigest")},
        {.status = 400, .body = ERROR("XAmzContentSHA256Mismatch")},
        {.status = 200}, /* without an ETag */
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = ERROR("InternalError")},
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = "<Error><Code/></Error>"},
        {.status = 500, .headers = "Content-Length: 100\r\n", .body = "xx", .way = SCRIPT_HALF},
    };

    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        struct turn turns[] = {
            passing[i], {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n"}};
        struct fault fault = {0};
        turns[0].asks = "PUT ";
        PLAY(turns, 1, true, &fault);
    }
}

/* Each class of what does not pass is asked once. */
static void
test_what_stays(void **state)
{
    (void) state;
    static const struct {
        struct turn turn;
        const char *says;
    } staying[] = {
        {{.status = 403, .body = ERROR("AccessDenied")},
         ": 403 AccessDenied (Because.); the keys from the environment may lack s3:PutObject"},
        {{.status = 403, .body = ERROR("InvalidAccessKeyId")},
         ": 403 InvalidAccessKeyId (Because.); the keys come from the environment"},
        {{.status = 403, .body = ERROR("SignatureDoesNotMatch")}, "come from the environment"},
        {{.status = 404, .body = ERROR("NoSuchBucket")}, "; the bucket must exist"},
        {{.status = 400, .body = ERROR("EntityTooLarge")}, ": 400 EntityTooLarge (Because.)"},
        {{.status = 501}, ": 501"},
        {{.status = 403, .body = "<html>proxy</html>"}, ": 403; the keys"},
    };

    for (size_t i = 0; i < sizeof staying / sizeof *staying; i++) {
        struct turn turns[] = {staying[i].turn};
        struct fault fault = {0};
        turns[0].asks = "PUT ";
        PLAY(turns, 1, false, &fault);
        assert_int_equal(fault.err, ERR_STORE);
        assert_says(fault, "unable to put k into http://127.0.0.1:");
        assert_says(fault, staying[i].says);
        assert_null(strstr(fault.text, "attempts"));
        assert_null(strstr(fault.text, "hush"));
    }
}

static void
test_attempts_are_counted(void **state)
{
    (void) state;
    static const struct turn busy = {.asks = "PUT ", .status = 503, .body = ERROR("SlowDown")};
    const struct turn turns[] = {busy, busy, busy};
    struct fault fault = {0};

    PLAY(turns, 1, false, &fault);
    assert_int_equal(fault.err, ERR_STORE);
    assert_says(fault, ": 503 SlowDown (Because.), after 3 attempts in ");

    const struct turn cut[] = {{.asks = "PUT ", .way = SCRIPT_CUT}};
    struct s3_config once = {.attempts_max = 1,
                             .credentials = {.access_key = "AKID", .secret_key = "hush"}};
    fault = (struct fault){0};
    play(cut, 1, &once, 1, false, &fault);
    assert_says(fault, "closed the connection without an answer");
}

/* Where no store was yet there is none; where one was, it will come back. */
static void
test_alien(void **state)
{
    (void) state;
    static const struct turn first[] = {{.asks = "PUT ", .way = SCRIPT_ALIEN}};
    static const struct turn later[] = {
        {.asks = "PUT ", .status = 503},
        {.asks = "PUT ", .way = SCRIPT_ALIEN},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n"},
    };
    struct fault fault = {0};

    PLAY(first, 1, false, &fault);
    assert_says(fault, "the answer is no HTTP/1.1: it begins with \"SSH-2.0");
    fault = (struct fault){0};
    PLAY(later, 1, true, &fault);
}

/* A body is sent whole each time; a large one asks first, on a new connection. */
static void
test_bodies(void **state)
{
    (void) state;
    enum { SIZE = 1024 * 1024 };
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 500, .holds = "\r\n\r\nxxxx", .lacks = "Expect"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n", .holds = "\r\n\r\nxxxx"},
        {.asks = "PUT ", .way = SCRIPT_CUT, .lacks = "Expect"}, /* kept, and cut: the next is new */
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "\r\nExpect: 100-continue\r\n"},
        {.asks = "PUT ", .way = SCRIPT_CUT},
        {.asks = "PUT ", .status = 417, .holds = "Expect"}, /* it says that it does not know it */
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n", .lacks = "Expect"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    char *data = malloc(SIZE);

    memset(data, 'x', SIZE);
    assert_true(s3_put(s3, "k", data, SIZE - 1, NULL, NULL, NULL, &fault));
    assert_true(s3_put(s3, "k", data, SIZE, NULL, NULL, NULL, &fault));
    assert_true(s3_put(s3, "k", data, SIZE, NULL, NULL, NULL, &fault));
    free(data);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* An idle connection that the store has closed costs neither an attempt nor a pause. */
static void
test_stale_connection(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n"},
        {.asks = "PUT ", .way = SCRIPT_CUT}, /* reached it on the kept connection */
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n"},
    };
    struct s3_config once = {.attempts_max = 1,
                             .credentials = {.access_key = "AKID", .secret_key = "hush"}};
    struct fault fault = {0};

    play(turns, 3, &once, 2, true, &fault);
}

/* ---- what is put right -------------------------------------------------------------------- */

static void
test_region_by_header(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 301, .headers = "x-amz-bucket-region: eu-west-1\r\n",
         .body = ERROR("PermanentRedirect"), .holds = "/us-east-1/s3/"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n", .holds = "/eu-west-1/s3/"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n", .holds = "/eu-west-1/s3/"},
    };
    struct fault fault = {0};

    PLAY(turns, 2, true, &fault);
}

static void
test_region_by_body(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 400,
         .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>garage</Region>"
                 "</Error>"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n", .holds = "/garage/s3/"},
    };
    struct fault fault = {0};

    PLAY(turns, 1, true, &fault);
}

/* Nobody says where: the bucket is asked, and its refusal tells.  Another host that is named in
 * Location is never asked. */
static void
test_region_by_asking(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 307, .headers = "Location: http://evil.example/bucket/k\r\n"},
        {.asks = "HEAD /bucket HTTP/1.1", .status = 403,
         .headers = "x-amz-bucket-region: eu-west-1\r\n"},
        {.asks = "PUT /bucket/k ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "/eu-west-1/s3/"},
    };
    struct fault fault = {0};

    PLAY(turns, 1, true, &fault);
}

static struct s3 *quicker;

static void
quicker_moves(void)
{
    s3_place_move(quicker, s3_place(quicker), "eu-west-1");
}

/* Two calls are sent away at once, and the other one has found out where already: then nobody is
 * asked any more. */
static void
test_region_found_by_another(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 307, .act = quicker_moves},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n", .holds = "/eu-west-1/s3/"},
    };
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct fault fault = {0};

    quicker = script_client(&script, &config);
    assert_true(s3_put(quicker, "k", "x", 1, NULL, NULL, NULL, &fault));
    s3_close(quicker);
    script_end(&script);
    script_free(&script);
}

static void
test_region_is_followed_once(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 301, .headers = "x-amz-bucket-region: eu-west-1\r\n"},
        {.asks = "PUT ", .status = 301, .headers = "x-amz-bucket-region: us-east-1\r\n"},
    };
    static const struct turn nowhere[] = {
        {.asks = "PUT ", .status = 301, .headers = "x-amz-bucket-region: e/vil\r\n"},
    };
    static const struct turn silent[] = {
        {.asks = "PUT ", .status = 307},
        {.asks = "HEAD ", .status = 200},
        {.asks = "HEAD ", .status = 200},
        {.asks = "HEAD ", .status = 200},
    };
    struct fault fault = {0};

    PLAY(turns, 1, false, &fault);
    assert_says(fault, ": 301; set AWS_REGION to the region that the bucket is in");
    fault = (struct fault){0};
    PLAY(nowhere, 1, false, &fault);
    assert_says(fault, "set AWS_REGION");
    fault = (struct fault){0};
    PLAY(silent, 1, false, &fault);
    assert_says(fault, "set AWS_REGION");
}

/* The store's clock is in a year that is not ours: the date of the next attempt is its, and so are
 * those of all that follow. */
static void
test_clock(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 403, .headers = "Date: Wed, 29 Feb 2096 10:00:00 GMT\r\n",
         .body = ERROR("RequestTimeTooSkewed"), .lacks = "x-amz-date: 2096"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "x-amz-date: 20960229T100"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "/20960229/us-east-1/s3/aws4_request"},
    };
    static const struct turn again[] = {
        {.asks = "PUT ", .status = 403, .headers = "Date: Wed, 29 Feb 2096 10:00:00 GMT\r\n",
         .body = ERROR("AccessDenied")},
        {.asks = "PUT ", .status = 403, .headers = "Date: Wed, 29 Feb 2096 10:00:00 GMT\r\n",
         .body = ERROR("AccessDenied")},
    };
    static const struct turn dateless[] = {
        {.asks = "PUT ", .status = 403, .headers = "Date: today\r\n",
         .body = ERROR("RequestTimeTooSkewed")},
    };
    struct fault fault = {0};

    log_init(LOG_TEXT, LOG_ERROR);
    PLAY(turns, 2, true, &fault);
    PLAY(again, 1, false, &fault);
    assert_says(fault, "may lack s3:PutObject");
    fault = (struct fault){0};
    PLAY(dateless, 1, false, &fault);
    assert_says(fault, "; this machine's clock is not the store's");
    log_init(LOG_TEXT, LOG_INFO);
}

/* Once it asks for Content-MD5 it gets it, always. */
static void
test_md5(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 400, .lacks = "content-md5",
         .body = "<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP "
                 "header is required</Message></Error>"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "\r\ncontent-md5: ndTkYSaMgDT1yFZOFVxnpg==\r\n"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n", .holds = "content-md5"},
    };
    static const struct turn never_content[] = {
        {.asks = "PUT ", .status = 400, .body = ERROR("MissingContentMD5"), .lacks = "content-md5"},
        {.asks = "PUT ", .status = 400, .body = ERROR("MissingContentMD5"), .holds = "content-md5"},
    };
    struct fault fault = {0};

    PLAY(turns, 2, true, &fault);
    PLAY(never_content, 1, false, &fault);
    assert_says(fault, ": 400 MissingContentMD5 (Because.)");
}

/* The checksum of "x", big-endian, in base64, and signed. */
static void
test_crc32c(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "\r\nx-amz-checksum-crc32c: qTxfkw==\r\n"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "SignedHeaders=host;x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date,"},
    };
    struct s3_config config = {.attempts_max = 1, .checksums = S3_YES,
                               .credentials = {.access_key = "AKID", .secret_key = "hush"}};
    struct fault fault = {0};

    play(turns, 2, &config, 2, true, &fault);
}

/* ---- keys ----------------------------------------------------------------------------- */

static char access_file[64], secret_file[64];

static void
keys_rotate(void)
{
    file_write(access_file, "AKNEW\n");
}

/* The key was rotated on disk between reading and using it. */
static void
test_keys_are_read_again(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 400, .body = ERROR("ExpiredToken"), .act = keys_rotate,
         .holds = "Credential=AKOLD/"},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "Credential=AKNEW/"},
    };
    static const struct turn expired[] = {
        {.asks = "PUT ", .status = 400, .body = ERROR("ExpiredToken")},
        {.asks = "PUT ", .status = 400, .body = ERROR("ExpiredToken")},
    };
    struct fault fault = {0};

    file_make(access_file, "AKOLD");
    file_make(secret_file, "hush");
    struct s3_config config = {
        .attempts_max = 1,
        .credentials = {.access_key_file = access_file, .secret_key_file = secret_file}};
    play(turns, 2, &config, 1, true, &fault);
    play(expired, 2, &config, 1, false, &fault);
    assert_says(fault, ": 400 ExpiredToken (Because.); the keys come from ");
    assert_null(strstr(fault.text, "hush"));
    unlink(access_file);
    unlink(secret_file);
}

/* Once the store has taken our keys, others may come later than the end of these. */
static void
test_keys_come_late(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n"},
        {.asks = "PUT ", .status = 400, .body = ERROR("ExpiredToken")},
        {.asks = "PUT ", .status = 400, .body = ERROR("ExpiredToken"), .act = keys_rotate},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "Credential=AKNEW/"},
    };
    struct fault fault = {0};

    file_make(access_file, "AKOLD");
    file_make(secret_file, "hush");
    struct s3_config config = {
        .attempts_max = 2,
        .credentials = {.access_key_file = access_file, .secret_key_file = secret_file}};
    play(turns, 4, &config, 2, true, &fault);
    unlink(access_file);
    unlink(secret_file);
}

/* The instance's metadata: it gives keys, then none once, then others. */
static void
metadata_reply(struct peer *peer, const char *request, struct text *answer)
{
    if (strncmp(request, "PUT ", 4) == 0)
        answer_add(answer, 404, "");
    else if (strstr(request, "security-credentials/ ") != NULL)
        answer_add(answer, 200, "role");
    else if (atomic_fetch_add(&peer->stage, 1) == 1)
        answer_add(answer, 403, "{\"code\":\"Denied\"}");
    else
        answer_add_keys(answer, atomic_load(&peer->stage) == 1 ? "ASIA1" : "ASIA3", 3600);
}

/* An outage of the place that gives keys is one like any other, once it has given some; before, it
 * is rather a mistake. */
static void
test_keys_cannot_be_had(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "Credential=ASIA1/"},
        {.asks = "PUT ", .status = 400, .body = ERROR("ExpiredToken")},
        {.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n",
         .holds = "Credential=ASIA3/"},
    };
    struct s3_config config = {.attempts_max = 2};
    struct fault fault = {0};
    struct peer peer;

    peer_begin(&peer, metadata_reply);
    config.credentials.metadata_endpoint = peer.url;
    config.credentials.metadata_attempts = 1;
    play(turns, 3, &config, 2, true, &fault);
    assert_int_equal(atomic_load(&peer.stage), 3);

    atomic_store(&peer.stage, 1);
    play(NULL, 0, &config, 1, false, &fault);
    assert_int_equal(atomic_load(&peer.stage), 2);
    assert_says(fault, "http 403 Denied, while asking the instance's metadata for credentials");
    assert_null(strstr(fault.text, "attempts"));
    peer_end(&peer);
}

/* ---- the switch ------------------------------------------------------------------------- */

/* A store that says nothing is left at once when the run is stopped. */
static void
test_stop(void **state)
{
    (void) state;
    static const struct turn turns[] = {{.asks = "PUT ", .way = SCRIPT_STOP_HANG}};
    struct fault fault = {0};

    uint64_t begun_ms = clock_ms();
    PLAY(turns, 1, false, &fault);
    assert_int_equal(fault.err, ERR_STOPPED);
    assert_true(clock_ms() - begun_ms < 20000);
}

/* After that nothing is begun but what tidies up; that goes on, also when it was under way. */
static void
test_stop_and_tidy(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "DELETE /bucket/a ", .way = SCRIPT_STOP_HANG},
        {.asks = "DELETE /bucket/a ", .status = 503},
        {.asks = "DELETE /bucket/a ", .status = 204},
        {.asks = "DELETE /bucket/b ", .status = 204},
        {.asks = "DELETE /bucket/c ", .status = 403, .body = ERROR("AccessDenied")},
    };
    static const char *const a[] = {"a"}, *const b[] = {"b"}, *const c[] = {"c"};
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    assert_true(s3_delete(s3, a, 1, &fault));
    assert_false(s3_put(s3, "k", "x", 1, NULL, NULL, NULL, &fault));
    assert_int_equal(fault.err, ERR_STOPPED);
    fault = (struct fault){0};
    assert_true(s3_delete(s3, b, 1, &fault));
    assert_false(s3_delete(s3, c, 1, &fault));
    assert_int_equal(fault.err, ERR_STORE);
    assert_says(fault, "lack s3:DeleteObject, while the run was being stopped");
    /* Its time is over. */
    atomic_store(&s3->tidy_until_ms, clock_ms());
    fault = (struct fault){0};
    assert_false(s3_delete(s3, b, 1, &fault));
    assert_says(fault, ": no time is left, while the run was being stopped");
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Without keys, which nobody can get any more by then, there is nothing to wait for. */
static void
test_stop_without_keys(void **state)
{
    (void) state;
    static const char *const keys[] = {"a"};
    struct script script;
    script_begin(&script, NULL, 0);
    struct s3_config config = script_config(&script);
    config.credentials = (struct credentials_config){.full_uri = script.url};
    config.attempts_max = 0;
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    stop_request(&script.stop, 0);
    uint64_t begun_ms = clock_ms();
    assert_false(s3_delete(s3, keys, 1, &fault));
    assert_true(clock_ms() - begun_ms < S3_TIDY_MS);
    assert_int_equal(fault.err, ERR_STOPPED);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* ---- many at once ----------------------------------------------------------------------- */

static void *
many_put(void *context)
{
    struct fault fault = {0};

    for (int i = 0; i < 5; i++)
        if (!s3_put(context, "k", "x", 1, NULL, NULL, NULL, &fault)) {
            fprintf(stderr, "%s\n", fault.text);
            abort();
        }
    return NULL;
}

/* Four threads, a move and a failure among them. */
static void
test_threads(void **state)
{
    (void) state;
    struct turn turns[22];
    pthread_t threads[4];
    struct script script;

    for (size_t i = 0; i < 22; i++)
        turns[i] = (struct turn){.asks = "PUT ", .status = 200, .headers = "ETag: \"e\"\r\n"};
    turns[3] = (struct turn){.asks = "PUT ", .status = 301,
                             .headers = "x-amz-bucket-region: eu-west-1\r\n"};
    turns[9] = (struct turn){.asks = "PUT ", .status = 500};
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_put, s3), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* ---- before any request ----------------------------------------------------------------- */

static void
test_configuration(void **state)
{
    (void) state;
    static const struct {
        struct s3_config config;
        const char *says;
    } wrong[] = {
        {{.sse = "aes"}, "REPLICA_S3_SSE: \"aes\" is none of AES256, aws:kms, aws:kms:dsse"},
        {{.kms_key = "k"}, "REPLICA_S3_KMS_KEY wants REPLICA_S3_SSE"},
        {{.sse = "AES256", .kms_key = "k"}, "REPLICA_S3_KMS_KEY wants REPLICA_S3_SSE"},
        {{.sse = "aws:kms", .kms_key = "k\r\nx: y"}, "REPLICA_S3_KMS_KEY holds"},
        {{.storage_class = "DEEP_ARCHIVE"}, "objects of DEEP_ARCHIVE cannot be read"},
        {{.storage_class = "A B"}, "REPLICA_S3_STORAGE_CLASS holds"},
        {{.endpoint = "ftp://x"}, "AWS_ENDPOINT_URL_S3"},
        {{.bucket = "a"}, "3 to 63"},
        {{.ca_file = "/none/such.pem"}, "/none/such.pem"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct s3_config config = wrong[i].config;
        struct fault fault = {0};
        if (config.bucket == NULL)
            config.bucket = "bucket";
        assert_null(s3_open(&config, NULL, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        assert_says(fault, wrong[i].says);
    }
    struct s3_config config = {.bucket = "bucket", .region = "eu-west-1"};
    struct fault fault = {0};
    struct s3 *s3 = s3_open(&config, NULL, &fault);
    assert_string_equal(s3_endpoint_text(s3), "https://bucket.s3.eu-west-1.amazonaws.com");
    assert_int_equal(s3_server_ms(s3), 0);
    s3_close(s3);
    s3_close(NULL);
}

/* The store's time goes on when it is silent. */
static void
test_server_time(void **state)
{
    (void) state;
    static const struct turn turns[] = {
        {.asks = "HEAD ", .status = 404, .headers = "Date: Wed, 29 Feb 2096 10:00:00 GMT\r\n"},
    };
    static const uint64_t then_ms = 3981348000000;
    struct script script;
    SCRIPT(&script, turns);
    struct s3_config config = script_config(&script);
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};
    struct s3_head head;

    assert_true(s3_head(s3, "k", &head, &fault));
    assert_true(s3_server_ms(s3) >= then_ms && s3_server_ms(s3) < then_ms + 20000);
    s3_close(s3);
    script_end(&script);
    script_free(&script);
}

/* Nobody listens there. */
static void
test_unreachable(void **state)
{
    (void) state;
    struct script script;
    script_begin(&script, NULL, 0);
    struct s3_config config = script_config(&script);
    script_end(&script);
    assert_true(stop_init(&script.stop, &(struct fault){0}));
    struct s3 *s3 = script_client(&script, &config);
    struct fault fault = {0};

    assert_false(s3_put(s3, "k", "x", 1, NULL, NULL, NULL, &fault));
    assert_int_equal(fault.err, ERR_STORE);
    assert_says(fault, "connection refused");
    assert_says(fault, ", after 3 attempts in ");
    s3_close(s3);
    stop_free(&script.stop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_passes),
        cmocka_unit_test(test_what_stays),
        cmocka_unit_test(test_attempts_are_counted),
        cmocka_unit_test(test_alien),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_stale_connection),
        cmocka_unit_test(test_region_by_header),
        cmocka_unit_test(test_region_by_body),
        cmocka_unit_test(test_region_by_asking),
        cmocka_unit_test(test_region_found_by_another),
        cmocka_unit_test(test_region_is_followed_once),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_md5),
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_keys_are_read_again),
        cmocka_unit_test(test_keys_come_late),
        cmocka_unit_test(test_keys_cannot_be_had),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_and_tidy),
        cmocka_unit_test(test_stop_without_keys),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_server_time),
        cmocka_unit_test(test_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
