/*
 * fastclock.c - lets time run faster for the program it is preloaded into.
 *
 *   LD_PRELOAD=libfastclock.so FASTCLOCK="20 1764360000000 1782918000000"
 *
 * The factor, 1 to 1000; a moment of the real clock, and what the program's
 * clock shows at that moment, both in unix milliseconds. Without FASTCLOCK, or
 * with one that cannot be read, time is as it is.
 *
 * Whoever knows the three numbers can tell the program's time: unix time is
 * counted from that moment, the monotonic clocks from their own zero, and both
 * are the same in every process. Waits are as much shorter.
 *
 * Replaced is what the gateway's threads read clocks and wait with: libuv
 * (clock_gettime, gettimeofday, epoll_wait or epoll_pwait), the writer of the
 * store and the server's end (pthread_cond_timedwait on the monotonic clock),
 * SQLite (gettimeofday), OpenSSL and the logs (time). What the kernel times by
 * itself (a socket's own timeouts, a file's times) stays as it is.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define MS_NS     1000000LL

static int64_t factor = 1;
static int64_t real_ns; /* this moment of the real clock */
static int64_t fast_ns; /* is this one of the fast clock */

typedef int (*clock_reader)(clockid_t, struct timespec *);
static clock_reader read_real;

static void __attribute__((constructor)) begin(void)
{
    long long factor_told, real_ms, fast_ms;
    const char *told = getenv("FASTCLOCK");
    if (!told ||
        sscanf(told, "%lld %lld %lld", &factor_told, &real_ms, &fast_ms) != 3 ||
        factor_told < 1 || factor_told > 1000)
        return;
    real_ns = real_ms * MS_NS;
    fast_ns = fast_ms * MS_NS;
    factor = factor_told;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){ns / SECOND_NS, ns % SECOND_NS};
}

static int64_t ns_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * SECOND_NS + time->tv_nsec;
}

/* ---- clocks ---- */

/* Clocks are read before the constructor has run, by sanitizers for one. */
static int read_clock(clockid_t clock, struct timespec *now)
{
    clock_reader read = __atomic_load_n(&read_real, __ATOMIC_RELAXED);
    if (!read) {
        read = (clock_reader)(uintptr_t)dlsym(RTLD_NEXT, "clock_gettime");
        __atomic_store_n(&read_real, read, __ATOMIC_RELAXED);
    }
    return read(clock, now);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = read_clock(clock, now);
    if (result != 0)
        return result;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *now = timespec_of(fast_ns + (ns_of(now) - real_ns) * factor);
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        *now = timespec_of(ns_of(now) * factor);
        break;
    default: /* time that a process has used is no time of day */
        break;
    }
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
        return -1;
    *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now)
{
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
        return -1;
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}

/* ---- waits ---- */

/* A millisecond of the program's is less than one, and no timeout in whole
 * milliseconds could tell it; kernels before 5.11 wait too long. */
static int wait_epoll(int fd, struct epoll_event *events, int count,
                      int timeout_ms, const sigset_t *mask)
{
    if (timeout_ms > 0 && factor > 1) {
        struct timespec wait = timespec_of(timeout_ms * MS_NS / factor);
        long result = syscall(SYS_epoll_pwait2, fd, events, count, &wait, mask,
                              (size_t)8);
        if (result >= 0 || errno != ENOSYS)
            return (int)result;
        timeout_ms = (int)((timeout_ms + factor - 1) / factor);
    }
    return (int)syscall(SYS_epoll_pwait, fd, events, count, timeout_ms, mask,
                        (size_t)8);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms)
{
    return wait_epoll(fd, events, count, timeout_ms, NULL);
}

int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout_ms,
                const sigset_t *mask)
{
    return wait_epoll(fd, events, count, timeout_ms, mask);
}

/* The program's conditions are all on the monotonic clock. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition,
                           pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    struct timespec at = timespec_of(ns_of(until) / factor);
    return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &at);
}

int nanosleep(const struct timespec *wait, struct timespec *left)
{
    struct timespec shorter = timespec_of(ns_of(wait) / factor);
    int result = (int)syscall(SYS_nanosleep, &shorter, left);
    if (result != 0 && left)
        *left = timespec_of(ns_of(left) * factor);
    return result;
}
