/* script_queue: what conflicts never runs at once, all of it runs, and what follows follows. */
#include "support.h"

#include "base/random.h"
#include "commands/script_queue.h"

static struct script_task *
picked(struct script_queue *queue, const char *sql)
{
    struct script_task *task = queue_pick(queue);

    if (sql == NULL) {
        assert_null(task);
        return NULL;
    }
    assert_non_null(task);
    assert_string_equal(task->sql, sql);
    return task;
}

static void
add(struct script_queue *queue, const char *sql, const char *one, const char *other, bool exclusive)
{
    const char *tables[TASK_TABLES] = {one, other};
    queue_add(queue, sql, NULL, tables, exclusive);
}

static void
test_locks(void **state)
{
    struct script_queue queue = {0};
    (void) state;

    add(&queue, "index 1 of a", "a", NULL, false);
    add(&queue, "index 2 of a", "a", NULL, false);
    add(&queue, "a to b", "a", "b", true);
    add(&queue, "b to c", "b", "c", true);
    add(&queue, "c to itself", "c", "c", true);
    add(&queue, "d to e", "d", "e", true);
    struct script_task *one = picked(&queue, "index 1 of a");
    struct script_task *two = picked(&queue, "index 2 of a");
    struct script_task *b = picked(&queue, "b to c");
    struct script_task *d = picked(&queue, "d to e");
    picked(&queue, NULL);
    assert_int_equal(queue.waiting, 2);
    assert_int_equal(queue.running, 4);
    queue_done(&queue, one, true);
    picked(&queue, NULL);
    queue_done(&queue, two, true);
    picked(&queue, NULL);
    queue_done(&queue, b, true);
    struct script_task *a = picked(&queue, "a to b"), *c = picked(&queue, "c to itself");
    queue_done(&queue, d, true);
    queue_done(&queue, c, true);
    queue_done(&queue, a, true);
    assert_null(queue.tasks);
    assert_int_equal(queue.waiting + queue.running, 0);
}

static void
test_what_follows(void **state)
{
    const char *tables[TASK_TABLES] = {"a", NULL};
    struct script_queue queue = {0};
    (void) state;

    queue_add(&queue, "build", "attach", tables, false);
    add(&queue, "index of a", "a", NULL, false);
    struct script_task *build = picked(&queue, "build");
    struct script_task *index = picked(&queue, "index of a");
    queue_done(&queue, build, true);
    assert_int_equal(queue.waiting, 1);
    picked(&queue, NULL); /* it wants the table for itself */
    queue_done(&queue, index, true);
    struct script_task *attach = picked(&queue, "attach");
    assert_true(attach->exclusive);
    queue_done(&queue, attach, true);
    assert_null(queue.tasks);

    queue_add(&queue, "build", "attach", tables, false);
    queue_done(&queue, picked(&queue, "build"), false);
    assert_null(queue.tasks);
}

/* f1 waits for b; f2 of the same table must not come before it, another table's may. */
static void
test_order_of_one_table(void **state)
{
    struct script_queue queue = {0};
    (void) state;

    add(&queue, "x to b", "x", "b", true);
    add(&queue, "a to b", "a", "b", true);
    add(&queue, "a to c", "a", "c", true);
    add(&queue, "d to c", "d", "c", true);
    struct script_task *x = picked(&queue, "x to b"), *d = picked(&queue, "d to c");
    queue_done(&queue, d, true);
    picked(&queue, NULL);
    queue_done(&queue, x, true);
    struct script_task *a = picked(&queue, "a to b");
    picked(&queue, NULL);
    queue_done(&queue, a, true);
    queue_done(&queue, picked(&queue, "a to c"), true);
    assert_null(queue.tasks);
}

static void
test_clear(void **state)
{
    struct script_queue queue = {0};
    (void) state;

    for (int i = 0; i < 5; i++)
        add(&queue, "x", i == 2 ? "b" : "a", NULL, true);
    struct script_task *a = picked(&queue, "x"), *b = picked(&queue, "x");
    queue_clear(&queue);
    assert_int_equal(queue.waiting, 0);
    assert_int_equal(queue.running, 2);
    queue_done(&queue, b, true);
    queue_done(&queue, a, true);
    assert_null(queue.tasks);
}

/* Any number of helpers, any order of endings: never two that conflict, and none is left. */
static void
test_random(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct random random;
    (void) state;

    random_init(&random);
    for (int round = 0; round < 200; round++) {
        struct script_queue queue = {0};
        struct script_task *running[8];
        size_t count = 0, ended = 0;
        for (int i = 0; i < 40; i++)
            add(&queue, "x", names[random_below(&random, 4)],
                random_below(&random, 2) ? names[random_below(&random, 4)] : NULL,
                random_below(&random, 2));
        while (ended < 40) {
            struct script_task *task = count < 8 ? queue_pick(&queue) : NULL;
            for (size_t i = 0; task != NULL && i < count; i++)
                for (int j = 0; j < 4 && (task->exclusive || running[i]->exclusive); j++)
                    if (task->tables[j / 2] != NULL && running[i]->tables[j % 2] != NULL)
                        assert_string_not_equal(task->tables[j / 2], running[i]->tables[j % 2]);
            if (task != NULL) {
                running[count++] = task;
                continue;
            }
            assert_true(count > 0);
            size_t at = random_below(&random, count);
            queue_done(&queue, running[at], true);
            running[at] = running[--count];
            ended++;
        }
        assert_null(queue.tasks);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_what_follows),
        cmocka_unit_test(test_order_of_one_table),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
