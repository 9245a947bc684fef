// How a program is confined: what its supervisor does before the start, and what the program does
// to itself before it becomes the program.
#pragma once
#include "keeper.h"

// The control group of one program, in one or more hierarchies: folders, -1 where there is none.
struct group {
    int unified;             // of version 2; has the limits, too, where its controllers are there
    int pids, memory;        // of version 1
    bool has_limits;         // is made for a program with limits
    bool limits_processes;   // has this limit
    bool limits_memory;
    char name[48];
};

// For `clone3`, as in linux/sched.h, which may be older than the system.
struct clone_request {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};
static const uint64_t clone_into_group = 0x200000000;

#define GROUP_PREFIX "weft-"

// Finds the control groups in which groups can be made, once; none where they cannot be written.
// A keeper names its worker, which moves with it if no other processes are there.
void weft_groups_open(pid_t worker);

// The name for the groups of a keeper, which is unique as its folder is.
const char *weft_group_owner(const char *folder);

// Makes a group for a program; one in no hierarchy where that is not possible, or not worth while.
void weft_group_make(
    struct group *group, const char *owner, const struct weft_confinement *limits
);

// Sets what of the limits the group can have.
void weft_group_limit(struct group *group, const struct weft_confinement *limits);

// Whether the group can be used for any other program, too; to make one takes long.
bool weft_group_is_plain(const struct group *group);

// Moves this process into the group; `is_in_unified` if it was born there. False if that cannot be
// done and the group has limits.
bool weft_group_enter(const struct group *group, bool is_in_unified);

// Kills all in the group, at once where the system can.
void weft_group_kill(const struct group *group);

// Which limits were reached in the group.
uint32_t weft_group_reached(const struct group *group);

// Removes the group, in which nothing may run.
void weft_group_remove(struct group *group);

// Removes the empty groups that keepers which were killed have left.
void weft_groups_sweep(void);

// Kills and removes what the programs of a keeper have left in their groups.
void weft_groups_clear(const char *owner);

// How many processes a program may have; those of bubblewrap are not the tool's.
static inline uint64_t weft_process_count(const struct weft_confinement *limits) {
    return limits->processes + (limits->is_wrapped ? 2 : 0);
}

// Whether this user may make user namespaces; tried once, in a process of its own.
bool weft_has_user_namespaces(void);

// In the new process, before it becomes the program: 0 or -errno.
int weft_confine(const struct program *program);

// Lets this process reach the paths of the fence and nothing else; 0 or -errno.
int weft_fence(const struct program *program);

// Lets this process make no sockets; 0 or -errno.
int weft_close_network(void);
