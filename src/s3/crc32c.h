/* crc32c - the checksum that S3 calls CRC32C (Castagnoli, RFC 3720 appendix B.4).
 *
 * By the CPU's own instruction where it has one (SSE 4.2, ARMv8 CRC), some ten gigabytes a second;
 * elsewhere by tables.
 *
 * Threads: any. */
#ifndef S3_CRC32C_H
#define S3_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The checksum of data; crc32c of "123456789" is e3069283. */
uint32_t crc32c(const void *data, size_t size);

/* The same without the CPU's instruction, for tests. */
uint32_t crc32c_portable(const void *data, size_t size);

/* Whether this CPU has the instruction. */
bool crc32c_is_fast(void);

#endif
