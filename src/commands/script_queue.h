/* script_queue - statements that may run beside each other, and which of them may start now.
 *
 *     CREATE INDEX …   shared on its table: any number of one table's at once
 *     ADD KEY …        exclusive on its table
 *     FOREIGN KEY …    exclusive on both its tables
 *
 * The locks are those that PostgreSQL takes (its documentation, "Explicit Locking": SHARE; ACCESS
 * EXCLUSIVE; SHARE ROW EXCLUSIVE), so that no helper waits for another one's, and none deadlock.
 *
 * What changes one table keeps its order: a foreign key to a partitioned table makes more of them,
 * under names that are free at that moment, and must not take that of a later one.
 *
 * Life:   a zeroed queue is empty; queue_add, queue_pick, queue_done; queue_clear drops what waits.
 * Limits: none of its own; who adds watches `waiting`.
 * Threads: one at a time; the script's lock guards it. */
#ifndef COMMANDS_SCRIPT_QUEUE_H
#define COMMANDS_SCRIPT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

enum { TASK_TABLES = 2 };

struct script_task {
    char *sql;
    char *then; /* becomes a task of its own, exclusive, once sql is done; or NULL */
    char *tables[TASK_TABLES]; /* NULL: none */
    bool exclusive, running;
    struct script_task *next;
};

struct script_queue {
    struct script_task *tasks;
    size_t waiting, running;
};

/* Add a statement behind the others.  Every text is copied; then and the tables may be NULL. */
void queue_add(struct script_queue *queue, const char *sql, const char *then,
               const char *const tables[static TASK_TABLES], bool exclusive);

/* The first statement that conflicts with none that runs, and comes before none of its own table;
 * it runs from now on.  NULL: none. */
struct script_task *queue_pick(struct script_queue *queue);

/* It has ended.  good: what follows it is put before the others.  The task is freed. */
void queue_done(struct script_queue *queue, struct script_task *task, bool good);

/* Drop what does not run. */
void queue_clear(struct script_queue *queue);

#endif
