/* manifest: comes back as it was written; what does not fit together is refused with a sentence. */
#include "support_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

static const char dump[] = "dump-1653170039392";

/* The manifest of place_manifest() as text, written through a store. */
static struct bytes
written(struct place *place, struct manifest *manifest)
{
    struct fault fault = {0};
    enum manifest_state state;
    char name[64];

    snprintf(name, sizeof name, "%s/manifest.json", manifest->name);
    if (!manifest_write(place->store, manifest, &state, &fault))
        fail_msg("%s", fault.text);
    return place_read(place, name);
}

static void
objects_equal(const struct manifest_object *a, const struct manifest_object *b)
{
    assert_string_equal(a->name, b->name);
    assert_true(a->stored_bytes == b->stored_bytes);
    assert_true(a->plain_bytes == b->plain_bytes);
    assert_true(a->rows == b->rows);
    assert_memory_equal(a->sha256, b->sha256, 32);
}

static void
tables_equal(const struct manifest_table *a, const struct manifest_table *b)
{
    assert_string_equal(a->schema, b->schema);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->data, b->data);
    assert_int_equal(a->into_name == NULL, b->into_name == NULL);
    if (a->into_name != NULL) {
        assert_string_equal(a->into_schema, b->into_schema);
        assert_string_equal(a->into_name, b->into_name);
    }
    assert_true(a->rows == b->rows);
    assert_true(a->late == b->late);
    assert_int_equal(a->columns_count, b->columns_count);
    for (size_t i = 0; i < a->columns_count; i++) {
        assert_string_equal(a->columns[i].name, b->columns[i].name);
        assert_string_equal(a->columns[i].type, b->columns[i].type);
        assert_int_equal(a->columns[i].rule == NULL, b->columns[i].rule == NULL);
        if (a->columns[i].rule != NULL)
            assert_string_equal(a->columns[i].rule, b->columns[i].rule);
    }
    assert_int_equal(a->volumes_count, b->volumes_count);
    for (size_t i = 0; i < a->volumes_count; i++)
        objects_equal(&a->volumes[i], &b->volumes[i]);
}

static void
test_round_trip(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct manifest back;
    (void) state;

    place_begin(&place);
    struct manifest *manifest = place_manifest(&place, dump);
    struct bytes bytes = written(&place, manifest);
    for (int latest = 0; latest < 2; latest++) {
        if (!manifest_read(place.store, latest ? "latest" : dump, &place.arena, &back, &fault))
            fail_msg("%s", fault.text);
        assert_int_equal(back.format, 1);
        assert_string_equal(back.name, dump);
        assert_true(back.created_ms == 1653170039392);
        assert_true(back.finished_ms == manifest->finished_ms);
        assert_string_equal(back.database, "sh\xf6p");
        assert_string_equal(back.encoding, "LATIN1");
        assert_string_equal(back.snapshot, "");
        assert_string_equal(back.lc_monetary, "C");
        assert_string_equal(back.compression, "zstd:3");
        assert_true(back.rows == 12);
        assert_true(back.stored_bytes == 100 + 50 + 11 + 12 + 13 + 21 + 22);
        assert_true(back.plain_bytes == 3 * back.stored_bytes);
        objects_equal(&back.pre_data, &manifest->pre_data);
        objects_equal(&back.data, &manifest->data);
        objects_equal(&back.post_data, &manifest->post_data);
        assert_int_equal(back.more_data_count, 2);
        for (size_t i = 0; i < back.more_data_count; i++)
            objects_equal(&back.more_data[i], &manifest->more_data[i]);
        assert_int_equal(back.tables_count, 2);
        for (size_t i = 0; i < back.tables_count; i++)
            tables_equal(&back.tables[i], &manifest->tables[i]);
    }
    bytes_free(&bytes);
    place_end(&place);
}

static void
test_late(void **state)
{
    struct place place;
    size_t count;
    (void) state;

    place_begin(&place);
    struct manifest *manifest = place_manifest(&place, dump);
    const struct manifest_table **late = manifest_late(&place.arena, manifest, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(late[0], &manifest->tables[1]);
    assert_ptr_equal(late[1], &manifest->tables[0]);
    manifest->tables[1].late = 0;
    late = manifest_late(&place.arena, manifest, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(late[0], &manifest->tables[0]);
    place_end(&place);
}

/* A database with nothing in it. */
static void
test_no_tables(void **state)
{
    struct place place;
    struct fault fault = {0};
    struct manifest back;
    (void) state;

    place_begin(&place);
    struct manifest *manifest = place_manifest(&place, dump);
    manifest->tables_count = 0;
    struct bytes bytes = written(&place, manifest);
    assert_true(manifest_read(place.store, dump, &place.arena, &back, &fault));
    assert_int_equal(back.tables_count, 0);
    assert_true(back.rows == 0);
    bytes_free(&bytes);
    place_end(&place);
}

/* Parse the text with its first `from` replaced. */
static void
refused(const struct bytes *text, const char *from, const char *to, enum err err, const char *words)
{
    struct arena arena = {0};
    struct fault fault = {0};
    struct manifest manifest;
    struct bytes changed = {0};
    const uint8_t *at = memmem(text->data, text->size, from, strlen(from));

    assert_non_null(at);
    bytes_add(&changed, text->data, (size_t) (at - text->data));
    bytes_add(&changed, to, strlen(to));
    at += strlen(from);
    bytes_add(&changed, at, (size_t) (text->data + text->size - at));
    assert_false(
        manifest_parse(&arena, dump, (const char *) changed.data, changed.size, &manifest, &fault));
    if (fault.err != err || strstr(fault.text, words) == NULL)
        fail_msg("%s to %s: '%s' (%s) does not say '%s'", from, to, fault.text, err_name(fault.err),
                 words);
    bytes_free(&changed);
    arena_free(&arena);
}

static void
test_refuses(void **state)
{
    static const struct {
        const char *from, *to;
        enum err err;
        const char *words;
    } cases[] = {
        {"\"format\":1", "\"format\":7", ERR_CONFIG,
         "dump-1653170039392 has format 7, this replica reads up to 1: use a newer replica"},
        {"\"format\":1", "\"format\":0", ERR_INTEGRITY, "format 0"},
        {"\"format\":1", "\"format\":\"1\"", ERR_INTEGRITY, "no whole number \"format\""},
        {"\"format\":1", "\"formed\":1", ERR_INTEGRITY, "no whole number \"format\""},
        {"{", "[", ERR_INTEGRITY, "no valid json"},
        {"\"name\":\"dump-1653170039392\"", "\"name\":\"dump-1653170039393\"", ERR_INTEGRITY,
         "belongs to another dump"},
        {"\"created_at\":1653170039392", "\"created_at\":1653170039393", ERR_INTEGRITY,
         "not what its name says"},
        {"\"created_at\":1653170039392", "\"created_at\":-1", ERR_INTEGRITY, "\"created_at\""},
        {"\"LATIN1\"", "\"LATIN1'; drop\"", ERR_INTEGRITY, "names no encoding"},
        {"\"LATIN1\"", "\"\"", ERR_INTEGRITY, "empty \"encoding\""},
        {"\"LATIN1\"", "null", ERR_INTEGRITY, "no text \"encoding\""},
        {"zstd:3", "lz4:3", ERR_CONFIG, "compressed by 'lz4:3'"},
        {"zstd:3", "none", ERR_INTEGRITY,
         "names the object 'pre-data.sql.zst', not 'pre-data.sql'"},
        {"\"pre-data.sql.zst\"", "\"../pre-data.sql.zst\"", ERR_INTEGRITY, "names the object"},
        {"\"post-data.sql.zst\"", "\"data.sql.zst\"", ERR_INTEGRITY, "names the object"},
        {"\"post_data\":", "\"past_data\":", ERR_INTEGRITY, "\"post_data\""},
        {"\"data-2.sql.zst\"", "\"../data-2.sql.zst\"", ERR_INTEGRITY, "goes on in the object"},
        {"\"data-3.sql.zst\"", "\"data-4.sql.zst\"", ERR_INTEGRITY,
         "goes on in the object 'data-4.sql.zst', not 'data-3.sql.zst'"},
        {"\"more_data\":[", "\"more_data\":[7,", ERR_INTEGRITY, "no text \"name\""},
        {"\"more_data\":[", "\"more_data\":{},\"mere\":[", ERR_INTEGRITY,
         "no array \"more_data\""},
        {"\"1.sql.zst\"", "\"../../etc/passwd\"", ERR_INTEGRITY,
         "a volume called '../../etc/passwd'"},
        {"\"1.sql.zst\"", "\".1.sql.zst\"", ERR_INTEGRITY, "a volume called"},
        {"\"1.sql.zst\"", "\"1.sql.zst\\u0000\"", ERR_INTEGRITY, "no text \"name\""},
        {"\"1.sql.zst\"", "\"2.sql.zst\"", ERR_INTEGRITY, "names the object 2.sql.zst twice"},
        {"\"rows\":12", "\"rows\":13", ERR_INTEGRITY, "\"rows\" is 13, but its parts add up to 12"},
        {"\"rows\":7", "\"rows\":8", ERR_INTEGRITY, "\"rows\" is 12, but its parts add up to 13"},
        {"\"rows\":7", "\"rows\":18446744073709551615", ERR_INTEGRITY, "more than 64 bits"},
        {"\"stored_bytes\":229", "\"stored_bytes\":230", ERR_INTEGRITY, "\"stored_bytes\" is 230"},
        {"\"plain_bytes\":687", "\"plain_bytes\":688", ERR_INTEGRITY, "\"plain_bytes\" is 688"},
        {"\"stored_bytes\":100", "\"stored_bytes\":18446744073709551615", ERR_INTEGRITY,
         "more than 64 bits"},
        {"\"sha256\":\"", "\"sha256\":\"0", ERR_INTEGRITY, "not 64 hexadecimal digits"},
        {"\"data\":true", "\"data\":1", ERR_INTEGRITY, "no boolean \"data\""},
        {"\"data\":true", "\"data\":false", ERR_INTEGRITY, "its data was skipped"},
        {"\"schema\":\"public\",\"name\":\"film\"",
         "\"schema\":\"My Schema\",\"name\":\"empty\\udcff\"", ERR_INTEGRITY, "twice"},
        {"\"schema\":\"public\"", "\"schema\":\"\"", ERR_INTEGRITY, "empty \"schema\""},
        {"\"name\":\"film\"", "\"name\":7", ERR_INTEGRITY, "no text \"name\""},
        {"\"name\":\"film_id\"", "\"name\":\"\"", ERR_INTEGRITY, "empty \"name\""},
        {"\"type\":\"integer\"", "\"typo\":\"integer\"", ERR_INTEGRITY, "no text \"type\""},
        {"\"rule\":\"redacted\"", "\"rule\":true", ERR_INTEGRITY, "\"rule\" that is no text"},
        {"\"columns\":[", "\"columns\":[null,", ERR_INTEGRITY, "no text \"name\""},
        {"\"volumes\":[", "\"volumes\":[7,", ERR_INTEGRITY, "no text \"name\""},
        {"\"tables\":[", "\"tables\":[[],", ERR_INTEGRITY, "no text \"schema\""},
        {"\"tables\":[", "\"tables\":{},\"tubles\":[", ERR_INTEGRITY, "no array \"tables\""},
    };
    struct place place;
    (void) state;

    place_begin(&place);
    struct bytes text = written(&place, place_manifest(&place, dump));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&text, cases[i].from, cases[i].to, cases[i].err, cases[i].words);
    bytes_free(&text);
    place_end(&place);
}

static void
test_refuses_locales(void **state)
{
    static const char *const values[] = {"\"C'; drop\"", "\"\"", "7"};
    struct place place;
    (void) state;

    place_begin(&place);
    struct bytes text = written(&place, place_manifest(&place, dump));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char to[64];
        snprintf(to, sizeof to, "\"lc_monetary\":%s", values[i]);
        refused(&text, "\"lc_monetary\":\"C\"", to, ERR_INTEGRITY, "lc_monetary");
    }
    bytes_free(&text);
    place_end(&place);
}

static void
test_refuses_late(void **state)
{
    static const struct {
        const char *to, *words;
    } cases[] = {
        {"\"late\":0", "has a \"late\" of 0"},
        {"\"late\":\"2\"", "no whole number \"late\""},
        {"\"late\":-2", "no whole number \"late\""},
        {"\"late\":null", "no whole number \"late\""},
        {"\"late\":1", "says \"late\" is 1 of both"},
    };
    struct place place;
    (void) state;

    place_begin(&place);
    struct bytes text = written(&place, place_manifest(&place, dump));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&text, "\"late\":2", cases[i].to, ERR_INTEGRITY, cases[i].words);
    bytes_free(&text);
    place_end(&place);
}

/* What earlier readers took. */
static void
test_refuses_since(void **state)
{
    static const struct {
        const char *from, *to, *words;
    } cases[] = {
        {"\"schema\":\"public\"", "\"schema\":\"pg_catalog\"",
         "into \"pg_catalog\", a schema of PostgreSQL's own"},
        {"\"schema\":\"public\"", "\"schema\":\"information_schema\"",
         "a schema of PostgreSQL's own"},
        {"\"schema\":\"public\"", "\"schema\":\"public\",\"schema\":\"public\"",
         "the same name twice"},
        {"\"rows\":12", "\"rows\":12,\"longest_statement\":-1",
         "no whole number \"longest_statement\""},
    };
    struct place place;
    (void) state;

    place_begin(&place);
    struct bytes text = written(&place, place_manifest(&place, dump));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&text, cases[i].from, cases[i].to, ERR_INTEGRITY, cases[i].words);
    bytes_free(&text);
    place_end(&place);
}

/* Every prefix, and every byte lost or changed, is either refused or gives a manifest. */
static void
test_mutations(void **state)
{
    struct place place;
    uint64_t noise = 3;
    (void) state;

    place_begin(&place);
    struct bytes text = written(&place, place_manifest(&place, dump));
    for (size_t i = 0; i < text.size; i++) {
        struct arena arena = {0};
        struct fault fault = {0};
        struct manifest manifest;
        bool parsed = manifest_parse(&arena, dump, (char *) text.data, i, &manifest, &fault);
        assert_true(parsed == (i == text.size - 1)); /* only the newline may be missing */
        for (int try = 0; try < 4; try++) {
            uint8_t old = text.data[i];
            fault = (struct fault){0};
            text.data[i] = (uint8_t) noise_next(&noise);
            parsed = manifest_parse(&arena, dump, (char *) text.data, text.size, &manifest, &fault);
            assert_true(parsed == (fault.err == ERR_NONE));
            text.data[i] = old;
        }
        arena_free(&arena);
    }
    bytes_free(&text);
    place_end(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_locales),
        cmocka_unit_test(test_refuses_late),
        cmocka_unit_test(test_refuses_since),
        cmocka_unit_test(test_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
