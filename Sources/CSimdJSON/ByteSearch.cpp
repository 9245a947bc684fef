// Searches in bytes that deserve a fast loop: the ends of strings and of values, single bytes, lines.
// What judges a text, or finds its fields, is in CSimdJSON.cpp.
#include "CSimdJSON.h"

#include <algorithm>
#include <cstring>

size_t weft_find_byte(const uint8_t *base, size_t from, size_t to, uint8_t byte) {
    if (from >= to) return to;
    const void *found = std::memchr(base + from, byte, to - from);
    return found ? static_cast<const uint8_t *>(found) - base : to;
}

void weft_text_lines(const uint8_t *text, size_t length, size_t *lines, size_t *characters) {
    const void *last = length ? ::memrchr(text, '\n', length) : nullptr;
    size_t start = last ? static_cast<const uint8_t *>(last) - text + 1 : 0;
    *lines = std::count(text, text + start, '\n');
    *characters = std::count_if(
        text + start, text + length, [](uint8_t byte) { return (byte & 0xC0) != 0x80; });
}

size_t weft_json_plain_end(const uint8_t *base, size_t from, size_t to) {
    constexpr uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    size_t i = from;
    while (i + 8 <= to) {
        uint64_t word;
        std::memcpy(&word, base + i, 8);
        // The top bit of each byte tells whether it is below 0x20, a quote or a backslash. A byte
        // above 0x7F never is; a borrow can only touch bytes above one that is already marked.
        uint64_t control = word - ones * 0x20;
        uint64_t quote = (word ^ (ones * '"')) - ones;
        uint64_t backslash = (word ^ (ones * '\\')) - ones;
        uint64_t marked = (control | quote | backslash) & ~word & tops;
        if (marked) break;
        i += 8;
    }
    while (i < to && base[i] >= 0x20 && base[i] != '"' && base[i] != '\\') i++;
    return i;
}

namespace {

// One past the closing quote of the string that opens at `from`.
inline size_t string_end(const uint8_t *base, size_t from, size_t to) {
    size_t i = from + 1;
    while ((i = weft_json_plain_end(base, i, to)) < to) {
        if (base[i] == '"') return i + 1;
        i += base[i] == '\\' ? 2 : 1;
    }
    return to;
}

}  // namespace

size_t weft_json_value_end(const uint8_t *base, size_t from, size_t to) {
    size_t i = from, open = 0;
    while (i < to) {
        switch (base[i]) {
        case '"':
            i = string_end(base, i, to);
            if (open == 0) return i;
            break;
        case '{':
        case '[':
            open++;
            i++;
            break;
        case '}':
        case ']':
            if (open <= 1) return open == 1 ? i + 1 : i;
            open--;
            i++;
            break;
        case ',': case ' ': case '\n': case '\r': case '\t':
            if (open == 0) return i;
            i++;
            break;
        default: i++;
        }
    }
    return to;
}
