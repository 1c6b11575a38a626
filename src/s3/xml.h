/* xml - a strict reader of the small XML documents that S3 and STS answer with (XML 1.0).
 *
 *     <ListBucketResult><Contents><Key>a&amp;b</Key></Contents></ListBucketResult>
 *
 *     BEGIN ListBucketResult
 *     BEGIN ListBucketResult/Contents
 *     BEGIN ListBucketResult/Contents/Key
 *     END   ListBucketResult/Contents/Key    text "a&b"
 *     END   ListBucketResult/Contents        text ""
 *     END   ListBucketResult                 text ""
 *     DONE
 *
 * An element holds either text or elements; text beside elements is passed over.  Attributes and
 * the prefixes of namespaces are read and forgotten, so are comments and the XML declaration, and
 * blanks before all of them, which S3 sends to keep a slow answer alive.  Of entities there are the
 * five and numbers.  A document type is refused, and so is a document that ends too early or goes
 * on behind its end: half an answer must never look like a whole one.  UTF-8 is not checked, line
 * ends are not rewritten: a key comes out byte for byte.
 *
 * Life:   xml_init; xml_next until XML_DONE or XML_BAD (or leave earlier); xml_free.
 * Limits: XML_DEPTH_MAX elements deep, XML_PATH_MAX bytes of path, XML_TEXT_MAX bytes of one text.
 * Threads: one at a time. */
#ifndef S3_XML_H
#define S3_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/text.h"

enum {
    XML_DEPTH_MAX = 16,
    XML_PATH_MAX = 512,
    XML_TEXT_MAX = 64 * 1024, /* the longest known: a key of 1,024 bytes, all of them escaped */
};

enum xml_event { XML_BEGIN, XML_END, XML_DONE, XML_BAD };

struct xml {
    char path[XML_PATH_MAX]; /* of the element that begins or ends: "Error/Code" */
    struct text text;        /* of XML_END: its text, unescaped; text_of() shows it */
    const char *why;         /* of XML_BAD */

    const char *start, *at, *end;
    unsigned depth;
    struct {
        const char *name; /* as written, with its prefix; points into the document */
        size_t name_size, path_size;
    } open[XML_DEPTH_MAX];
    bool leaf;     /* nothing but text so far in the innermost element */
    bool empty;    /* <element/>: its end is the next event */
    bool leave;    /* the element of the last XML_END is still in the path */
    bool finished; /* the outermost element has ended */
};

/* Begin to read a document, which must stay as it is until xml_free(). */
void xml_init(struct xml *xml, const void *data, size_t size);

/* The next event.  XML_DONE and XML_BAD are the last, and come again and again. */
enum xml_event xml_next(struct xml *xml);

/* Whether the event's element has this path, "ListBucketResult/Contents/Key". */
bool xml_is(const struct xml *xml, const char *path);

/* After XML_BAD: "<what> is no valid xml: <why> at byte <n>".  Always returns false. */
bool xml_refuse(const struct xml *xml, enum err err, const char *what, struct fault *fault);

void xml_free(struct xml *xml);

/* Read a whole document for one thing: the text of the first element with this path, added to
 * value, which may be NULL.  False when there is none or the document is not sound to its end. */
bool xml_find(const void *data, size_t size, const char *path, struct text *value);

#endif
