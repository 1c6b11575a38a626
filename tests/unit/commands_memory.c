/* memory: every plan fits its budget; the steps of the ladder come in their order; the least that a
 * refusal names is the least. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "codec/compress.h"
#include "commands/memory.h"
#include "flow/flow.h"
#include "store/s3_writer.h"

static const uint64_t MIB = 1024 * 1024;

static struct memory_need
wanted(enum memory_use use, bool s3, unsigned jobs)
{
    return (struct memory_need){.use = use, .s3 = s3, .compress = true, .level = 3, .jobs = jobs,
                                .volume_bytes = 256 * MIB, .budget_bytes = 1024 * MIB,
                                .statement_bytes = MEMORY_STATEMENT_BYTES};
}

/* The minimum that a refusal names, in bytes. */
static uint64_t
least(struct memory_need need)
{
    struct memory_plan plan;
    struct fault fault = {0};

    need.budget_bytes = 1;
    assert_false(memory_plan_make(&need, &plan, &fault));
    assert_int_equal(fault.err, ERR_CONFIG);
    const char *named = strstr(fault.text, " need ");
    assert_non_null(strstr(fault.text, "REPLICA_MEMORY"));
    assert_non_null(named);
    return strtoull(named + strlen(" need "), NULL, 10) * MIB;
}

/* How far down the ladder a plan stands. */
static unsigned
depth(const struct memory_plan *plan)
{
    return (plan->need.jobs - plan->jobs) * 3 + (plan->ring_bytes < FLOW_RING_BYTES) +
           (plan->store.buffers < S3_BUFFERS);
}

/* All budgets up to the first that needs no step: the sum fits, and never goes back up a step. */
static void
walk(const struct memory_need *asked)
{
    struct memory_need need = *asked;
    struct memory_plan plan;
    uint64_t minimum = least(need), step = MIB / 2;
    unsigned before = 1000;

    for (need.budget_bytes = step; before > 0; need.budget_bytes += step) {
        struct fault fault = {0};
        bool made = memory_plan_make(&need, &plan, &fault);
        assert_int_equal(made, need.budget_bytes >= minimum);
        if (!made)
            continue;
        assert_true(plan.total_bytes <= need.budget_bytes);
        assert_in_range(plan.jobs, 1, need.jobs);
        assert_true(depth(&plan) <= before);
        before = depth(&plan);
    }
    assert_int_equal(plan.jobs, need.jobs);
    assert_int_equal(plan.ring_bytes, FLOW_RING_BYTES);
}

static void
every_budget(void **state)
{
    static const int levels[] = {COMPRESS_LEVEL_MIN, 1, 3, COMPRESS_LEVEL_MAX};
    static const unsigned jobs[] = {1, 2, 5, 64};
    (void) state;

    for (int use = MEMORY_DUMP; use <= MEMORY_LOOK; use++)
        for (int s3 = 0; s3 < 2; s3++)
            for (size_t i = 0; i < 4; i++) {
                struct memory_need need = wanted(use, s3 == 1, jobs[i]);
                need.level = levels[i];
                need.catalog_bytes = i * 3000001;
                need.schema_bytes = i * 7000001;
                walk(&need);
            }
}

static void
least_is_the_least(void **state)
{
    (void) state;
    for (int use = MEMORY_DUMP; use <= MEMORY_LOOK; use++)
        for (int s3 = 0; s3 < 2; s3++) {
            struct memory_need need = wanted(use, s3 == 1, use == MEMORY_LOOK ? 1 : 4);
            struct memory_plan plan;
            struct fault fault = {0};

            need.budget_bytes = least(need);
            assert_true(memory_plan_make(&need, &plan, &fault));
            assert_int_equal(plan.total_bytes, need.budget_bytes);
            assert_int_equal(plan.jobs, 1);
            need.budget_bytes--;
            assert_false(memory_plan_make(&need, &plan, &fault));
        }
}

/* Smaller rings, then fewer buffers, then fewer workers.  Sums are whole MiB, so a step may be
 * passed over. */
static void
order_of_the_ladder(void **state)
{
    struct memory_need need = wanted(MEMORY_DUMP, true, 2);
    struct memory_plan plan;
    struct fault fault = {0};
    (void) state;

    assert_true(memory_plan_make(&need, &plan, &fault));
    assert_int_equal(depth(&plan), 0);
    for (unsigned before = 0; before < 5; before = depth(&plan)) {
        need.budget_bytes = plan.total_bytes - 1;
        assert_true(memory_plan_make(&need, &plan, &fault));
        assert_true(depth(&plan) > before);
        assert_int_equal(plan.jobs, depth(&plan) < 3 ? 2 : 1);
    }
    assert_int_equal(plan.store.buffers, S3_BUFFERS_MIN);
    need.budget_bytes = plan.total_bytes - 1;
    assert_false(memory_plan_make(&need, &plan, &fault));
}

/* Two jobs with a bucket: 64 MB, all told (issue 4). */
static void
by_default(void **state)
{
    struct memory_need need = wanted(MEMORY_DUMP, true, 2);
    struct memory_plan plan;
    struct fault fault = {0};
    struct text said = {0};
    (void) state;

    need.budget_bytes = 256 * MIB;
    assert_true(memory_plan_make(&need, &plan, &fault));
    assert_true(plan.total_bytes <= 64000000);
    memory_describe(&plan, &said);
    assert_non_null(strstr(text_of(&said), "2 workers of "));
    assert_non_null(strstr(text_of(&said), " for pg_dump"));
    assert_non_null(strstr(text_of(&said), "; REPLICA_MEMORY allows 256 MiB"));
    text_free(&said);
}

/* Scaleway's 1,000 parts hold a volume and its last row. */
static void
parts_hold_a_volume(void **state)
{
    static const uint64_t sizes[] = {64 * 1024, 256ull << 20, 3900ull << 20, 5ull << 30};
    (void) state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct memory_need need = wanted(MEMORY_DUMP, true, 1);
        struct memory_plan plan;
        struct fault fault = {0};
        need.volume_bytes = sizes[i];
        assert_true(memory_plan_make(&need, &plan, &fault));
        assert_true(plan.store.part_bytes * 1000 >= sizes[i] + (1ull << 30));
        assert_true(plan.store.part_bytes >= 5 * MIB && plan.store.part_bytes <= S3_PART_BYTES);
    }
}

/* Whatever manifest is read, there is room for it: list reads them all, one by one. */
static void
manifests(void **state)
{
    (void) state;
    for (uint64_t budget = 8 * MIB; budget < 4096 * MIB; budget = budget * 3 / 2) {
        struct memory_need need = wanted(MEMORY_LOOK, true, 1);
        struct memory_plan plan;
        struct fault fault = {0};
        need.budget_bytes = budget;
        need.catalog_bytes = memory_document_bytes(budget, 0);
        assert_true(memory_plan_make(&need, &plan, &fault));
    }
    assert_true(memory_document_bytes(1, 0) > 0);
    assert_true(memory_document_bytes(64 * MIB, 0) > 50 * MIB);
    assert_true(memory_document_bytes(64 * MIB, 40 * MIB) < 24 * MIB);
    assert_true(memory_listing_bytes(64 * MIB) < memory_document_bytes(64 * MIB, 0) / 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_budget),        cmocka_unit_test(least_is_the_least),
        cmocka_unit_test(order_of_the_ladder), cmocka_unit_test(by_default),
        cmocka_unit_test(parts_hold_a_volume), cmocka_unit_test(manifests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
