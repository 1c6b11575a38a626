/* index, dumps: the listing is true whoever writes, is killed, or meddles. */
#include "support_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "store/index.h"

static void
dump_write(struct place *place, const char *name)
{
    struct fault fault = {0};
    enum manifest_state state;

    if (!manifest_write(place->store, place_manifest(place, name), &state, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(state, MANIFEST_THERE);
}

/* As if the run had been killed behind its manifest: the sums are those of place_manifest(). */
static void
manifest_only(struct place *place, const char *name)
{
    struct fault fault = {0};
    struct text text = {0};
    char object[64];
    struct manifest *manifest = place_manifest(place, name);

    manifest->format = 1;
    assert_true(dump_name_read(name, &manifest->created_ms));
    manifest->rows = 12;
    manifest->tables[0].rows = 12;
    manifest->stored_bytes = 229;
    manifest->plain_bytes = 687;
    manifest_add(&text, manifest);
    snprintf(object, sizeof object, "%s/manifest.json", name);
    assert_true(store_write(place->store, object, text.data, text.size, &fault));
    text_free(&text);
}

static const struct json *
index_read(struct place *place)
{
    struct fault fault = {0};
    struct bytes bytes = place_read(place, "index.json");
    const struct json *json =
        json_parse(&place->arena, (const char *) bytes.data, bytes.size, "index.json", &fault);

    if (json == NULL)
        fail_msg("%s", fault.text);
    bytes_free(&bytes);
    return json_get(json, "dumps");
}

static void
index_is(struct place *place, size_t count, const char *const names[])
{
    const struct json *dumps = index_read(place);

    assert_int_equal(dumps->size, count);
    const struct json *item = dumps->first;
    for (size_t i = 0; i < count; i++, item = item->next)
        assert_string_equal(json_get_text(item, "directory_name", "?"), names[i]);
}

static void
test_fields(void **state)
{
    struct place place;
    uint64_t number;
    (void) state;

    place_begin(&place);
    dump_write(&place, "dump-1653170039392");
    const struct json *line = index_read(&place)->first;
    assert_true(json_get_number(line, "size", &number) && number == 229);
    assert_true(json_get_number(line, "created_at", &number) && number == 1653170039392);
    assert_true(json_get_number(line, "rows", &number) && number == 12);
    assert_true(json_get_number(line, "tables", &number) && number == 2);
    assert_true(json_get_number(line, "plain_bytes", &number) && number == 687);
    assert_string_equal(json_get_text(line, "directory_name", "?"), "dump-1653170039392");
    assert_string_equal(json_get_text(line, "database", "?"), "sh\xef\xbf\xbdp");
    assert_true(json_get_bool(line, "compressed", false));
    assert_false(json_get_bool(line, "encrypted", true));
    assert_int_equal(line->size, 9);
    place_end(&place);
}

/* A run that was killed between its manifest and the index is added by the next one; a dump that
 * was removed is dropped; a half one is no entry; a foreign directory is none of ours. */
static void
test_repairs(void **state)
{
    struct place place;
    struct fault fault = {0};
    (void) state;

    place_begin(&place);
    dump_write(&place, "dump-100");
    manifest_only(&place, "dump-200");
    assert_true(store_write(place.store, "dump-300/1.sql.zst", "x", 1, &fault));
    assert_true(store_write(place.store, "dump-0300/manifest.json", "x", 1, &fault));
    assert_true(store_write(place.store, "other/manifest.json", "x", 1, &fault));
    assert_true(store_write(place.store, "dump-350/manifest.json", "no json", 7, &fault));
    dump_write(&place, "dump-400");
    index_is(&place, 3, (const char *const[]){"dump-100", "dump-200", "dump-400"});
    assert_true(place.store->ops->remove(place.store, "dump-100/manifest.json", &fault));
    assert_true(index_update(place.store, NULL, &fault));
    index_is(&place, 2, (const char *const[]){"dump-200", "dump-400"});
    assert_int_equal(place_count(&place, "", ".tmp-"), 0);
    place_end(&place);
}

/* What stands in the index about a dump is kept, without a look into its manifest; an index that is
 * damaged, or says too little, is made anew. */
static void
test_old_lines(void **state)
{
    static const char old[] =
        "{\"dumps\":[{\"size\":5,\"directory_name\":\"dump-100\",\"created_at\":100,\"compressed\""
        ":false,\"encrypted\":true,\"rows\":1,\"tables\":2,\"plain_bytes\":3,\"database\":\"old\"},"
        "{\"size\":5,\"directory_name\":\"dump-200\",\"created_at\":200},7,{}]}";
    struct place place;
    struct fault fault = {0};
    uint64_t number;
    (void) state;

    place_begin(&place);
    dump_write(&place, "dump-100");
    dump_write(&place, "dump-200");
    place_write(&place, "index.json", old, sizeof old - 1);
    assert_true(index_update(place.store, NULL, &fault));
    const struct json *line = index_read(&place)->first;
    assert_string_equal(json_get_text(line, "database", "?"), "old");
    assert_true(json_get_bool(line, "encrypted", false));
    assert_false(json_get_bool(line, "compressed", true));
    assert_true(json_get_number(line->next, "size", &number) && number == 229);

    static const char *const damaged[] = {"", "{", "[]", "{\"dumps\":7}", "\xff"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        place_write(&place, "index.json", damaged[i], strlen(damaged[i]));
        assert_true(index_update(place.store, NULL, &fault));
        index_is(&place, 2, (const char *const[]){"dump-100", "dump-200"});
        assert_string_equal(json_get_text(index_read(&place)->first, "database", "?"),
                            "sh\xef\xbf\xbdp");
    }
    place_end(&place);
}

enum { WRITERS = 4, DUMPS_EACH = 10 };

static pid_t
writer_start(struct place *place, int writer)
{
    pid_t child = fork();

    if (child == 0) {
        for (int i = 0; i < DUMPS_EACH; i++) {
            struct fault fault = {0};
            const char *name;
            enum manifest_state state;
            if (!dump_name_take(place->store, &place->arena, &name, &fault) ||
                !manifest_write(place->store, place_manifest(place, name), &state, &fault))
                _exit(10 + writer);
        }
        _exit(0);
    }
    return child;
}

/* Writers of different processes: every dump gets a name of its own and ends in the index. */
static void
test_concurrent_writers(void **state)
{
    struct place place;
    pid_t children[WRITERS];
    (void) state;

    place_begin(&place);
    for (int i = 0; i < WRITERS; i++)
        children[i] = writer_start(&place, i);
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(index_read(&place)->size, WRITERS * DUMPS_EACH);
    assert_int_equal(place_count(&place, "", "dump-"), WRITERS * DUMPS_EACH);
    place_end(&place);
}

/* kill -9 at twenty moments: the next writer succeeds, and the index holds exactly the dumps with a
 * manifest. */
static void
test_killed_writers(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct dump_entry *entries;
    size_t count, complete = 0;
    (void) state;

    place_begin(&place);
    for (int i = 0; i < 20; i++) {
        pid_t child = writer_start(&place, i);
        usleep((useconds_t) (i * 700));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (place_has(&place, "index.json"))
            assert_non_null(index_read(&place));
    }
    dump_write(&place, "dump-5");
    assert_true(dumps_list(place.store, &place.arena, &entries, &count, &fault));
    for (size_t i = 0; i < count; i++) {
        assert_true(entries[i].complete == entries[i].readable);
        complete += entries[i].complete;
    }
    assert_int_equal(index_read(&place)->size, complete);
    place_end(&place);
}

static void
test_list(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct dump_entry *entries;
    size_t count;
    (void) state;

    place_begin(&place);
    assert_true(dumps_list(place.store, &place.arena, &entries, &count, &fault));
    assert_int_equal(count, 0);
    dump_write(&place, "dump-1000");
    dump_write(&place, "dump-999");
    assert_true(store_write(place.store, "dump-30/1.sql", "x", 1, &fault));
    assert_true(store_write(place.store, "dump-20/manifest.json", "no json", 7, &fault));
    assert_true(store_write(place.store, "dump-21/manifest.json", "{\"format\":9}", 12, &fault));
    assert_true(dumps_list(place.store, &place.arena, &entries, &count, &fault));
    assert_int_equal(count, 5);
    assert_string_equal(entries[0].name, "dump-20");
    assert_true(entries[0].complete && !entries[0].readable);
    assert_non_null(strstr(entries[0].problem, "dump-20/manifest.json is no valid json"));
    assert_non_null(strstr(entries[1].problem, "has format 9"));
    assert_false(entries[2].complete);
    assert_null(entries[2].problem);
    assert_string_equal(entries[3].name, "dump-999");
    assert_string_equal(entries[4].name, "dump-1000");
    assert_true(entries[4].complete && entries[4].readable);
    assert_true(entries[4].created_ms == 1000 && entries[4].stored_bytes == 229);
    assert_true(entries[4].rows == 12 && entries[4].tables == 2);
    assert_string_equal(entries[4].database, "sh\xf6p");
    place_end(&place);
}

static void
not_found(struct place *place, const char *name, const char *words)
{
    struct fault fault = {0};
    struct manifest manifest;

    assert_false(manifest_read(place->store, name, &place->arena, &manifest, &fault));
    assert_int_equal(fault.err, ERR_STORE);
    if (strstr(fault.text, words) == NULL)
        fail_msg("'%s' does not say '%s'", fault.text, words);
}

static void
test_found_or_not(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct manifest manifest;
    char name[32];
    (void) state;

    place_begin(&place);
    not_found(&place, "latest", "there is no dump in file://");
    assert_true(store_write(place.store, "dump-30/1.sql", "x", 1, &fault));
    not_found(&place, "latest", "; 1 without a manifest is still being written or was killed");
    assert_true(store_write(place.store, "dump-31/1.sql", "x", 1, &fault));
    not_found(&place, "latest", "; 2 without a manifest are still being written or were killed");
    not_found(&place, "dump-30", "has no manifest: its run is still going on or was killed");
    for (int i = 1; i < 9; i++) {
        snprintf(name, sizeof name, "dump-%d", i);
        dump_write(&place, name);
    }
    not_found(&place, "dump-9", "there is dump-8, dump-7, dump-6, dump-5, dump-4 and 3 older");
    not_found(&place, "../../etc", "there is no dump '../../etc'");
    not_found(&place, "", "there is no dump ''");
    assert_true(manifest_read(place.store, "latest", &place.arena, &manifest, &fault));
    assert_string_equal(manifest.name, "dump-8");
    assert_true(manifest_read(place.store, "dump-3", &place.arena, &manifest, &fault));

    /* The newest one counts, also when it can't be read. */
    assert_true(store_write(place.store, "dump-40/manifest.json", "no json", 7, &fault));
    assert_false(manifest_read(place.store, "latest", &place.arena, &manifest, &fault));
    assert_int_equal(fault.err, ERR_INTEGRITY);
    place_end(&place);
}

/* When only the index fails, the sentence says that the dump is there. */
static void
test_index_fails(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct manifest manifest;
    enum manifest_state written;
    char path[512];
    (void) state;

    place_begin(&place);
    snprintf(path, sizeof path, "%s/index.json", place.path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(manifest_write(place.store, place_manifest(&place, "dump-1"), &written, &fault));
    assert_int_equal(fault.err, ERR_STORE);
    assert_int_equal(written, MANIFEST_THERE);
    assert_non_null(strstr(fault.text, "dump-1 itself is complete"));
    fault = (struct fault){0};
    assert_true(manifest_read(place.store, "dump-1", &place.arena, &manifest, &fault));
    place_end(&place);
}

static void
test_names(void **state)
{
    static const char *const bad[] = {"",
                                      "dump-",
                                      "dump-x",
                                      "dump-01",
                                      "dump--1",
                                      "dump-1x",
                                      "dump-1 ",
                                      "Dump-1",
                                      "dump-+1",
                                      "latest",
                                      "dump-18446744073709551616"};
    struct place place;
    struct fault fault = {0};
    const char *first, *second;
    uint64_t first_ms, second_ms;
    (void) state;

    assert_true(dump_name_read("dump-18446744073709551615", &first_ms));
    assert_true(first_ms == UINT64_MAX);
    assert_true(dump_name_read("dump-0", &first_ms) && first_ms == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dump_name_read(bad[i], &first_ms));
    place_begin(&place);
    assert_true(dump_name_take(place.store, &place.arena, &first, &fault));
    assert_true(dump_name_take(place.store, &place.arena, &second, &fault));
    assert_true(dump_name_read(first, &first_ms) && dump_name_read(second, &second_ms));
    assert_true(second_ms > first_ms);
    assert_true(place_has(&place, first));
    place_end(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),         cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_old_lines),      cmocka_unit_test(test_concurrent_writers),
        cmocka_unit_test(test_killed_writers), cmocka_unit_test(test_list),
        cmocka_unit_test(test_found_or_not),   cmocka_unit_test(test_index_fails),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
