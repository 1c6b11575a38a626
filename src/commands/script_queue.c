/* script_queue - see script_queue.h. */
#include "commands/script_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

static char *
copied(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);

    if (text != NULL && copy == NULL)
        memory_exhausted(strlen(text));
    return copy;
}

static struct script_task *
task_make(const char *sql, const char *then, const char *const tables[static TASK_TABLES],
          bool exclusive)
{
    struct script_task *task = calloc(1, sizeof *task);

    if (task == NULL)
        memory_exhausted(sizeof *task);
    task->sql = copied(sql);
    task->then = copied(then);
    for (size_t i = 0; i < TASK_TABLES; i++)
        task->tables[i] = copied(tables[i]);
    task->exclusive = exclusive;
    return task;
}

static void
task_free(struct script_task *task)
{
    free(task->sql);
    free(task->then);
    for (size_t i = 0; i < TASK_TABLES; i++)
        free(task->tables[i]);
    free(task);
}

void
queue_add(struct script_queue *queue, const char *sql, const char *then,
          const char *const tables[static TASK_TABLES], bool exclusive)
{
    struct script_task **end = &queue->tasks;

    while (*end != NULL)
        end = &(*end)->next;
    *end = task_make(sql, then, tables, exclusive);
    queue->waiting++;
}

static bool
tasks_share_table(const struct script_task *one, const struct script_task *other)
{
    for (size_t i = 0; i < TASK_TABLES; i++)
        for (size_t j = 0; j < TASK_TABLES; j++)
            if (one->tables[i] != NULL && other->tables[j] != NULL &&
                strcmp(one->tables[i], other->tables[j]) == 0)
                return true;
    return false;
}

static bool
tasks_change_one_table(const struct script_task *one, const struct script_task *other)
{
    return one->exclusive && other->exclusive && one->tables[0] != NULL &&
           other->tables[0] != NULL && strcmp(one->tables[0], other->tables[0]) == 0;
}

static bool
task_may_run(const struct script_queue *queue, const struct script_task *task)
{
    for (const struct script_task *other = queue->tasks; other != task; other = other->next)
        if (!other->running && tasks_change_one_table(task, other))
            return false;
    for (const struct script_task *other = queue->tasks; other != NULL; other = other->next)
        if (other->running && (task->exclusive || other->exclusive) &&
            tasks_share_table(task, other))
            return false;
    return true;
}

struct script_task *
queue_pick(struct script_queue *queue)
{
    for (struct script_task *task = queue->tasks; task != NULL; task = task->next) {
        if (task->running || !task_may_run(queue, task))
            continue;
        task->running = true;
        queue->waiting--;
        queue->running++;
        return task;
    }
    return NULL;
}

void
queue_done(struct script_queue *queue, struct script_task *task, bool good)
{
    struct script_task **at = &queue->tasks;

    while (*at != task)
        at = &(*at)->next;
    assert(task->running);
    *at = task->next;
    queue->running--;
    if (good && task->then != NULL) {
        struct script_task *follow = task_make(task->then, NULL,
                                               (const char *const *) task->tables, true);
        follow->next = queue->tasks;
        queue->tasks = follow;
        queue->waiting++;
    }
    task_free(task);
}

void
queue_clear(struct script_queue *queue)
{
    struct script_task **at = &queue->tasks;

    while (*at != NULL) {
        struct script_task *task = *at;
        if (task->running) {
            at = &task->next;
            continue;
        }
        *at = task->next;
        task_free(task);
    }
    queue->waiting = 0;
}
