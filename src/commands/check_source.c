/* check_source - what a dump asks of its source before the first row (check.h). */
#include "commands/check.h"
#include "commands/rights.h"

#include "pg/sql_target.h"

bool
check_settings(struct check *check, struct text *said, struct fault *fault)
{
    if (!dump_wishes_read(&check->dump, &check->wishes, NULL, fault))
        return false;
    text_addf(said, "%zu rule%s and the patterns of tables can be read",
              rules_count(check->wishes.rules), text_plural(rules_count(check->wishes.rules)));
    return true;
}

bool
check_source(struct check *check, struct text *said, struct fault *fault)
{
    struct pg_session *leader = &check->dump.leader;

    if (!pg_open(leader, check->env->from, ERR_SOURCE, check->stop, fault))
        return false;
    check_describe(said, leader);
    return true;
}

bool
check_snapshot(struct check *check, struct text *said, struct fault *fault)
{
    struct dump *dump = &check->dump;

    if (!snapshot_export(&dump->leader, &dump->snapshot, fault))
        return false;
    text_addf(said, "can be exported; the WAL stands at %s", dump->snapshot.lsn);
    return true;
}

bool
check_tables(struct check *check, struct text *said, struct fault *fault)
{
    struct dump *dump = &check->dump;
    uint64_t bytes = 0;
    size_t copied = 0;
    char size[16];

    if (!dump_wishes_read(dump, &check->wishes, &dump->leader, fault) ||
        !catalog_read(&dump->leader, check->env->from, &check->wishes.selection, &dump->arena,
                      &dump->snapshot, &dump->catalog, fault))
        return false;
    for (size_t i = 0; i < dump->catalog.tables_count; i++) {
        copied += dump->catalog.tables[i].copied;
        bytes += dump->catalog.tables[i].copied ? dump->catalog.tables[i].bytes : 0;
    }
    text_addf(said, "%zu table%s can be read whole, %s on the source's disk", copied,
              text_plural(copied), text_bytes(size, bytes));
    return true;
}

bool
check_rules(struct check *check, struct text *said, struct fault *fault)
{
    struct dump *dump = &check->dump;
    size_t columns = 0, tables = 0, rules = rules_count(check->wishes.rules);
    struct rules_report report = {0};

    bool bound = dump_bind(dump, &check->wishes, &report, fault);
    for (size_t i = 0; bound && i < dump->catalog.tables_count; i++) {
        if (!dump->catalog.tables[i].copied)
            continue;
        columns += dump->masks[i].ruled_count;
        tables += dump->masks[i].ruled_count > 0;
    }
    if (rules == 0)
        text_add(said, "none: every column is dumped as it is");
    else
        text_addf(said, "%zu rule%s change%s %zu column%s of %zu table%s", rules,
                  text_plural(rules), rules == 1 ? "s" : "", columns, text_plural(columns),
                  tables, text_plural(tables));
    for (size_t i = 0; i < report.warnings_count; i++)
        text_addf(said, "; %s", report.warnings[i]);
    if (report.held > 0)
        text_addf(said, "; constraints that took a hundred results: %zu", report.held);
    check->warns = report.warnings_count > 0;
    return bound;
}

static bool
statement_count(void *argument, const char *sql, struct fault *fault)
{
    size_t *count = argument;
    (void) sql, (void) fault;

    (*count)++;
    return true;
}

/* Of a copy: may the destination's role do what the schema says, and does its version know it? */
static bool
schema_fits(struct check *check, struct text *said, struct fault *fault)
{
    struct rights rights = {0};
    struct outlook outlook;
    struct text left_out = {0}, warning = {0};

    if (check->restore.conn.pq == NULL)
        return true;
    outlook_init(&outlook, &check->restore, rights_statement, &rights);
    bool read = rights_begin(&rights, &check->restore, fault) &&
                dump_schema(&check->dump, outlook_statement, &outlook, fault);
    bool known = outlook_end(&outlook, &left_out, fault);
    bool may = rights_end(&rights, &warning, fault) && known && read;
    check->warns = left_out.size + warning.size > 0;
    text_addf(said, "%s%s%s%s", left_out.size > 0 ? "; " : "", text_of(&left_out),
              warning.size > 0 ? "; " : "", text_of(&warning));
    text_free(&left_out);
    text_free(&warning);
    return may;
}

/* pg_dump meets rights of its own: USAGE on schemas, locks on every table. */
bool
check_schema(struct check *check, struct text *said, struct fault *fault)
{
    struct dump *dump = &check->dump;
    struct flow flow;
    struct sql_target counter;
    struct sql_guard guard;
    size_t statements = 0;

    if (!sql_guard_init(&guard, pg_encoding(&dump->leader), false, ERR_SOURCE, fault))
        return false;
    flow_init(&flow, check->stop, FLOW_RING_BYTES_MIN);
    flow_begin(&flow);
    pg_dump_open(&dump->pg_dump, &dump->leader, &dump->snapshot, &dump->catalog);
    flow_add(&flow, pg_dump_section(&dump->pg_dump));
    flow_seam(&flow);
    flow_add(&flow, sql_target_init(&counter, (struct sql_promise){.guard = &guard},
                                    statement_count, &statements));
    bool done = flow_run(&flow, fault);
    flow_free(&flow);
    pg_dump_close(&dump->pg_dump);
    text_addf(said, "pg_dump writes it, %zu statement%s before the rows", statements,
              text_plural(statements));
    return done && schema_fits(check, said, fault);
}
