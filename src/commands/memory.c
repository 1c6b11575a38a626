/* memory - see memory.h.  The figures of the catalog are measured (docs/architecture.md, "Memory"):
 * peaks of 1,000 and 10,000 tables, of wide ones, of indexes, views, functions and large objects,
 * each divided by its number and rounded up. */
#include "commands/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/compress.h"
#include "codec/decompress.h"
#include "commands/dump.h"
#include "flow/flow.h"
#include "pg/copy_out.h"
#include "pg/sql_split.h"
#include "store/s3_writer.h"
#include "transform/transform.h"

enum {
    MIB = 1024 * 1024,
    OWN_BYTES = 3 * MIB,               /* 2.3 of them are the executable's pages */
    OWN_S3_BYTES = MIB,                /* authorities, idle connections, claims, listings */
    STATEMENT_COPIES = 6,              /* lexer, queue, libpq; and what they grow by */
    CONNECTION_BYTES = 512 * 1024,     /* libpq's two buffers, grown to what we send; TLS */
    PG_DUMP_BYTES = 7 * MIB / 2,       /* with an empty database */
    LEAST_DOCUMENT_BYTES = 512 * 1024, /* a manifest of a few tables, where nothing is left */
    LONGEST_ROW_BYTES = 1 << 30,       /* of COPY text: PostgreSQL makes no longer one */
};

/* ---- what counts ----------------------------------------------------------------------------- */

typedef uint64_t item_bytes_fn(const struct memory_need *need, const struct memory_plan *plan);

/* Whether pg_dump runs, and rows are read by COPY. */
static bool
from_database(const struct memory_need *need)
{
    return need->use == MEMORY_DUMP || need->use == MEMORY_COPY;
}

static uint64_t
own_bytes(const struct memory_need *need, const struct memory_plan *plan)
{
    (void) plan;
    uint64_t bytes = OWN_BYTES + (need->s3 ? OWN_S3_BYTES : 0);
    return need->use == MEMORY_LOOK ? bytes : bytes + STATEMENT_COPIES * need->statement_bytes;
}

static uint64_t
catalog_bytes(const struct memory_need *need, const struct memory_plan *plan)
{
    (void) plan;
    return need->catalog_bytes;
}

static uint64_t
schema_bytes(const struct memory_need *need, const struct memory_plan *plan)
{
    (void) plan;
    return from_database(need) ? PG_DUMP_BYTES + need->schema_bytes : 0;
}

static uint64_t
flow_bytes(const struct memory_need *need, const struct memory_plan *plan)
{
    (void) need;
    return FLOW_BYTES + FLOW_STACK_BYTES + (uint64_t) FLOW_SEAMS_MAX * plan->ring_bytes;
}

static uint64_t
connection_bytes(const struct memory_need *need, const struct memory_plan *plan)
{
    switch (need->use) {
    case MEMORY_DUMP:
        return CONNECTION_BYTES + COPY_OUT_BUFFER_BYTES;
    case MEMORY_RESTORE:
        return CONNECTION_BYTES + plan->ring_bytes; /* libpq holds what one step was given */
    case MEMORY_COPY:
        return 2 * CONNECTION_BYTES + COPY_OUT_BUFFER_BYTES + plan->ring_bytes;
    default:
        return 0;
    }
}

static uint64_t
codec_bytes(const struct memory_need *need, const struct memory_plan *plan)
{
    (void) plan;
    if (need->use == MEMORY_COPY)
        return 4 * TRANSFORM_FIELD_BYTES;
    if (need->use != MEMORY_DUMP)
        return decompress_bytes(need->compress ? need->level : COMPRESS_LEVEL_MIN);
    return 4 * TRANSFORM_FIELD_BYTES + (need->compress ? compress_bytes(need->level) : 0);
}

static uint64_t
store_bytes(const struct memory_need *need, const struct memory_plan *plan)
{
    if (!need->s3)
        return 0;
    return need->use == MEMORY_DUMP ? s3_writer_bytes(&plan->store) : S3_CONNECTION_BYTES;
}

/* The sum.  A command that is new finds its place here. */
static const struct item {
    item_bytes_fn *bytes;
    bool per_worker;
    const char *name; /* as the sentence says it; NULL: in "workers of … each" */
    const char *what;
} items[] = {
    {own_bytes, false, "itself",
     "the executable's pages, settings, stacks, the leader's connection, SQL statements"},
    {schema_bytes, false, "pg_dump", "the child, which holds the whole schema"},
    {catalog_bytes, false, "the catalog", "names of tables and columns, as catalog or manifest"},
    {flow_bytes, true, NULL, "rings, windows and stacks of a corridor"},
    {connection_bytes, true, NULL, "libpq's buffers, and the one that COPY is read into"},
    {codec_bytes, true, NULL, "zstd's context, its window or frame; fields being masked"},
    {store_bytes, true, NULL, "parts on their way into a bucket, and their connections"},
};

enum { ITEMS_COUNT = sizeof items / sizeof *items };

static void
plan_sum(struct memory_plan *plan)
{
    uint64_t once = 0;

    plan->worker_bytes = 0;
    for (size_t i = 0; i < ITEMS_COUNT; i++)
        *(items[i].per_worker ? &plan->worker_bytes : &once) += items[i].bytes(&plan->need, plan);
    if (plan->need.use == MEMORY_LOOK)
        plan->worker_bytes = 0;
    once += plan->jobs * plan->worker_bytes;
    plan->total_bytes = (once + MIB - 1) / MIB * MIB;
}

/* ---- the ladder ------------------------------------------------------------------------------ */

static const struct rung {
    size_t ring_bytes;
    unsigned buffers;
} rungs[] = {
    {FLOW_RING_BYTES, S3_BUFFERS},
    {FLOW_RING_BYTES_MIN, S3_BUFFERS},
    {FLOW_RING_BYTES_MIN, S3_BUFFERS_MIN},
};

enum { RUNGS_COUNT = sizeof rungs / sizeof *rungs };

/* A volume, with the row that it ends with, has to fit into the parts that every store takes. */
static size_t
part_bytes(uint64_t volume_bytes)
{
    uint64_t most = (uint64_t) S3_PARTS_FEWEST * S3_PART_BYTES_MIN;
    return volume_bytes + LONGEST_ROW_BYTES <= most ? S3_PART_BYTES_MIN : S3_PART_BYTES;
}

static void
plan_rung(const struct memory_need *need, unsigned jobs, const struct rung *rung,
          struct memory_plan *plan)
{
    *plan = (struct memory_plan){
        .jobs = jobs,
        .ring_bytes = rung->ring_bytes,
        .store = {.part_bytes = part_bytes(need->volume_bytes),
                  .buffers = rung->buffers,
                  .document_bytes = memory_document_bytes(need->budget_bytes, need->catalog_bytes),
                  .listing_bytes = memory_listing_bytes(need->budget_bytes)},
        .need = *need,
    };
    plan_sum(plan);
}

static const char *const uses[] = {
    [MEMORY_DUMP] = "dump",
    [MEMORY_RESTORE] = "restore",
    [MEMORY_COPY] = "copy",
    [MEMORY_EXPORT] = "export",
    [MEMORY_LOOK] = "look at a dump",
};

/* Share out what is left. */
static void
plan_rest(struct memory_plan *plan)
{
    const struct memory_need *need = &plan->need;
    uint64_t half = (need->budget_bytes - plan->total_bytes) / 2;

    plan->statement_bytes_max = need->statement_bytes + half / STATEMENT_COPIES;
    plan->window_log = decompress_window_log(codec_bytes(need, plan) + half / plan->jobs);
}

/* Twice as long a statement takes as much again of the budget, and of what is left but half is
 * given to it. */
static void
plan_hold(const struct memory_plan *plan)
{
    sql_statement_max_set(plan->statement_bytes_max,
                          plan->need.budget_bytes +
                              plan->statement_bytes_max * 2 * STATEMENT_COPIES);
}

bool
memory_plan_make(const struct memory_need *need, struct memory_plan *plan, struct fault *fault)
{
    char budget[16];

    assert(need->jobs > 0);
    for (unsigned jobs = need->jobs; jobs > 0; jobs--)
        for (size_t i = 0; i < RUNGS_COUNT; i++) {
            plan_rung(need, jobs, &rungs[i], plan);
            if (plan->total_bytes <= need->budget_bytes) {
                plan_rest(plan);
                return true;
            }
        }

    /* The last one tried was the least. */
    return fault_set(fault, ERR_CONFIG,
                     "REPLICA_MEMORY of %s is too little to %s%s: one worker and what it stands on "
                     "need %llu MiB",
                     text_bytes(budget, need->budget_bytes), uses[need->use],
                     need->catalog_bytes == 0 ? " even a few tables" : "",
                     (unsigned long long) (plan->total_bytes / MIB));
}

/* ---- the sentence ---------------------------------------------------------------------------- */

void
memory_describe(const struct memory_plan *plan, struct text *said)
{
    char size[16];

    text_addf(said, "at most %llu MiB:", (unsigned long long) (plan->total_bytes / MIB));
    if (plan->worker_bytes > 0)
        text_addf(said, " %u worker%s of %s%s,", plan->jobs, plan->jobs == 1 ? "" : "s",
                  text_bytes(size, plan->worker_bytes), plan->jobs == 1 ? "" : " each");
    for (size_t i = 0, more = 0; i < ITEMS_COUNT; i++) {
        uint64_t bytes = items[i].bytes(&plan->need, plan);
        if (items[i].name == NULL || bytes == 0)
            continue;
        text_addf(said, "%s %s for %s", more++ > 0 ? "," : "", text_bytes(size, bytes),
                  !from_database(&plan->need) && items[i].bytes == catalog_bytes
                      ? "the manifest" : items[i].name);
    }
    text_addf(said, "; REPLICA_MEMORY allows %s", text_bytes(size, plan->need.budget_bytes));
}

void
memory_log(const struct memory_plan *plan, enum log_level level)
{
    struct text said = {0};
    char size[16];

    if (plan->jobs < plan->need.jobs)
        log_warning("REPLICA_MEMORY of %s lets %u worker%s run, not the %u of REPLICA_JOBS",
                    text_bytes(size, plan->need.budget_bytes), plan->jobs,
                    text_plural(plan->jobs), plan->need.jobs);
    memory_describe(plan, &said);
    log_line(level, "memory: %s", text_of(&said));
    text_free(&said);
}

/* ---- what a plan depends on ------------------------------------------------------------------ */

static void
need_fill(const struct env *env, enum memory_use use, const char *store, struct memory_need *need)
{
    *need = (struct memory_need){
        .use = use,
        .s3 = env_place(store) == PLACE_S3,
        .compress = env->compress,
        .level = env->compress_level,
        .jobs = use == MEMORY_EXPORT || use == MEMORY_LOOK ? 1 : env->jobs,
        .volume_bytes = env->volume_bytes,
        .budget_bytes = env->memory_bytes,
        .statement_bytes = MEMORY_STATEMENT_BYTES,
    };
}

static const char large_objects_sql[] =
    "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata";

/* What of the catalog takes memory, in replica and in pg_dump, which reads all of it. */
static const struct kind {
    unsigned own_bytes, child_bytes;
    const char *sql;
} kinds[] = {
    {768, 2560, "SELECT count(*) FROM pg_catalog.pg_class"
                " WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"},
    {400, 448, "SELECT count(*) FROM pg_catalog.pg_attribute a"
               " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
               " WHERE c.oid >= 16384 AND a.attnum > 0"
               " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"},
    {0, 1536, "SELECT count(*) FROM pg_catalog.pg_index WHERE indexrelid >= 16384"
              " AND indrelid >= 16384 AND indrelid NOT IN"
              " (SELECT oid FROM pg_catalog.pg_class WHERE relkind = 't')"},
    {0, 640, "SELECT count(*) FROM pg_catalog.pg_attrdef"},
    {0, 640, "SELECT count(*) FROM pg_catalog.pg_constraint WHERE oid >= 16384"},
    {0, 1024, "SELECT count(*) FROM pg_catalog.pg_trigger WHERE oid >= 16384"},
    {0, 1024, "SELECT count(*) FROM pg_catalog.pg_type WHERE oid >= 16384"
              " AND typrelid = 0 AND typelem = 0"},
    {0, 1280, "SELECT count(*) FROM pg_catalog.pg_proc WHERE oid >= 16384"},
    {0, 1, "SELECT coalesce(sum(octet_length(prosrc)), 0) FROM pg_catalog.pg_proc"
           " WHERE oid >= 16384"},
    {0, 1536, "SELECT count(*) FROM pg_catalog.pg_rewrite WHERE oid >= 16384"},
    {0, 1, "SELECT coalesce(sum(octet_length(ev_action::text)), 0) / 2 FROM pg_catalog.pg_rewrite"
           " WHERE oid >= 16384"},
    {0, 1, "SELECT coalesce(sum(octet_length(description) + 192), 0)"
           " FROM pg_catalog.pg_description WHERE objoid >= 16384"},
    {0, 160, large_objects_sql},
};

enum { KINDS_COUNT = sizeof kinds / sizeof *kinds };

static const char longest_sql[] =
    "SELECT coalesce(max(octet_length(prosrc)), 0) FROM pg_catalog.pg_proc WHERE oid >= 16384";

/* One query: a column per kind, and the longest function.  Large objects that are not taken are not
 * in pg_dump's memory either. */
static bool
catalog_count(const struct env *env, struct pg_session *conn, struct memory_need *need,
              struct fault *fault)
{
    struct text sql = {0};

    text_add(&sql, "SELECT ");
    for (size_t i = 0; i < KINDS_COUNT; i++)
        text_addf(&sql, "(%s), ", kinds[i].sql);
    text_addf(&sql, "(%s)", longest_sql);
    PGresult *result = pg_query(conn, "count what the catalog holds", text_of(&sql), fault);
    text_free(&sql);
    if (result == NULL)
        return false;

    for (size_t i = 0; i < KINDS_COUNT; i++) {
        uint64_t count = strtoull(PQgetvalue(result, 0, (int) i), NULL, 10);
        if (kinds[i].sql == large_objects_sql && !dump_takes_large_objects(env))
            continue;
        need->catalog_bytes += count * kinds[i].own_bytes;
        need->schema_bytes += count * kinds[i].child_bytes;
    }
    uint64_t longest = strtoull(PQgetvalue(result, 0, KINDS_COUNT), NULL, 10);
    if (longest > need->statement_bytes)
        need->statement_bytes = longest;
    PQclear(result);
    return true;
}

bool
memory_for_dump(const struct env *env, struct pg_session *conn, struct memory_plan *plan,
                struct fault *fault)
{
    struct memory_need need;

    bool copies = env_place(env->to) == PLACE_POSTGRES;

    need_fill(env, copies ? MEMORY_COPY : MEMORY_DUMP, env->to, &need);
    if ((conn != NULL && !catalog_count(env, conn, &need, fault)) ||
        !memory_plan_make(&need, plan, fault))
        return false;
    plan_hold(plan);
    return true;
}

/* Frames of ours, by the level that the manifest says; of "zstd:x" anything. */
static int
level_of(const char *compression)
{
    const char *colon = strchr(compression, ':');
    long level = colon == NULL ? COMPRESS_LEVEL_MAX : strtol(colon + 1, NULL, 10);

    return level < COMPRESS_LEVEL_MIN || level > COMPRESS_LEVEL_MAX ? COMPRESS_LEVEL_MAX
                                                                    : (int) level;
}

bool
memory_for_manifest(const struct env *env, enum memory_use use, const struct manifest *manifest,
                    struct memory_plan *plan, struct fault *fault)
{
    const char *store = use == MEMORY_LOOK ? env->store : env->from;
    struct memory_need need;

    need_fill(env, use, store, &need);
    if (manifest != NULL) {
        need.compress = strcmp(manifest->compression, "none") != 0;
        need.level = level_of(manifest->compression);
        need.catalog_bytes = manifest->held_bytes;
        if (manifest->longest_statement > need.statement_bytes)
            need.statement_bytes = manifest->longest_statement > SQL_STATEMENT_BYTES_MAX
                                       ? SQL_STATEMENT_BYTES_MAX : manifest->longest_statement;
    } else if (use == MEMORY_LOOK) {
        need.catalog_bytes = memory_document_bytes(env->memory_bytes, 0);
    }
    if (!memory_plan_make(&need, plan, fault))
        return false;
    plan_hold(plan);
    return true;
}

/* All but what the executable takes; the sum is rounded up by less than one MiB. */
uint64_t
memory_document_bytes(uint64_t budget_bytes, uint64_t held_bytes)
{
    uint64_t own = OWN_BYTES + OWN_S3_BYTES + MIB + held_bytes;

    return budget_bytes <= own + LEAST_DOCUMENT_BYTES ? LEAST_DOCUMENT_BYTES : budget_bytes - own;
}

/* Names are held while manifests are read, so they get the smaller part. */
uint64_t
memory_listing_bytes(uint64_t budget_bytes)
{
    return memory_document_bytes(budget_bytes, 0) / 4;
}
