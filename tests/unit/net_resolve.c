/* net_resolve - the order of addresses, and a resolver that does not answer. */
#include "fake_resolver.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/resolve.h"
#include "support.h"

static struct stop stop;
static struct stream_config config;

static int
begin(void **state)
{
    (void) state;
    struct fault fault = {0};

    config = (struct stream_config){.host = "name.test", .port = 4711, .connect_ms = 20000,
                                    .idle_ms = 20000, .err = ERR_STORE, .stop = &stop};
    fake_answer(NULL, 0);
    atomic_store(&fake_questions, 0);
    return stop_init(&stop, &fault) ? 0 : -1;
}

static int
end(void **state)
{
    (void) state;
    fake_hold(false);
    stop_free(&stop);
    return 0;
}

/* Resolve; the addresses, joined by blanks. */
static const char *
resolve(uint64_t deadline_ms, enum trouble *trouble, struct fault *fault)
{
    static char all[RESOLVE_ADDRESSES_MAX * (RESOLVE_TEXT_MAX + 1)];
    struct addresses addresses;
    size_t used = 0;

    *trouble = TROUBLE_NONE;
    *fault = (struct fault){0};
    all[0] = '\0';
    if (!resolve_host(&config, deadline_ms, &addresses, trouble, fault)) {
        assert_int_not_equal(fault->err, ERR_NONE);
        return "";
    }
    for (size_t i = 0; i < addresses.count; i++) {
        char text[RESOLVE_TEXT_MAX];
        const struct address *address = &addresses.list[i];
        unsigned port = address->socket.ss_family == AF_INET6
                            ? ((const struct sockaddr_in6 *) &address->socket)->sin6_port
                            : ((const struct sockaddr_in *) &address->socket)->sin_port;
        assert_int_equal(ntohs((uint16_t) port), 4711);
        used += (size_t) snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : " ",
                                  resolve_text(address, text));
    }
    return all;
}

static void
test_turns(void **state)
{
    (void) state;
    enum trouble trouble;
    struct fault fault;

    fake_answer((const char *const[]){"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1",
                                      NULL},
                0);
    assert_string_equal(resolve(UINT64_MAX, &trouble, &fault),
                        "2001:db8::1 192.0.2.1 2001:db8::2 2001:db8::3");
    fake_answer((const char *const[]){"192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3",
                                      "2001:db8::2", NULL},
                0);
    assert_string_equal(resolve(UINT64_MAX, &trouble, &fault),
                        "192.0.2.1 2001:db8::1 192.0.2.2 2001:db8::2 192.0.2.3");
    fake_answer((const char *const[]){"192.0.2.1", NULL}, 0);
    assert_string_equal(resolve(UINT64_MAX, &trouble, &fault), "192.0.2.1");
    const char *list[21] = {NULL};
    for (size_t i = 0; i < 20; i++)
        list[i] = i < 19 ? "192.0.2.1" : "2001:db8::1";
    fake_answer(list, 0);
    const char *many = resolve(UINT64_MAX, &trouble, &fault);
    assert_int_equal(strncmp(many, "192.0.2.1 2001:db8::1 192.0.2.1 192.0.2.1", 41), 0);
    assert_int_equal(strlen(many), 15 * 10 + 11);
}

/* An address is nobody's business: no thread, no resolver. */
static void
test_address(void **state)
{
    (void) state;
    enum trouble trouble;
    struct fault fault;

    fake_hold(true);
    config.host = "192.0.2.7";
    assert_string_equal(resolve(0, &trouble, &fault), "192.0.2.7");
    config.host = "2001:db8::7";
    assert_string_equal(resolve(0, &trouble, &fault), "2001:db8::7");
    assert_int_equal(atomic_load(&fake_questions), 0);
}

static void
test_unknown(void **state)
{
    (void) state;
    static const struct {
        int error;
        const char *says;
    } cases[] = {
        {EAI_NONAME, "unable to find the address of name.test: no name server knows an address"},
        {EAI_AGAIN, "no name server answered"},
        {EAI_FAIL, "the name server failed"},
        {EAI_MEMORY, "emory"},
    };
    enum trouble trouble;
    struct fault fault;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_answer(NULL, cases[i].error);
        assert_string_equal(resolve(UINT64_MAX, &trouble, &fault), "");
        assert_int_equal(trouble, TROUBLE_CONNECT);
        assert_int_equal(fault.err, ERR_STORE);
        assert_non_null(strstr(fault.text, cases[i].says));
    }
}

static void
test_silent(void **state)
{
    (void) state;
    enum trouble trouble;
    struct fault fault;

    fake_hold(true);
    uint64_t begin_ms = clock_ms();
    assert_string_equal(resolve(begin_ms + 20, &trouble, &fault), "");
    assert_true(clock_ms() - begin_ms >= 20);
    assert_int_equal(trouble, TROUBLE_CONNECT);
    assert_non_null(strstr(fault.text, "of name.test: no answer within 0.0 s"));

    config.connect_ms = 30;
    begin_ms = clock_ms();
    assert_string_equal(resolve(UINT64_MAX, &trouble, &fault), "");
    assert_true(clock_ms() - begin_ms >= 30);
    assert_int_equal(trouble, TROUBLE_CONNECT);
    assert_int_equal(fault.err, ERR_STORE);
}

static void *
stop_soon(void *argument)
{
    while (atomic_load(&fake_questions) == 0)
        usleep(100);
    stop_request(argument, 0);
    return NULL;
}

static void
test_stopped(void **state)
{
    (void) state;
    enum trouble trouble;
    struct fault fault;
    pthread_t thread;

    fake_hold(true);
    pthread_create(&thread, NULL, stop_soon, &stop);
    assert_string_equal(resolve(UINT64_MAX, &trouble, &fault), "");
    pthread_join(thread, NULL);
    assert_int_equal(trouble, TROUBLE_STOPPED);
    assert_int_equal(fault.err, ERR_STOPPED);
}

/* The answer and the caller's patience end at about the same time: either is fine, and the
 * sanitizers find nothing freed twice or never. */
static void
test_hand_over(void **state)
{
    (void) state;
    unsigned found = 0;

    fake_answer((const char *const[]){"192.0.2.1", NULL}, 0);
    for (int i = 0; i < 300; i++) {
        enum trouble trouble;
        struct fault fault;
        fake_hold(i % 3 == 0);
        const char *text = resolve(clock_ms() + (uint64_t) (i % 2), &trouble, &fault);
        fake_hold(false);
        if (*text != '\0') {
            assert_string_equal(text, "192.0.2.1");
            found++;
        } else {
            assert_int_equal(trouble, TROUBLE_CONNECT);
        }
    }
    assert_true(found <= 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_turns, begin, end),
        cmocka_unit_test_setup_teardown(test_address, begin, end),
        cmocka_unit_test_setup_teardown(test_unknown, begin, end),
        cmocka_unit_test_setup_teardown(test_silent, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped, begin, end),
        cmocka_unit_test_setup_teardown(test_hand_over, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
