/* xml: what S3 and STS send is read as it is, half a document never passes for a whole one, and
 * nothing beyond the document is touched. */
#include "s3/xml.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

static const char page[] =
    "\n  <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<!-- a page --><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
    "  <Name>bucket</Name><Prefix/><IsTruncated >true</IsTruncated >\n"
    "  <Contents><Key>a&amp;b &lt;&#x20AC;&#228;&#x1F600;&#10;&quot;&apos;&gt;</Key>"
    "<Size>12</Size><Owner><ID a='1' b=\">\">me</ID></Owner></Contents>\n"
    "  <aws:Contents><aws:Key><![CDATA[<raw>&amp;]]>x</aws:Key><Size></Size></aws:Contents>\n"
    "</ListBucketResult>\n<!-- end -->\n";

/* All events of a document in one line each; the last line says how it ended. */
static void
events_write(const char *data, size_t size, struct text *out)
{
    struct xml xml;
    enum xml_event event;

    xml_init(&xml, data, size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END)
        if (event == XML_BEGIN)
            text_addf(out, "+%s\n", xml.path);
        else
            text_addf(out, "-%s=%s\n", xml.path, text_of(&xml.text));
    assert_int_equal(xml_next(&xml), event);
    text_add(out, event == XML_DONE ? "done" : xml.why);
    xml_free(&xml);
}

/* In a piece of heap of exactly its size: the sanitizer sees a read of one byte too many. */
static void
check(const char *document, size_t size, const char *wanted)
{
    struct text out = {0};
    char *copy = malloc(size);

    memcpy(copy, document, size);
    events_write(copy, size, &out);
    assert_string_equal(text_of(&out), wanted);
    free(copy);
    text_free(&out);
}

static void
test_reads(void **state)
{
    (void) state;
    check(page, sizeof page - 1,
          "+ListBucketResult\n+ListBucketResult/Name\n-ListBucketResult/Name=bucket\n"
          "+ListBucketResult/Prefix\n-ListBucketResult/Prefix=\n+ListBucketResult/IsTruncated\n"
          "-ListBucketResult/IsTruncated=true\n+ListBucketResult/Contents\n"
          "+ListBucketResult/Contents/Key\n"
          "-ListBucketResult/Contents/Key=a&b <\xe2\x82\xac\xc3\xa4\xf0\x9f\x98\x80\n\"'>\n"
          "+ListBucketResult/Contents/Size\n-ListBucketResult/Contents/Size=12\n"
          "+ListBucketResult/Contents/Owner\n+ListBucketResult/Contents/Owner/ID\n"
          "-ListBucketResult/Contents/Owner/ID=me\n-ListBucketResult/Contents/Owner=\n"
          "-ListBucketResult/Contents=\n+ListBucketResult/Contents\n"
          "+ListBucketResult/Contents/Key\n-ListBucketResult/Contents/Key=<raw>&amp;x\n"
          "+ListBucketResult/Contents/Size\n-ListBucketResult/Contents/Size=\n"
          "-ListBucketResult/Contents=\n-ListBucketResult=\ndone");
    check("<a/>", 4, "+a\n-a=\ndone");
    check("<a>x<b/>y</a>", 13, "+a\n+a/b\n-a/b=\n-a=\ndone");
}

/* A store may send as many entities as it likes; each costs the same.  This takes a moment; it took
 * minutes when each one was paid for with a look at all that follow. */
static void
test_many_entities(void **state)
{
    (void) state;
    enum { MANY_BYTES = 4 * 1024 * 1024 };
    struct text page_text = {0}, value = {0};

    text_add(&page_text, "<a><b>found</b>");
    while (page_text.size < MANY_BYTES)
        text_add(&page_text, "&lt;&#60;");
    text_add(&page_text, "</a>");
    assert_true(xml_find(page_text.data, page_text.size, "a/b", &value));
    assert_string_equal(text_of(&value), "found");
    text_free(&page_text);
    text_free(&value);
}

static void
test_refuses(void **state)
{
    static const struct {
        const char *document, *wanted;
    } cases[] = {
        {"", "it ends too early"},
        {" \n", "it ends too early"},
        {"<?xml version='1.0'?>", "it ends too early"},
        {"<?xml version='1.0'>", "a declaration has no end"},
        {"{\"a\":1}", "text stands outside of its elements"},
        {"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "it declares a document type"},
        {"<a>&b;</a>", "+a\nan entity is unknown"},
        {"<a>&amp</a>", "+a\nan entity has no end"},
        {"<a>&;</a>", "+a\nan entity is unknown"},
        {"<a>&#;</a>", "+a\nan entity has no digits"},
        {"<a>&#x;</a>", "+a\nan entity has no digits"},
        {"<a>&#12a;</a>", "+a\nan entity has no digits"},
        {"<a>&#0;</a>", "+a\na number stands for no character"},
        {"<a>&#xd800;</a>", "+a\na number stands for no character"},
        {"<a>&#x110000;</a>", "+a\na number stands for no character"},
        {"<a>&#99999999999;</a>", "+a\na number stands for no character"},
        {"<a>", "+a\nit ends too early"},
        {"<a><b></a></b>", "+a\n+a/b\na tag ends what has not begun"},
        {"<x:a></y:a>", "+a\na tag ends what has not begun"},
        {"</a>", "a tag ends what has not begun"},
        {"<a></a><b/>", "+a\n-a=\nsomething stands behind its end"},
        {"<a></a>x", "+a\n-a=\ntext stands outside of its elements"},
        {"<a/>&amp;", "+a\n-a=\ntext stands outside of its elements"},
        {"<![CDATA[x]]><a/>", "text stands outside of its elements"},
        {"<a><![CDATA[x]]</a>", "+a\na piece of text has no end"},
        {"<a><!-- </a>", "+a\na comment has no end"},
        {"< a></a>", "a tag has no name"},
        {"<x:></x:>", "a tag has no name"},
        {"<a b></a>", "an attribute has no value"},
        {"<a b=c></a>", "an attribute has no value"},
        {"<a b='c></a>", "an attribute has no end"},
        {"<a b='c'd='e'></a>", "a tag is not as it should be"},
        {"<a/ ></a>", "a tag is not as it should be"},
        {"<a", "a tag is cut short"},
        {"<a></a", "+a\na tag is not as it should be"},
    };
    (void) state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i].document, strlen(cases[i].document), cases[i].wanted);
    check("<a>x\0y</a>", 10, "+a\na zero byte stands in a text");
}

/* Every beginning of a document is refused, up to the end of its outermost element. */
static void
test_prefixes(void **state)
{
    size_t whole = (size_t) (strstr(page, "</ListBucketResult>") - page) + 19;
    (void) state;

    for (size_t size = 0; size <= sizeof page - 1; size++) {
        struct text out = {0};
        char *copy = malloc(size);
        memcpy(copy, page, size);
        events_write(copy, size, &out);
        bool blanks = size == whole || size == whole + 1 || size >= sizeof page - 2;
        assert_int_equal(strstr(text_of(&out), "\ndone") != NULL, blanks);
        assert_false(xml_find(copy, size, "ListBucketResult/Name", NULL) && !blanks);
        free(copy);
        text_free(&out);
    }
}

static void
test_limits(void **state)
{
    struct text document = {0}, value = {0};
    (void) state;

    for (int depth = XML_DEPTH_MAX; depth <= XML_DEPTH_MAX + 1; depth++) {
        text_clear(&document);
        for (int i = 0; i < depth; i++)
            text_add(&document, "<a>");
        for (int i = 0; i < depth; i++)
            text_add(&document, "</a>");
        assert_int_equal(xml_find(document.data, document.size, "a/a", NULL),
                         depth == XML_DEPTH_MAX);
    }
    for (size_t size = XML_TEXT_MAX; size <= XML_TEXT_MAX + 1; size++) {
        text_clear(&document);
        text_clear(&value);
        text_add(&document, "<a>");
        for (size_t i = 0; i < size; i++)
            text_add(&document, i % 2 == 0 ? "x" : "&#121;");
        text_add(&document, "</a>");
        assert_int_equal(xml_find(document.data, document.size, "a", &value),
                         size == XML_TEXT_MAX);
        assert_int_equal(value.size, size == XML_TEXT_MAX ? size : 0);
    }
    for (size_t size = XML_PATH_MAX - 2; size <= XML_PATH_MAX + 2; size++) {
        char name[XML_PATH_MAX + 3];
        memset(name, 'n', size);
        name[size] = '\0';
        text_clear(&document);
        text_addf(&document, "<%s/>", name);
        assert_int_equal(xml_find(document.data, document.size, name, NULL), size < XML_PATH_MAX);
    }
    text_free(&document);
    text_free(&value);
}

static void
test_finds(void **state)
{
    static const char error[] =
        "<Error><Code>NoSuchKey</Code><Code>Second</Code><A><Code>No</Code></A><E/></Error>";
    struct text value = {0};
    struct fault fault = {0};
    struct xml xml;
    (void) state;

    assert_true(xml_find(error, sizeof error - 1, "Error/Code", &value));
    assert_string_equal(text_of(&value), "NoSuchKey");
    assert_false(xml_find(error, sizeof error - 1, "Code", &value));
    assert_false(xml_find(error, sizeof error - 1, "Error/Cod", &value));
    assert_false(xml_find(NULL, 0, "Error/Code", &value));
    assert_string_equal(text_of(&value), "NoSuchKey");
    text_clear(&value);
    assert_true(xml_find(error, sizeof error - 1, "Error/E", &value));
    assert_string_equal(text_of(&value), "");
    text_free(&value);

    xml_init(&xml, "<a>&x;", 6);
    assert_int_equal(xml_next(&xml), XML_BEGIN);
    assert_int_equal(xml_next(&xml), XML_BAD);
    assert_false(xml_refuse(&xml, ERR_STORE, "the list of objects", &fault));
    assert_int_equal(fault.err, ERR_STORE);
    assert_string_equal(fault.text,
                        "the list of objects is no valid xml: an entity is unknown at byte 3");
    xml_free(&xml);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),    cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_prefixes), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_finds),    cmocka_unit_test(test_many_entities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
