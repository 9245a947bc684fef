// The part of SQLite that reads and writes files, with a checksum in every page; see pages.c.
#pragma once
#include "CSQLite.h"

/// The size of a page; files with another one are damaged.
#define WEFT_PAGE_SIZE WEFT_SQLITE_PAGE
/// The bytes at the end of each page that SQLite leaves to the checksum.
#define WEFT_PAGE_RESERVED 8

/// The name by which SQLite knows it; NULL if it could not be set up.
const char *weft_pages_name(void);
