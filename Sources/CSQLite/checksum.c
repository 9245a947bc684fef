// The checksum of pages, batches and values.
#include "CSQLite.h"

#include <string.h>

static uint64_t mix(uint64_t sum, uint64_t word) {
    // Each step is one-to-one in both: different words give different sums.
    sum ^= word;
    sum = sum << 29 | sum >> 35;
    return sum * 0x9e3779b97f4a7c15u;
}

uint64_t weft_checksum(uint64_t seed, const uint8_t *bytes, size_t length) {
    uint64_t sum = mix(seed, length);
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        sum = mix(sum, word);
    }
    if (at < length) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, length - at);
        sum = mix(sum, word);
    }
    return sum ^ sum >> 32;
}
