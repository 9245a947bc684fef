// Files and statements of libsqlite3 with plain results and copies.
#include "CSQLite.h"

#include "pages.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weft_sqlite {
    sqlite3 *raw;
    weft_sqlite_result last;
    int log_pages;
    char message[512];
};

struct weft_sqlite_statement {
    weft_sqlite *sqlite;
    sqlite3_stmt *raw;
    /// The first failure of a bind since the last step.
    int bind_result;
};

static weft_sqlite_result result_of(sqlite3 *raw, int code) {
    switch (code & 0xff) {
    case SQLITE_OK: return WEFT_SQLITE_OK;
    case SQLITE_ROW: return WEFT_SQLITE_ROW;
    case SQLITE_DONE: return WEFT_SQLITE_DONE;
    case SQLITE_FULL: return WEFT_SQLITE_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT: return WEFT_SQLITE_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return WEFT_SQLITE_BUSY;
    case SQLITE_NOMEM: return WEFT_SQLITE_NO_MEMORY;
    default: break;
    }
    if (code == SQLITE_IOERR_DATA || code == SQLITE_IOERR_CORRUPTFS) return WEFT_SQLITE_DAMAGED;
    int system = raw ? sqlite3_system_errno(raw) : 0;
    // The index of the log could not grow; SQLite before 3.42 does not tell why if that was at the end
    // of a transaction. Nothing else has failed on this thread since.
    if (code == SQLITE_IOERR_SHMSIZE && !system) system = errno;
    if (system == ENOSPC || system == EDQUOT) return WEFT_SQLITE_FULL;
    return (code & 0xff) == SQLITE_CANTOPEN ? WEFT_SQLITE_NOT_OPENED : WEFT_SQLITE_FAILED;
}

static weft_sqlite_result note(weft_sqlite *sqlite, int code) {
    sqlite->last = result_of(sqlite->raw, code);
    if (sqlite->last <= WEFT_SQLITE_DONE) return sqlite->last;
    const char *text = sqlite->raw && sqlite3_errcode(sqlite->raw) == (code & 0xff)
        ? sqlite3_errmsg(sqlite->raw)
        : sqlite3_errstr(code);
    if (code == SQLITE_IOERR_DATA) text = "a page does not fit its checksum";
    int system = sqlite->raw ? sqlite3_system_errno(sqlite->raw) : 0;
    bool is_of_system = ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN)
        && sqlite->last != WEFT_SQLITE_DAMAGED;
    if (system && is_of_system) {
        snprintf(sqlite->message, sizeof sqlite->message, "%s: %s", text, strerror(system));
    } else if (is_of_system) {
        snprintf(sqlite->message, sizeof sqlite->message, "%s, code %d", text, code);
    } else {
        snprintf(sqlite->message, sizeof sqlite->message, "%s", text);
    }
    return sqlite->last;
}

static int note_log(void *context, sqlite3 *raw, const char *name, int pages) {
    (void)raw, (void)name;
    ((weft_sqlite *)context)->log_pages = pages;
    return SQLITE_OK;
}

weft_sqlite *weft_sqlite_open(const char *path, weft_sqlite_access access) {
    weft_sqlite *sqlite = calloc(1, sizeof *sqlite);
    if (!sqlite) return NULL;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    if (access == WEFT_SQLITE_READ) flags |= SQLITE_OPEN_READONLY;
    if (access == WEFT_SQLITE_WRITE) flags |= SQLITE_OPEN_READWRITE;
    if (access == WEFT_SQLITE_CREATE) flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const char *pages = weft_pages_name();
    int code = pages ? sqlite3_open_v2(path, &sqlite->raw, flags, pages) : SQLITE_ERROR;
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(sqlite->raw, 5000);
    if (code == SQLITE_OK && access != WEFT_SQLITE_READ) {
        // Counts for a new file only.
        int reserved = WEFT_PAGE_RESERVED;
        sqlite3_file_control(sqlite->raw, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    }
    // The tables of a file are not trusted: nothing in them may call functions.
    if (code == SQLITE_OK) {
        sqlite3_db_config(sqlite->raw, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(sqlite->raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    }
    // Checkpoints are asked for: one that SQLite does by itself fails without a word.
    if (code == SQLITE_OK) sqlite3_wal_hook(sqlite->raw, note_log, sqlite);
    note(sqlite, code);
    return sqlite;
}

void weft_sqlite_close(weft_sqlite *sqlite) {
    sqlite3_close_v2(sqlite->raw);
    free(sqlite);
}

weft_sqlite_result weft_sqlite_last(const weft_sqlite *sqlite) { return sqlite->last; }

const char *weft_sqlite_message(const weft_sqlite *sqlite) { return sqlite->message; }

weft_sqlite_result weft_sqlite_execute(weft_sqlite *sqlite, const char *text) {
    return note(sqlite, sqlite3_exec(sqlite->raw, text, NULL, NULL, NULL));
}

size_t weft_sqlite_log_pages(const weft_sqlite *sqlite) { return (size_t)sqlite->log_pages; }

weft_sqlite_result weft_sqlite_checkpoint(weft_sqlite *sqlite) {
    int code =
        sqlite3_wal_checkpoint_v2(sqlite->raw, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    // Another connection does it.
    return note(sqlite, (code & 0xff) == SQLITE_BUSY ? SQLITE_OK : code);
}

bool weft_sqlite_in_transaction(const weft_sqlite *sqlite) {
    return !sqlite3_get_autocommit(sqlite->raw);
}

weft_sqlite_statement *weft_sqlite_prepare(weft_sqlite *sqlite, const char *text) {
    weft_sqlite_statement *statement = calloc(1, sizeof *statement);
    if (!statement) {
        note(sqlite, SQLITE_NOMEM);
        return NULL;
    }
    statement->sqlite = sqlite;
    int code = sqlite3_prepare_v3(
        sqlite->raw, text, -1, SQLITE_PREPARE_PERSISTENT, &statement->raw, NULL);
    note(sqlite, code);
    if (code == SQLITE_OK) return statement;
    free(statement);
    return NULL;
}

void weft_sqlite_finalize(weft_sqlite_statement *statement) {
    sqlite3_finalize(statement->raw);
    free(statement);
}

static void note_bind(weft_sqlite_statement *statement, int code) {
    if (statement->bind_result == SQLITE_OK) statement->bind_result = code;
}

void weft_sqlite_bind_integer(weft_sqlite_statement *statement, int index, int64_t value) {
    note_bind(statement, sqlite3_bind_int64(statement->raw, index, value));
}

void weft_sqlite_bind_text(
    weft_sqlite_statement *statement, int index, const char *text, size_t length) {
    note_bind(
        statement,
        sqlite3_bind_text64(
            statement->raw, index, text, length, SQLITE_TRANSIENT, SQLITE_UTF8));
}

void weft_sqlite_bind_null(weft_sqlite_statement *statement, int index) {
    note_bind(statement, sqlite3_bind_null(statement->raw, index));
}

void weft_sqlite_bind_bytes(
    weft_sqlite_statement *statement, int index, const uint8_t *bytes, size_t length) {
    // No bytes may have no address, which would be the absence of a value.
    const void *start = length ? (const void *)bytes : "";
    note_bind(
        statement,
        sqlite3_bind_blob64(statement->raw, index, start, length, SQLITE_TRANSIENT));
}

weft_sqlite_result weft_sqlite_step(weft_sqlite_statement *statement) {
    int code = statement->bind_result;
    statement->bind_result = SQLITE_OK;
    if (code == SQLITE_OK) code = sqlite3_step(statement->raw);
    return note(statement->sqlite, code);
}

void weft_sqlite_reset(weft_sqlite_statement *statement) { sqlite3_reset(statement->raw); }

bool weft_sqlite_is_null(weft_sqlite_statement *statement, int column) {
    return sqlite3_column_type(statement->raw, column) == SQLITE_NULL;
}

int64_t weft_sqlite_integer(weft_sqlite_statement *statement, int column) {
    return sqlite3_column_int64(statement->raw, column);
}

size_t weft_sqlite_length(weft_sqlite_statement *statement, int column) {
    return (size_t)sqlite3_column_bytes(statement->raw, column);
}

void weft_sqlite_copy(weft_sqlite_statement *statement, int column, uint8_t *bytes) {
    const void *found = sqlite3_column_blob(statement->raw, column);
    size_t length = (size_t)sqlite3_column_bytes(statement->raw, column);
    if (found && length) memcpy(bytes, found, length);
}

const char *weft_sqlite_version(void) { return sqlite3_libversion(); }
