/* durable - directories and files that outlive a loss of power.
 * Threads: any. */
#ifndef STORE_DURABLE_H
#define STORE_DURABLE_H

#include <stdbool.h>
#include <stdint.h>

enum { DIRECTORY_MODE = 0750, WRITE_BEHIND_BYTES = 4 * 1024 * 1024, ERROR_WORDS_MAX = 128 };

/* Flush a directory's entries to the disk.  Some network file systems know no such thing (EINVAL);
 * that is no failure.  False with errno. */
bool directory_flush(int fd);

/* Whether syncfs(2) flushes the file system that fd lies in, and says that a write has failed:
 * since Linux 5.8, and never by FUSE (s3fs, rclone, gcsfuse).  Elsewhere only an fsync(2) of each
 * file does. */
bool filesystem_flush_tells(int fd);

/* Make every missing part of an absolute path, each flushed in its parent.  False with errno. */
bool directories_make(const char *path);

/* Let the kernel begin to write what a file got, every WRITE_BEHIND_BYTES, so that the fsync at its
 * end has little left to wait for.  written is the file's size, *sent how much has been begun.  A
 * hint: nothing is promised and nothing can fail. */
void write_behind(int fd, uint64_t written, uint64_t *sent);

/* The system's words for an error, as a part of a sentence: "no space left on device". */
const char *error_words(char words[static ERROR_WORDS_MAX], int error);

#endif
