// The keeper: a process beside a worker that starts its programs, each under a supervisor of its
// own, and sees to it that nothing of them is left when the worker is gone, however it went. It has
// one thread and holds no secrets of the worker.
//
// It ends when nobody reads the status pipe any more. The supervisors see the same and kill what they
// keep; the keeper waits for them, kills what supervisors that were killed have left, and removes the
// folder. If the keeper itself is killed, the supervisors kill what they keep.
#define _GNU_SOURCE
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// MARK: - The supervisors

static struct kept {
    uint64_t id;
    pid_t pid;
    struct group group;
} *kept;
static size_t kept_count, kept_room;
static pid_t sweeper;
static bool has_user_namespaces;
// The name for our control groups.
static const char *owner;
// Groups without limits that programs have left, for others.
static struct group spare[64];
static size_t spare_count;
// A supervisor was killed, so that what it kept comes to us, level by level as parents end.
static bool has_orphans;

static bool reserve_kept(void) {
    if (kept_count < kept_room) return true;
    size_t room = kept_room * 2 + 16;
    struct kept *larger = realloc(kept, room * sizeof *kept);
    if (larger == NULL) return false;
    kept = larger;
    kept_room = room;
    return true;
}

static bool is_ours(pid_t pid) {
    if (pid == sweeper) return true;
    for (size_t index = 0; index < kept_count; index++) {
        if (kept[index].pid == pid) return true;
    }
    return false;
}

static struct group group_for(const struct weft_confinement *limits) {
    bool is_plain = limits->processes == 0 && limits->memory == 0;
    if (is_plain && spare_count > 0) return spare[--spare_count];
    struct group group;
    weft_group_make(&group, owner, limits);
    return group;
}

static void give_back(struct group *group, bool is_empty) {
    bool has_room = spare_count < sizeof spare / sizeof *spare;
    if (is_empty && has_room && weft_group_is_plain(group)) {
        spare[spare_count++] = *group;
    } else {
        weft_group_remove(group);
    }
}

// Collects children that have ended; false when there are none left.
static bool collect(void) {
    while (true) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0) return errno != ECHILD;
        if (pid == 0) return true;
        if (pid == sweeper) sweeper = 0;
        for (size_t index = 0; index < kept_count; index++) {
            if (kept[index].pid != pid) continue;
            struct weft_ending ending = {.id = kept[index].id, .signal = SIGKILL};
            struct group group = kept[index].group;
            kept[index] = kept[--kept_count];
            // Killed, so what it kept is ours now, and it could not report.
            bool is_killed = !WIFEXITED(status);
            if (is_killed) weft_group_kill(&group);
            give_back(&group, !is_killed && WEXITSTATUS(status) == 0);
            if (!is_killed) break;
            has_orphans = true;
            write(status_descriptor, &ending, sizeof ending);
            break;
        }
    }
}

// MARK: - Requests

static void answer(uint64_t id, int error) {
    struct reply reply = {.id = id, .result = -error};
    send(control_descriptor, &reply, sizeof reply, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Points to each of the strings, with NULL after the last; NULL if there are fewer.
static char **split(char **next, const char *end, uint32_t count) {
    char **strings = malloc((count + (size_t)1) * sizeof *strings);
    if (strings == NULL) return NULL;
    for (uint32_t index = 0; index < count; index++) {
        char *stop = *next < end ? memchr(*next, 0, (size_t)(end - *next)) : NULL;
        if (stop == NULL) return NULL;
        strings[index] = *next;
        *next = stop + 1;
    }
    strings[count] = NULL;
    return strings;
}

// In the child: reads what the request describes and becomes its supervisor.
static _Noreturn void become_supervisor(
    const struct request *request, char *strings, const int *descriptors, struct group *group,
    pid_t keeper, int signals
) {
    struct program program = {
        .id = request->id, .stdio = {-1, -1, -1}, .confinement = request->confinement,
        .has_user_namespaces = has_user_namespaces,
    };
    if (request->has_file) {
        strings = mmap(
            NULL, request->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, *descriptors, 0
        );
        close(*descriptors++);
        if (strings == MAP_FAILED) {
            answer(request->id, errno);
            _exit(0);
        }
    }
    for (int number = 0; number < 3; number++) {
        if (request->has_stdio[number]) program.stdio[number] = *descriptors++;
    }
    const char *end = strings + request->size;
    program.arguments = split(&strings, end, request->arguments);
    program.variables = split(&strings, end, request->variables);
    char **folder = split(&strings, end, 1);
    program.readable = split(&strings, end, request->confinement.readable);
    program.writable = split(&strings, end, request->confinement.writable);
    if (program.arguments == NULL || program.variables == NULL || folder == NULL
        || program.readable == NULL || program.writable == NULL) {
        answer(request->id, ENOMEM);
        _exit(0);
    }
    program.folder = folder[0];
    weft_supervise(&program, group, keeper, signals);
}

static void spawn(const struct request *request, char *strings, const int *descriptors, int signals) {
    if (!reserve_kept()) return answer(request->id, ENOMEM);
    if (request->confinement.processes > 0 && geteuid() != 0) {
        has_user_namespaces = weft_has_user_namespaces();
    }
    pid_t keeper = getpid();
    struct group group = group_for(&request->confinement);
    pid_t pid = fork();
    if (pid < 0) {
        answer(request->id, errno);
        return give_back(&group, true);
    }
    if (pid == 0) become_supervisor(request, strings, descriptors, &group, keeper, signals);
    kept[kept_count++] = (struct kept){.id = request->id, .pid = pid, .group = group};
}

static void forward(const struct request *request) {
    for (size_t index = 0; index < kept_count; index++) {
        if (kept[index].id != request->id) continue;
        union sigval value = {.sival_int = request->signal | (request->has_group ? 0x100 : 0)};
        sigqueue(kept[index].pid, SIGNAL_FORWARD, value);
        return;
    }
}

// Carries out one request; false when there will be no more.
static bool serve(int signals) {
    static char buffer[request_limit];
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = sizeof buffer};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control,
    };
    ssize_t count = recvmsg(control_descriptor, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    int descriptors[4] = {-1, -1, -1, -1};
    size_t descriptor_count = 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        descriptor_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors, CMSG_DATA(header), descriptor_count * sizeof(int));
    }
    struct request request;
    if ((size_t)count >= sizeof request) {
        memcpy(&request, buffer, sizeof request);
        size_t wanted = request.has_file + request.has_stdio[0] + request.has_stdio[1]
            + request.has_stdio[2];
        bool is_whole = request.has_file || request.size == (size_t)count - sizeof request;
        if (request.kind == request_signal) {
            forward(&request);
        } else if (descriptor_count < wanted || !is_whole) {
            // The system hands over fewer descriptors when we have too many open.
            answer(request.id, EMFILE);
        } else {
            spawn(&request, buffer + sizeof request, descriptors, signals);
        }
    }
    for (size_t index = 0; index < descriptor_count; index++) close(descriptors[index]);
    return true;
}

// MARK: - The life of the keeper

static void run(int signals) {
    bool has_worker = true;
    while (true) {
        bool has_children = collect();
        if (!has_worker && !has_children) return;
        if (!has_worker || has_orphans) has_orphans = weft_kill_children(is_ours) > 0;
        struct pollfd events[3] = {
            {.fd = signals, .events = POLLIN},
            {.fd = has_worker ? control_descriptor : -1, .events = POLLIN},
            {.fd = has_worker ? status_descriptor : -1, .events = 0},
        };
        poll(events, 3, has_worker && !has_orphans ? -1 : 20);
        if (events[0].revents & POLLIN) {
            struct signalfd_siginfo news[16];
            while (read(signals, news, sizeof news) == (ssize_t)sizeof news) {
            }
        }
        if (events[1].revents != 0 && !serve(signals)) has_worker = false;
        if (events[2].revents & POLLERR) has_worker = false;
        if (!has_worker && sweeper > 0) kill(sweeper, SIGKILL);
    }
}

static void sweep(const char *folder, const char *prefix) {
    char base[4096];
    const char *slash = strrchr(folder, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - folder);
    if (length == 0 || length >= sizeof base) return;
    memcpy(base, folder, length);
    base[length] = 0;
    sweeper = fork();
    if (sweeper != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    weft_folder_sweep(base, prefix);
    weft_groups_sweep();
    _exit(0);
}

static _Noreturn void keeper(const char *folder, const char *prefix) {
    prctl(PR_SET_NAME, WEFT_KEEPER_NAME);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    // A signal to a whole control group or session makes the worker drain; the keeper is needed
    // until the end of that.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGNAL_FORWARD);
    sigaddset(&watched, SIGNAL_ORPHANED);
    int signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    for (int number = control_descriptor; number <= lock_descriptor; number++) {
        fcntl(number, F_SETFD, FD_CLOEXEC);
    }
    if (signals >= 0) {
        owner = weft_group_owner(folder);
        weft_groups_open(getppid());
        sweep(folder, prefix);
        run(signals);
        weft_groups_clear(owner);
    }
    weft_remove_tree(folder);
    _exit(0);
}

// Before the program that has this linked in does anything: started under the keeper's name, it is
// the keeper.
__attribute__((constructor)) static void become_keeper(int count, char **arguments) {
    if (count != 3 || strcmp(arguments[0], WEFT_KEEPER_NAME) != 0) return;
    keeper(arguments[1], arguments[2]);
}
