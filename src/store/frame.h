/* frame - puts the frame of a volume (volume.h) around its rows, and takes it off again.
 *
 *      rows ──frame_on──▶ preamble rows \. ──▶ … ──▶ preamble rows \. ──frame_off──▶ rows
 *                                                   preamble rows \. ─frame_check─▶ the same
 *
 * frame_off compares the preamble byte for byte with the one the manifest implies, so a volume of
 * another dump, table or number is noticed before its first row; it lets nothing pass that is no
 * row (rows.h), and holds the last bytes back until the end proves that they are the end mark, and
 * that rows and plain bytes are as many as the manifest says.  frame_check does the same and lets
 * the frame pass, the end mark only when all was right.
 *
 * Life:   x_init; the stage is done or left at any point; nothing to free.
 * Limits: the preamble must outlive the stage.   Threads: one at a time. */
#ifndef STORE_FRAME_H
#define STORE_FRAME_H

#include <stdatomic.h>

#include "codec/rows.h"
#include "flow/stage.h"
#include "store/volume.h"

enum { FRAME_END_BYTES = sizeof VOLUME_END - 1 };

struct frame_on {
    struct stage stage;
    const struct text *preamble;
    size_t preamble_used, end_used;
    uint64_t bytes;            /* plain bytes of the volume, frame included */
    _Atomic uint64_t *moved;   /* counts them too, while they pass, for whoever watches */
};

struct stage *frame_on_init(struct frame_on *frame, const struct text *preamble,
                            _Atomic uint64_t *moved);

struct frame_off {
    struct stage stage;
    const struct text *preamble;
    const char *name;          /* of the object, for sentences */
    bool whole;                /* the frame passes, too */
    bool checked;              /* the end was right */
    size_t preamble_used, preamble_passed, end_used;
    uint8_t held[FRAME_END_BYTES]; /* the last bytes seen, not passed on yet */
    size_t held_size;
    struct rows rows;
    uint64_t bytes, bytes_wanted, rows_wanted;
    _Atomic uint64_t *moved;
};

/* Of the object, its rows and plain bytes are looked at. */
struct stage *frame_off_init(struct frame_off *frame, const struct text *preamble, const char *name,
                             const struct manifest_object *object, _Atomic uint64_t *moved);
struct stage *frame_check_init(struct frame_off *frame, const struct text *preamble,
                               const char *name, const struct manifest_object *object,
                               _Atomic uint64_t *moved);

#endif
