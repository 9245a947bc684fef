// What the parts of the keeper share: the requests, the descriptors, killing children.
#pragma once
#include "CProcess.h"
#include "Confinement.h"

#include <signal.h>
#include <sys/types.h>

enum { control_descriptor = 3, status_descriptor = 4, lock_descriptor = 5 };

enum request_kind { request_spawn = 1, request_signal = 2 };

// The head of every request; a spawn's strings follow it, or lie in a file that comes with it.
struct request {
    uint32_t kind;
    uint32_t size;       // bytes of strings
    uint64_t id;
    uint32_t arguments;
    uint32_t variables;
    int32_t signal;
    uint8_t has_group;   // the signal is for the group
    uint8_t has_file;    // the strings are in a file
    uint8_t has_stdio[3];
    struct weft_confinement confinement;
};

struct reply {
    uint64_t id;
    int32_t result;      // the process number or -errno
};

// Most bytes of a request; longer strings travel as a file.
enum { request_limit = 64 * 1024 };

// A signal for what a supervisor keeps, in its value.
#define SIGNAL_FORWARD (SIGRTMIN)
// The keeper itself is gone.
#define SIGNAL_ORPHANED (SIGRTMIN + 1)

// A program to start, as a request describes it.
struct program {
    uint64_t id;
    char **arguments;
    char **variables;
    const char *folder;
    char **readable;     // paths of the fence
    char **writable;
    int stdio[3];
    struct weft_confinement confinement;
    bool limits_processes, limits_memory;  // the control group does, so the program need not
    bool has_user_namespaces;  // where processes can be counted without a control group
};

// Starts the program and keeps it until it and all that it started have ended; never returns.
// Ends with code 0, or WEFT_GROUP_SPOILT if no other program may use the control group.
struct group;
enum { WEFT_GROUP_SPOILT = 3 };
_Noreturn void weft_supervise(
    struct program *program, struct group *group, pid_t keeper, int signals
);

// Kills all children of this process but those that `is_spared` names; how many it could kill.
int weft_kill_children(bool (*is_spared)(pid_t));

// Kills all that descends from this process, also what starts more than can be killed one by one:
// everything is stopped first.
void weft_kill_descendants(void);

// Sends a signal to the members of a group, but not to the first one.
void weft_signal_members(pid_t group, int signal);
