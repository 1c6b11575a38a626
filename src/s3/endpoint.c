/* endpoint - see endpoint.h. */
#include "s3/endpoint.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char region_default[] = "us-east-1";

/* What Amazon's host names end with, by the beginning of the region's name; the last one holds for
 * all others. */
static const struct partition {
    const char *regions, *suffix;
} partitions[] = {
    {"cn-", ".amazonaws.com.cn"},
    {"eusc-", ".amazonaws.eu"},
    {"us-isob-", ".sc2s.sgov.gov"},
    {"us-iso-", ".c2s.ic.gov"},
    {"", ".amazonaws.com"},
};

static bool
begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static bool
ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static const struct partition *
partition_of_region(const char *region)
{
    const struct partition *partition = partitions;

    while (!begins_with(region, partition->regions))
        partition++;
    return partition;
}

/* NULL when the host is none of Amazon's. */
static const struct partition *
partition_of_host(const char *host)
{
    for (size_t i = 0; i < sizeof partitions / sizeof *partitions; i++)
        if (ends_with(host, partitions[i].suffix))
            return &partitions[i];
    return NULL;
}

bool
endpoint_region_valid(const char *region)
{
    size_t size = strlen(region), digits = 0;

    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char) region[i]) && region[i] != '-')
            return false;
        digits += isdigit((unsigned char) region[i]) != 0;
    }
    return size > 0 && size < ENDPOINT_REGION_MAX && digits < size && region[0] != '-' &&
           region[size - 1] != '-';
}

/* Stores of other makers call their regions what they like; it is only a word in the signature. */
static bool
region_writable(const char *region)
{
    size_t size = strlen(region);

    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char) region[i]) && strchr("-_.", region[i]) == NULL)
            return false;
    return size > 0 && size < ENDPOINT_REGION_MAX;
}

/* Whether a bucket's name can stand in a host name and under Amazon's wildcard certificate. */
static bool
bucket_is_plain(const char *bucket)
{
    size_t size = strlen(bucket);

    for (size_t i = 0; i < size; i++)
        if (!islower((unsigned char) bucket[i]) && !isdigit((unsigned char) bucket[i]) &&
            bucket[i] != '-')
            return false;
    return size > 0 && bucket[0] != '-' && bucket[size - 1] != '-';
}

/* Stores of other makers allow capitals and underscores, and so did Amazon once. */
static bool
bucket_check(const char *bucket, struct fault *fault)
{
    size_t size = strlen(bucket);

    if (size == 0)
        return fault_set(fault, ERR_CONFIG, "the store's URL names no bucket: s3://bucket/prefix");
    if (begins_with(bucket, "arn:"))
        return fault_set(fault, ERR_CONFIG,
                         "%s is an ARN; name the bucket, or the alias of the access point", bucket);
    if (size < 3 || size >= ENDPOINT_BUCKET_MAX)
        return fault_set(fault, ERR_CONFIG,
                         "a bucket's name has 3 to %d bytes; \"%.100s\" has %zu",
                         ENDPOINT_BUCKET_MAX - 1, bucket, size);
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char) bucket[i]) && strchr("-_.", bucket[i]) == NULL)
            return fault_set(fault, ERR_CONFIG,
                             "a bucket's name is made of letters, digits, '-', '_' and '.'; "
                             "\"%s\" is not", bucket);
    if (!isalnum((unsigned char) bucket[0]) || !isalnum((unsigned char) bucket[size - 1]) ||
        strstr(bucket, "..") != NULL)
        return fault_set(fault, ERR_CONFIG,
                         "a bucket's name begins and ends with a letter or digit and has no two "
                         "dots in a row; \"%s\" is none", bucket);
    return true;
}

/* Derive what depends on host, bucket and style. */
static void
endpoint_finish(struct endpoint *endpoint)
{
    bool bucket_behind = endpoint->path_style;

    url_host_header(&endpoint->url, endpoint->host);
    snprintf(endpoint->text, sizeof endpoint->text, "%s://%s%s%s%s",
             endpoint->url.tls ? "https" : "http", endpoint->host, endpoint->url.path,
             bucket_behind ? "/" : "", bucket_behind ? endpoint->bucket : "");
}

/* The name of the bucket's host from that of the store's. */
static bool
host_set(struct endpoint *endpoint, const char *host)
{
    int size = endpoint->path_style
                   ? snprintf(endpoint->url.host, sizeof endpoint->url.host, "%s", host)
                   : snprintf(endpoint->url.host, sizeof endpoint->url.host, "%s.%s",
                              endpoint->bucket, host);

    return size > 0 && (size_t) size < sizeof endpoint->url.host;
}

static void
host_build(struct endpoint *endpoint)
{
    char host[ENDPOINT_REGION_MAX + 64];

    assert(endpoint_region_valid(endpoint->region));
    snprintf(host, sizeof host, "s3%s%s.%s%s", endpoint->fips ? "-fips" : "",
             endpoint->dualstack ? ".dualstack" : "", endpoint->region,
             partition_of_region(endpoint->region)->suffix);
    bool set = host_set(endpoint, host);
    assert(set);
    endpoint->url.tls = true;
    endpoint->url.port = 443;
    endpoint->url.port_given = false;
    endpoint->url.path[0] = '\0';
}

static void
style_choose(struct endpoint *endpoint, enum s3_choice wish)
{
    endpoint->path_style =
        wish == S3_YES ||
        (wish == S3_AUTO && (!endpoint->amazon || !bucket_is_plain(endpoint->bucket)));
}

static bool
amazon_init(struct endpoint *endpoint, const struct s3_config *config, struct fault *fault)
{
    const char *region = config->region[0] == '\0' ? region_default : config->region;

    if (!endpoint_region_valid(region))
        return fault_set(fault, ERR_CONFIG, "AWS_REGION: \"%.100s\" is no region", region);
    if (config->fips && begins_with(region, "cn-"))
        return fault_set(fault, ERR_CONFIG,
                         "AWS_USE_FIPS_ENDPOINT: there is no such endpoint in %s", region);
    endpoint->amazon = endpoint->regional = true;
    endpoint->dualstack = config->dualstack;
    endpoint->fips = config->fips;
    snprintf(endpoint->region, sizeof endpoint->region, "%s", region);
    style_choose(endpoint, config->path_style);
    host_build(endpoint);
    return true;
}

/* "s3.eu-west-1.amazonaws.com", written out, is Amazon's own host of that region: it may move.
 * "s3.amazonaws.com" is that of whichever region is set, and leaves region as it is. */
static bool
amazon_written_out(const struct url *url, char region[static ENDPOINT_REGION_MAX])
{
    const struct partition *partition = partition_of_host(url->host);
    char name[ENDPOINT_REGION_MAX];

    if (partition == NULL || !url->tls || url->port != 443 || url->path[0] != '\0')
        return false;
    if (strcmp(url->host, "s3.amazonaws.com") == 0)
        return true;
    size_t around = strlen("s3.") + strlen(partition->suffix), size = strlen(url->host);
    if (!begins_with(url->host, "s3.") || size <= around || size - around >= sizeof name)
        return false;
    memcpy(name, url->host + strlen("s3."), size - around);
    name[size - around] = '\0';
    if (!endpoint_region_valid(name) || partition_of_region(name) != partition)
        return false;
    memcpy(region, name, sizeof name);
    return true;
}

static bool
given_init(struct endpoint *endpoint, const struct s3_config *config, struct fault *fault)
{
    struct url url = endpoint->url;

    endpoint->amazon = partition_of_host(url.host) != NULL;
    snprintf(endpoint->region, sizeof endpoint->region, "%s",
             config->region[0] == '\0' ? region_default : config->region);
    if (!region_writable(config->region[0] == '\0' ? region_default : config->region))
        return fault_set(fault, ERR_CONFIG, "AWS_REGION: \"%.100s\" is no region", config->region);
    style_choose(endpoint, config->path_style);
    if (!endpoint->path_style && url_host_is_address(url.host))
        return fault_set(fault, ERR_CONFIG,
                         "REPLICA_S3_PATH_STYLE=no wants a host name; %s is an address", url.host);
    if (!host_set(endpoint, url.host))
        return fault_set(fault, ERR_CONFIG, "the endpoint's host %s.%s is too long",
                         endpoint->bucket, url.host);
    return true;
}

bool
endpoint_init(struct endpoint *endpoint, const struct s3_config *config, struct fault *fault)
{
    struct s3_config known = *config;
    char region[ENDPOINT_REGION_MAX] = "";

    *endpoint = (struct endpoint){0};
    if (!bucket_check(config->bucket, fault))
        return false;
    snprintf(endpoint->bucket, sizeof endpoint->bucket, "%s", config->bucket);

    bool amazon = config->endpoint[0] == '\0';
    if (!amazon) {
        if (!url_parse(config->endpoint, "AWS_ENDPOINT_URL_S3", &endpoint->url, fault))
            return false;
        char *path = endpoint->url.path;
        for (size_t size = strlen(path); size > 0 && path[size - 1] == '/'; size--)
            path[size - 1] = '\0';
        if (strpbrk(path, "?%#") != NULL)
            return fault_set(fault, ERR_CONFIG,
                             "AWS_ENDPOINT_URL_S3: the path %s must be plain", path);
        amazon = amazon_written_out(&endpoint->url, region);
        if (region[0] != '\0')
            known.region = region;
    }
    bool made = amazon ? amazon_init(endpoint, &known, fault)
                       : given_init(endpoint, &known, fault);
    if (made)
        endpoint_finish(endpoint);
    return made;
}

bool
endpoint_move(struct endpoint *to, const struct endpoint *from, const char *region)
{
    if (strcmp(region, from->region) == 0 ||
        !(from->amazon ? endpoint_region_valid(region) : region_writable(region)))
        return false;
    *to = *from;
    snprintf(to->region, sizeof to->region, "%s", region);
    if (to->regional)
        host_build(to);
    endpoint_finish(to);
    return true;
}

void
endpoint_path(const struct endpoint *endpoint, const char *key, struct text *path)
{
    text_add(path, endpoint->url.path);
    if (endpoint->path_style)
        text_addf(path, "/%s", endpoint->bucket);
    /* Of a bucket by virtual host the path is "/"; by path, "/bucket" without a slash behind. */
    if (key[0] != '\0' || !endpoint->path_style)
        text_addf(path, "/%s", key);
}
