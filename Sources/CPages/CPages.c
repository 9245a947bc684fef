// The files of the page, joined when they are compiled. Each is about one subject; those of the script
// are one module of JavaScript together, in this order. What is served has neither their comments nor
// their indentation, and few of the spaces and line ends that mean nothing: together a fifth of them.
// For memmem.
#define _GNU_SOURCE
#include "CPages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Files become bytes by #embed, which is of C23.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t head[] = {
#embed "page/head.html"
};

static const uint8_t style[] = {
#embed "page/style.css"
};

static const uint8_t body[] = {
#embed "page/body.html"
};

static const uint8_t open[] = "<script type=\"module\">";

static const uint8_t script[] = {
#embed "page/base.js"
    ,
#embed "page/net.js"
    ,
#embed "page/lanes.js"
    ,
#embed "page/model.js"
    ,
#embed "page/store.js"
    ,
#embed "page/colours.js"
    ,
#embed "page/chart.js"
    ,
#embed "page/timeline.js"
    ,
#embed "page/layout.js"
    ,
#embed "page/graph.js"
    ,
#embed "page/value.js"
    ,
#embed "page/shell.js"
    ,
#embed "page/runs.js"
    ,
#embed "page/run.js"
    ,
#embed "page/node.js"
    ,
#embed "page/fleet.js"
    ,
#embed "page/main.js"
};

static const uint8_t report[] = {
#embed "page/report.js"
};

static const uint8_t end[] = "</script>\n</body>\n</html>\n";

static const struct {
    const uint8_t *bytes;
    size_t length;
} files[WEFT_PAGE_PARTS + 1] = {
    [WEFT_PAGE_HEAD] = {head, sizeof head},
    [WEFT_PAGE_STYLE] = {style, sizeof style},
    [WEFT_PAGE_BODY] = {body, sizeof body},
    // Literals end with a zero that is not part of the page.
    [WEFT_PAGE_OPEN] = {open, sizeof open - 1},
    [WEFT_PAGE_SCRIPT] = {script, sizeof script},
    [WEFT_PAGE_END] = {end, sizeof end - 1},
    [WEFT_PAGE_REPORT] = {report, sizeof report},
};

static struct {
    uint8_t *bytes;
    size_t length;
} parts[WEFT_PAGE_PARTS + 1];

static pthread_once_t are_parts_made = PTHREAD_ONCE_INIT;

static int begins(const uint8_t *line, size_t length, const char *with) {
    size_t size = strlen(with);
    return length >= size && memcmp(line, with, size) == 0;
}

/// Copies a file without indentation, empty lines, and comments that have lines of their own; returns
/// the length. A text of the script must therefore not go over several lines.
static size_t copy_without_comments(const uint8_t *bytes, size_t length, uint8_t *into) {
    size_t written = 0;
    int is_comment = 0;
    for (size_t start = 0; start < length;) {
        const uint8_t *line = bytes + start;
        const uint8_t *feed = memchr(line, '\n', length - start);
        size_t size = feed == NULL ? length - start : (size_t)(feed - line) + 1;
        start += size;
        while (size > 0 && *line == ' ') line += 1, size -= 1;
        int has_comment = is_comment || begins(line, size, "/*");
        if (has_comment) is_comment = memmem(line, size, "*/", 2) == NULL;
        if (has_comment || begins(line, size, "//") || (size == 1 && *line == '\n')) continue;
        memcpy(into + written, line, size);
        written += size;
    }
    return written;
}

/// Leaves out the spaces of a style that mean nothing, and line ends; returns the length. Before a
/// colon a space means something, and so does one in a text.
static size_t squeeze(uint8_t *bytes, size_t length) {
    size_t written = 0;
    int is_text = 0;
    for (size_t at = 0; at < length; at += 1) {
        uint8_t byte = bytes[at];
        is_text ^= byte == '"';
        int follows = written > 0 && strchr("{};:,", bytes[written - 1]) != NULL;
        int precedes = at + 1 < length && strchr("{}", bytes[at + 1]) != NULL;
        if (!is_text && (byte == '\n' || (byte == ' ' && (follows || precedes)))) continue;
        bytes[written++] = byte;
    }
    return written;
}

static int is_one_of(uint8_t byte, const char *set) {
    return byte != 0 && strchr(set, byte) != NULL;
}

/// Whether a space of the script between two others means nothing. Two signs of which an operator is
/// made stay apart: a + +b.
static int is_idle(uint8_t before, uint8_t after) {
    const char *signs = "{}()[];,:?=<>&|!*%\"";
    if (is_one_of(before, signs) || is_one_of(after, signs)) return 1;
    return is_one_of(before, "+-") != is_one_of(after, "+-");
}

/// Copies a line of the script without spaces that mean nothing; returns the length. From the first
/// backtick to the last one it stays as it is, and all of it does if a slash may begin a pattern.
static size_t squeeze_line(const uint8_t *line, size_t size, uint8_t *into) {
    const uint8_t *first = memchr(line, '`', size);
    const uint8_t *last = first == NULL ? NULL : memrchr(line, '`', size);
    size_t written = 0;
    uint8_t quote = 0;
    for (size_t at = 0; at < size; at += 1) {
        uint8_t byte = line[at];
        int is_template = first != NULL && line + at >= first && line + at <= last;
        if (is_template) quote = 0;
        if (!is_template && quote == 0 && byte == '/') {
            memmove(into, line, size);
            return size;
        }
        int is_code = !is_template && quote == 0;
        if (quote != 0 && byte == '\\' && at + 1 < size) {
            into[written++] = byte;
            byte = line[at += 1];
        } else if (!is_template && (byte == '"' || byte == '\'')) {
            quote = quote == 0 ? byte : quote == byte ? 0 : quote;
        }
        int has_both = written > 0 && at + 1 < size;
        if (is_code && byte == ' ' && has_both && is_idle(into[written - 1], line[at + 1])) continue;
        into[written++] = byte;
    }
    return written;
}

/// Leaves out the spaces and line ends of a script that mean nothing; returns the length. A line goes
/// on where its statement cannot have ended, and behind a semicolon.
static size_t squeeze_script(uint8_t *bytes, size_t length) {
    size_t written = 0;
    uint8_t *line = malloc(length);
    if (line == NULL) abort();
    for (size_t start = 0; start < length;) {
        const uint8_t *feed = memchr(bytes + start, '\n', length - start);
        size_t size = feed == NULL ? length - start : (size_t)(feed - bytes) - start;
        memcpy(line, bytes + start, size);
        start += size + 1;
        int has_comment = memmem(line, size, "//", 2) != NULL;
        written += squeeze_line(line, size, bytes + written);
        uint8_t before = written > 0 ? bytes[written - 1] : 0;
        uint8_t after = start < length ? bytes[start] : 0;
        int goes_on = is_one_of(before, "{([,;?:&|=") || is_one_of(after, "})].,;?:&|")
            || (before == '>' && written > 1 && bytes[written - 2] == '=');
        if (feed != NULL && (has_comment || after == 0 || !goes_on)) bytes[written++] = '\n';
    }
    free(line);
    return written;
}

static void make_parts(void) {
    for (int part = 0; part <= WEFT_PAGE_REPORT; part += 1) {
        uint8_t *bytes = malloc(files[part].length);
        if (bytes == NULL) abort();
        parts[part].bytes = bytes;
        parts[part].length = copy_without_comments(files[part].bytes, files[part].length, bytes);
        int is_script = part == WEFT_PAGE_SCRIPT || part == WEFT_PAGE_REPORT;
        if (part == WEFT_PAGE_STYLE) parts[part].length = squeeze(bytes, parts[part].length);
        if (is_script) parts[part].length = squeeze_script(bytes, parts[part].length);
    }
}

size_t weft_page_length(int part) {
    pthread_once(&are_parts_made, make_parts);
    return part < 0 || part > WEFT_PAGE_REPORT ? 0 : parts[part].length;
}

void weft_page_copy(int part, uint8_t *into) {
    if (weft_page_length(part) > 0) memcpy(into, parts[part].bytes, parts[part].length);
}
