// Control groups of programs, where this user may make them: to count and to limit all processes of
// a program together, and to kill them at once, which no other way can do to processes that multiply.
// Version 2 is preferred; the controllers of version 1 are used where they are not in version 2.
#define _GNU_SOURCE
#include "confinement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Where groups are made: folders, -1 where none can be made.
static struct {
    bool is_known;
    int unified, pids, memory;
    bool unified_has_pids, unified_has_memory;
} bases = {.unified = -1, .pids = -1, .memory = -1};

// MARK: - Small files

static bool write_in(int folder, const char *name, const char *text) {
    int file = openat(folder, name, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool is_written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    close(file);
    errno = error;
    return is_written;
}

static bool read_in(int folder, const char *name, char *text, size_t size) {
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t count = read(file, text, size - 1);
    close(file);
    text[count > 0 ? count : 0] = 0;
    return count >= 0;
}

// The number after a word at the start of a line; 0 if there is none.
static long number_after(const char *text, const char *word) {
    size_t length = strlen(word);
    for (const char *line = text; line != NULL && *line != 0;) {
        if (strncmp(line, word, length) == 0 && line[length] == ' ') return atol(line + length);
        line = strchr(line, '\n');
        if (line != NULL) line++;
    }
    return 0;
}

static bool has_word(const char *list, const char *word, const char *separators) {
    size_t length = strlen(word);
    for (const char *place = list; *place != 0;) {
        size_t size = strcspn(place, separators);
        if (size == length && memcmp(place, word, length) == 0) return true;
        place += size;
        place += strspn(place, separators);
    }
    return false;
}

// MARK: - Where groups are made

// The path of this process in the hierarchy of a controller of version 1, or of version 2 for "".
static bool own_path(const char *controller, char *path, size_t size) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL) return false;
    char *line = NULL;
    size_t room = 0;
    bool is_found = false;
    while (!is_found && getline(&line, &room, file) > 0) {
        char *controllers = strchr(line, ':');
        char *place = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (place == NULL) continue;
        *place++ = 0;
        place[strcspn(place, "\n")] = 0;
        controllers++;
        is_found = *controller == 0 ? *controllers == 0 : has_word(controllers, controller, ",");
        if (is_found) is_found = (size_t)snprintf(path, size, "%s", place) < size;
    }
    free(line);
    fclose(file);
    return is_found;
}

// Where the hierarchy is mounted: the folder, and the group that the folder shows.
static bool mount_point(const char *controller, char *folder, char *root) {
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (file == NULL) return false;
    char *line = NULL;
    size_t room = 0;
    bool is_found = false;
    while (!is_found && getline(&line, &room, file) > 0) {
        char *rest = strstr(line, " - ");
        char type[32], options[256];
        if (rest == NULL || sscanf(rest, " - %31s %*s %255s", type, options) != 2) continue;
        is_found = *controller == 0
            ? strcmp(type, "cgroup2") == 0
            : strcmp(type, "cgroup") == 0 && has_word(options, controller, ",");
        is_found = is_found && sscanf(line, "%*d %*d %*s %1023s %1023s", root, folder) == 2;
    }
    free(line);
    fclose(file);
    return is_found;
}

// A group that a worker has made for itself and its keeper, so that the group above has no
// processes and may pass controllers on.
#define OWN_GROUP "weft-own"

// The folder of the group of this process, if groups can be made in it; -1 if not.
static int open_base(const char *controller) {
    char path[1024], root[1024], folder[1024], full[3072];
    if (!own_path(controller, path, sizeof path) || !mount_point(controller, folder, root)) {
        return -1;
    }
    char *place = path;
    size_t length = strlen(root);
    if (length > 1 && strncmp(place, root, length) == 0) place += length;
    size_t end = strlen(place), own = strlen("/" OWN_GROUP);
    if (end >= own && strcmp(place + end - own, "/" OWN_GROUP) == 0) place[end - own] = 0;
    snprintf(full, sizeof full, "%s/%s", folder, place);
    int base = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base >= 0 && faccessat(base, ".", W_OK, AT_EACCESS) == 0
        && faccessat(base, "cgroup.procs", W_OK, AT_EACCESS) == 0) {
        return base;
    }
    if (base >= 0) close(base);
    return -1;
}

// Whether the only processes in the group are this one and its worker, if there is one.
static bool is_only_ours(int base, pid_t worker) {
    char text[4096];
    if (!read_in(base, "cgroup.procs", text, sizeof text)) return false;
    for (char *line = text; *line != 0;) {
        char *end = NULL;
        long pid = strtol(line, &end, 10);
        if (end == line || (pid != getpid() && pid != worker)) return false;
        line = end + strspn(end, "\n");
    }
    return true;
}

// Has groups in the folder get the controller, if the folder has it.
static bool pass_on(int base, const char *controller, pid_t worker) {
    char text[512], order[32];
    if (!read_in(base, "cgroup.controllers", text, sizeof text)
        || !has_word(text, controller, " \n")) {
        return false;
    }
    if (read_in(base, "cgroup.subtree_control", text, sizeof text)
        && has_word(text, controller, " \n")) {
        return true;
    }
    snprintf(order, sizeof order, "+%s", controller);
    if (write_in(base, "cgroup.subtree_control", order)) return true;
    // A group that has processes passes nothing on.
    if (errno != EBUSY || !is_only_ours(base, worker)) return false;
    if (mkdirat(base, OWN_GROUP, 0755) != 0 && errno != EEXIST) return false;
    snprintf(order, sizeof order, "%d", worker);
    write_in(base, OWN_GROUP "/cgroup.procs", order);
    snprintf(order, sizeof order, "+%s", controller);
    write_in(base, OWN_GROUP "/cgroup.procs", "0");
    return write_in(base, "cgroup.subtree_control", order);
}

// Whether a process can be born into a new group and live there. Linux 6.13 and later kill it if
// the group of its parent was ever killed as a whole; some filters of system calls forbid it.
static bool has_births(void) {
    const struct weft_confinement none = {0};
    struct group group;
    weft_group_make(&group, "birth", &none);
    int status = 1;
    if (group.unified >= 0) {
        struct clone_request request = {
            .flags = clone_into_group, .exit_signal = SIGCHLD, .cgroup = (uint64_t)group.unified,
        };
        pid_t pid = (pid_t)syscall(SYS_clone3, &request, sizeof request);
        if (pid == 0) _exit(0);
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    weft_group_remove(&group);
    return status == 0;
}

void weft_groups_open(pid_t worker) {
    if (bases.is_known) return;
    bases.is_known = true;
    bases.unified = open_base("");
    if (bases.unified >= 0 && !has_births()) {
        close(bases.unified);
        bases.unified = -1;
    }
    if (bases.unified >= 0) {
        bases.unified_has_pids = pass_on(bases.unified, "pids", worker);
        bases.unified_has_memory = pass_on(bases.unified, "memory", worker);
    }
    if (!bases.unified_has_pids) bases.pids = open_base("pids");
    if (!bases.unified_has_memory) bases.memory = open_base("memory");
}

// MARK: - The group of a program

static int make_in(int base, const char *name) {
    if (base < 0 || (mkdirat(base, name, 0755) != 0 && errno != EEXIST)) return -1;
    int group = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0) unlinkat(base, name, AT_REMOVEDIR);
    return group;
}

void weft_group_make(
    struct group *group, const char *owner, const struct weft_confinement *limits
) {
    static unsigned last;
    *group = (struct group){.unified = -1, .pids = -1, .memory = -1};
    snprintf(group->name, sizeof group->name, GROUP_PREFIX "%s-%d-%u", owner, getpid(), ++last);
    group->unified = make_in(bases.unified, group->name);
    if (limits->processes > 0) group->pids = make_in(bases.pids, group->name);
    if (limits->memory > 0) group->memory = make_in(bases.memory, group->name);
    group->has_limits = limits->processes > 0 || limits->memory > 0;
}

bool weft_group_is_plain(const struct group *group) {
    return group->unified >= 0 && !group->has_limits;
}

void weft_group_limit(struct group *group, const struct weft_confinement *limits) {
    char text[32];
    if (limits->processes > 0) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)weft_process_count(limits));
        int place = bases.unified_has_pids ? group->unified : group->pids;
        group->limits_processes = place >= 0 && write_in(place, "pids.max", text);
    }
    if (limits->memory == 0) return;
    snprintf(text, sizeof text, "%llu", (unsigned long long)limits->memory);
    if (bases.unified_has_memory && group->unified >= 0) {
        group->limits_memory = write_in(group->unified, "memory.max", text);
        write_in(group->unified, "memory.swap.max", "0");
        write_in(group->unified, "memory.oom.group", "1");
    } else if (group->memory >= 0) {
        group->limits_memory = write_in(group->memory, "memory.limit_in_bytes", text);
        // With swap; there is no such file where swap is not counted.
        write_in(group->memory, "memory.memsw.limit_in_bytes", text);
    }
}

bool weft_group_enter(const struct group *group, bool is_in_unified) {
    const int places[] = {is_in_unified ? -1 : group->unified, group->pids, group->memory};
    bool is_in_all = true;
    for (size_t index = 0; index < sizeof places / sizeof *places; index++) {
        if (places[index] >= 0 && !write_in(places[index], "cgroup.procs", "0")) is_in_all = false;
    }
    // Without a limit the supervisor does without the group.
    return is_in_all || !group->has_limits;
}

static void kill_listed(int group) {
    int file = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *list = file < 0 ? NULL : fdopen(file, "r");
    if (list == NULL) return;
    int pid;
    while (fscanf(list, "%d", &pid) == 1) {
        if (pid > 1 && pid != getpid()) kill(pid, SIGKILL);
    }
    fclose(list);
}

void weft_group_kill(const struct group *group) {
    if (group->unified >= 0 && write_in(group->unified, "cgroup.kill", "1")) return;
    if (group->unified >= 0) kill_listed(group->unified);
    if (group->pids >= 0) kill_listed(group->pids);
    if (group->memory >= 0) kill_listed(group->memory);
}

uint32_t weft_group_reached(const struct group *group) {
    uint32_t reached = 0;
    char text[1024];
    int memory = group->memory >= 0 ? group->memory : group->unified;
    const char *events = group->memory >= 0 ? "memory.oom_control" : "memory.events";
    if (group->limits_memory && read_in(memory, events, text, sizeof text)
        && number_after(text, "oom_kill") > 0) {
        reached |= WEFT_REACHED_MEMORY;
    }
    int pids = group->pids >= 0 ? group->pids : group->unified;
    if (group->limits_processes && read_in(pids, "pids.events", text, sizeof text)
        && number_after(text, "max") > 0) {
        reached |= WEFT_REACHED_PROCESSES;
    }
    return reached;
}

void weft_group_remove(struct group *group) {
    const int places[] = {group->unified, group->pids, group->memory};
    const int above[] = {bases.unified, bases.pids, bases.memory};
    for (size_t index = 0; index < sizeof places / sizeof *places; index++) {
        if (places[index] < 0) continue;
        close(places[index]);
        unlinkat(above[index], group->name, AT_REMOVEDIR);
    }
    group->unified = group->pids = group->memory = -1;
}

// MARK: - What was left

static void clear_base(int base, const char *prefix) {
    int copy = base < 0 ? -1 : openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (entries == NULL) return;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
        int group = openat(base, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (group < 0) continue;
        // What was killed needs a moment to be gone.
        for (int round = 0; round < 100; round++) {
            if (!write_in(group, "cgroup.kill", "1")) kill_listed(group);
            if (unlinkat(base, entry->d_name, AT_REMOVEDIR) == 0 || errno != EBUSY) break;
            poll(NULL, 0, 2);
        }
        close(group);
    }
    closedir(entries);
}

void weft_groups_clear(const char *owner) {
    char prefix[40];
    snprintf(prefix, sizeof prefix, GROUP_PREFIX "%s-", owner);
    weft_groups_open(getpid());
    clear_base(bases.unified, prefix);
    clear_base(bases.pids, prefix);
    clear_base(bases.memory, prefix);
}

// Removes the groups whose maker is gone; one in which something runs stays.
static void sweep_base(int base) {
    int copy = base < 0 ? -1 : openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (entries == NULL) return;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        int maker;
        if (sscanf(entry->d_name, GROUP_PREFIX "%*[^-]-%d-", &maker) != 1) continue;
        if (kill(maker, 0) != 0 && errno == ESRCH) unlinkat(base, entry->d_name, AT_REMOVEDIR);
    }
    closedir(entries);
}

void weft_groups_sweep(void) {
    sweep_base(bases.unified);
    sweep_base(bases.pids);
    sweep_base(bases.memory);
}

const char *weft_group_owner(const char *folder) {
    size_t length = strlen(folder);
    return length < 6 ? folder : folder + length - 6;
}
