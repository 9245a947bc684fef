// libuv as Swift sees it, and system calls that the C library does not show to Swift.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

// Marks every descriptor from `first` on to be closed in children; nonzero on systems without it.
static inline int weft_close_on_exec_from(unsigned first) {
    const unsigned close_range_cloexec = 1U << 2;
    return syscall(SYS_close_range, first, ~0U, close_range_cloexec) == 0 ? 0 : -1;
}

// Names the calling thread for tools that list threads; what exceeds 15 bytes is cut off.
static inline void weft_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
