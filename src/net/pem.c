/* pem - see pem.h.  BearSSL has a decoder, but it takes 25 ms for the embedded bundle, a tenth of a
 * microsecond for every character, and stumbles over CRLF, a byte order mark, encrypted keys and a
 * file that ends within a line. */
#include "net/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BYTES_MIN = 16 * 1024,
    BASE64_BITS = 6,
    NO_DIGIT = 0xff,
};

/* ---- base64 (RFC 4648 section 4) -------------------------------------------------------- */

struct base64 {
    uint32_t bits; /* what does not make a byte yet, in the lowest `held` bits */
    unsigned held;
    size_t digits, padding;
};

static uint8_t
base64_digit(char character)
{
    unsigned char c = (unsigned char) character;

    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return (uint8_t) (c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t) (c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : NO_DIGIT;
}

/* Decode a line; false for a character that does not belong there. */
static bool
base64_take(struct base64 *base64, const char *line, size_t size, uint8_t **target)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t digit = base64_digit(line[i]);
        if (line[i] == ' ' || line[i] == '\t')
            continue;
        if (line[i] == '=' && base64->digits > 0) {
            base64->padding++;
            continue;
        }
        if (digit == NO_DIGIT || base64->padding > 0)
            return false;
        base64->digits++;
        base64->bits = base64->bits << BASE64_BITS | digit;
        base64->held += BASE64_BITS;
        if (base64->held >= 8) {
            base64->held -= 8;
            *(*target)++ = (uint8_t) (base64->bits >> base64->held);
        }
    }
    return true;
}

/* Whether what was taken is whole: groups of four, and nothing lost in the last one. */
static bool
base64_whole(const struct base64 *base64)
{
    size_t lone = base64->digits % 4;

    return lone != 1 && base64->padding == (lone == 0 ? 0 : 4 - lone) &&
           (base64->bits & ((1u << base64->held) - 1)) == 0;
}

/* ---- objects ---------------------------------------------------------------------------- */

struct reader {
    struct arena *arena;
    struct pem *pem;
    size_t capacity;
    uint8_t *free; /* what is decoded is never longer than its text, so there is always room */
    struct base64 base64;
    bool open, skipping;
};

static bool
starts_with(const char *at, const char *end, const char *prefix)
{
    size_t size = strlen(prefix);
    return (size_t) (end - at) >= size && memcmp(at, prefix, size) == 0;
}

/* Make room for one more object, which does not count before its end is seen. */
static void
object_begin(struct reader *reader, const char *name, size_t name_size)
{
    struct pem *pem = reader->pem;

    if (pem->count == reader->capacity) {
        struct pem_object *more = arena_array(reader->arena, pem->count * 2 + 4, sizeof *more);
        if (pem->count > 0)
            memcpy(more, pem->objects, pem->count * sizeof *more);
        pem->objects = more;
        reader->capacity = pem->count * 2 + 4;
    }
    pem->objects[pem->count] = (struct pem_object){
        .name = arena_copy(reader->arena, name, name_size), .data = reader->free};
    reader->base64 = (struct base64){0};
}

static bool
object_end(struct reader *reader)
{
    reader->open = false;
    if (reader->skipping)
        return true;
    struct pem_object *object = &reader->pem->objects[reader->pem->count];
    object->size = (size_t) (reader->free - object->data);
    reader->pem->count++;
    return base64_whole(&reader->base64);
}

/* Take a line, without its end; next is what follows it in the text. */
static bool
line_take(struct reader *reader, const char *line, const char *line_end, const char *next,
          const char *end)
{
    static const char begin[] = "-----BEGIN ";

    if (reader->open) {
        if (starts_with(line, line_end, "-----END "))
            return object_end(reader);
        return reader->skipping || base64_take(&reader->base64, line, (size_t) (line_end - line),
                                               &reader->free);
    }
    if (!starts_with(line, line_end, begin))
        return true;
    const char *name = line + sizeof begin - 1;
    const char *dashes = memmem(name, (size_t) (line_end - name), "-----", 5);
    if (dashes == NULL)
        return true;
    reader->open = true;
    reader->skipping = starts_with(next, end, "Proc-Type: 4,ENCRYPTED");
    reader->pem->encrypted |= reader->skipping;
    if (!reader->skipping)
        object_begin(reader, name, (size_t) (dashes - name));
    return true;
}

bool
pem_decode(struct arena *arena, const void *text, size_t size, struct pem *pem)
{
    static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF, as some editors of Windows write it */
    const char *at = text, *end = at + size;
    uint8_t *decoded = arena_take(arena, size);
    struct reader reader = {.arena = arena, .pem = pem, .free = decoded};
    bool good = true;

    *pem = (struct pem){0};
    if (starts_with(at, end, mark))
        at += sizeof mark - 1;
    while (good && at < end) {
        const char *newline = memchr(at, '\n', (size_t) (end - at));
        const char *next = newline == NULL ? end : newline + 1;
        const char *line_end = newline == NULL ? end : newline;
        line_end -= line_end > at && line_end[-1] == '\r';
        good = line_take(&reader, at, line_end, next, end);
        at = next;
    }
    explicit_bzero(&reader.base64, sizeof reader.base64);
    if (good && !reader.open)
        return true;
    explicit_bzero(decoded, (size_t) (reader.free - decoded));
    pem->count = 0;
    return false;
}

/* ---- files ------------------------------------------------------------------------------ */

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
