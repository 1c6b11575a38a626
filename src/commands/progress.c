/* progress - see progress.h. */
#include "commands/progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
    BAR_WIDTH = 20,
    DONE_PERMILLE_MAX = 990, /* an estimate that was too small must not show a finished run */
    LEFT_AFTER_MS = 3000,    /* before that, the time left is a guess from nothing */
};

struct progress_count
progress_now(struct progress *progress)
{
    return (struct progress_count){
        .at_ms = clock_ms() - progress->begun_ms,
        .rows = atomic_load_explicit(&progress->rows, memory_order_relaxed),
        .plain_bytes = atomic_load_explicit(&progress->plain_bytes, memory_order_relaxed),
        .stored_bytes = atomic_load_explicit(&progress->stored_bytes, memory_order_relaxed),
        .tables_done = atomic_load_explicit(&progress->tables_done, memory_order_relaxed),
    };
}

/* "950 rows", "12.3 k rows", "4.1 M rows" */
static void
rows_print(char buffer[static 32], uint64_t rows)
{
    static const char units[] = "kMGTPE";
    double value = (double) rows;
    size_t unit = 0;

    if (rows < 1000) {
        snprintf(buffer, 32, "%u %s", (unsigned) rows, rows == 1 ? "row" : "rows");
        return;
    }
    for (value /= 1000; value >= 999.95; unit++)
        value /= 1000;
    snprintf(buffer, 32, value >= 99.95 ? "%.0f %c rows" : "%.1f %c rows", value, units[unit]);
}

/* "~40 s left", "~3 min left", "~2 h left": an estimate that shows seconds of hours would be a lie.
 */
static void
left_print(char buffer[static 32], uint64_t ms)
{
    uint64_t s = (ms + 999) / 1000;

    if (s < 90)
        snprintf(buffer, 32, "~%u s left", (unsigned) s);
    else if (s < 90 * 60)
        snprintf(buffer, 32, "~%u min left", (unsigned) ((s + 30) / 60));
    else if (s < 48 * 3600)
        snprintf(buffer, 32, "~%u h left", (unsigned) ((s + 1800) / 3600));
    else if (s < 1000 * 86400ull)
        snprintf(buffer, 32, "~%u d left", (unsigned) ((s + 43200) / 86400));
    else
        buffer[0] = '\0';
}

static unsigned
done_permille(const struct progress *progress, const struct progress_count *now)
{
    if (progress->tables_total > 0 && now->tables_done >= progress->tables_total)
        return 1000;
    double share = (double) now->plain_bytes / (double) progress->bytes_total * 1000;
    return share < DONE_PERMILLE_MAX ? (unsigned) share : DONE_PERMILLE_MAX;
}

static void
bar_print(char buffer[static 32], unsigned permille)
{
    size_t filled = permille * BAR_WIDTH / 1000;

    memset(buffer, ' ', BAR_WIDTH + 2);
    buffer[0] = '[';
    memset(buffer + 1, '=', filled);
    if (filled > 0 && filled < BAR_WIDTH)
        buffer[filled] = '>';
    buffer[BAR_WIDTH + 1] = ']';
    buffer[BAR_WIDTH + 2] = '\0';
}

/* Add a piece if all of it fits. */
static void
piece_add(char line[static PROGRESS_LINE_MAX], size_t width, const char *piece)
{
    size_t used = strlen(line), size = strlen(piece), gap = used == 0 || size == 0 ? 0 : 2;

    if (used + gap + size <= width)
        snprintf(line + used, PROGRESS_LINE_MAX - used, "%.*s%s", (int) gap, "  ", piece);
}

void
progress_line(char line[static PROGRESS_LINE_MAX], const struct progress *progress,
              const struct progress_count *before, const struct progress_count *now, size_t width)
{
    char piece[64], number[32];
    uint64_t span_ms = now->at_ms > before->at_ms ? now->at_ms - before->at_ms : 0;
    uint64_t rate = 0;
    bool bar = width > 0;

    if (!bar || width > PROGRESS_LINE_MAX - 1)
        width = PROGRESS_LINE_MAX - 1;
    if (span_ms > 0)
        rate = (uint64_t) ((double) (now->plain_bytes - before->plain_bytes) * 1000 /
                           (double) span_ms);
    line[0] = '\0';
    piece_add(line, width, progress->label);
    snprintf(piece, sizeof piece, "%llu/%llu tables", (unsigned long long) now->tables_done,
             (unsigned long long) progress->tables_total);
    piece_add(line, width, piece);
    piece_add(line, width, text_bytes(number, now->plain_bytes));
    rows_print(number, now->rows);
    piece_add(line, width, number);
    snprintf(piece, sizeof piece, "%s/s", text_bytes(number, rate));
    piece_add(line, width, piece);
    if (progress->bytes_total == 0)
        return;

    unsigned permille = done_permille(progress, now);
    double whole_ms = permille == 0 ? 0 : (double) now->at_ms * 1000 / permille;
    if (now->at_ms >= LEFT_AFTER_MS && permille > 0 && permille < DONE_PERMILLE_MAX) {
        left_print(number, (uint64_t) whole_ms - now->at_ms);
        piece_add(line, width, number);
    }
    if (bar) {
        bar_print(piece, permille);
        piece_add(line, width, piece);
    }
}

/* One column stays free: a line that fills the last one wraps on some terminals. */
static size_t
terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return 79;
    return size.ws_col - 1;
}

/* Keep the last PROGRESS_SAMPLES moments and return the oldest of them. */
static struct progress_count
sample_push(struct progress *progress, const struct progress_count *now)
{
    struct progress_count *samples = progress->samples;

    if (progress->samples_count == PROGRESS_SAMPLES) {
        memmove(samples, samples + 1, (PROGRESS_SAMPLES - 1) * sizeof *samples);
        progress->samples_count--;
    }
    samples[progress->samples_count++] = *now;
    return samples[0];
}

/* Wait half a second, or until the end.  Returns true at the end. */
static bool
tick_wait(struct progress *progress)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PROGRESS_LIVE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;

    pthread_mutex_lock(&progress->lock);
    int waited = 0;
    while (!progress->ended && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
    bool ended = progress->ended;
    pthread_mutex_unlock(&progress->lock);
    return ended;
}

static void *
progress_thread(void *argument)
{
    struct progress *progress = argument;
    char line[PROGRESS_LINE_MAX];
    uint64_t logged_ms = 0;
    bool logs = progress->mode == PROGRESS_YES || !log_is_live();

    while (!tick_wait(progress)) {
        struct progress_count now = progress_now(progress), before = sample_push(progress, &now);
        progress_line(line, progress, &before, &now, terminal_width());
        log_live(line);
        if (logs && now.at_ms - logged_ms >= PROGRESS_LOG_MS) {
            logged_ms = now.at_ms;
            progress_line(line, progress, &before, &now, 0);
            log_info("%s", line);
        }
    }
    log_live("");
    return NULL;
}

void
progress_begin(struct progress *progress, const char *label, uint64_t tables_total,
               uint64_t bytes_total, enum progress_mode mode)
{
    *progress = (struct progress){
        .label = label,
        .tables_total = tables_total,
        .bytes_total = bytes_total,
        .mode = mode,
        .begun_ms = clock_ms(),
        .samples_count = 1, /* the beginning: nothing yet, at 0 ms */
    };
    if (mode == PROGRESS_NO)
        return;

    pthread_condattr_t attributes;
    pthread_mutex_init(&progress->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->wake, &attributes);
    pthread_condattr_destroy(&attributes);

    int error = pthread_create(&progress->thread, NULL, progress_thread, progress);
    progress->running = error == 0;
    if (error != 0) {
        log_warning("progress is not shown: unable to start a thread: %s", strerror(error));
        pthread_cond_destroy(&progress->wake);
        pthread_mutex_destroy(&progress->lock);
    }
}

void
progress_end(struct progress *progress)
{
    if (!progress->running)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->ended = true;
    pthread_cond_signal(&progress->wake);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    pthread_cond_destroy(&progress->wake);
    pthread_mutex_destroy(&progress->lock);
    progress->running = false;
}
