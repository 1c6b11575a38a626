/* log - see log.h. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/tame.h"
#include "base/text.h"

enum { LIVE_LINE_MAX = 256 };

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static struct {
    enum log_format format;
    enum log_level level;
    bool terminal;
    pthread_mutex_t lock;
    char live[LIVE_LINE_MAX];
} sink = {.level = LOG_INFO, .lock = PTHREAD_MUTEX_INITIALIZER};

void
log_init(enum log_format format, enum log_level level)
{
    sink.format = format;
    sink.level = level;
    sink.terminal = isatty(STDERR_FILENO) == 1;
}

bool
log_is_live(void)
{
    return sink.terminal && sink.format == LOG_TEXT;
}

static void
write_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDERR_FILENO, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return; /* nowhere left to complain */
        data += written;
        size -= (size_t) written;
    }
}

/* A message that was cut does not end inside a character. */
static void
tail_drop(char *message, size_t size)
{
    while (size > 0 && ((unsigned char) message[size - 1] & 0xc0) == 0x80)
        size--;
    message[size > 0 && ((unsigned char) message[size - 1] & 0x80) != 0 ? size - 1 : size] = '\0';
}

static void
add_text(struct text *out, const char *time, enum log_level level, const char *message)
{
    if (!log_is_live())
        text_addf(out, "%s %-7s ", time, level_names[level]);
    else if (level <= LOG_WARNING)
        text_addf(out, "\r\033[K%s: ", level_names[level]);
    else
        text_add(out, "\r\033[K");
    text_add_tame(out, message);
    text_add(out, "\n");
}

static void
add_json(struct text *out, const char *time, enum log_level level, const char *message)
{
    text_addf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time, level_names[level]);
    json_add_string(out, message);
    text_add(out, "}\n");
}

void
log_line(enum log_level level, const char *format, ...)
{
    if (level > sink.level)
        return;

    char message[LOG_LINE_MAX], time[32];
    va_list args;
    va_start(args, format);
    if (vsnprintf(message, sizeof message, format, args) >= LOG_LINE_MAX)
        tail_drop(message, LOG_LINE_MAX - 1);
    va_end(args);
    clock_text(time, clock_epoch_ms());

    struct text out = {0};
    if (sink.format == LOG_JSON)
        add_json(&out, time, level, message);
    else
        add_text(&out, time, level, message);

    pthread_mutex_lock(&sink.lock);
    if (log_is_live() && sink.live[0] != '\0')
        text_add(&out, sink.live);
    write_all(out.data, out.size);
    pthread_mutex_unlock(&sink.lock);
    text_free(&out);
}

void
log_live(const char *line)
{
    if (!log_is_live())
        return;

    char out[LIVE_LINE_MAX + 8];
    pthread_mutex_lock(&sink.lock);
    tame_copy(sink.live, sizeof sink.live, line);
    int size = snprintf(out, sizeof out, "\r\033[K%s", sink.live);
    write_all(out, (size_t) size);
    pthread_mutex_unlock(&sink.lock);
}
