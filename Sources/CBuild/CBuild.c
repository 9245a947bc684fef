// What is told about this build; only this file is compiled again when the commit changes.
#include "CBuild.h"

#ifndef WEFT_BUILD_COMMIT
#define WEFT_BUILD_COMMIT ""
#endif
#ifndef WEFT_BUILD_SWIFT
#define WEFT_BUILD_SWIFT ""
#endif

const char *weft_build_commit(void) { return WEFT_BUILD_COMMIT; }
const char *weft_build_swift(void) { return WEFT_BUILD_SWIFT; }
