// What the Journal module needs from libpq, as plain C: a connection, statements in pipelines, and
// copies of what they find. The caller never sees a pointer into libpq, which is loaded when it is
// needed first. A connection and its rows are used by one thread at a time.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A connection to a database.
typedef struct weft_pg weft_pg;
/// The rows that a statement has found.
typedef struct weft_pg_rows weft_pg_rows;

/// The version of libpq, such as 150018; 0 if this host does not have one that is new enough.
int weft_pg_version(void);

/// Writes what messages may say of a URL, `postgresql://user@host:port/database`, without its password
/// and options; false if libpq cannot read it.
bool weft_pg_name(const char *url, char *name, size_t capacity);

/// What a call has found.
typedef enum weft_pg_outcome {
    /// There is nothing yet; watch the socket as `weft_pg_wants_*` say.
    WEFT_PG_WAIT = 0,
    /// The connection is there; the statement has succeeded, `weft_pg_take_rows` has what it found; or
    /// all statements up to a `weft_pg_sync` have.
    WEFT_PG_DONE,
    WEFT_PG_SYNCED,
    /// A statement failed: `weft_pg_message` and `weft_pg_state` say why.
    WEFT_PG_FAILED,
    /// It was left out because one before it in the same transaction failed.
    WEFT_PG_SKIPPED,
    /// The connection is lost, or could not be made: `weft_pg_message` says why.
    WEFT_PG_LOST
} weft_pg_outcome;

/// Begins to connect; NULL if there is no memory. What the URL says precedes these times for keepalives, in
/// seconds.
weft_pg *weft_pg_begin(const char *url, int keepalive);

/// Connects and waits for it.
weft_pg *weft_pg_open(const char *url, int keepalive);

/// Goes on with connecting: WAIT, DONE or LOST. Its socket may be another one after that.
weft_pg_outcome weft_pg_go_on(weft_pg *pg);

/// Closes a connection and gives its memory back.
void weft_pg_close(weft_pg *pg);

/// The descriptor to watch, or -1, and for what.
int weft_pg_socket(const weft_pg *pg);
bool weft_pg_wants_read(const weft_pg *pg);
bool weft_pg_wants_write(const weft_pg *pg);

/// What went wrong last, in the words of the database or of libpq; valid until the next call.
const char *weft_pg_message(const weft_pg *pg);
/// Its five characters of SQLSTATE, or nothing.
const char *weft_pg_state(const weft_pg *pg);

// Values of the next statement, in the order of its parameters; the bytes are copied.
void weft_pg_add_null(weft_pg *pg);
void weft_pg_add_integer(weft_pg *pg, int64_t value);
void weft_pg_add_bytes(weft_pg *pg, const uint8_t *bytes, size_t length);

// On a connection that was begun: all between two calls of `sync` is one transaction.

/// Prepares a statement under a name; it is answered like one that is run. False: see `weft_pg_message`.
bool weft_pg_prepare(weft_pg *pg, const char *name, const char *text);
/// Runs a prepared statement with the values that were added.
bool weft_pg_run(weft_pg *pg, const char *name);
/// Ends a transaction.
bool weft_pg_sync(weft_pg *pg);
/// Sends what waits, as far as the socket takes it; false if the connection is lost.
bool weft_pg_flush(weft_pg *pg);
/// Reads what has arrived; false at its end.
bool weft_pg_read(weft_pg *pg);
/// The outcome of the next statement or sync that was sent.
weft_pg_outcome weft_pg_next(weft_pg *pg);

// On a connection that was opened.

/// Prepares a statement, and waits for it: DONE, FAILED or LOST.
weft_pg_outcome weft_pg_prepare_now(weft_pg *pg, const char *name, const char *text);
/// Runs a prepared statement with the values that were added, and waits for it: DONE, FAILED or LOST.
weft_pg_outcome weft_pg_run_now(weft_pg *pg, const char *name);

// Rows; both count from 0.

/// The rows of the statement that is DONE; the caller gives them back.
weft_pg_rows *weft_pg_take_rows(weft_pg *pg);
void weft_pg_rows_free(weft_pg_rows *rows);
int weft_pg_rows_count(const weft_pg_rows *rows);
bool weft_pg_is_null(const weft_pg_rows *rows, int row, int column);
/// An integer of two, four or eight bytes, or a truth value.
int64_t weft_pg_integer(const weft_pg_rows *rows, int row, int column);
/// The bytes of a text or of bytes.
size_t weft_pg_length(const weft_pg_rows *rows, int row, int column);
/// Copies them; `bytes` has room for all of them.
void weft_pg_copy(const weft_pg_rows *rows, int row, int column, uint8_t *bytes);
