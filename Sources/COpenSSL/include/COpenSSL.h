// What the Wire module needs from libcrypto, as plain C: SHA-256, HMAC-SHA-256, random bytes,
// comparison in constant time, and base64.
// No function here keeps a pointer, allocates, or reads outside the range it is given.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_SHA256_BYTES 32

/// The state of a SHA-256 under way: a plain value, so that who holds it can be copied and needs
/// no clean-up. It has room for libcrypto's own structure; the shim asserts that at build time.
typedef struct weft_sha256 {
    uint32_t words[28];
} weft_sha256;

weft_sha256 weft_sha256_start(void);
void weft_sha256_update(weft_sha256 *state, const uint8_t *bytes, size_t length);
/// Writes `WEFT_SHA256_BYTES` bytes; the state is of no use afterwards.
void weft_sha256_finish(weft_sha256 *state, uint8_t *digest);

/// Writes `WEFT_SHA256_BYTES` bytes; false if libcrypto failed.
bool weft_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *bytes, size_t length, uint8_t *mac);

/// Fills the range with bytes fit for keys; false if the system has none.
bool weft_random(uint8_t *bytes, size_t length);

/// Whether two ranges of the same length are equal, in a time that does not depend on them.
bool weft_equal(const uint8_t *left, const uint8_t *right, size_t length);

/// Writes the base64 of the range with padding and a closing zero byte; `text` has room for
/// 4 * ((length + 2) / 3) + 1 bytes. Lengths above INT_MAX are not supported.
void weft_base64_encode(const uint8_t *bytes, size_t length, uint8_t *text);

/// Decodes base64 with padding into `bytes`, which has room for length / 4 * 3 bytes. Returns how
/// many bytes it wrote, or -1 if the text is anything else.
ptrdiff_t weft_base64_decode(const uint8_t *text, size_t length, uint8_t *bytes);

/// The version of OpenSSL that is linked, such as 3.0.19.
const char *weft_openssl_version(void);

#ifdef __cplusplus
}
#endif
