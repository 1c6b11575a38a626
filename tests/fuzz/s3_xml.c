/* s3_xml: any bytes are a document or refused; what begins also ends, in a proper order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "s3/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xml xml;
    struct text first = {0}, found = {0};
    char path[XML_PATH_MAX] = "";
    enum xml_event event;
    unsigned depth = 0;

    xml_init(&xml, data, size);
    while ((event = xml_next(&xml)) == XML_BEGIN || event == XML_END) {
        if (strlen(xml.path) >= XML_PATH_MAX || xml.text.size > XML_TEXT_MAX)
            abort();
        depth = event == XML_BEGIN ? depth + 1 : depth - 1;
        if (depth > XML_DEPTH_MAX)
            abort();
        if (event == XML_END && path[0] == '\0') {
            memcpy(path, xml.path, strlen(xml.path) + 1);
            text_add_bytes(&first, text_of(&xml.text), xml.text.size);
        }
    }
    if ((event == XML_DONE) != (xml.why == NULL) || (event == XML_DONE && depth != 0))
        abort();
    if (xml_next(&xml) != event)
        abort();
    if (xml_find(data, size, path, &found) != (event == XML_DONE))
        abort();
    if (event == XML_DONE && strcmp(text_of(&first), text_of(&found)) != 0)
        abort();
    xml_free(&xml);
    text_free(&first);
    text_free(&found);
    return 0;
}
