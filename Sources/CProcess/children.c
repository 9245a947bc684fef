// The children of this process, as the system lists them, and signals to them. Those of a subreaper
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

// MARK: - What the system tells of a process

struct process {
    pid_t pid, parent, group;
    char state;
    bool is_ours;  // descends from this process
};

static bool look_up(struct process *process) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", process->pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return false;
    text[count] = 0;
    // The name, in parentheses, may contain anything.
    const char *end = strrchr(text, ')');
    return end != NULL
        && sscanf(end + 1, " %c %d %d", &process->state, &process->parent, &process->group) == 3;
}

// All processes; NULL if they cannot be listed. The caller frees the list.
static struct process *list_processes(size_t *count) {
    *count = 0;
    DIR *entries = opendir("/proc");
    if (entries == NULL) return NULL;
    size_t room = 0;
    struct process *list = NULL;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        struct process process = {.pid = atoi(entry->d_name)};
        if (process.pid <= 0 || !look_up(&process)) continue;
        if (*count == room) {
            room = room * 2 + 256;
            struct process *larger = realloc(list, room * sizeof *list);
            if (larger == NULL) break;
            list = larger;
        }
        list[(*count)++] = process;
    }
    closedir(entries);
    return list;
}

void weft_signal_members(pid_t group, int signal) {
    size_t count;
    struct process *list = list_processes(&count);
    for (size_t index = 0; index < count; index++) {
        if (list[index].group == group && list[index].pid != group) kill(list[index].pid, signal);
    }
    free(list);
}

// MARK: - Killing

// Where the kernel has no list of children: every process names its parent.
static int kill_found(bool (*is_spared)(pid_t)) {
    size_t count;
    struct process *list = list_processes(&count);
    int killed = 0;
    for (size_t index = 0; index < count; index++) {
        if (list[index].parent != getpid() || list[index].state == 'Z') continue;
        killed += kill_child(list[index].pid, is_spared);
    }
    free(list);
    return killed;
}

// Marks the processes that descend from this one. Most have a larger number than their parents, so
// that few rounds mark all.
static void mark_ours(struct process *list, size_t count) {
    for (bool has_more = true; has_more;) {
        has_more = false;
        for (size_t index = 0; index < count; index++) {
            if (list[index].is_ours) continue;
            bool is_ours = list[index].parent == getpid();
            for (size_t other = 0; !is_ours && other < count; other++) {
                is_ours = list[other].is_ours && list[other].pid == list[index].parent;
            }
            if (is_ours) list[index].is_ours = has_more = true;
        }
    }
}

void weft_kill_descendants(void) {
    // A process that is stopped starts no others, so each round finds fewer that are not.
    for (int round = 0; round < 100; round++) {
        size_t count;
        struct process *list = list_processes(&count);
        mark_ours(list, count);
        int stopped = 0;
        for (size_t index = 0; index < count; index++) {
            if (!list[index].is_ours || strchr("TtZX", list[index].state) != NULL) continue;
            stopped += kill(list[index].pid, SIGSTOP) == 0;
        }
        bool is_last = stopped == 0 || round == 99;
        for (size_t index = 0; is_last && index < count; index++) {
            if (list[index].is_ours) kill(list[index].pid, SIGKILL);
        }
        free(list);
        if (is_last) return;
    }
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
