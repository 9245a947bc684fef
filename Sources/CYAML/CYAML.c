// The events of libyaml as plain values.
#include "CYAML.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct weft_yaml {
    yaml_parser_t parser;
    uint8_t *text;
    size_t length;
    /// The event that was read last, while `has_event`.
    yaml_event_t event;
    bool has_event;
    /// Whether there was an end or an error, and the event that says so.
    bool is_over;
    weft_yaml_event last;
    /// Pointers into the event or the parser, by weft_yaml_part.
    const void *parts[WEFT_YAML_PARTS];
};

weft_yaml *weft_yaml_open(const uint8_t *text, size_t length) {
    weft_yaml *yaml = calloc(1, sizeof *yaml);
    if (!yaml) return NULL;
    // One byte more, as an empty text may have no address.
    yaml->text = malloc(length + 1);
    if (!yaml->text || !yaml_parser_initialize(&yaml->parser)) {
        free(yaml->text);
        free(yaml);
        return NULL;
    }
    if (length) memcpy(yaml->text, text, length);
    yaml->length = length;
    yaml_parser_set_encoding(&yaml->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&yaml->parser, yaml->text, length);
    return yaml;
}

static void drop_event(weft_yaml *yaml) {
    if (yaml->has_event) yaml_event_delete(&yaml->event);
    yaml->has_event = false;
    memset(yaml->parts, 0, sizeof yaml->parts);
}

static void set_part(
    weft_yaml *yaml, weft_yaml_event *event, weft_yaml_part part, const void *bytes, size_t length) {
    yaml->parts[part] = bytes;
    event->lengths[part] = bytes ? length : 0;
}

static void set_text_part(
    weft_yaml *yaml, weft_yaml_event *event, weft_yaml_part part, const void *text) {
    set_part(yaml, event, part, text, text ? strlen(text) : 0);
}

static weft_yaml_event failure(weft_yaml *yaml) {
    const yaml_parser_t *parser = &yaml->parser;
    weft_yaml_event event = {.kind = WEFT_YAML_INVALID};
    if (parser->error == YAML_MEMORY_ERROR) {
        event.kind = WEFT_YAML_NO_MEMORY;
    } else if (parser->error == YAML_READER_ERROR) {
        // The reader knows the byte and not the line.
        event.line = event.column = 1;
        for (size_t at = 0; at < yaml->length && at < parser->problem_offset; at++) {
            if (yaml->text[at] == '\n') {
                event.line++;
                event.column = 1;
            } else if ((yaml->text[at] & 0xC0) != 0x80) {
                event.column++;
            }
        }
    } else {
        event.line = parser->problem_mark.line + 1;
        event.column = parser->problem_mark.column + 1;
    }
    set_text_part(yaml, &event, WEFT_YAML_TEXT, parser->problem);
    return event;
}

static weft_yaml_style style(yaml_scalar_style_t style) {
    switch (style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: return WEFT_YAML_SINGLE_QUOTED;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return WEFT_YAML_DOUBLE_QUOTED;
    case YAML_LITERAL_SCALAR_STYLE: return WEFT_YAML_LITERAL;
    case YAML_FOLDED_SCALAR_STYLE: return WEFT_YAML_FOLDED;
    default: return WEFT_YAML_PLAIN;
    }
}

static void fill_scalar(weft_yaml *yaml, weft_yaml_event *event) {
    event->kind = WEFT_YAML_SCALAR;
    event->style = style(yaml->event.data.scalar.style);
    set_part(
        yaml, event, WEFT_YAML_TEXT, yaml->event.data.scalar.value, yaml->event.data.scalar.length);
    set_text_part(yaml, event, WEFT_YAML_TAG, yaml->event.data.scalar.tag);
    set_text_part(yaml, event, WEFT_YAML_ANCHOR, yaml->event.data.scalar.anchor);
}

weft_yaml_event weft_yaml_next(weft_yaml *yaml) {
    while (!yaml->is_over) {
        drop_event(yaml);
        if (!yaml_parser_parse(&yaml->parser, &yaml->event)) {
            yaml->is_over = true;
            yaml->last = failure(yaml);
            break;
        }
        yaml->has_event = true;
        weft_yaml_event event = {
            .line = yaml->event.start_mark.line + 1,
            .column = yaml->event.start_mark.column + 1,
        };
        switch (yaml->event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            continue;
        case YAML_DOCUMENT_START_EVENT:
            event.kind = WEFT_YAML_DOCUMENT;
            return event;
        case YAML_SCALAR_EVENT:
            fill_scalar(yaml, &event);
            return event;
        case YAML_SEQUENCE_START_EVENT:
            event.kind = WEFT_YAML_SEQUENCE;
            set_text_part(
                yaml, &event, WEFT_YAML_ANCHOR, yaml->event.data.sequence_start.anchor);
            return event;
        case YAML_MAPPING_START_EVENT:
            event.kind = WEFT_YAML_MAPPING;
            set_text_part(yaml, &event, WEFT_YAML_ANCHOR, yaml->event.data.mapping_start.anchor);
            return event;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            event.kind = WEFT_YAML_CLOSE;
            return event;
        case YAML_ALIAS_EVENT:
            event.kind = WEFT_YAML_ALIAS;
            set_text_part(yaml, &event, WEFT_YAML_ANCHOR, yaml->event.data.alias.anchor);
            return event;
        case YAML_STREAM_END_EVENT:
        case YAML_NO_EVENT:
            event.kind = WEFT_YAML_END;
            yaml->is_over = true;
            yaml->last = event;
            break;
        }
    }
    return yaml->last;
}

void weft_yaml_copy(const weft_yaml *yaml, weft_yaml_part part, uint8_t *bytes) {
    const void *source = yaml->parts[part];
    if (!source) return;
    const size_t length = part == WEFT_YAML_TEXT && yaml->has_event
            && yaml->event.type == YAML_SCALAR_EVENT
        ? yaml->event.data.scalar.length
        : strlen(source);
    if (length) memcpy(bytes, source, length);
}

void weft_yaml_close(weft_yaml *yaml) {
    drop_event(yaml);
    yaml_parser_delete(&yaml->parser);
    free(yaml->text);
    free(yaml);
}

const char *weft_yaml_version(void) { return yaml_get_version_string(); }
