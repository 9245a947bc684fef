// The page that shows a coordinator in a browser, as bytes. It is one document made of the parts in the
// order of their numbers; only the style and the script are named by hash in the security policy.
// Not here: who serves it, and the data that it shows.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// The parts, in their order in the document.
enum {
    /// Everything up to the text of the style.
    WEFT_PAGE_HEAD,
    /// The text of the only `<style>`.
    WEFT_PAGE_STYLE,
    /// From the end of the style to the end of what is seen; data of a report follows here.
    WEFT_PAGE_BODY,
    /// The beginning of the script's element.
    WEFT_PAGE_OPEN,
    /// The text of the only `<script>` that runs.
    WEFT_PAGE_SCRIPT,
    /// The rest.
    WEFT_PAGE_END,
    /// How many parts the page has.
    WEFT_PAGE_PARTS,
    /// What a report has in addition: it follows the script, in the same element.
    WEFT_PAGE_REPORT = WEFT_PAGE_PARTS,
};

/// The length of a part.
size_t weft_page_length(int part);

/// Copies a part to where there is room for its length.
void weft_page_copy(int part, uint8_t *into);

/// The length of the description of the interface over HTTP, in the form of OpenAPI 3.1.
size_t weft_openapi_length(void);

/// Copies that description to where there is room for its length.
void weft_openapi_copy(uint8_t *into);
