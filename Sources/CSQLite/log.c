// Checking a write-ahead log before SQLite uses it. SQLite takes the first frame that does not fit for
// the end of the log: right after a loss of power, wrong after a changed bit. Each transaction is on
// the disk before the next one is written, so at most one may be torn: if a whole one follows the
// torn one, the log was changed.
#include "CSQLite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { HEADER = 32, FRAME_HEADER = 24, FRAME = FRAME_HEADER + WEFT_SQLITE_PAGE };

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint32_t little_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
}

/// The two sums of SQLite's file format.
static void add(uint32_t sums[2], const uint8_t *bytes, size_t length, bool is_big_endian) {
    for (size_t at = 0; at + 8 <= length; at += 8) {
        uint32_t first = is_big_endian ? big_endian(bytes + at) : little_endian(bytes + at);
        uint32_t second =
            is_big_endian ? big_endian(bytes + at + 4) : little_endian(bytes + at + 4);
        sums[0] += first + sums[1];
        sums[1] += second + sums[0];
    }
}

static bool fits(const uint32_t sums[2], const uint8_t *written) {
    return sums[0] == big_endian(written) && sums[1] == big_endian(written + 4);
}

/// How many bits of a frame's salts, which all frames of a log share, are different.
static int salt_difference(const uint8_t *header, const uint8_t *frame) {
    int bits = 0;
    for (int at = 0; at < 8; at++) bits += __builtin_popcount(header[16 + at] ^ frame[8 + at]);
    return bits;
}

/// Whether anything follows a transaction that ends behind the first frame that does not fit.
///
/// Reads on; `frame` is that frame.
static bool has_later_transaction(FILE *file, const uint8_t *header, uint8_t *frame) {
    // Frames of an older log have other salts, and half of their bits differ.
    bool is_ours = salt_difference(header, frame) < 8;
    bool has_end = is_ours && big_endian(frame + 4) != 0;
    while (fread(frame, 1, FRAME, file) == FRAME) {
        if (salt_difference(header, frame) != 0) continue;
        if (has_end) return true;
        has_end = big_endian(frame + 4) != 0;
    }
    return false;
}

static weft_sqlite_log check(FILE *file) {
    uint8_t header[HEADER];
    static const uint8_t zeros[HEADER];
    if (fread(header, 1, HEADER, file) < HEADER) {
        return ferror(file) ? WEFT_SQLITE_LOG_UNREADABLE : WEFT_SQLITE_LOG_WHOLE;
    }
    if (memcmp(header, zeros, HEADER) == 0) return WEFT_SQLITE_LOG_WHOLE;
    uint32_t magic = big_endian(header);
    bool is_big_endian = magic & 1;
    uint32_t sums[2] = {0, 0};
    add(sums, header, 24, is_big_endian);
    bool is_whole = (magic & ~1u) == 0x377f0682 && big_endian(header + 8) == WEFT_SQLITE_PAGE
        && fits(sums, header + 24);
    if (!is_whole) return WEFT_SQLITE_LOG_DAMAGED;
    uint8_t frame[FRAME];
    while (fread(frame, 1, FRAME, file) == FRAME) {
        add(sums, frame, 8, is_big_endian);
        add(sums, frame + FRAME_HEADER, WEFT_SQLITE_PAGE, is_big_endian);
        if (salt_difference(header, frame) == 0 && fits(sums, frame + 16)) continue;
        return has_later_transaction(file, header, frame) ? WEFT_SQLITE_LOG_DAMAGED
                                                          : WEFT_SQLITE_LOG_WHOLE;
    }
    return ferror(file) ? WEFT_SQLITE_LOG_UNREADABLE : WEFT_SQLITE_LOG_WHOLE;
}

weft_sqlite_log weft_sqlite_check_log(const char *path) {
    FILE *file = fopen(path, "rbe");
    if (!file) return errno == ENOENT ? WEFT_SQLITE_LOG_WHOLE : WEFT_SQLITE_LOG_UNREADABLE;
    setvbuf(file, NULL, _IOFBF, 1 << 20);
    weft_sqlite_log result = check(file);
    fclose(file);
    return result;
}
