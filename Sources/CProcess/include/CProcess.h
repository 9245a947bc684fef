// What the loop module needs from the system beneath libuv, as plain C: what a process does first
// thing to protect what it holds, temporary folders that leave nothing behind, and the keeper of
// other processes.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "Confinement.h"

#ifdef __cplusplus
extern "C" {
#endif

// Opens those of the descriptors 0, 1 and 2 that are closed, so that no file gets their number.
// Reading 0 and writing 1 then fails as if they were still closed; what is written to 2 is lost.
// False if that is not possible.
bool weft_open_standard_descriptors(void);

// Keeps what this process holds from other processes of the same user: no core file, no attaching,
// and little in /proc/PID/environ, for which the variables are moved to memory of their own.
// For a process with one thread that has not handed out pointers to its environment.
void weft_protect_memory(void);

// Lets a child, which has inherited that no core file is written, write one if we could have at the
// start of this process.
void weft_allow_core(int pid);

// Has this process killed when its parent ends; false if the parent has ended already.
bool weft_end_with_parent(int parent);

// Temporary folders. Each is locked while it is used: one without a lock was left behind.

// Makes a folder of mode 0700 in `base` whose name starts with `prefix`, and locks it. Puts its path
// into `path`, without links and doubled slashes; returns the descriptor that holds the lock, closed in children, or -errno.
int weft_folder_make(const char *base, const char *prefix, char *path, size_t size);

// Removes the folders of this user in `base` that nobody has locked: "PREFIX" and six characters.
// Kills what still uses such a folder: all who kept it are gone.
void weft_folder_sweep(const char *base, const char *prefix);

// Kills the processes of this user that the programs in a keeper's folder have left. Each program
// has a folder in it whose name is a number; meant are those with a number of at most `newest`, all
// of them if that is 0. A process belongs to a program if a variable of its environment leads to that
// folder, or if it works in there and has no terminal.
void weft_folder_kill_users(const char *path, uint64_t newest);

// Removes a file or a folder with all in it, also where its owner may not write. Follows no links.
// False if something is left.
bool weft_remove_tree(const char *path);

// The keeper. A program that links this becomes a keeper when it is started under this name; the
// arguments are the folder to remove at the end and the prefix of its name, the descriptors 3, 4
// and 5 the control socket, the writing end of the status pipe and the lock of the folder.
#define WEFT_KEEPER_NAME "weft-keeper"

// What comes out of the status pipe: a process has ended and nothing that it started is left.
struct weft_ending {
    uint64_t id;
    int32_t code;
    int32_t signal;
    uint32_t reached;  // of weft_reached
    uint32_t unused;
};

// A pair of connected sockets for a keeper, in ends[0] ours and in ends[1] the keeper's, both closed
// in children; 0 or -errno.
int weft_keeper_sockets(int ends[2]);

// A program to start, in a session of its own. `strings` are the arguments, then the variables, then
// the folder it starts in (empty for the keeper's), then the paths of the fence, first those to read,
// each with a null byte at its end. `stdio` are the program's descriptors 0, 1 and 2; -1 is
// /dev/null.
struct weft_start {
    const char *strings;
    size_t size;
    uint32_t arguments;
    uint32_t variables;
    int stdio[3];
    struct weft_confinement confinement;
};

// Has the keeper start a program.
// Returns its process number, -errno if the program cannot be started, 0 if the keeper is gone and was
// told nothing, or WEFT_KEEPER_SILENT if it was told and does not answer in time: the program may have
// been started.
enum { WEFT_KEEPER_SILENT = -1000000 };
int weft_keeper_spawn(int control, uint64_t id, const struct weft_start *start, int milliseconds);

// Has a program get a signal, with all of its group or alone; SIGKILL to the group reaches whatever
// the program started. Nothing happens if it has ended. False if the keeper takes nothing.
bool weft_keeper_signal(int control, uint64_t id, int signal, bool group);

#ifdef __cplusplus
}
#endif
