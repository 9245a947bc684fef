// The supervisor of one program: a small process between the keeper and the program. It is the
// subreaper of all that the program starts, so it knows whose escapees it has: when the program has
// ended, or is to end by force, it kills every process that descends from the program, in whatever
// session, and reports only then.
#define _GNU_SOURCE
#include "confinement.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct supervision {
    const struct program *program;
    const struct group *group;
    pid_t pid;             // the program's
    bool is_over;          // the program has ended
    bool is_killing;       // by force, as soon as possible
    bool is_reported;
    int64_t over_since;    // nanoseconds
    int rounds;            // of killing what the program has left
    bool is_group_spoilt;  // by killing it
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
    const struct group *group;
    bool is_in_group;
    int error;
};

// The supervisor sleeps until this has become the program or ended.
static int launch(void *argument) {
    struct launch *launch = argument;
    const struct program *program = launch->program;
    // If the supervisor is killed by force, the program does not live on.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    if (!weft_group_enter(launch->group, launch->is_in_group)) goto failed;
    for (int number = 0; number < 3; number++) {
        if (program->stdio[number] < 0) continue;
        if (dup2(program->stdio[number], number) < 0) goto failed;
    }
    if (program->folder[0] != 0 && chdir(program->folder) != 0) goto failed;
    int result = weft_confine(program);
    if (result != 0) {
        launch->error = -result;
        _exit(127);
    }
    // Again, since other rights undo it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Looked up in the path of the variables, as these are the program's.
    execvp(program->arguments[0], program->arguments);
failed:
    launch->error = errno;
    _exit(127);
}

// Like `clone`, with what only `clone3` can do and the library has no function for. The function
// must not return.
static long clone_by(struct clone_request *request, int (*function)(void *), void *argument) {
#if defined(__x86_64__)
    long result;
    register int (*entry)(void *) __asm__("r12") = function;
    register void *word __asm__("r13") = argument;
    __asm__ volatile(
        "syscall\n\t"
        "test %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "xor %%ebp, %%ebp\n\t"
        "mov %%r13, %%rdi\n\t"
        "call *%%r12\n\t"
        "ud2\n"
        "1:"
        : "=a"(result)
        : "0"((long)SYS_clone3), "D"(request), "S"(sizeof *request), "r"(entry), "r"(word)
        : "rcx", "r11", "memory"
    );
    return result;
#elif defined(__aarch64__)
    register long result __asm__("x0") = (long)request;
    register size_t size __asm__("x1") = sizeof *request;
    register long number __asm__("x8") = SYS_clone3;
    register int (*entry)(void *) __asm__("x19") = function;
    register void *word __asm__("x20") = argument;
    __asm__ volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, xzr\n\t"
        "mov x0, x20\n\t"
        "blr x19\n\t"
        "brk #1\n"
        "1:"
        : "+r"(result)
        : "r"(size), "r"(number), "r"(entry), "r"(word)
        : "memory"
    );
    return result;
#else
    return -ENOSYS;
#endif
}

static pid_t start(const struct program *program, const struct group *group) {
    static char stack[256 * 1024] __attribute__((aligned(16)));
    struct launch argument = {.program = program, .group = group};
    environ = program->variables;
    long pid = -1;
    if (group->unified >= 0) {
        // Born in its group: to move there later would cost as much as all the rest.
        argument.is_in_group = true;
        struct clone_request request = {
            .flags = CLONE_VM | CLONE_VFORK | clone_into_group, .exit_signal = SIGCHLD,
            .stack = (uint64_t)(uintptr_t)stack, .stack_size = sizeof stack,
            .cgroup = (uint64_t)group->unified,
        };
        pid = clone_by(&request, launch, &argument);
    }
    if (pid < 0) {
        argument.is_in_group = false;
        pid = clone(launch, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &argument);
        if (pid < 0) return -errno;
    }
    if (argument.error == 0) return (pid_t)pid;
    waitpid((pid_t)pid, NULL, 0);
    return -argument.error;
}

// MARK: - Keeping

static void report(struct supervision *state) {
    if (state->is_reported) return;
    state->is_reported = true;
    state->ending.reached |= weft_group_reached(state->group);
    while (write(status_descriptor, &state->ending, sizeof state->ending) < 0 && errno == EINTR) {
    }
}

// Which limits of its own have ended the program, by the signal that did, or that a shell has seen.
static uint32_t reached_by(const struct supervision *state, const struct rusage *usage) {
    const struct weft_confinement *limits = &state->program->confinement;
    int signal = state->ending.signal;
    if (signal == 0 && state->ending.code > 128) signal = state->ending.code - 128;
    uint64_t seconds = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec);
    bool has_used_all = signal == SIGKILL && seconds >= limits->cpu;
    if (limits->cpu > 0 && (signal == SIGXCPU || has_used_all)) return WEFT_REACHED_CPU;
    if (limits->file_size > 0 && signal == SIGXFSZ) return WEFT_REACHED_FILE_SIZE;
    return 0;
}

// Collects children that have ended; false when there are none left.
static bool collect(struct supervision *state) {
    while (true) {
        siginfo_t info;
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != ECHILD;
        if (info.si_pid == 0) return true;
        bool is_program = info.si_pid == state->pid && !state->is_over;
        if (is_program) {
            state->is_over = true;
            state->over_since = now();
            bool is_exit = info.si_code == CLD_EXITED;
            state->ending.code = is_exit ? info.si_status : 0;
            state->ending.signal = is_exit ? 0 : info.si_status;
            // The group keeps its number until the program is collected.
            kill(-state->pid, SIGKILL);
        }
        struct rusage usage;
        wait4(info.si_pid, NULL, 0, &usage);
        if (is_program) state->ending.reached = reached_by(state, &usage);
    }
}

static void send_signal(const struct supervision *state, int signal, bool is_group) {
    if (state->program->confinement.is_wrapped && signal != SIGKILL) {
        // What wraps the tool would end at once, and the tool with it, without its grace.
        weft_signal_members(state->pid, signal);
    } else {
        kill(is_group ? -state->pid : state->pid, signal);
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
        send_signal(state, signal, is_group);
    }
}

static void kill_group(struct supervision *state) {
    // Linux 6.13 and later kill what is born into a group after that, too.
    state->is_group_spoilt = true;
    weft_group_kill(state->group);
}

// Kills what the program has left; whether there was nothing that could be killed.
static bool kill_rest(struct supervision *state) {
    kill_group(state);
    // One round is enough for most; what multiplies needs another way.
    if (++state->rounds % 10 == 4) weft_kill_descendants();
    return weft_kill_children(NULL) == 0;
}

static void keep(struct supervision *state, int signals) {
    while (collect(state)) {
        if (state->is_killing && !state->is_over) {
            kill_group(state);
            kill(-state->pid, SIGKILL);
        }
        int wait = -1;
        if (state->is_over) {
            bool is_stuck = kill_rest(state);
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

void weft_supervise(struct program *program, struct group *group, pid_t keeper, int signals) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHANED);
    struct supervision state = {
        .program = program, .group = group, .is_killing = getppid() != keeper,
    };
    state.ending.id = program->id;
    weft_group_limit(group, &program->confinement);
    program->limits_processes = group->limits_processes;
    program->limits_memory = group->limits_memory;
    state.pid = start(program, group);
    for (int number = 0; number < 3; number++) {
        if (program->stdio[number] >= 0) close(program->stdio[number]);
    }
    struct reply reply = {.id = program->id, .result = state.pid};
    send(control_descriptor, &reply, sizeof reply, MSG_NOSIGNAL);
    close(control_descriptor);
    if (state.pid > 0) {
        keep(&state, signals);
        report(&state);
    }
    _exit(state.is_group_spoilt ? WEFT_GROUP_SPOILT : 0);
}
