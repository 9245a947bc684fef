// The shim over simdjson. simdjson's first stage does what takes time: it judges UTF-8, finds the
// strings, and leaves the position of each bracket, colon, comma and first byte of a value. The
// walk over these positions, which judges the grammar and finds fields, is here: simdjson's own
// second stage builds a document, for which it copies every string and decodes every number, and
// nobody needs that document. Each thread keeps one parser for texts of ordinary size; a larger
// text gets a parser of its own, so that no thread holds on to the memory of the largest text it
// ever saw.
#include "CSimdJSON.h"

#include <simdjson.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

// Texts longer than this are parsed with memory that is given back at once.
constexpr size_t kept_capacity = size_t(1) << 20;
constexpr size_t first_capacity = size_t(16) << 10;
// Levels of arrays and objects that can be told apart.
constexpr uint32_t most_levels = 1024;

inline bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

inline bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

inline bool is_hex(uint8_t byte) {
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

// The position behind the number at `at` if it keeps to the grammar, whatever its size, else 0.
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
    return i;
}

// The four hex digits from `at` on, or -1.
int32_t code_unit(const uint8_t *text, size_t at, size_t end) {
    if (end - at < 4) return -1;
    int32_t value = 0;
    for (size_t i = at; i < at + 4; i++) {
        if (!is_hex(text[i])) return -1;
        value = value << 4 | ((text[i] & 0xF) + (text[i] > '9' ? 9 : 0));
    }
    return value;
}

// Appends a code point as UTF-8.
void append(std::string &output, uint32_t code) {
    auto put = [&](uint32_t byte) { output.push_back(char(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// Judges the escapes in the inside of a string, and writes what it stands for if that is wanted.
// Halves of surrogate pairs are valid only together.
bool escapes_are_valid(
    const uint8_t *text, size_t from, size_t end, std::string *decoded = nullptr) {
    size_t i = from;
    auto copy = [&](size_t to) {
        if (decoded) decoded->append(reinterpret_cast<const char *>(text) + i, to - i);
    };
    while (true) {
        const void *found = std::memchr(text + i, '\\', end - i);
        if (!found) {
            copy(end);
            return true;
        }
        size_t at = static_cast<const uint8_t *>(found) - text;
        copy(at);
        if (at + 1 >= end) return false;
        static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        if (text[at + 1] != 'u') {
            const char *letter = text[at + 1] ? std::strchr(letters, text[at + 1]) : nullptr;
            if (!letter) return false;
            if (decoded) decoded->push_back(meanings[letter - letters]);
            i = at + 2;
            continue;
        }
        int32_t code = code_unit(text, at + 2, end);
        if (code < 0 || (code >= 0xDC00 && code < 0xE000)) return false;
        i = at + 6;
        if (code >= 0xD800 && code < 0xDC00) {
            if (end - i < 6 || text[i] != '\\' || text[i + 1] != 'u') return false;
            int32_t low = code_unit(text, i + 2, end);
            if (low < 0xDC00 || low >= 0xE000) return false;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            i += 6;
        }
        if (decoded) append(*decoded, uint32_t(code));
    }
}

// A parser, and the padded copy it reads from where a text cannot be read in its place: simdjson
// reads a little past the end of its input.
class Reader {
  public:
    // Judges a text, and finds its fields if there is room for them: then it has to be an object.
    weft_json_status read(
        const uint8_t *text, size_t length, uint32_t depth, weft_json_field *fields,
        size_t capacity, weft_json_outline *outline) {
        if (!reserve(length)) return WEFT_JSON_OUT_OF_MEMORY;
        if (!is_readable_behind(text + length)) {
            if (!copy(text, length)) return WEFT_JSON_OUT_OF_MEMORY;
            text = copy_.get();
        }
        auto error = stage1_->stage1(text, length, simdjson::stage1_mode::regular);
        if (error != simdjson::SUCCESS) return status(error);
        text_ = text;
        length_ = length;
        index_ = stage1_->structural_indexes.get();
        end_ = index_ + stage1_->n_structural_indexes;
        depth_ = std::min(depth, most_levels);
        fields_ = fields;
        capacity_ = capacity;
        found_ = 0;
        problem_ = WEFT_JSON_VALID;
        has_escaped_key_ = false;
        has_newline_ = false;
        if (index_ == end_) return WEFT_JSON_EMPTY;
        auto status = document();
        if (status == WEFT_JSON_VALID) status = problem_;
        outline->count = uint32_t(found_);
        outline->has_escaped_key = has_escaped_key_;
        outline->has_newline = has_newline_;
        if (status == WEFT_JSON_VALID && has_escaped_key_) return compare_decoded_keys();
        return status;
    }

  private:
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1_;
    std::unique_ptr<uint8_t[]> copy_;
    size_t copy_capacity_ = 0;
    // The text that is read, the positions in it that are still to come, and their end.
    const uint8_t *text_ = nullptr;
    size_t length_ = 0;
    const uint32_t *index_ = nullptr, *end_ = nullptr;
    uint32_t depth_ = 0;
    weft_json_field *fields_ = nullptr;
    size_t capacity_ = 0, found_ = 0;
    // Whether fields are still noted, and why no more are.
    bool is_recording_ = false;
    weft_json_status problem_ = WEFT_JSON_VALID;
    bool has_escaped_key_ = false, has_newline_ = false;
    // Where the value ends that was passed last.
    uint32_t value_end_ = 0;

    bool reserve(size_t length) {
        if (stage1_ && stage1_->capacity() >= length) return true;
        size_t capacity = length > kept_capacity
            ? length
            : std::min(std::max(first_capacity, length * 2), kept_capacity);
        if (!stage1_) {
            return simdjson::get_active_implementation()->create_dom_parser_implementation(
                capacity, 1, stage1_) == simdjson::SUCCESS;
        }
        return stage1_->set_capacity(capacity) == simdjson::SUCCESS;
    }

    bool copy(const uint8_t *text, size_t length) {
        if (copy_capacity_ < length || !copy_) {
            size_t capacity = stage1_->capacity();
            copy_.reset(new (std::nothrow) uint8_t[capacity + simdjson::SIMDJSON_PADDING]);
            copy_capacity_ = copy_ ? capacity : 0;
            if (!copy_) return false;
        }
        std::memcpy(copy_.get(), text, length);
        std::memset(copy_.get() + length, ' ', simdjson::SIMDJSON_PADDING);
        return true;
    }

    // Whether what simdjson reads behind the text lies in the page of its last byte, which is there
    // whatever it holds. This is how simdjson's manual does without padding.
    static bool is_readable_behind(const uint8_t *end) {
        constexpr uintptr_t page = 4096;
        return (uintptr_t(end - 1) & (page - 1)) + simdjson::SIMDJSON_PADDING < page;
    }

    // The byte at the next position; 0, which begins nothing, behind the last one.
    uint8_t byte() const { return index_ < end_ ? text_[*index_] : 0; }

    // Whether only whitespace lies in between; notes newlines.
    bool skip_space(size_t from, size_t to) {
        for (; from < to; from++) {
            if (!is_space(text_[from])) return false;
            has_newline_ |= text_[from] == '\n' || text_[from] == '\r';
        }
        return true;
    }

    // Where the position behind the next one is, or the end of the text.
    size_t limit() const { return index_ + 1 < end_ ? index_[1] : length_; }

    // Passes a bracket, colon or comma; the first stage leaves only whitespace behind it.
    void pass() {
        skip_space(*index_ + 1, limit());
        index_++;
    }

    weft_json_status document() {
        skip_space(0, *index_);
        // Something that is cut off is told as that, whatever else is wrong with it.
        uint8_t first = byte(), last = text_[end_[-1]];
        if ((first == '{' && last != '}') || (first == '[' && last != ']')) {
            return WEFT_JSON_STRUCTURE;
        }
        is_recording_ = fields_ && first == '{';
        auto status = walk();
        if (status != WEFT_JSON_VALID) return status;
        if (index_ != end_) return WEFT_JSON_STRUCTURE;
        return fields_ && first != '{' ? WEFT_JSON_NOT_AN_OBJECT : WEFT_JSON_VALID;
    }

    // Passes one value with everything in it. One bit a level tells which brackets are open.
    weft_json_status walk() {
        std::bitset<most_levels> objects;
        uint32_t open = 0;
        while (true) {
            // A value begins here.
            uint8_t first = byte();
            if (first != '{' && first != '[') {
                auto status = scalar(first);
                if (status != WEFT_JSON_VALID) return status;
            } else {
                pass();
                if (byte() != first + 2) {
                    if (open == depth_) return WEFT_JSON_TOO_DEEP;
                    objects[open++] = first == '{';
                    if (first == '[') continue;
                    auto status = key(open == 1);
                    if (status != WEFT_JSON_VALID) return status;
                    continue;
                }
                value_end_ = *index_ + 1;
                pass();
            }
            // It has ended, and so may have what it is in.
            while (true) {
                if (open == 0) return WEFT_JSON_VALID;
                if (open == 1 && is_recording_) fields_[found_ - 1].value_end = value_end_;
                bool is_object = objects[open - 1];
                uint8_t after = byte();
                if (after == ',') {
                    pass();
                    if (!is_object) break;
                    auto status = key(open == 1);
                    if (status != WEFT_JSON_VALID) return status;
                    break;
                }
                if (after != (is_object ? '}' : ']')) return WEFT_JSON_STRUCTURE;
                value_end_ = *index_ + 1;
                pass();
                open--;
            }
        }
    }

    // Passes a string, a number or a word.
    weft_json_status scalar(uint8_t first) {
        if (index_ == end_) return WEFT_JSON_STRUCTURE;
        size_t at = *index_, limit = this->limit(), end = 0;
        auto word = [&](const char *letters, size_t count) {
            bool is_there = limit - at >= count && std::memcmp(text_ + at, letters, count) == 0;
            return is_there ? at + count : 0;
        };
        auto problem = WEFT_JSON_BAD_LITERAL;
        switch (first) {
        case '"':
            // The first stage has seen it closed, and nothing else stands before the next position.
            end = limit;
            while (is_space(text_[end - 1])) end--;
            if (end - at < 2) return WEFT_JSON_STRUCTURE;
            if (!escapes_are_valid(text_, at + 1, end - 1)) return WEFT_JSON_BAD_ESCAPE;
            break;
        case 't': end = word("true", 4); break;
        case 'f': end = word("false", 5); break;
        case 'n': end = word("null", 4); break;
        default:
            if (first != '-' && !is_digit(first)) return WEFT_JSON_STRUCTURE;
            problem = WEFT_JSON_BAD_NUMBER;
            end = number_end(text_, at, limit);
        }
        if (end == 0 || !skip_space(end, limit)) return problem;
        value_end_ = uint32_t(end);
        index_++;
        return WEFT_JSON_VALID;
    }

    // Passes a key with its colon.
    weft_json_status key(bool is_top) {
        if (byte() != '"') return WEFT_JSON_STRUCTURE;
        uint32_t start = *index_ + 1;
        auto status = scalar('"');
        if (status != WEFT_JSON_VALID) return status;
        if (byte() != ':') return WEFT_JSON_STRUCTURE;
        uint32_t end = value_end_ - 1;
        pass();
        if (is_top && is_recording_) record(start, end);
        return WEFT_JSON_VALID;
    }

    // Notes a field whose value is next; what is wrong with it is told once the text is valid.
    void record(uint32_t key_start, uint32_t key_end) {
        const uint8_t *key = text_ + key_start;
        size_t length = key_end - key_start;
        if (found_ == capacity_) {
            problem_ = WEFT_JSON_TOO_MANY_FIELDS;
        } else if (weft_json_find_field(text_, fields_, found_, key, length) < found_) {
            problem_ = WEFT_JSON_DUPLICATE_KEY;
        }
        is_recording_ = problem_ == WEFT_JSON_VALID;
        if (!is_recording_ || index_ == end_) return;
        has_escaped_key_ |= std::memchr(key, '\\', length) != nullptr;
        fields_[found_++] = {key_start, key_end, *index_, 0};
    }

    // Two keys may be written differently and yet be the same.
    weft_json_status compare_decoded_keys() const {
        std::vector<std::string> keys(found_);
        for (size_t i = 0; i < found_; i++) {
            escapes_are_valid(text_, fields_[i].key_start, fields_[i].key_end, &keys[i]);
        }
        std::sort(keys.begin(), keys.end());
        bool has_twins = std::adjacent_find(keys.begin(), keys.end()) != keys.end();
        return has_twins ? WEFT_JSON_DUPLICATE_KEY : WEFT_JSON_VALID;
    }

    static weft_json_status status(simdjson::error_code error) {
        switch (error) {
        case simdjson::EMPTY: return WEFT_JSON_EMPTY;
        case simdjson::UTF8_ERROR: return WEFT_JSON_NOT_UTF8;
        case simdjson::UNCLOSED_STRING: return WEFT_JSON_UNCLOSED_STRING;
        case simdjson::UNESCAPED_CHARS: return WEFT_JSON_CONTROL_CHARACTER;
        case simdjson::CAPACITY: return WEFT_JSON_TOO_LARGE;
        case simdjson::MEMALLOC: return WEFT_JSON_OUT_OF_MEMORY;
        default: return WEFT_JSON_STRUCTURE;
        }
    }
};

weft_json_status read(
    const uint8_t *text, size_t length, uint32_t depth, weft_json_field *fields, size_t capacity,
    weft_json_outline *outline) {
    if (text == nullptr || length == 0) return WEFT_JSON_EMPTY;
    if (length > simdjson::SIMDJSON_MAXSIZE_BYTES) return WEFT_JSON_TOO_LARGE;
    if (length >= 3 && std::memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        return WEFT_JSON_BYTE_ORDER_MARK;
    }
    if (length > kept_capacity) {
        std::unique_ptr<Reader> reader(new (std::nothrow) Reader());
        return reader ? reader->read(text, length, depth, fields, capacity, outline)
                      : WEFT_JSON_OUT_OF_MEMORY;
    }
    thread_local Reader reader;
    return reader.read(text, length, depth, fields, capacity, outline);
}

}  // namespace

weft_json_status weft_json_validate(
    const uint8_t *text, size_t length, uint32_t depth, bool *has_newline) {
    weft_json_outline outline = {};
    auto status = read(text, length, depth, nullptr, 0, &outline);
    *has_newline = outline.has_newline;
    return status;
}

weft_json_status weft_json_fields(
    const uint8_t *text, size_t length, uint32_t depth, weft_json_field *fields, size_t capacity,
    weft_json_outline *outline) {
    return read(text, length, depth, fields, capacity, outline);
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

bool weft_is_utf8(const uint8_t *bytes, size_t length) {
    return length == 0 || simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), length);
}
