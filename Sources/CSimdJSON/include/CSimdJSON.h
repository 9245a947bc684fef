// What the JSON module needs from simdjson, as plain C: validation of whole texts, the byte ranges
// of one object's top-level fields, and the few byte searches that deserve a fast loop.
// No function here keeps a pointer or reads outside the range it is given.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Why a text was refused. `WEFT_JSON_VALID` is zero.
typedef enum weft_json_status {
    WEFT_JSON_VALID = 0,
    WEFT_JSON_EMPTY,
    WEFT_JSON_BYTE_ORDER_MARK,
    WEFT_JSON_NOT_UTF8,
    WEFT_JSON_STRUCTURE,
    WEFT_JSON_UNCLOSED_STRING,
    WEFT_JSON_CONTROL_CHARACTER,
    WEFT_JSON_BAD_ESCAPE,
    WEFT_JSON_BAD_LITERAL,
    WEFT_JSON_BAD_NUMBER,
    WEFT_JSON_TOO_DEEP,
    WEFT_JSON_NOT_AN_OBJECT,
    WEFT_JSON_DUPLICATE_KEY,
    WEFT_JSON_TOO_MANY_FIELDS,
    WEFT_JSON_TOO_LARGE,
    WEFT_JSON_OUT_OF_MEMORY
} weft_json_status;

/// One top-level field; all positions count from the start of the text.
/// The key's range is without its quotes; the value's is without surrounding whitespace.
typedef struct weft_json_field {
    uint32_t key_start, key_end, value_start, value_end;
} weft_json_field;

/// What was found in one object besides its fields.
typedef struct weft_json_outline {
    /// Number of fields.
    uint32_t count;
    /// Whether some key is written with an escape.
    bool has_escaped_key;
    /// Whether a raw line feed or carriage return lies between tokens.
    bool has_newline;
} weft_json_outline;

/// Validates one JSON text: UTF-8, grammar, escapes, numbers of any size, and nesting of at most `depth`
/// arrays and objects, where empty ones are leaves and do not count. Tells whether a raw line feed or
/// carriage return lies between tokens.
weft_json_status weft_json_validate(
    const uint8_t *text, size_t length, uint32_t depth, bool *has_newline);

/// Validates one JSON object as above and finds its top-level fields, in order.
/// Writes at most `capacity` of them; more fields, or two whose keys are equal after decoding,
/// refuse the text. Of a refused text, fields and outline are undefined.
weft_json_status weft_json_fields(
    const uint8_t *text, size_t length, uint32_t depth, weft_json_field *fields, size_t capacity,
    weft_json_outline *outline);

/// Position of the first field whose key is written as `key`, or `count`. Keys are compared as
/// they are written: a key with an escape in it never matches.
size_t weft_json_find_field(
    const uint8_t *text, const weft_json_field *fields, size_t count, const uint8_t *key,
    size_t key_length);

/// First position in [from, to) of `byte`, or `to`.
size_t weft_find_byte(const uint8_t *base, size_t from, size_t to, uint8_t byte);

/// Counts the line feeds of a text, and the characters of UTF-8 behind the last of them.
void weft_text_lines(const uint8_t *text, size_t length, size_t *lines, size_t *characters);

/// First position in [from, to) of a byte that a JSON string cannot hold as it is (a quote, a
/// backslash, a control character), or `to`.
size_t weft_json_plain_end(const uint8_t *base, size_t from, size_t to);

/// One past the end of the value that starts at `from`. The text must be valid JSON to mean
/// anything; whatever it is, the answer is at most `to`.
size_t weft_json_value_end(const uint8_t *base, size_t from, size_t to);

/// Whether the bytes are valid UTF-8.
bool weft_is_utf8(const uint8_t *bytes, size_t length);

/// The version of simdjson that this was compiled with, such as 3.0.1.
const char *weft_simdjson_version(void);

#ifdef __cplusplus
}
#endif
