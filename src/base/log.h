/* log - lines on stderr for people or for machines, and the one live line of a terminal.
 *
 * Text:  "2026-11-21T09:26:00.123Z info  dumped public.film: 1000 rows, 12.0 KiB"
 * JSON:  {"time":"...","level":"info","message":"..."}, one object a line.
 * A message is one line and commands no terminal, whoever's words are in it (tame.h).
 * On a terminal, text lines stand without the time, and a live progress line is kept below them.
 *
 * Life:   log_init once, before threads; without it, text at level info.
 * Limits: a message is cut at LOG_LINE_MAX bytes.  Never pass a secret.
 * Threads: any; one lock, a leaf; every line is one write(2). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum { LOG_LINE_MAX = 4096 };
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

void log_init(enum log_format format, enum log_level level);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* Replace the live line; "" removes it.  Does nothing unless stderr is a terminal and the format
 * text. */
void log_live(const char *line);

/* Whether a live line can be shown. */
bool log_is_live(void);

#endif
