// What a program that a keeper starts may use and reach: limits, rights, a fence of Landlock; and
// what of that this system can do.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A limit of 0 is none.
struct weft_confinement {
    uint64_t cpu;            // seconds of each process
    uint64_t memory;         // bytes of all processes in a control group, else of each
    uint64_t processes;      // processes and threads
    uint64_t files;          // open descriptors of each process
    uint64_t file_size;      // bytes of a file
    uint32_t readable;       // paths of the fence that may be read and executed
    uint32_t writable;       // paths of the fence that may be changed, too
    bool keeps_privileges;   // programs with set-user-ID get their owner's rights
    bool has_fence;          // nothing else of the file system is reached
    bool lacks_network;      // no sockets can be made
    bool is_wrapped;         // the program is one that starts the tool and passes on its exit code
};

// Limits that a program has reached, of which some ended it.
enum weft_reached {
    WEFT_REACHED_CPU = 1, WEFT_REACHED_MEMORY = 2, WEFT_REACHED_PROCESSES = 4,
    WEFT_REACHED_FILE_SIZE = 8,
};

// The version of Landlock; 0 if the system has none.
int weft_landlock_version(void);

// Whether the system can limit the processes of one program, with a control group or, for a user
// that is not root, a user namespace.
bool weft_can_limit_processes(void);

// Starts a program with null devices and with the rights of a confined one, waits for its end, and
// returns its exit code; -1 if it cannot be started or takes longer. For a process without children.
int weft_try_program(const char *const arguments[], int milliseconds);

#ifdef __cplusplus
}
#endif
