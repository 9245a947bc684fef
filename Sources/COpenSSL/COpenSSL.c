// The shim over libcrypto; COpenSSL.h says what each function does.

// SHA256_Init and its relatives are deprecated in favour of contexts on the heap. They are the only
// way to a digest whose state is a value, they use the same processor instructions, and they stay
// for the life of OpenSSL 3.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "COpenSSL.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) == sizeof(weft_sha256), "the state is libcrypto's own");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(weft_sha256), "the state is aligned");

weft_sha256 weft_sha256_start(void) {
    SHA256_CTX context;
    weft_sha256 state;
    memset(&context, 0, sizeof context);
    SHA256_Init(&context);
    memcpy(&state, &context, sizeof state);
    return state;
}

void weft_sha256_update(weft_sha256 *state, const uint8_t *bytes, size_t length) {
    SHA256_CTX context;
    memcpy(&context, state, sizeof context);
    SHA256_Update(&context, bytes, length);
    memcpy(state, &context, sizeof context);
}

void weft_sha256_finish(weft_sha256 *state, uint8_t *digest) {
    SHA256_CTX context;
    memcpy(&context, state, sizeof context);
    SHA256_Final(digest, &context);
}

bool weft_hmac_sha256(
    const uint8_t *key, size_t key_length, const uint8_t *bytes, size_t length, uint8_t *mac) {
    unsigned int written = 0;
    if (key_length > INT_MAX) return false;
    // A null key would mean "the key of the call before".
    return HMAC(EVP_sha256(), key_length == 0 ? "" : (const void *)key, (int)key_length, bytes,
                length, mac, &written) != NULL
        && written == WEFT_SHA256_BYTES;
}

bool weft_random(uint8_t *bytes, size_t length) {
    return length <= INT_MAX && RAND_bytes(bytes, (int)length) == 1;
}

bool weft_equal(const uint8_t *left, const uint8_t *right, size_t length) {
    return CRYPTO_memcmp(left, right, length) == 0;
}

void weft_base64_encode(const uint8_t *bytes, size_t length, uint8_t *text) {
    EVP_EncodeBlock(text, bytes, (int)length);
}

static bool is_base64(uint8_t byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z')
        || (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';
}

ptrdiff_t weft_base64_decode(const uint8_t *text, size_t length, uint8_t *bytes) {
    if (length == 0) return 0;
    if (length % 4 != 0 || length > INT_MAX) return -1;
    size_t padding = text[length - 1] != '=' ? 0 : text[length - 2] != '=' ? 1 : 2;
    // libcrypto skips white space and takes padding anywhere; here only the plain form counts.
    for (size_t index = 0; index < length - padding; index += 1) {
        if (!is_base64(text[index])) return -1;
    }
    int written = EVP_DecodeBlock(bytes, text, (int)length);
    return written < 0 ? -1 : written - (ptrdiff_t)padding;
}
