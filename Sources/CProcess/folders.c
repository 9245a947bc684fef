// Temporary folders: made with a lock, removed with all in them, swept when their lock is gone.
#define _GNU_SOURCE
#include "confinement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// MARK: - Removing

// Folders below the first one that are gone into; each takes a descriptor.
enum { depth_limit = 32 };

struct removal {
    int top;           // the folder that all of it is in
    unsigned moved;    // deep folders that were moved up into it
    bool is_complete;
};

static void remove_entries(struct removal *removal, int folder, int depth);

static void remove_entry(struct removal *removal, int parent, const char *name, int depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR && errno != EPERM) {
        removal->is_complete = false;
        return;
    }
    if (depth > depth_limit) {
        char place[32];
        snprintf(place, sizeof place, ".deep-%u", removal->moved++);
        if (renameat(parent, name, removal->top, place) == 0) return;
    }
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int folder = openat(parent, name, flags);
    if (folder < 0 && errno == EACCES) {
        struct stat status;
        bool is_folder = fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0
            && S_ISDIR(status.st_mode);
        if (is_folder && fchmodat(parent, name, 0700, 0) == 0) folder = openat(parent, name, flags);
    }
    if (folder >= 0) remove_entries(removal, folder, depth + 1);
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) removal->is_complete = false;
}

// Removes what is in a folder and closes its descriptor.
static void remove_entries(struct removal *removal, int folder, int depth) {
    fchmod(folder, 0700);
    DIR *entries = fdopendir(folder);
    if (entries == NULL) {
        removal->is_complete = false;
        close(folder);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        remove_entry(removal, dirfd(entries), entry->d_name, depth);
    }
    closedir(entries);
}

bool weft_remove_tree(const char *path) {
    // Other processes may still write there, and deep folders are moved up.
    for (int round = 0; round < 100; round++) {
        if (unlinkat(AT_FDCWD, path, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
        if (errno == ENOTDIR) return unlink(path) == 0 || errno == ENOENT;
        int top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (top < 0 && errno == EACCES && chmod(path, 0700) == 0) {
            top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (top < 0) return errno == ENOENT;
        struct removal removal = {.top = top, .is_complete = true};
        int folder = fcntl(top, F_DUPFD_CLOEXEC, 0);
        if (folder >= 0) remove_entries(&removal, folder, 0);
        close(top);
        if (folder < 0 || (!removal.is_complete && removal.moved == 0 && round >= 2)) break;
    }
    return rmdir(path) == 0 || errno == ENOENT;
}

// MARK: - Making and sweeping

int weft_folder_make(const char *base, const char *prefix, char *path, size_t size) {
    // As the system names it, so that a process that works in there is recognised.
    char real[PATH_MAX];
    if (realpath(base, real) == NULL) return -errno;
    for (int round = 0; round < 100; round++) {
        int length = snprintf(path, size, "%s/%sXXXXXX", real, prefix);
        if (length < 0 || (size_t)length >= size) return -ENAMETOOLONG;
        if (mkdtemp(path) == NULL) return -errno;
        int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0) {
            if (errno == ENOENT) continue;
            int error = errno;
            rmdir(path);
            return -error;
        }
        // A file system without locks does without: nobody sweeps there either.
        flock(folder, LOCK_EX);
        struct stat status;
        // Somebody may have swept it before it was locked.
        if (fstat(folder, &status) == 0 && status.st_nlink > 0) return folder;
        close(folder);
    }
    return -EAGAIN;
}

// Whether what follows the path of a keeper's folder leads to the working folder of a program: a
// slash and a number that is at most `newest`; 0 stands for any number.
static bool leads_to_program(const char *rest, uint64_t newest) {
    if (rest[0] != '/' || rest[1] < '1' || rest[1] > '9') return false;
    char *end = NULL;
    uint64_t number = strtoull(rest + 1, &end, 10);
    // What has been removed is followed by " (deleted)".
    return (*end == 0 || *end == '/' || *end == ' ') && (newest == 0 || number <= newest);
}

// Whether a variable that the file holds is the path of a program's working folder, or leads below.
static bool has_value_in(int file, const char *path, uint64_t newest) {
    enum { number_room = 24 };
    char needle[4096 + 2];
    int length = snprintf(needle, sizeof needle, "=%s", path);
    if (length < 0 || (size_t)length >= sizeof needle) return false;
    static char text[64 * 1024 + 1];
    // As much as a match may be long; it stays for the next round.
    size_t longest = (size_t)length + number_room, held = 0;
    ssize_t count;
    do {
        count = read(file, text + held, sizeof text - 1 - held);
        if (count > 0) held += (size_t)count;
        text[held] = 0;
        const char *place = text, *found;
        while ((found = memmem(place, held - (size_t)(place - text), needle, (size_t)length))) {
            if (leads_to_program(found + length, newest)) return true;
            place = found + 1;
        }
        size_t kept = held < longest ? held : longest;
        memmove(text, text + held - kept, kept);
        held = kept;
    } while (count > 0);
    return false;
}

// Whether a process works in a program's folder and has no terminal; one that has is a person's
// shell.
static bool works_in(pid_t pid, const char *path, uint64_t newest) {
    char name[64], place[4096], text[512];
    snprintf(name, sizeof name, "/proc/%d/cwd", pid);
    ssize_t count = readlink(name, place, sizeof place - 1);
    size_t length = strlen(path);
    if (count <= (ssize_t)length || memcmp(place, path, length) != 0) return false;
    place[count] = 0;
    if (!leads_to_program(place + length, newest)) return false;
    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return false;
    text[count] = 0;
    // State, parent, group, session and terminal follow the name, which is in parentheses.
    const char *end = strrchr(text, ')');
    int terminal = 1;
    return end != NULL && sscanf(end + 1, " %*c %*d %*d %*d %d", &terminal) == 1 && terminal == 0;
}

// Kills those that use the folder now; how many they were.
static int kill_users(const char *path, uint64_t newest) {
    DIR *entries = opendir("/proc");
    if (entries == NULL) return 0;
    int killed = 0;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 1 || pid == getpid()) continue;
        char name[64];
        snprintf(name, sizeof name, "/proc/%d/environ", pid);
        int file = open(name, O_RDONLY | O_CLOEXEC);
        if (file < 0) continue;
        struct stat status;
        // The file stands for this very process: once that has ended, nothing is read from it.
        bool is_ours = fstat(file, &status) == 0 && status.st_uid == geteuid();
        if (is_ours && (has_value_in(file, path, newest) || works_in(pid, path, newest))) {
            killed += kill(pid, SIGKILL) == 0;
        }
        close(file);
    }
    closedir(entries);
    return killed;
}

void weft_folder_kill_users(const char *path, uint64_t newest) {
    // A process that was killed may have started another one that was not seen.
    for (int round = 0; round < 10 && kill_users(path, newest) > 0; round++) {
    }
}

void weft_folder_sweep(const char *base, const char *prefix) {
    char real[PATH_MAX];
    DIR *entries = realpath(base, real) == NULL ? NULL : opendir(real);
    if (entries == NULL) return;
    size_t length = strlen(prefix);
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;
        if (strncmp(name, prefix, length) != 0 || strlen(name) != length + 6) continue;
        int folder = openat(
            dirfd(entries), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        );
        if (folder < 0) continue;
        struct stat status;
        bool is_ours = fstat(folder, &status) == 0 && status.st_uid == geteuid();
        if (is_ours && flock(folder, LOCK_EX | LOCK_NB) == 0) {
            char path[4096];
            int size = snprintf(path, sizeof path, "%s/%s", real, name);
            if (size > 0 && (size_t)size < sizeof path) {
                weft_groups_clear(weft_group_owner(path));
                weft_folder_kill_users(path, 0);
                weft_remove_tree(path);
            }
        }
        close(folder);
    }
    closedir(entries);
}
