/* url: any text is a URL or a fault; a URL has a host and a port, and can be written and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = {0};
    struct url url, back;
    char header[URL_HOST_MAX + 16], text[URL_HOST_MAX + URL_PATH_MAX + 32];
    char *input = malloc(size + 1);

    memcpy(input, data, size);
    input[size] = '\0';
    bool good = url_parse(input, "it", &url, &fault);
    if (good != (fault.err == ERR_NONE) || (!good && fault.err != ERR_CONFIG))
        abort();
    free(input);
    if (!good)
        return 0;

    if (url.host[0] == '\0' || url.port < 1 || url.port > 65535 ||
        (url.path[0] != '\0' && url.path[0] != '/'))
        abort();
    url_host_header(&url, header);
    snprintf(text, sizeof text, "http%s://%s%s", url.tls ? "s" : "", header, url.path);
    if (!url_parse(text, "it", &back, &fault) || strcmp(url.host, back.host) != 0 ||
        strcmp(url.path, back.path) != 0 || url.port != back.port || url.tls != back.tls)
        abort();
    return 0;
}
