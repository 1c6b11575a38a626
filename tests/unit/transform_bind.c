/* transform_bind - rules against a catalog made by hand: a shop with partitions, inheritance,
 * generated columns, quoted names and tables that stay behind. */
#include <stdlib.h>

#include "support.h"
#include "transform/rule.h"

static struct arena arena;

static struct column user_columns[] = {
    {.name = "id",
     .type = "integer",
     .base_type = "int4",
     .kind = VALUE_INTEGER,
     .byte_width = 4,
     .not_null = true},
    {.name = "full_name",
     .type = "text",
     .base_type = "text",
     .kind = VALUE_TEXT,
     .generated = true},
    {.name = "email",
     .type = "character varying(20)",
     .base_type = "varchar",
     .kind = VALUE_TEXT,
     .length_max = 20},
    {.name = "name", .type = "text", .base_type = "text", .kind = VALUE_TEXT},
    {.name = "tags", .type = "text[]", .base_type = "_text", .kind = VALUE_OTHER},
};
static struct column quoted_columns[] = {
    {.name = "E-mail", .type = "text", .base_type = "text", .kind = VALUE_TEXT},
};
static struct column event_columns[] = {
    {.name = "day", .type = "date", .base_type = "date", .kind = VALUE_DATE},
    {.name = "who", .type = "text", .base_type = "text", .kind = VALUE_TEXT},
    {.name = "hash", .type = "text", .base_type = "text", .kind = VALUE_TEXT, .generated = true},
};

static const uint32_t of_events[] = {30}, of_2024[] = {31, 30}, of_unknown[] = {999};

enum { USERS, QUOTED, LOGS, EVENTS, EVENTS_2024, EVENTS_JAN, EVENTS_OLD, BARE, EMPTY, TABLES };

#define COLUMNS(columns_) .columns = columns_, .columns_count = sizeof columns_ / sizeof *columns_
#define PARENTS(oids) .ancestors = oids, .ancestors_count = sizeof oids / sizeof *oids

static struct table tables[TABLES] = {
    [USERS] = {.oid = 50, .schema = "public", .name = "users", .kind = 'r', .copied = true,
               COLUMNS(user_columns)},
    [QUOTED] = {.oid = 10, .schema = "public", .name = "Clients", .kind = 'r', .copied = true,
                COLUMNS(quoted_columns)},
    [LOGS] = {.oid = 20, .schema = "public", .name = "logs", .kind = 'r', COLUMNS(event_columns)},
    [EVENTS] = {.oid = 30, .schema = "shop", .name = "events", .kind = 'p', COLUMNS(event_columns)},
    [EVENTS_2024] = {.oid = 31, .schema = "shop", .name = "events_2024", .kind = 'p',
                     COLUMNS(event_columns), PARENTS(of_events)},
    [EVENTS_JAN] = {.oid = 32, .schema = "shop", .name = "events_jan", .kind = 'r', .copied = true,
                    COLUMNS(event_columns), PARENTS(of_2024)},
    [EVENTS_OLD] = {.oid = 33, .schema = "shop", .name = "events_old", .kind = 'r', .copied = true,
                    COLUMNS(event_columns), PARENTS(of_events)},
    [BARE] = {.oid = 40, .schema = "shop", .name = "bare", .kind = 'r', .copied = true,
              PARENTS(of_unknown)},
    [EMPTY] = {.oid = 41, .schema = "shop", .name = "future", .kind = 'p', COLUMNS(event_columns)},
};
static const struct catalog catalog = {.tables = tables, .tables_count = TABLES};

static bool
bind(const char *text, struct table_masks **masks, struct fault *fault)
{
    const struct rules *rules = rules_read(&arena, text, fault);

    assert_non_null(rules);
    return rules_bind(rules, &catalog, &arena, masks, fault);
}

static struct table_masks *
bind_good(const char *text)
{
    struct fault fault = {0};
    struct table_masks *masks = NULL;

    if (!bind(text, &masks, &fault))
        fail_msg("%s: %s", text, fault.text);
    return masks;
}

static void
test_no_rules(void **state)
{
    (void) state;
    struct table_masks *masks = bind_good("");

    for (size_t i = 0; i < TABLES; i++)
        assert_int_equal(masks[i].ruled_count, 0);
    assert_int_equal(masks[USERS].columns_count, 4);
    assert_int_equal(masks[BARE].columns_count, 0);
    static const struct catalog nothing;
    struct fault fault = {0};
    assert_true(rules_bind(rules_read(&arena, "", &fault), &nothing, &arena, &masks, &fault));
}

/* The generated column is not among those of COPY. */
static void
test_places(void **state)
{
    (void) state;
    struct table_masks *masks = bind_good("public.users.name first-name\n"
                                          "public.users.email email\n"
                                          "public.\"Clients\".\"E-mail\" redacted");

    assert_int_equal(masks[USERS].ruled_count, 2);
    assert_int_equal(masks[USERS].ruled[0], 1);
    assert_int_equal(masks[USERS].ruled[1], 2);
    assert_null(masks[USERS].masks[0]);
    assert_string_equal(mask_name(masks[USERS].masks[1]), "email");
    assert_string_equal(mask_name(masks[USERS].masks[2]), "first-name");
    assert_null(masks[USERS].masks[3]);
    assert_int_equal(masks[QUOTED].ruled_count, 1);
    assert_int_equal(masks[LOGS].ruled_count, 0);
}

static void
test_transient(void **state)
{
    (void) state;
    struct table_masks *masks =
        bind_good("public.users.tags transient; public.users.email transient");

    assert_int_equal(masks[USERS].ruled_count, 0);
    struct fault fault = {0};
    assert_false(bind("users.email transient; users.email email", &masks, &fault));
}

/* A rule on the root holds for leaves below leaves, one on a branch for that branch. */
static void
test_lineage(void **state)
{
    (void) state;
    struct table_masks *masks = bind_good("shop.events.who redacted; shop.events_2024.day random");

    assert_int_equal(masks[EVENTS].ruled_count, 0);
    assert_int_equal(masks[EVENTS_JAN].ruled_count, 2);
    assert_int_equal(masks[EVENTS_OLD].ruled_count, 1);
    assert_string_equal(mask_name(masks[EVENTS_JAN].masks[0]), "random");
    assert_string_equal(mask_name(masks[EVENTS_JAN].masks[1]), "redacted");
    assert_null(masks[EVENTS_OLD].masks[0]);
}

static void
test_wildcards(void **state)
{
    (void) state;
    struct table_masks *masks = bind_good("*.*.who null; *.*.*mail fixed(x@y.z)");

    assert_int_equal(masks[EVENTS_JAN].ruled_count, 1);
    assert_int_equal(masks[EVENTS_OLD].ruled_count, 1);
    assert_int_equal(masks[LOGS].ruled_count, 0);
    assert_int_equal(masks[USERS].ruled_count, 1);
    assert_int_equal(masks[QUOTED].ruled_count, 1);
}

static void
test_mistakes(void **state)
{
    (void) state;
    static const struct {
        const char *text, *sentence;
    } tries[] = {
        {"public.Clients.\"E-mail\" email",
         "table public.clients does not exist; did you mean public.\"Clients\""},
        {"public.user.email email", "table public.user does not exist; did you mean public.users"},
        {"public.events.who null", "table public.events does not exist; did you mean shop.events"},
        {"public.nothing.x null", "table public.nothing does not exist"},
        {"nothing*.x.y null", "no table fits"},
        {"users.emial email", "its table has no column emial; did you mean email"},
        {"public.\"Clients\".\"e-mail\" email", "no column \"e-mail\"; did you mean \"E-mail\""},
        {"shop.*.whom null", "none of the 6 tables that fit has a column whom; did you mean who"},
        {"users.x* email", "its table has no column that fits"},
        {"users.id email", "column id of public.users, integer: email serves only: text"},
        {"users.tags random",
         "column tags of public.users, text[]: random serves only: text, integer"},
        {"users.id null", "column id of public.users, integer: it is declared NOT NULL"},
        {"users.email fixed(aaaaaaaaaaaaaaaaaaaaa)",
         "the value has 21 characters, the column holds 20"},
        {"users.id fixed(x)", "the value is not an integer"},
        {"users.full_name null", "it is computed from other columns"},
        {"users.full_name transient", "it is computed from other columns"},
        {"users.email email\nusers.email null", "line 2 (users.email null): column email of "
                                                "public.users, character varying(20): line 1 has a "
                                                "rule for it already (users.email email)"},
        {"*.*.email email; users.email null", "line 1 has a rule for it already (*.*.email email)"},
        {"shop.events.who null; shop.events_jan.who redacted",
         "column who of shop.events_jan, text: line 1 has a rule for it already (shop.events.who "
         "null)"},
        {"logs.who null", "no rows of its table are copied"},
        {"shop.future.who null", "no rows of its table are copied"},
        {"shop.bare.x null", "its table has no column x"},
    };

    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct fault fault = {0};
        struct table_masks *masks;
        assert_false(bind(tries[i].text, &masks, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        if (strstr(fault.text, tries[i].sentence) == NULL)
            fail_msg("%s: %s", tries[i].text, fault.text);
    }
}

/* Every line is told, a mistake on a parent once and not for each of its partitions. */
static void
test_all_at_once(void **state)
{
    (void) state;
    struct fault fault = {0};
    struct table_masks *masks;

    assert_false(bind("shop.events.day email\nusers.nme null\nshop.events.who null\nx.y.z null",
                      &masks, &fault));
    assert_string_equal(fault.text,
                        "REPLICA_TRANSFORM line 1 (shop.events.day email): column day of "
                        "shop.events_jan, date: email "
                        "serves only: text\n"
                        "REPLICA_TRANSFORM line 2 (users.nme null): its table has no column nme; "
                        "did you mean name\n"
                        "REPLICA_TRANSFORM line 4 (x.y.z null): table x.y does not exist");
}

static int
teardown(void **state)
{
    (void) state;
    arena_free(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_transient),
        cmocka_unit_test(test_lineage),
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
