/* clock - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t
read_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

uint64_t
clock_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

uint64_t
clock_epoch_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

const char *
clock_text(char buffer[static 32], uint64_t epoch_ms)
{
    time_t seconds = (time_t) (epoch_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(buffer, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(buffer + used, 32 - used, ".%03uZ", (unsigned) (epoch_ms % 1000));
    return buffer;
}

const char *
clock_duration(char buffer[static 32], uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (ms < 10000)
        snprintf(buffer, 32, "%.1f s", (double) ms / 1000);
    else if (s < 60)
        snprintf(buffer, 32, "%u s", (unsigned) s);
    else if (s < 3600)
        snprintf(buffer, 32, "%u min %02u s", (unsigned) (s / 60), (unsigned) (s % 60));
    else if (s < 86400)
        snprintf(buffer, 32, "%u h %02u min", (unsigned) (s / 3600), (unsigned) (s / 60 % 60));
    else
        snprintf(buffer, 32, "%llu d %02u h", (unsigned long long) s / 86400,
                 (unsigned) (s / 3600 % 24));
    return buffer;
}
