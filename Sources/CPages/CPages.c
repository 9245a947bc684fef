// The files of the page, joined when they are compiled. Each is about one subject; those of the script
// are one module of JavaScript together, in this order.
#include "CPages.h"

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

static const uint8_t end[] = "</script>\n</body>\n</html>\n";

static const struct {
    const uint8_t *bytes;
    size_t length;
} parts[WEFT_PAGE_PARTS] = {
    [WEFT_PAGE_HEAD] = {head, sizeof head},
    [WEFT_PAGE_STYLE] = {style, sizeof style},
    [WEFT_PAGE_BODY] = {body, sizeof body},
    // Literals end with a zero that is not part of the page.
    [WEFT_PAGE_OPEN] = {open, sizeof open - 1},
    [WEFT_PAGE_SCRIPT] = {script, sizeof script},
    [WEFT_PAGE_END] = {end, sizeof end - 1},
};

const uint8_t *weft_page_part(int part, size_t *length) {
    *length = weft_page_length(part);
    return *length == 0 ? NULL : parts[part].bytes;
}

size_t weft_page_length(int part) {
    return part < 0 || part >= WEFT_PAGE_PARTS ? 0 : parts[part].length;
}

void weft_page_copy(int part, uint8_t *into) {
    if (weft_page_length(part) > 0) memcpy(into, parts[part].bytes, parts[part].length);
}
