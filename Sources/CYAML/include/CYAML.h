// What the YAML module needs from libyaml, as plain C: the events of a text one after the other,
// with their positions, and copies of their texts. The caller never sees a pointer into libyaml.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// A text that is being read.
typedef struct weft_yaml weft_yaml;

typedef enum weft_yaml_kind {
    /// The end of the text; every later event is the same.
    WEFT_YAML_END = 0,
    /// A document begins.
    WEFT_YAML_DOCUMENT,
    /// A scalar with its text.
    WEFT_YAML_SCALAR,
    /// A sequence begins.
    WEFT_YAML_SEQUENCE,
    /// A mapping begins; its keys and values follow in turn.
    WEFT_YAML_MAPPING,
    /// A sequence or a mapping ends.
    WEFT_YAML_CLOSE,
    /// An alias; its name is the anchor.
    WEFT_YAML_ALIAS,
    /// The text is not YAML; what is wrong with it is the event's text. Every later event is the same.
    WEFT_YAML_INVALID,
    /// There was no memory. Every later event is the same.
    WEFT_YAML_NO_MEMORY
} weft_yaml_kind;

typedef enum weft_yaml_style {
    WEFT_YAML_PLAIN = 0,
    WEFT_YAML_SINGLE_QUOTED,
    WEFT_YAML_DOUBLE_QUOTED,
    WEFT_YAML_LITERAL,
    WEFT_YAML_FOLDED
} weft_yaml_style;

typedef enum weft_yaml_part {
    /// The text of a scalar, or what is wrong.
    WEFT_YAML_TEXT = 0,
    /// The tag of a scalar, with its handle resolved.
    WEFT_YAML_TAG,
    /// The name of an anchor or alias.
    WEFT_YAML_ANCHOR
} weft_yaml_part;

#define WEFT_YAML_PARTS 3

typedef struct weft_yaml_event {
    weft_yaml_kind kind;
    /// Of a scalar.
    weft_yaml_style style;
    /// Where it begins, from 1; a line of 0 if that is not known.
    size_t line, column;
    /// The bytes of each part, by `weft_yaml_part`; 0 for one that is not there.
    size_t lengths[WEFT_YAML_PARTS];
} weft_yaml_event;

/// Starts to read a text in UTF-8, of which it keeps a copy; NULL if there is no memory.
weft_yaml *weft_yaml_open(const uint8_t *text, size_t length);

/// Reads on to the next event. The parts of the one before are gone then.
weft_yaml_event weft_yaml_next(weft_yaml *yaml);

/// Copies a part of the event that was read last; `bytes` has room for all of it.
void weft_yaml_copy(const weft_yaml *yaml, weft_yaml_part part, uint8_t *bytes);

/// Frees all that belongs to the text.
void weft_yaml_close(weft_yaml *yaml);

/// The version of libyaml that is linked, such as 0.2.5.
const char *weft_yaml_version(void);
