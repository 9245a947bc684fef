// The children of this process, as the system lists them. Those of a subreaper
// include every process whose parents below it have ended, in any session.
#define _GNU_SOURCE
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int kill_child(pid_t pid, bool (*is_spared)(pid_t)) {
    if (is_spared != NULL && is_spared(pid)) return 0;
    return kill(pid, SIGKILL) == 0;
}

// Where the kernel has no list of children: every process names its parent.
static int kill_found(bool (*is_spared)(pid_t)) {
    DIR *entries = opendir("/proc");
    if (entries == NULL) return 0;
    int killed = 0;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0) continue;
        char path[64], text[512];
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) continue;
        ssize_t count = read(file, text, sizeof text - 1);
        close(file);
        if (count <= 0) continue;
        text[count] = 0;
        // The name, in parentheses, may contain anything.
        const char *end = strrchr(text, ')');
        char state;
        int parent;
        if (end == NULL || sscanf(end + 1, " %c %d", &state, &parent) != 2) continue;
        if (parent == getpid() && state != 'Z') killed += kill_child(pid, is_spared);
    }
    closedir(entries);
    return killed;
}

int weft_kill_children(bool (*is_spared)(pid_t)) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return kill_found(is_spared);
    int killed = 0;
    pid_t pid = 0;
    char text[4096];
    ssize_t count;
    while ((count = read(file, text, sizeof text)) > 0) {
        for (ssize_t index = 0; index < count; index++) {
            if (text[index] >= '0' && text[index] <= '9') {
                pid = pid * 10 + (text[index] - '0');
            } else if (pid > 0) {
                killed += kill_child(pid, is_spared);
                pid = 0;
            }
        }
    }
    if (pid > 0) killed += kill_child(pid, is_spared);
    close(file);
    return killed;
}
