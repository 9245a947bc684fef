// The supervisor of one program: a small process between the keeper and the program. It is the
// subreaper of all that the program starts, so it knows whose escapees it has: when the program has
// ended, or is to end by force, it kills every process that descends from the program, in whatever
// session, and reports only then.
#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct supervision {
    uint64_t id;
    pid_t pid;             // the program's
    bool is_over;          // the program has ended
    bool is_killing;       // by force, as soon as possible
    bool is_reported;
    int64_t over_since;    // nanoseconds
    struct weft_ending ending;
};

// How long an end waits for processes that do not die, such as those of another user.
static const int64_t patience = 2000000000;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// MARK: - Starting

// The thread sanitizer takes every `clone` for a fork with memory of its own and would change that
// of the supervisor; it does not know glibc's other name of the same function.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
#define clone __clone
#endif
#endif

struct launch {
    const struct program *program;
    int error;
};

// Shares the memory of the supervisor, which sleeps until this has become the program or ended.
static int launch(void *argument) {
    struct launch *launch = argument;
    const struct program *program = launch->program;
    // If the supervisor is killed by force, the program does not live on.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    for (int number = 0; number < 3; number++) {
        if (program->stdio[number] < 0) continue;
        if (dup2(program->stdio[number], number) < 0) goto failed;
    }
    if (program->folder[0] != 0 && chdir(program->folder) != 0) goto failed;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Looked up in the path of the variables, as these are the program's.
    execvp(program->arguments[0], program->arguments);
failed:
    launch->error = errno;
    _exit(127);
}

static pid_t start(const struct program *program) {
    static char stack[256 * 1024] __attribute__((aligned(16)));
    struct launch argument = {.program = program};
    environ = program->variables;
    pid_t pid = clone(launch, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &argument);
    if (pid < 0) return -errno;
    if (argument.error == 0) return pid;
    waitpid(pid, NULL, 0);
    return -argument.error;
}

// MARK: - Keeping

static void report(struct supervision *state) {
    if (state->is_reported) return;
    state->is_reported = true;
    while (write(status_descriptor, &state->ending, sizeof state->ending) < 0 && errno == EINTR) {
    }
}

// Collects children that have ended; false when there are none left.
static bool collect(struct supervision *state) {
    while (true) {
        siginfo_t info;
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != ECHILD;
        if (info.si_pid == 0) return true;
        if (info.si_pid == state->pid && !state->is_over) {
            state->is_over = true;
            state->over_since = now();
            bool is_exit = info.si_code == CLD_EXITED;
            state->ending.code = is_exit ? info.si_status : 0;
            state->ending.signal = is_exit ? 0 : info.si_status;
            // The group keeps its number until the program is collected.
            kill(-state->pid, SIGKILL);
        }
        waitpid(info.si_pid, NULL, 0);
    }
}

static void receive(struct supervision *state, int signals) {
    struct signalfd_siginfo news[8];
    ssize_t count = read(signals, news, sizeof news);
    for (ssize_t index = 0; index * (ssize_t)sizeof *news < count; index++) {
        int number = (int)news[index].ssi_signo;
        if (number == SIGNAL_ORPHANED) state->is_killing = true;
        if (number != SIGNAL_FORWARD || state->is_over) continue;
        int signal = news[index].ssi_int & 0xFF;
        bool is_group = news[index].ssi_int & 0x100;
        if (is_group && signal == SIGKILL) state->is_killing = true;
        kill(is_group ? -state->pid : state->pid, signal);
    }
}

static void keep(struct supervision *state, int signals) {
    while (collect(state)) {
        if (state->is_killing && !state->is_over) kill(-state->pid, SIGKILL);
        int wait = -1;
        if (state->is_over) {
            bool is_stuck = weft_kill_children(NULL) == 0;
            if (now() - state->over_since > patience) {
                report(state);
                // Nothing that is left obeys; it stays with the keeper.
                if (is_stuck) return;
            }
            wait = 20;
        } else if (state->is_killing) {
            wait = 100;
        }
        struct pollfd events[2] = {
            {.fd = signals, .events = POLLIN},
            // Without a reader the worker is gone.
            {.fd = state->is_killing ? -1 : status_descriptor, .events = 0},
        };
        poll(events, 2, wait);
        if (events[1].revents & POLLERR) state->is_killing = true;
        if (events[0].revents & POLLIN) receive(state, signals);
    }
}

void weft_supervise(const struct program *program, pid_t keeper, int signals) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHANED);
    struct supervision state = {.id = program->id, .is_killing = getppid() != keeper};
    state.ending.id = program->id;
    state.pid = start(program);
    for (int number = 0; number < 3; number++) {
        if (program->stdio[number] >= 0) close(program->stdio[number]);
    }
    struct reply reply = {.id = program->id, .result = state.pid};
    send(control_descriptor, &reply, sizeof reply, MSG_NOSIGNAL);
    close(control_descriptor);
    if (state.pid < 0) _exit(0);
    keep(&state, signals);
    report(&state);
    _exit(0);
}
