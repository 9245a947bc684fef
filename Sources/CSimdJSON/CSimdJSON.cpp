// The shim over simdjson. simdjson's DOM parser judges the whole text; the positions that its first
// stage leaves behind then give the fields without a second parse. Each thread keeps one parser for
// texts of ordinary size; a larger text gets a parser of its own, so that no thread holds on to the
// memory of the largest text it ever saw.
#include "CSimdJSON.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace {

// Texts longer than this are parsed with memory that is given back at once.
constexpr size_t kept_capacity = size_t(1) << 20;
constexpr size_t first_capacity = size_t(16) << 10;

inline bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

inline bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

// The position behind the number at `at` if it keeps to the grammar, whatever its size, else 0.
// simdjson has one error for numbers that it cannot read and for those that are none.
size_t number_end(const uint8_t *text, size_t at, size_t length) {
    size_t i = at;
    auto digits = [&] {
        size_t start = i;
        while (i < length && is_digit(text[i])) i++;
        return i - start;
    };
    if (i < length && text[i] == '-') i++;
    bool leading_zero = i < length && text[i] == '0';
    size_t whole = digits();
    if (whole == 0 || (leading_zero && whole > 1)) return 0;
    if (i < length && text[i] == '.') {
        i++;
        if (digits() == 0) return 0;
    }
    if (i < length && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < length && (text[i] == '+' || text[i] == '-')) i++;
        if (digits() == 0) return 0;
    }
    bool ends = i == length || is_space(text[i])
        || (text[i] != 0 && std::strchr(",]}:[{\"", text[i]) != nullptr);
    return ends ? i : 0;
}

// Numbers of at least so many characters, and those with an exponent, may be beyond 64 bits.
constexpr size_t long_number = 19;

// A parser and the padded copy it reads from: simdjson reads a little past the end of its input.
class Reader {
  public:
    weft_json_status parse(const uint8_t *text, size_t length, uint32_t depth) {
        // A large text is read where it lies if that is possible: copying it takes as long as
        // reading it.
        bool in_place = length > kept_capacity && is_readable_behind(text + length);
        if (in_place ? !reserve_parser(length, depth) : !reserve(length, depth)) {
            return WEFT_JSON_OUT_OF_MEMORY;
        }
        if (!in_place) {
            std::memcpy(copy_.get(), text, length);
            std::memset(copy_.get() + length, ' ', simdjson::SIMDJSON_PADDING);
        }
        text_ = in_place ? text : copy_.get();
        length_ = length;
        root_ = simdjson::dom::element();
        auto error = parser_.parse(text_, length, false).get(root_);
        if (error == simdjson::NUMBER_ERROR || error == simdjson::NUMBER_OUT_OF_RANGE) {
            return parse_with_long_numbers();
        }
        return status(error);
    }

    weft_json_status fields(
        weft_json_field *fields, size_t capacity, weft_json_outline *outline) const {
        const uint8_t *text = text_;
        const uint32_t *index = parser_.implementation->structural_indexes.get();
        const uint32_t *end = index + parser_.implementation->n_structural_indexes;
        if (text[*index] != '{') return WEFT_JSON_NOT_AN_OBJECT;
        index++;
        size_t found = 0;
        bool has_escaped_key = false;
        // The text is valid, so the positions read: key ':' value ',' key ':' value ... '}'.
        while (index + 2 < end && text[*index] == '"') {
            if (found == capacity) return WEFT_JSON_TOO_MANY_FIELDS;
            weft_json_field field;
            field.key_start = index[0] + 1;
            field.key_end = end_of_key(text, field.key_start, index[1]);
            field.value_start = index[2];
            index = skip_value(text, index + 2, end);
            if (index >= end) return WEFT_JSON_STRUCTURE;
            field.value_end = trimmed(text, field.value_start, *index);
            size_t key_length = field.key_end - field.key_start;
            has_escaped_key |= std::memchr(text + field.key_start, '\\', key_length) != nullptr;
            if (weft_json_find_field(text, fields, found, text + field.key_start, key_length)
                < found) {
                return WEFT_JSON_DUPLICATE_KEY;
            }
            fields[found++] = field;
            if (text[*index] == ',') index++;
        }
        outline->count = uint32_t(found);
        outline->has_escaped_key = has_escaped_key;
        // Strings cannot hold raw newlines, so any newline is one between tokens.
        outline->has_newline = std::memchr(text, '\n', length_) || std::memchr(text, '\r', length_);
        return has_escaped_key ? decoded_keys_differ() : WEFT_JSON_VALID;
    }

  private:
    simdjson::dom::parser parser_;
    simdjson::dom::element root_;
    std::unique_ptr<uint8_t[]> copy_;
    size_t copy_capacity_ = 0;
    // What was parsed: the copy, or the caller's text while it is being judged.
    const uint8_t *text_ = nullptr;
    size_t length_ = 0;

    bool reserve_parser(size_t capacity, uint32_t depth) {
        return parser_.doc.allocate(capacity) == simdjson::SUCCESS
            && parser_.allocate(capacity, depth) == simdjson::SUCCESS;
    }

    bool reserve(size_t length, uint32_t depth) {
        if (copy_capacity_ < length || !copy_) {
            size_t capacity = length > kept_capacity
                ? length
                : std::min(std::max(first_capacity, length * 2), kept_capacity);
            copy_.reset(new (std::nothrow) uint8_t[capacity + simdjson::SIMDJSON_PADDING]);
            copy_capacity_ = 0;
            if (!copy_ || !reserve_parser(capacity, depth)) return false;
            copy_capacity_ = capacity;
        }
        return parser_.max_depth() == depth
            || parser_.allocate(copy_capacity_, depth) == simdjson::SUCCESS;
    }

    // Whether what simdjson reads behind the text lies in the page of its last byte, which is there
    // whatever it holds. This is how simdjson's manual does without padding.
    static bool is_readable_behind(const uint8_t *end) {
        constexpr uintptr_t page = 4096;
        return (uintptr_t(end - 1) & (page - 1)) + simdjson::SIMDJSON_PADDING < page;
    }

    static uint32_t end_of_key(const uint8_t *text, uint32_t start, uint32_t colon) {
        uint32_t end = colon - 1;
        while (end > start && text[end] != '"') end--;
        return end;
    }

    static uint32_t trimmed(const uint8_t *text, uint32_t start, uint32_t end) {
        while (end > start && is_space(text[end - 1])) end--;
        return end;
    }

    static const uint32_t *skip_value(
        const uint8_t *text, const uint32_t *index, const uint32_t *end) {
        size_t open = 0;
        for (; index < end; index++) {
            uint8_t byte = text[*index];
            if (byte == '{' || byte == '[') {
                open++;
            } else if (byte == '}' || byte == ']') {
                if (--open == 0) return index + 1;
            } else if (open == 0) {
                return index + 1;
            }
        }
        return end;
    }

    // Two keys may be written differently and yet be the same; the parsed document has them decoded.
    weft_json_status decoded_keys_differ() const {
        simdjson::dom::object object;
        if (root_.get(object) != simdjson::SUCCESS) return WEFT_JSON_NOT_AN_OBJECT;
        for (auto one = object.begin(); one != object.end(); ++one) {
            auto other = one;
            for (++other; other != object.end(); ++other) {
                if (one.key() == other.key()) return WEFT_JSON_DUPLICATE_KEY;
            }
        }
        return WEFT_JSON_VALID;
    }

    weft_json_status status(simdjson::error_code error) const {
        switch (error) {
        case simdjson::SUCCESS: return WEFT_JSON_VALID;
        case simdjson::EMPTY: return WEFT_JSON_EMPTY;
        case simdjson::UTF8_ERROR: return WEFT_JSON_NOT_UTF8;
        case simdjson::UNCLOSED_STRING: return WEFT_JSON_UNCLOSED_STRING;
        case simdjson::UNESCAPED_CHARS: return WEFT_JSON_CONTROL_CHARACTER;
        case simdjson::STRING_ERROR: return WEFT_JSON_BAD_ESCAPE;
        case simdjson::T_ATOM_ERROR:
        case simdjson::F_ATOM_ERROR:
        case simdjson::N_ATOM_ERROR: return WEFT_JSON_BAD_LITERAL;
        case simdjson::NUMBER_ERROR: return WEFT_JSON_BAD_NUMBER;
        case simdjson::DEPTH_ERROR: return WEFT_JSON_TOO_DEEP;
        case simdjson::CAPACITY: return WEFT_JSON_TOO_LARGE;
        case simdjson::MEMALLOC: return WEFT_JSON_OUT_OF_MEMORY;
        default: return WEFT_JSON_STRUCTURE;
        }
    }

    // simdjson reads no whole number beyond 64 bits and no double beyond its range, which pass here
    // as they are written. They are judged by the grammar alone, and the rest of the text is parsed
    // with zeros of the same length in their place, so that positions stay.
    weft_json_status parse_with_long_numbers() {
        if (text_ != copy_.get()) {
            copy_.reset(new (std::nothrow) uint8_t[length_ + simdjson::SIMDJSON_PADDING]);
            if (!copy_) return WEFT_JSON_OUT_OF_MEMORY;
            copy_capacity_ = length_;
            std::memcpy(copy_.get(), text_, length_);
            std::memset(copy_.get() + length_, ' ', simdjson::SIMDJSON_PADDING);
            text_ = copy_.get();
        }
        uint8_t *text = copy_.get();
        const auto &parser = *parser_.implementation;
        for (uint32_t i = 0; i < parser.n_structural_indexes; i++) {
            uint32_t at = parser.structural_indexes[i];
            if (text[at] != '-' && !is_digit(text[at])) continue;
            size_t end = number_end(text, at, length_);
            if (end == 0) return WEFT_JSON_BAD_NUMBER;
            bool has_exponent = std::memchr(text + at, 'e', end - at) != nullptr
                || std::memchr(text + at, 'E', end - at) != nullptr;
            if (end - at < (has_exponent ? 3 : long_number)) continue;
            std::memset(text + at, '0', end - at);
            text[at + 1] = '.';
        }
        auto error = parser_.parse(text_, length_, false).get(root_);
        return error == simdjson::NUMBER_ERROR ? WEFT_JSON_BAD_NUMBER : status(error);
    }
};

template <typename Use>
weft_json_status read(const uint8_t *text, size_t length, uint32_t depth, Use use) {
    if (text == nullptr || length == 0) return WEFT_JSON_EMPTY;
    if (length > simdjson::SIMDJSON_MAXSIZE_BYTES) return WEFT_JSON_TOO_LARGE;
    if (length >= 3 && std::memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        return WEFT_JSON_BYTE_ORDER_MARK;
    }
    auto judge = [&](Reader &reader) {
        // simdjson counts the document itself as a level.
        auto status = reader.parse(text, length, depth + 1);
        return status == WEFT_JSON_VALID ? use(reader) : status;
    };
    if (length > kept_capacity) {
        std::unique_ptr<Reader> reader(new (std::nothrow) Reader());
        return reader ? judge(*reader) : WEFT_JSON_OUT_OF_MEMORY;
    }
    thread_local Reader reader;
    return judge(reader);
}

}  // namespace

weft_json_status weft_json_validate(const uint8_t *text, size_t length, uint32_t depth) {
    return read(text, length, depth, [](const Reader &) { return WEFT_JSON_VALID; });
}

weft_json_status weft_json_fields(
    const uint8_t *text, size_t length, uint32_t depth, weft_json_field *fields, size_t capacity,
    weft_json_outline *outline) {
    return read(text, length, depth, [&](const Reader &reader) {
        return reader.fields(fields, capacity, outline);
    });
}

size_t weft_json_find_field(
    const uint8_t *text, const weft_json_field *fields, size_t count, const uint8_t *key,
    size_t key_length) {
    for (size_t i = 0; i < count; i++) {
        if (fields[i].key_end - fields[i].key_start == key_length
            && std::memcmp(text + fields[i].key_start, key, key_length) == 0) {
            return i;
        }
    }
    return count;
}

size_t weft_find_byte(const uint8_t *base, size_t from, size_t to, uint8_t byte) {
    if (from >= to) return to;
    const void *found = std::memchr(base + from, byte, to - from);
    return found ? static_cast<const uint8_t *>(found) - base : to;
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

bool weft_is_utf8(const uint8_t *bytes, size_t length) {
    return length == 0 || simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), length);
}
