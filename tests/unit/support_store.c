/* support_store - see support_store.h. */
#include "support_store.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
place_begin(struct place *place)
{
    const char *root = getenv("TMPDIR"); /* lint: a test may look */
    struct fault fault = {0};

    memset(place, 0, sizeof *place);
    snprintf(place->path, sizeof place->path, "%s/replica-XXXXXX", root == NULL ? "/tmp" : root);
    assert_non_null(mkdtemp(place->path));
    snprintf(place->url, sizeof place->url, "file://%s", place->path);
    assert_true(stop_init(&place->stop, &fault));
    place->store = store_open(place->url, NULL, true, &place->stop, &fault);
    if (place->store == NULL)
        fail_msg("%s", fault.text);
}

static int
remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void) stat;
    (void) type;
    (void) walk;
    return remove(path);
}

void
place_end(struct place *place)
{
    store_close(place->store);
    stop_free(&place->stop);
    arena_free(&place->arena);
    assert_int_equal(nftw(place->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *
path_of(char path[static 512], const struct place *place, const char *name)
{
    snprintf(path, 512, "%s/%s", place->path, name);
    return path;
}

bool
place_has(const struct place *place, const char *name)
{
    char path[512];
    return access(path_of(path, place, name), F_OK) == 0;
}

void
place_write(const struct place *place, const char *name, const void *data, size_t size)
{
    char path[512];
    FILE *file = fopen(path_of(path, place, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

struct bytes
place_read(const struct place *place, const char *name)
{
    char path[512], buffer[4096];
    struct bytes bytes = {0};
    FILE *file = fopen(path_of(path, place, name), "rb");
    size_t got;

    assert_non_null(file);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        bytes_add(&bytes, buffer, got);
    fclose(file);
    return bytes;
}

size_t
place_count(const struct place *place, const char *directory, const char *prefix)
{
    char path[512];
    DIR *stream = opendir(path_of(path, place, directory));
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(stream);
    return count;
}

static struct manifest_object
object(const char *name, uint64_t bytes, uint64_t rows)
{
    struct manifest_object made = {
        .name = name, .stored_bytes = bytes, .plain_bytes = bytes * 3, .rows = rows};

    for (size_t i = 0; i < sizeof made.sha256; i++)
        made.sha256[i] = (uint8_t) (i * 8 + bytes);
    return made;
}

struct manifest *
place_manifest(struct place *place, const char *name)
{
    static struct manifest_column columns[] = {
        {"film_id", "integer", NULL},
        {"ti\"tle\n", "character varying(255)", "redacted"},
        {"caf\xe9", "text", "null"},
    };
    struct manifest *manifest = arena_take(&place->arena, sizeof *manifest);
    struct manifest_table *tables = arena_array(&place->arena, 2, sizeof *tables);
    struct manifest_object *volumes = arena_array(&place->arena, 2, sizeof *volumes);

    struct manifest_object *pieces = arena_array(&place->arena, 2, sizeof *pieces);

    pieces[0] = object("data-2.sql.zst", 21, 0);
    pieces[1] = object("data-3.sql.zst", 22, 0);
    volumes[0] = object("1.sql.zst", 100, 7);
    volumes[1] = object("2.sql.zst", 50, 5);
    tables[0] = (struct manifest_table){.schema = "public",
                                        .name = "film",
                                        .columns = columns,
                                        .columns_count = 3,
                                        .volumes = volumes,
                                        .volumes_count = 2,
                                        .late = 2,
                                        .data = true};
    tables[1] = (struct manifest_table){.schema = "My Schema", .name = "empty\xff", .data = false,
                                        .late = 1,
                                        .into_schema = "root \"s\"", .into_name = "r\xff"};
    *manifest = (struct manifest){
        .name = arena_text(&place->arena, name),
        .finished_ms = 1653170049999,
        .replica_version = "0.1.0",
        .server_version = "18.1",
        .database = "sh\xf6p",
        .encoding = "LATIN1",
        .lc_monetary = "C",
        .lsn = "0/16B3748",
        .compression = "zstd:3",
        .pre_data = object("pre-data.sql.zst", 11, 0),
        .data = object("data.sql.zst", 12, 0),
        .more_data = pieces,
        .more_data_count = 2,
        .post_data = object("post-data.sql.zst", 13, 0),
        .tables = tables,
        .tables_count = 2,
    };
    return manifest;
}
