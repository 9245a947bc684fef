// What a new process gives up before it becomes a tool's program: limits of the system (rlimits),
// new privileges, descriptors. Not here: files and network (fence.c), control groups (groups.c).
#define _GNU_SOURCE
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

// MARK: - Limits

static int limit(int resource, uint64_t soft, uint64_t hard) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) return -errno;
    // A lower limit of the worker stays.
    if (hard > limit.rlim_max) hard = limit.rlim_max;
    limit.rlim_max = hard;
    limit.rlim_cur = soft > hard ? hard : soft;
    return setrlimit(resource, &limit) == 0 ? 0 : -errno;
}

static bool write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool is_written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    close(file);
    return is_written;
}

// A user namespace with the same user in it, so that processes are counted for this program and not
// for all that the user runs. Where it fails, this process may be another user's afterwards.
static bool enter_user_namespace(void) {
    uid_t user = geteuid();
    gid_t group = getegid();
    // Otherwise the files below belong to root.
    bool was_dumpable = prctl(PR_GET_DUMPABLE) == 1;
    if (unshare(CLONE_NEWUSER) != 0) return false;
    if (!was_dumpable) prctl(PR_SET_DUMPABLE, 1);
    char text[64];
    write_file("/proc/self/setgroups", "deny");
    snprintf(text, sizeof text, "%u %u 1", user, user);
    bool is_mapped = write_file("/proc/self/uid_map", text);
    snprintf(text, sizeof text, "%u %u 1", group, group);
    is_mapped = write_file("/proc/self/gid_map", text) && is_mapped;
    if (!was_dumpable) prctl(PR_SET_DUMPABLE, 0);
    return is_mapped;
}

bool weft_has_user_namespaces(void) {
    static int answer = -1;
    if (answer >= 0) return answer == 1;
    // Some systems let a process make one but not name its users, which only a try tells.
    pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) _exit(enter_user_namespace() ? 0 : 1);
    int status = 1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    answer = status == 0;
    return answer == 1;
}

static int limit_processes(const struct program *program) {
    uint64_t count = weft_process_count(&program->confinement);
    if (program->confinement.processes == 0 || program->limits_processes) return 0;
    // The limit does not hold for root; without the namespace it is one for all that the user runs.
    if (geteuid() == 0 || !program->has_user_namespaces) return 0;
    if (!enter_user_namespace()) return -EPERM;
    return limit(RLIMIT_NPROC, count, count);
}

static int limit_use(const struct program *program) {
    const struct weft_confinement *limits = &program->confinement;
    int result = 0;
    if (limits->cpu > 0) {
        // The first signal can be caught; a second later there is another that cannot.
        result = limit(RLIMIT_CPU, limits->cpu, limits->cpu + 1);
    }
    if (result == 0 && limits->memory > 0 && !program->limits_memory) {
        // Private memory, and not addresses: many runtimes reserve far more of these than they use.
        result = limit(RLIMIT_DATA, limits->memory, limits->memory);
    }
    if (result == 0 && limits->file_size > 0) {
        result = limit(RLIMIT_FSIZE, limits->file_size, limits->file_size);
    }
    if (result == 0 && limits->files > 0) {
        result = limit(RLIMIT_NOFILE, limits->files, limits->files);
    }
    return result;
}

// MARK: - Rights

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    // Filters of system calls may forbid to set what is not there anyway.
    memset(none, 0xFF, sizeof none);
    if (syscall(SYS_capget, &header, none) == 0 && none[0].permitted == 0
        && none[1].permitted == 0) {
        return 0;
    }
    memset(none, 0, sizeof none);
    return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

static int set_rights(const struct program *program) {
    const struct weft_confinement *confinement = &program->confinement;
    if (!confinement->keeps_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -errno;
    }
    int result = 0;
    if (confinement->has_fence) {
        result = weft_fence(program);
        // Root without capabilities may not get past the fence by mounts, devices or modules.
        if (result == 0) result = drop_capabilities();
    }
    if (result == 0 && confinement->lacks_network) result = weft_close_network();
    return result;
}

int weft_confine(const struct program *program) {
    // What comes from elsewhere, such as a debugger of the worker, is no business of tools. Older
    // systems lack the call; our own descriptors are closed anyway.
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    int result = limit_processes(program);
    if (result == 0) result = set_rights(program);
    return result == 0 ? limit_use(program) : result;
}

// MARK: - What the system can do

bool weft_can_limit_processes(void) {
    weft_groups_open(getpid());
    struct weft_confinement limits = {.processes = 1};
    struct group group;
    weft_group_make(&group, "check", &limits);
    weft_group_limit(&group, &limits);
    bool is_limited = group.limits_processes;
    weft_group_remove(&group);
    return is_limited || (geteuid() != 0 && weft_has_user_namespaces());
}

int weft_try_program(const char *const arguments[], int milliseconds) {
    pid_t pid = fork();
    if (pid < 0) return -1;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setsid();
        int null = open("/dev/null", O_RDWR);
        for (int number = 0; number < 3; number++) dup2(null, number);
        syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        execv(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    int status = 0;
    for (int waited = 0; waited < milliseconds; waited++) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (ended < 0 && errno != EINTR) return -1;
        poll(NULL, 0, 1);
    }
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}
