// What is told about this build when it is made. Not here: who tells it (Package.swift).
#pragma once

/// The commit that was built, with a plus sign if files differed from it; empty if nobody told it.
const char *weft_build_commit(void);

/// The version of Swift, such as 6.3.1; empty if nobody told it.
const char *weft_build_swift(void);
