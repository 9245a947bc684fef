// The first things a process of ours does: its standard descriptors and what others may see of it.
#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

bool weft_open_standard_descriptors(void) {
    // Opened the wrong way round, so that what is read or written there fails instead of getting
    // lost; but nobody could be told that the descriptor for messages does not work.
    const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest number that is free is this one, as those below it are open.
        if (open("/dev/null", modes[descriptor]) != descriptor) return false;
    }
    return true;
}

extern char **environ;

// Variables that hold no secrets and help a person who looks at a process.
static bool is_plain(const char *entry) {
    const char *const names[] = {"HOME=", "LANG=", "PATH=", "TERM=", "TMPDIR=", "USER="};
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        if (strncmp(entry, names[index], strlen(names[index])) == 0) return true;
    }
    return false;
}

// Moves the variables away from where /proc shows them and overwrites that place.
static void hide_environment(void) {
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        if (is_plain(*entry)) continue;
        size_t length = strlen(*entry);
        char *copy = malloc(length + 1);
        if (copy == NULL) abort();
        memcpy(copy, *entry, length + 1);
        explicit_bzero(*entry, length);
        *entry = copy;
    }
}

// What children may have that we give up.
static rlim_t core_limit = 0;

void weft_protect_memory(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        core_limit = limit.rlim_cur;
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    hide_environment();
}

void weft_allow_core(int pid) {
    if (core_limit == 0) return;
    struct rlimit limit;
    if (prlimit(pid, RLIMIT_CORE, NULL, &limit) != 0) return;
    limit.rlim_cur = core_limit;
    prlimit(pid, RLIMIT_CORE, &limit, NULL);
}

bool weft_end_with_parent(int parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // One that ended before that was not noticed.
    return getppid() == parent;
}
