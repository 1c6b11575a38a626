/* durable - directories that outlive a loss of power.
 * Threads: any. */
#ifndef STORE_DURABLE_H
#define STORE_DURABLE_H

#include <stdbool.h>

enum { DIRECTORY_MODE = 0750 };

/* Flush a directory's entries to the disk.  Some network file systems know no such thing (EINVAL);
 * that is no failure.  False with errno. */
bool directory_flush(int fd);

/* Make every missing part of an absolute path, each flushed in its parent.  False with errno. */
bool directories_make(const char *path);

#endif
