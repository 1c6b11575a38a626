/* pem - see pem.h.  BearSSL's decoder does the lines; what it does not know is added here: a byte
 * order mark, names at the end of a CRLF line, encrypted keys, a file that ends within a line. */
#include "net/pem.h"

#include <bearssl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES_MIN = 16 * 1024 };

struct collector {
    struct arena *arena;
    struct pem *pem;
    size_t capacity;
    uint8_t *free; /* what is decoded is never longer than the text, so there is always room */
    bool open, damaged;
};

static void
collector_take(void *context, const void *data, size_t size)
{
    struct collector *collector = context;

    memcpy(collector->free, data, size);
    collector->free += size;
    collector->pem->objects[collector->pem->count].size += size;
}

/* Make room for one more object, which does not count before its end is seen. */
static void
collector_begin(struct collector *collector, const char *name)
{
    struct pem *pem = collector->pem;

    if (pem->count == collector->capacity) {
        struct pem_object *more =
            arena_array(collector->arena, pem->count * 2 + 4, sizeof *more);
        if (pem->count > 0)
            memcpy(more, pem->objects, pem->count * sizeof *more);
        pem->objects = more;
        collector->capacity = pem->count * 2 + 4;
    }
    /* The decoder leaves the dashes when the line ends with CR LF. */
    pem->objects[pem->count] = (struct pem_object){
        .name = arena_copy(collector->arena, name, strcspn(name, "-")), .data = collector->free};
    collector->open = true;
}

static bool
starts_with(const char *at, const char *end, const char *prefix)
{
    size_t size = strlen(prefix);
    return (size_t) (end - at) >= size && memcmp(at, prefix, size) == 0;
}

/* Answer the decoder's last event; at is what follows it in the text. */
static void
collector_hear(struct collector *collector, br_pem_decoder_context *decoder, const char *at,
               const char *end)
{
    switch (br_pem_decoder_event(decoder)) {
    case BR_PEM_BEGIN_OBJ:
        if (starts_with(at, end, "Proc-Type: 4,ENCRYPTED")) {
            collector->pem->encrypted = true;
            br_pem_decoder_setdest(decoder, NULL, NULL);
            break;
        }
        collector_begin(collector, br_pem_decoder_name(decoder));
        br_pem_decoder_setdest(decoder, collector_take, collector);
        break;
    case BR_PEM_END_OBJ:
        if (collector->open)
            collector->pem->count++;
        collector->open = false;
        break;
    case BR_PEM_ERROR:
        /* The headers of an encrypted key are no base64, and lead here without an open object. */
        collector->damaged |= collector->open;
        collector->open = false;
        break;
    }
}

static void
collector_push(struct collector *collector, br_pem_decoder_context *decoder, const char *at,
               size_t size)
{
    const char *end = at + size;

    while (at < end) {
        at += br_pem_decoder_push(decoder, at, (size_t) (end - at));
        collector_hear(collector, decoder, at, end);
    }
}

bool
pem_decode(struct arena *arena, const void *text, size_t size, struct pem *pem)
{
    static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF, as some editors of Windows write it */
    uint8_t *decoded = arena_take(arena, size);
    struct collector collector = {.arena = arena, .pem = pem, .free = decoded};
    br_pem_decoder_context decoder;
    const char *at = text;

    *pem = (struct pem){0};
    if (size >= 3 && memcmp(at, mark, 3) == 0) {
        at += 3;
        size -= 3;
    }
    br_pem_decoder_init(&decoder);
    collector_push(&collector, &decoder, at, size);
    collector_push(&collector, &decoder, "\n", 1);
    explicit_bzero(&decoder, sizeof decoder);
    if (!collector.damaged && !collector.open)
        return true;
    explicit_bzero(decoded, (size_t) (collector.free - decoded));
    pem->count = 0;
    return false;
}

/* The bytes of a file; its size is not asked for, since secrets may come out of a pipe. */
static bool
file_read(struct arena *arena, int fd, uint8_t **data, size_t *size)
{
    size_t capacity = 0;

    *data = NULL;
    *size = 0;
    for (;;) {
        if (*size == capacity) {
            uint8_t *more = arena_take(arena, capacity * 2 + READ_BYTES_MIN);
            if (*size > 0) {
                memcpy(more, *data, *size);
                explicit_bzero(*data, *size);
            }
            *data = more;
            capacity = capacity * 2 + READ_BYTES_MIN;
        }
        ssize_t got = read(fd, *data + *size, capacity - *size);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        *size += got > 0 ? (size_t) got : 0;
        if (*size > PEM_FILE_BYTES_MAX) {
            errno = EFBIG;
            return false;
        }
    }
}

bool
pem_file_read(struct arena *arena, const char *path, const char *what, struct pem *pem,
              enum err err, struct fault *fault)
{
    uint8_t *data;
    size_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fault_set(fault, err, "unable to read the %s in %s: %s", what, path,
                         strerror(errno));
    bool whole = file_read(arena, fd, &data, &size);
    int error = errno;
    close(fd);
    if (!whole)
        return fault_set(fault, err, "unable to read the %s in %s: %s", what, path,
                         strerror(error));

    /* DER of a certificate or a key is a SEQUENCE; PEM is text. */
    if (size > 0 && data[0] == 0x30) {
        *pem = (struct pem){.objects = arena_take(arena, sizeof *pem->objects), .count = 1};
        pem->objects[0] = (struct pem_object){.name = "", .data = data, .size = size};
        return true;
    }
    bool decoded = pem_decode(arena, data, size, pem);
    explicit_bzero(data, size);
    if (!decoded)
        return fault_set(fault, err, "%s holds damaged PEM: an object without an end, or a "
                         "character that is no base64", path);
    return true;
}
