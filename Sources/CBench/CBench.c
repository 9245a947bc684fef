// Alarms as descriptors (timerfd).
#include "CBench.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

int weft_alarm_open(void) {
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

void weft_alarm_set(int descriptor, long long nanoseconds) {
    struct itimerspec spec = {{0, 0}, {nanoseconds / 1000000000, nanoseconds % 1000000000}};
    timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &spec, 0);
}

int weft_alarm_take(int descriptor) {
    unsigned long long count = 0;
    return read(descriptor, &count, sizeof count) == sizeof count;
}
