/* pg_dump of a replica that is built under a sanitizer: vendor/ builds pg_dump for the static
 * executable only, so the child becomes that one (src/main.c knows the rest by argv[0]). */
#include <stdio.h>
#include <unistd.h>

int pg_dump_main(int argc, char **argv);

int
pg_dump_main(int argc, char **argv)
{
    (void) argc;
    execv(STATIC_REPLICA, argv);
    perror(STATIC_REPLICA);
    return 1;
}
