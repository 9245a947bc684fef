// What the Journal module needs from libsqlite3, as plain C: a file, its statements, and copies of
// what they find. The caller never sees a pointer into libsqlite3. A file and its statements are
// used by one thread at a time.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// An open file.
typedef struct weft_sqlite weft_sqlite;
/// A statement of an open file.
typedef struct weft_sqlite_statement weft_sqlite_statement;

typedef enum weft_sqlite_access {
    /// For reading; the file must exist.
    WEFT_SQLITE_READ = 0,
    /// For reading and writing; the file must exist.
    WEFT_SQLITE_WRITE,
    /// For reading and writing; the file is made if there is none.
    WEFT_SQLITE_CREATE
} weft_sqlite_access;

typedef enum weft_sqlite_result {
    WEFT_SQLITE_OK = 0,
    /// There is a row.
    WEFT_SQLITE_ROW,
    /// There are no more rows.
    WEFT_SQLITE_DONE,
    /// The disk, or the user's part of it, is full.
    WEFT_SQLITE_FULL,
    /// The file is damaged, or is no file of SQLite.
    WEFT_SQLITE_DAMAGED,
    /// Another connection holds a lock.
    WEFT_SQLITE_BUSY,
    /// The file cannot be opened.
    WEFT_SQLITE_NOT_OPENED,
    /// There is no memory.
    WEFT_SQLITE_NO_MEMORY,
    /// Anything else, such as an error of the disk.
    WEFT_SQLITE_FAILED
} weft_sqlite_result;

/// The size of the pages of a file, each with a checksum.
#define WEFT_SQLITE_PAGE 4096

/// Opens a file whose pages have checksums; NULL if there is no memory. `weft_sqlite_last` tells whether it could be opened.
weft_sqlite *weft_sqlite_open(const char *path, weft_sqlite_access access);

/// Closes a file. Its statements must have been finalized.
void weft_sqlite_close(weft_sqlite *sqlite);

/// The result of the last call.
weft_sqlite_result weft_sqlite_last(const weft_sqlite *sqlite);

/// What is wrong, in words, if the last call failed; valid until the next call.
const char *weft_sqlite_message(const weft_sqlite *sqlite);

/// Runs statements without values and without interest in their rows.
weft_sqlite_result weft_sqlite_execute(weft_sqlite *sqlite, const char *text);

/// How many pages the write-ahead log had after the last commit of this connection.
size_t weft_sqlite_log_pages(const weft_sqlite *sqlite);

/// Copies the write-ahead log into the file, as far as no reader needs it.
weft_sqlite_result weft_sqlite_checkpoint(weft_sqlite *sqlite);

/// Whether a transaction is open.
bool weft_sqlite_in_transaction(const weft_sqlite *sqlite);

/// Prepares a statement; NULL if that fails.
weft_sqlite_statement *weft_sqlite_prepare(weft_sqlite *sqlite, const char *text);

/// Gives a statement back.
void weft_sqlite_finalize(weft_sqlite_statement *statement);

/// Sets the value of a parameter, from 1. What fails here fails the next step.
void weft_sqlite_bind_integer(weft_sqlite_statement *statement, int index, int64_t value);
void weft_sqlite_bind_null(weft_sqlite_statement *statement, int index);
/// The bytes are copied, and those of a text, which may contain any.
void weft_sqlite_bind_text(
    weft_sqlite_statement *statement, int index, const char *text, size_t length);
void weft_sqlite_bind_bytes(
    weft_sqlite_statement *statement, int index, const uint8_t *bytes, size_t length);

/// Goes to the next row: ROW, DONE, or what is wrong.
weft_sqlite_result weft_sqlite_step(weft_sqlite_statement *statement);

/// Ends the rows, so that the statement can be used again; its values stay.
void weft_sqlite_reset(weft_sqlite_statement *statement);

/// A column of the row, from 0.
bool weft_sqlite_is_null(weft_sqlite_statement *statement, int column);
int64_t weft_sqlite_integer(weft_sqlite_statement *statement, int column);
/// The bytes of a text or of bytes.
size_t weft_sqlite_length(weft_sqlite_statement *statement, int column);
/// Copies them; `bytes` has room for all of them.
void weft_sqlite_copy(weft_sqlite_statement *statement, int column, uint8_t *bytes);

/// A checksum: any change within eight bytes in a row changes it for certain, other changes but for
/// one in 2^64.
uint64_t weft_checksum(uint64_t seed, const uint8_t *bytes, size_t length);

/// What a file's write-ahead log is worth; the file must not be open.
typedef enum weft_sqlite_log {
    /// There is none, or it is whole up to a last transaction that was not completed.
    WEFT_SQLITE_LOG_WHOLE = 0,
    /// More than a last transaction that was not completed would be lost.
    WEFT_SQLITE_LOG_DAMAGED,
    /// It cannot be read; `errno` says why.
    WEFT_SQLITE_LOG_UNREADABLE
} weft_sqlite_log;

/// Checks a write-ahead log, of which SQLite itself would use what is whole at its beginning and drop
/// the rest without a word.
weft_sqlite_log weft_sqlite_check_log(const char *path);

/// What tests let fail.
typedef enum weft_sqlite_fault {
    /// Waiting for the disk fails as with a broken disk.
    WEFT_SQLITE_FAULT_SYNC = 0,
    /// Writing fails as on a full disk.
    WEFT_SQLITE_FAULT_FULL
} weft_sqlite_fault;

/// For tests: lets so many calls fail, after so many that do not, with files whose path begins like
/// this; there is one such fault at a time.
void weft_sqlite_inject(const char *path, weft_sqlite_fault fault, int after, int count);

/// The version of libsqlite3 that is linked, such as 3.40.1.
const char *weft_sqlite_version(void);
