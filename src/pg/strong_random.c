/* strong_random - libpq's random bytes, from the kernel's getrandom(2) like all of ours.
 *
 * The version in PostgreSQL's src/port opens /dev/urandom, which an empty root file system lacks;
 * the linker takes this one first.  The declarations are those of PostgreSQL's port.h. */
#include <postgres_fe.h>

#include "base/random.h"

void
pg_strong_random_init(void)
{
}

bool
pg_strong_random(void *buffer, size_t size)
{
    random_bytes(buffer, size);
    return true;
}
