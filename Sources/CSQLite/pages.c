// Files with a checksum in every page, as a layer between SQLite and the system: SQLite itself
// believes what it reads, so a changed bit would be a wrong value. The last 8 bytes of each page of
// a database are its checksum, which also covers where in the file it is; a page that does not fit
// its checksum is not delivered. Other files (the write-ahead log has checksums of its own) pass
// through. Here are also the faults that tests ask for.
#include "pages.h"

#include "CSQLite.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

typedef struct pages_file {
    sqlite3_file base;
    /// Whether it is a database.
    bool has_pages;
    /// Its path; NULL for temporary files.
    const char *name;
    /// The system's file, whose memory follows this.
    sqlite3_file *under;
} pages_file;

static sqlite3_file *under(sqlite3_file *file) { return ((pages_file *)file)->under; }

// MARK: - Faults

static struct {
    pthread_mutex_t mutex;
    char path[1024];
    weft_sqlite_fault fault;
    int after, count;
} injected = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void weft_sqlite_inject(const char *path, weft_sqlite_fault fault, int after, int count) {
    pthread_mutex_lock(&injected.mutex);
    snprintf(injected.path, sizeof injected.path, "%s", path);
    injected.fault = fault;
    injected.after = after;
    injected.count = count;
    pthread_mutex_unlock(&injected.mutex);
}

/// Whether this call is to fail.
static bool is_faulty(sqlite3_file *file, weft_sqlite_fault fault) {
    const char *name = ((pages_file *)file)->name;
    // Without a lock: nothing is injected but by tests.
    if (!injected.path[0] || !name) return false;
    pthread_mutex_lock(&injected.mutex);
    bool is_meant = injected.count > 0 && injected.fault == fault
        && strncmp(name, injected.path, strlen(injected.path)) == 0;
    bool fails = is_meant && injected.after == 0;
    if (fails) injected.count--;
    if (is_meant && !fails) injected.after--;
    pthread_mutex_unlock(&injected.mutex);
    return fails;
}

// MARK: - Pages

static uint64_t page_sum(const uint8_t *page, sqlite3_int64 offset) {
    return weft_checksum((uint64_t)offset, page, WEFT_PAGE_SIZE - WEFT_PAGE_RESERVED);
}

static bool is_page(const sqlite3_file *file, int length, sqlite3_int64 offset) {
    return ((const pages_file *)file)->has_pages && length == WEFT_PAGE_SIZE
        && offset % WEFT_PAGE_SIZE == 0;
}

static bool is_zero(const uint8_t *page) {
    return page[0] == 0 && memcmp(page, page + 1, WEFT_PAGE_SIZE - 1) == 0;
}

static int pages_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 offset) {
    int code = under(file)->pMethods->xRead(under(file), bytes, length, offset);
    if (!is_page(file, length, offset)) return code;
    if (code == SQLITE_IOERR_SHORT_READ) {
        // SQLite takes what is missing for zeros, which is right only behind the end.
        sqlite3_int64 size = 0;
        int size_code = under(file)->pMethods->xFileSize(under(file), &size);
        if (size_code != SQLITE_OK) return size_code;
        return size > offset ? SQLITE_IOERR_DATA : code;
    }
    if (code != SQLITE_OK) return code;
    uint64_t sum;
    memcpy(&sum, (const uint8_t *)bytes + WEFT_PAGE_SIZE - WEFT_PAGE_RESERVED, sizeof sum);
    if (sum == page_sum(bytes, offset)) return SQLITE_OK;
    // A page that was freed before it was ever written is zeros, and never used as anything else.
    return is_zero(bytes) ? SQLITE_OK : SQLITE_IOERR_DATA;
}

static int pages_write(
    sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset) {
    if (is_faulty(file, WEFT_SQLITE_FAULT_FULL)) return SQLITE_FULL;
    if (!is_page(file, length, offset)) {
        return under(file)->pMethods->xWrite(under(file), bytes, length, offset);
    }
    uint8_t page[WEFT_PAGE_SIZE];
    memcpy(page, bytes, WEFT_PAGE_SIZE);
    uint64_t sum = page_sum(page, offset);
    memcpy(page + WEFT_PAGE_SIZE - WEFT_PAGE_RESERVED, &sum, sizeof sum);
    return under(file)->pMethods->xWrite(under(file), page, length, offset);
}

static int pages_sync(sqlite3_file *file, int flags) {
    if (is_faulty(file, WEFT_SQLITE_FAULT_SYNC)) return SQLITE_IOERR_FSYNC;
    return under(file)->pMethods->xSync(under(file), flags);
}

// MARK: - What passes through

static int pages_close(sqlite3_file *file) {
    return under(file)->pMethods->xClose(under(file));
}

static int pages_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return under(file)->pMethods->xTruncate(under(file), size);
}

static int pages_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return under(file)->pMethods->xFileSize(under(file), size);
}

static int pages_lock(sqlite3_file *file, int level) {
    return under(file)->pMethods->xLock(under(file), level);
}

static int pages_unlock(sqlite3_file *file, int level) {
    return under(file)->pMethods->xUnlock(under(file), level);
}

static int pages_check_reserved_lock(sqlite3_file *file, int *result) {
    return under(file)->pMethods->xCheckReservedLock(under(file), result);
}

static int pages_file_control(sqlite3_file *file, int operation, void *argument) {
    return under(file)->pMethods->xFileControl(under(file), operation, argument);
}

static int pages_sector_size(sqlite3_file *file) {
    return under(file)->pMethods->xSectorSize(under(file));
}

// Newer versions have it.
#ifndef SQLITE_IOCAP_SUBPAGE_READ
#define SQLITE_IOCAP_SUBPAGE_READ 0x00008000
#endif

static int pages_device_characteristics(sqlite3_file *file) {
    // A part of a page has no checksum.
    return under(file)->pMethods->xDeviceCharacteristics(under(file))
        & ~SQLITE_IOCAP_SUBPAGE_READ;
}

static int pages_shm_map(
    sqlite3_file *file, int region, int size, int extends, void volatile **memory) {
    return under(file)->pMethods->xShmMap(under(file), region, size, extends, memory);
}

static int pages_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return under(file)->pMethods->xShmLock(under(file), offset, count, flags);
}

static void pages_shm_barrier(sqlite3_file *file) {
    under(file)->pMethods->xShmBarrier(under(file));
}

static int pages_shm_unmap(sqlite3_file *file, int deletes) {
    return under(file)->pMethods->xShmUnmap(under(file), deletes);
}

// Version 2: without the memory maps of version 3, whose pages nothing would check.
static const sqlite3_io_methods pages_methods = {
    .iVersion = 2,
    .xClose = pages_close,
    .xRead = pages_read,
    .xWrite = pages_write,
    .xTruncate = pages_truncate,
    .xSync = pages_sync,
    .xFileSize = pages_file_size,
    .xLock = pages_lock,
    .xUnlock = pages_unlock,
    .xCheckReservedLock = pages_check_reserved_lock,
    .xFileControl = pages_file_control,
    .xSectorSize = pages_sector_size,
    .xDeviceCharacteristics = pages_device_characteristics,
    .xShmMap = pages_shm_map,
    .xShmLock = pages_shm_lock,
    .xShmBarrier = pages_shm_barrier,
    .xShmUnmap = pages_shm_unmap,
};

// MARK: - Setting up

static sqlite3_vfs *system_files;

static int pages_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *found_flags) {
    (void)vfs;
    pages_file *pages = (pages_file *)file;
    memset(pages, 0, sizeof *pages);
    pages->under = (sqlite3_file *)(pages + 1);
    pages->name = name;
    pages->has_pages = flags & SQLITE_OPEN_MAIN_DB;
    int code = system_files->xOpen(system_files, name, pages->under, flags, found_flags);
    // SQLite closes a file that has methods, even one that could not be opened.
    if (pages->under->pMethods) pages->base.pMethods = &pages_methods;
    return code;
}

static sqlite3_vfs pages_vfs;

static void set_up(void) {
    system_files = sqlite3_vfs_find("unix");
    if (!system_files) return;
    pages_vfs = *system_files;
    pages_vfs.zName = "weft-pages";
    pages_vfs.szOsFile = (int)sizeof(pages_file) + system_files->szOsFile;
    pages_vfs.pNext = NULL;
    pages_vfs.xOpen = pages_open;
    if (sqlite3_vfs_register(&pages_vfs, 0) != SQLITE_OK) system_files = NULL;
}

const char *weft_pages_name(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
    return system_files ? pages_vfs.zName : NULL;
}
