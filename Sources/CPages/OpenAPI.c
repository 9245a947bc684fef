// The description of the interface over HTTP, joined when it is compiled.
#include "CPages.h"

#include <string.h>

// Files become bytes by #embed, which is of C23.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t description[] = {
#embed "openapi.json"
};

size_t weft_openapi_length(void) { return sizeof description; }

void weft_openapi_copy(uint8_t *into) { memcpy(into, description, sizeof description); }
