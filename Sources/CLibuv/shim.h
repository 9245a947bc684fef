// libuv as Swift sees it, and system calls that the C library does not show to Swift.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

// Marks every descriptor from `first` on to be closed in children; nonzero on systems without it.
static inline int weft_close_on_exec_from(unsigned first) {
    const unsigned close_range_cloexec = 1U << 2;
    return syscall(SYS_close_range, first, ~0U, close_range_cloexec) == 0 ? 0 : -1;
}

// Names the calling thread for tools that list threads; what exceeds 15 bytes is cut off.
static inline void weft_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// A descriptor that becomes readable at a time of the monotonic clock; -1 when there is none left.
static inline int weft_alarm_open(void) {
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

// Sets the time in nanoseconds, in place of an earlier one; one in the past means now.
static inline void weft_alarm_set(int descriptor, long long nanoseconds) {
    struct itimerspec spec = {{0, 0}, {nanoseconds / 1000000000, nanoseconds % 1000000000}};
    timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &spec, 0);
}

// Makes it unreadable again; whether its time had come.
static inline int weft_alarm_take(int descriptor) {
    unsigned long long count = 0;
    return read(descriptor, &count, sizeof count) == sizeof count;
}
