/* file_lock - an exclusive lock on a file, which the kernel takes back when its holder dies.
 * Threads, processes: any; but flock() is between open files, so threads of one process that share
 * a descriptor need a mutex as well. */
#ifndef STORE_FILE_LOCK_H
#define STORE_FILE_LOCK_H

#include "base/stop.h"

/* Open and lock <directory_fd>/.lock, made when it is missing.  path is the directory's, for
 * sentences.  Waits for a minute at most, says so after five seconds, and hears the stop switch.  A
 * symbolic link is not followed.
 * Returns the descriptor, whose close() unlocks, or -1 with ERR_STORE, ERR_LOCKED, ERR_STOPPED. */
int file_lock(int directory_fd, const char *path, const struct stop *stop, struct fault *fault);

#endif
