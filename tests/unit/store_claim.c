/* claim: who writes, and whether he still does. */
#include "store/claim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static void
there_and_back(void **state)
{
    struct claim claim, again;
    struct text text = {0};
    (void) state;

    claim_of_self(&claim);
    assert_int_equal(claim.process, getpid());
    assert_int_equal(strlen(claim.machine), 64);
    assert_true(claim.started > 0);
    claim_add(&text, &claim);
    assert_true(claim_parse(text_of(&text), text.size, &again));
    assert_string_equal(again.machine, claim.machine);
    assert_true(again.process == claim.process && again.started == claim.started);
    for (size_t size = 0; size + 1 < text.size; size++)
        assert_false(claim_parse(text_of(&text), size, &again));
    text_free(&text);
}

static void
foreign_bytes(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"machine\":7,\"process\":1,\"started\":1}",
        "{\"machine\":\"abc\",\"process\":1,\"started\":1}",
        "{\"machine\":\"\",\"process\":-1,\"started\":1}",
        "{\"machine\":\"\",\"process\":1}",
        "{\"machine\":\"\",\"process\":1,\"started\":\"1\"}",
    };
    struct claim claim;
    (void) state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(claim_parse(wrong[i], strlen(wrong[i]), &claim));
    static const char unknown[] = "{\"machine\":\"\",\"process\":1,\"started\":2,\"more\":3}";
    assert_true(claim_parse(unknown, sizeof unknown - 1, &claim));
    assert_int_equal(claim_holder(&claim), HOLDER_ELSEWHERE);
}

static void
names(void **state)
{
    static const char *const wrong[] = {
        "", "claim-", "claim-0123456789abcdef", "claim-0123456789abcdef.jso",
        "claim-0123456789abcdef.json2", "claim-0123456789ABCDEF.json", "claim-0123456789abcde.json",
        "claim-0123456789abcdef0.json", "manifest.json", "1.sql",
    };
    char name[CLAIM_NAME_MAX], other[CLAIM_NAME_MAX];
    (void) state;

    assert_true(claim_name_valid(claim_name(name)));
    assert_string_not_equal(name, claim_name(other));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(claim_name_valid(wrong[i]));
}

static void
stat_lines(void **state)
{
    static const char fields[] = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 20\n";
    static const char *const names_of[] = {"(a)", "(a b)", "(a) b) S 1 2)", "(\n)"};
    char line[256], process_state = '?';
    uint64_t started = 0;
    (void) state;

    for (size_t i = 0; i < sizeof names_of / sizeof *names_of; i++) {
        snprintf(line, sizeof line, "17 %s%s", names_of[i], fields);
        assert_true(claim_stat_read(line, &process_state, &started));
        assert_int_equal(process_state, 'S');
        assert_true(started == 987654);
    }
    assert_false(claim_stat_read("", &process_state, &started));
    assert_false(claim_stat_read("17 (a)", &process_state, &started));
    assert_false(claim_stat_read("17 (a) ", &process_state, &started));
    assert_false(claim_stat_read("17 (a) S 1 2 3", &process_state, &started));
    assert_false(claim_stat_read("1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x",
                                 &process_state, &started));
    assert_false(claim_stat_read("1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
                                 "18446744073709551616",
                                 &process_state, &started));
}

static void
holders(void **state)
{
    struct claim claim, other;
    int pipe_fds[2];
    (void) state;

    claim_of_self(&claim);
    assert_int_equal(claim_holder(&claim), HOLDER_LIVES);
    other = claim;
    other.started++;
    assert_int_equal(claim_holder(&other), HOLDER_GONE);
    other = claim;
    other.machine[0] = other.machine[0] == 'f' ? 'e' : 'f';
    assert_int_equal(claim_holder(&other), HOLDER_ELSEWHERE);

    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        claim_of_self(&claim);
        if (write(pipe_fds[1], &claim, sizeof claim) != sizeof claim)
            _exit(1);
        pause();
    }
    assert_int_equal(read(pipe_fds[0], &other, sizeof other), sizeof other);
    assert_int_equal(other.process, child);
    assert_int_equal(claim_holder(&other), HOLDER_LIVES);
    kill(child, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t) child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(claim_holder(&other), HOLDER_GONE); /* a zombie */
    waitpid(child, NULL, 0);
    assert_int_equal(claim_holder(&other), HOLDER_GONE);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* What the holder looks like to another user when /proc hides other users' processes. */
static int
hidden_look(const struct claim *claim)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", 0, "hidepid=2") != 0 || setuid(65534) != 0)
        return -1;
    return (int) claim_holder(claim);
}

static void
hidden(void **state)
{
    struct claim claim;
    int status, none = (uint8_t) -1;
    (void) state;

    claim_of_self(&claim);
    pid_t child = fork();
    if (child == 0)
        _exit(hidden_look(&claim));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == none) {
        print_message("this machine lets nobody mount a /proc, so none is hidden\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), HOLDER_LIVES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(foreign_bytes), cmocka_unit_test(names),
        cmocka_unit_test(stat_lines),     cmocka_unit_test(holders),       cmocka_unit_test(hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
