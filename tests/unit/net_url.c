/* net_url - URLs taken apart, and what is refused with which words. */
#include <stdio.h>
#include <stdlib.h>

#include "net/url.h"
#include "support.h"

static void
test_good(void **state)
{
    (void) state;
    static const struct {
        const char *text, *host, *path, *header;
        unsigned port;
        bool tls;
    } cases[] = {
        {"https://s3.example.com", "s3.example.com", "", "s3.example.com", 443, true},
        {"http://s3.example.com/", "s3.example.com", "/", "s3.example.com", 80, false},
        {"HTTPS://S3.Example.COM:443/A", "s3.example.com", "/A", "s3.example.com", 443, true},
        {"https://s3.example.com:80", "s3.example.com", "", "s3.example.com:80", 80, true},
        {"http://127.0.0.1:9000/a/b?c=d&e", "127.0.0.1", "/a/b?c=d&e", "127.0.0.1:9000", 9000,
         false},
        {"http://[::1]:9000/x", "::1", "/x", "[::1]:9000", 9000, false},
        {"https://[fd00:ec2::254]", "fd00:ec2::254", "", "[fd00:ec2::254]", 443, true},
        {"http://minio_1:65535?list", "minio_1", "/?list", "minio_1:65535", 65535, false},
        {"https://dotted.example.com.", "dotted.example.com.", "", "dotted.example.com.", 443,
         true},
        {"http://1password.example/%2F/..//a:b@c", "1password.example", "/%2F/..//a:b@c",
         "1password.example", 80, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct url url;
        struct fault fault = {0};
        char header[URL_HOST_MAX + 16];
        assert_true(url_parse(cases[i].text, "AWS_ENDPOINT_URL", &url, &fault));
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.path, cases[i].path);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.tls, cases[i].tls);
        url_host_header(&url, header);
        assert_string_equal(header, cases[i].header);
    }
}

/* Every sentence names the variable, and none shows a password. */
static void
test_bad(void **state)
{
    (void) state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "must begin with http:// or https://"},
        {"s3.example.com", "must begin with http"},
        {"ftp://s3.example.com", "must begin with http"},
        {"http:/s3.example.com", "must begin with http"},
        {"https://", "names no host"},
        {"https:///path", "names no host"},
        {"https://:443", "names no host"},
        {"https://a..b", "names no host"},
        {"https://.a", "names no host"},
        {"https://a%20b", "names no host"},
        {"https://1.2.3", "names no host"},
        {"https://1.2.3.256", "names no host"},
        {"https://::1", "names no host"},
        {"https://[1.2.3.4]", "names no host"},
        {"https://[fe80::1%25eth0]", "names no host"},
        {"https://[]", "names no host"},
        {"https://[", "']'"},
        {"https://[::1", "']'"},
        {"https://[::1]x", "port"},
        {"https://[::1]:", "port"},
        {"https://a:", "port"},
        {"https://a:0", "port"},
        {"https://a:65536", "port"},
        {"https://a:123456", "port"},
        {"https://a:-1", "port"},
        {"https://a:80a", "port"},
        {"https://secret:secret@a", "user"},
        {"https://secret@a", "user"},
        {"https://a/#secret", "fragment"},
        {"https://a#secret", "fragment"},
        {"https://a/secret secret", "blank"},
        {"https://a/secret\n", "blank"},
        {"https://a/secret\x7f", "blank"},
        {"https://sécret.example.com", "blank"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct url url;
        struct fault fault = {0};
        assert_false(url_parse(cases[i].text, "AWS_ENDPOINT_URL", &url, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        assert_non_null(strstr(fault.text, "AWS_ENDPOINT_URL"));
        if (strstr(fault.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, fault.text);
        assert_null(strstr(fault.text, "secret"));
    }
}

/* Hosts, labels and paths at their limits. */
static void
test_limits(void **state)
{
    (void) state;
    struct url url;
    struct fault fault = {0};
    char text[URL_PATH_MAX + URL_HOST_MAX + 64];

    for (int size = 252; size <= 254; size++) {
        snprintf(text, sizeof text, "https://%0*d", size, 0);
        for (int at = 8; at < 8 + size; at++)
            text[at] = at % 60 == 0 ? '.' : 'a';
        assert_int_equal(url_parse(text, "IT", &url, &fault), size < URL_HOST_MAX);
    }
    for (int size = 63; size <= 64; size++) {
        fault = (struct fault){0};
        snprintf(text, sizeof text, "https://x%0*d.example.com", size - 1, 0);
        assert_int_equal(url_parse(text, "IT", &url, &fault), size == 63);
    }
    for (int size = URL_PATH_MAX - 1; size <= URL_PATH_MAX; size++) {
        fault = (struct fault){0};
        snprintf(text, sizeof text, "https://a/%0*d", size - 1, 0);
        assert_int_equal(url_parse(text, "IT", &url, &fault), size < URL_PATH_MAX);
    }
}

static void
test_addresses(void **state)
{
    (void) state;
    char peer[URL_HOST_MAX + 16];

    assert_true(url_host_is_address("127.0.0.1"));
    assert_true(url_host_is_address("::1"));
    assert_false(url_host_is_address("[::1]"));
    assert_false(url_host_is_address("localhost"));
    assert_false(url_host_is_address(""));
    url_peer("::1", 443, peer);
    assert_string_equal(peer, "[::1]:443");
    url_peer("db.example.com", 5432, peer);
    assert_string_equal(peer, "db.example.com:5432");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
