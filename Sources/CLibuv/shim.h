// libuv as Swift sees it, and what of the system and the C library Swift does not see by itself.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

// Marks every descriptor from `first` on to be closed in children; nonzero on systems without it.
static inline int weft_close_on_exec_from(unsigned first) {
    const unsigned close_range_cloexec = 1U << 2;
    return syscall(SYS_close_range, first, ~0U, close_range_cloexec) == 0 ? 0 : -1;
}

// Names the calling thread for tools that list threads; what exceeds 15 bytes is cut off.
static inline void weft_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// A descriptor that becomes readable at a point on the clock of `uv_hrtime`; negative if none is
// to be had.
static inline int weft_timer_descriptor(void) {
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

// Arms it for a point in nanoseconds; with 0 it is not readable any more.
static inline void weft_arm_timer(int descriptor, int64_t nanoseconds) {
    const int64_t second = 1000000000;
    struct itimerspec times = {.it_value = {nanoseconds / second, nanoseconds % second}};
    timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &times, NULL);
}
