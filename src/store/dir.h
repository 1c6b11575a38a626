/* dir - a store in a directory: one file per object.
 *
 *     <path>/index.json                         rename(2) is the moment of visibility
 *     <path>/.lock                              flock(2) around changes of index.json
 *     <path>/dump-1653170039392/1.sql.zst
 *     <path>/dump-1653170039392/.tmp-2.sql.zst-5f0c…    being written
 *
 * An object is written to a temporary name, flushed to the disk, closed, renamed, and its directory
 * flushed; new directories likewise.  What begins with '.' is no object.  kill -9 leaves at most
 * temporary files, and the kernel gives the lock back.
 *
 * Directories are made 0750 and files 0640, narrowed further by the umask.
 *
 * Life, limits, threads: as in store.h. */
#ifndef STORE_DIR_H
#define STORE_DIR_H

#include "store/store.h"

/* Open the directory at an absolute path; its missing parts are made when create is set. */
struct store *dir_open(const char *url, const char *path, bool create, struct stop *stop,
                       struct fault *fault);

#endif
