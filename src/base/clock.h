/* clock - the time, once for durations and once for people.  Threads: any. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary start; never goes back. */
uint64_t clock_ms(void);

/* Milliseconds since 1970 UTC, as the system knows it. */
uint64_t clock_epoch_ms(void);

/* Write an epoch time as RFC 3339 in UTC with milliseconds, "2026-11-21T09:26:00.123Z". */
const char *clock_text(char buffer[static 32], uint64_t epoch_ms);

/* Write a duration for people: "0.4 s", "12 s", "3 min 05 s", "2 h 07 min", "3 d 04 h". */
const char *clock_duration(char buffer[static 32], uint64_t ms);

#endif
