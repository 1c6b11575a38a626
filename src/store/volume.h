/* volume - a piece of one table's rows as SQL that psql can run; its frame and its name.
 *
 *     -- replica dump-1653170039392 volume 3: "public"."film"
 *     SET client_encoding = 'UTF8';
 *     SET xmloption = content;
 *     SET statement_timeout = 0;
 *     SELECT pg_catalog.set_config('search_path', '', false);
 *     COPY "public"."film" ("film_id", "title") FROM stdin;
 *     …rows, in COPY's text format…
 *     \.
 *
 * Dump writes the frame, restore compares it byte for byte: a volume that was swapped with another
 * one is noticed before its first row.
 * Threads: any. */
#ifndef STORE_VOLUME_H
#define STORE_VOLUME_H

#include "base/text.h"
#include "store/manifest.h"

enum { VOLUME_NAME_MAX = 32 };

/* The last line. */
#define VOLUME_END "\\.\n"

/* Add everything before the first row.  dump is the dump's name, encoding its client encoding; of
 * table only the names and the columns are used. */
void volume_preamble(struct text *text, const char *dump, const char *encoding,
                     const struct manifest_table *table, unsigned number);

/* Add the statement that loads a volume, without its semicolon. */
void volume_copy(struct text *text, const struct manifest_table *table);

/* Write a volume's object name, without its directory: "3.sql.zst".  suffix is object_suffix(). */
const char *volume_name(char name[static VOLUME_NAME_MAX], unsigned number, const char *suffix);

/* Write the name of a piece in which the data script goes on, from the second on:
 * "data-2.sql.zst". */
const char *data_piece_name(char name[static VOLUME_NAME_MAX], unsigned number, const char *suffix);

/* Read the number out of an object name.  False unless it is exactly what volume_name() writes for
 * this suffix, with a number from 1 on. */
bool volume_number(const char *name, const char *suffix, unsigned *number);

/* What follows ".sql" in the names of a dump's objects: "" for compression "none", ".zst" for
 * "zstd:<level>"; NULL when the compression is neither. */
const char *object_suffix(const char *compression);

#endif
