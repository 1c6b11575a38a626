/* s3_writer - an object on its way into a bucket.
 *
 *     put_write ──▶ [ filling ] [ part 2 ──▶ uploader ] [ part 1 ──▶ uploader ]
 *                       ▲                                      │ its ETag
 *                       └────────────── free ──────────────────┘
 *
 * An object of at most one part is one PUT.  A longer one is an upload in parts of exactly that
 * size but the last, all buffers but one of them under way; a part's buffer is free again when its
 * ETag is in hand, so it can be sent as often as it takes.  A failed part is the failure of the
 * next write, or of the commit.
 *
 * Buffers and threads outlive the object: the store keeps writers for the next ones.
 *
 * Life:   s3_writer_begin; write; commit or abort.  s3_writers_free when none is in use.
 * Limits: s3_writer_bytes() of memory each, by the store's limits; S3_PARTS_MAX parts, fewer where
 *         the store says so.
 * Threads: one at a time, apart from its own. */
#ifndef STORE_S3_WRITER_H
#define STORE_S3_WRITER_H

#include "store/s3_store.h"

enum {
    /* Fixed for all parts of a store, since R2 wants equal ones.  1,000 of them, which is all that
     * Scaleway takes, are 7.8 GiB: more than REPLICA_VOLUME_SIZE and the longest row together. */
    S3_PART_BYTES = 8 * 1024 * 1024,
    S3_PART_BYTES_MIN = 5 * 1024 * 1024, /* S3 takes no smaller ones */
    S3_PARTS_FEWEST = 1000,              /* what every store takes */
    S3_PARTS_AT_ONCE = 2, /* R2 takes two or three of one upload */
    S3_BUFFERS = S3_PARTS_AT_ONCE + 1,
    S3_BUFFERS_MIN = 2,
    S3_STACK_BYTES = 256 * 1024,
    S3_CONNECTION_BYTES = 192 * 1024, /* TLS, HTTP, and the texts of a request */
};

/* Memory of one writer with these limits. */
uint64_t s3_writer_bytes(const struct store_limits *limits);

struct store_writer *s3_writer_begin(struct store *store, const char *name, struct fault *fault);
bool s3_writer_write(struct store_writer *writer, const void *data, size_t size,
                     struct fault *fault);
bool s3_writer_commit(struct store_writer *writer, struct fault *fault);
void s3_writer_abort(struct store_writer *writer);

/* End the threads of all writers, and free them. */
void s3_writers_free(struct s3_store *store);

#endif
