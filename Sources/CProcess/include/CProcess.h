// What the loop module needs from the system beneath libuv, as plain C: what a process does first
// thing to protect what it holds.
#pragma once
#include <stdbool.h>

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

#ifdef __cplusplus
}
#endif
