// System calls that only benchmarks need and that the C library does not show to Swift.
#ifndef CBENCH_H
#define CBENCH_H

// A descriptor that becomes readable at a time of the monotonic clock; -1 when there is none left.
int weft_alarm_open(void);

// Sets the time in nanoseconds, in place of an earlier one; one in the past means now.
void weft_alarm_set(int descriptor, long long nanoseconds);

// Makes it unreadable again; whether its time had come.
int weft_alarm_take(int descriptor);

#endif
