/* The inner loops of the UDP load generator (bench/traffic.py): batches, so that the generator is not the limit. */

#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, LARGEST = 65507, NUMBER = 8, TURN = 4096 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void sleep_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

/* Sends numbered datagrams on a connected, blocking socket, at most `count` of them, for so many seconds: `rate` a
 * second, or with a rate of 0 as fast as it goes. It sleeps in between, so at high rates several go out together.
 * Returns how many were sent, or -errno. */
long flood(int descriptor, long size, double rate, double seconds, long count, double *gone)
{
    static unsigned char payload[BATCH][LARGEST];
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    long number = 0;

    if (size < NUMBER || size > LARGEST)
        return -EINVAL;
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){payload[i], size};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    double start = now();
    while ((*gone = now() - start) < seconds && number < count) {
        long due = rate > 0 ? (long)(*gone * rate) + 1 : number + BATCH;
        if (due > count)
            due = count;
        if (due <= number) {
            sleep_for(number / rate - *gone);
            continue;
        }
        int batch = due - number < BATCH ? due - number : BATCH;
        for (int i = 0; i < batch; i++) {
            uint64_t value = htobe64(number + i);
            memcpy(payload[i], &value, NUMBER);
        }
        int sent = sendmmsg(descriptor, messages, batch, 0);
        if (sent < 0 && errno != ENOBUFS && errno != EINTR)
            return -errno;
        if (sent > 0)
            number += sent;
    }
    return number;
}

/* Reads what waits on a non-blocking socket and marks the numbers in `seen`, which has room for `count` of them.
 * Returns how many datagrams were read, or -errno. */
long mark(int descriptor, unsigned char *seen, long count)
{
    static unsigned char start[BATCH][NUMBER];
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    long total = 0;

    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){start[i], NUMBER};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (total < TURN) {
        int taken = recvmmsg(descriptor, messages, BATCH, MSG_DONTWAIT, NULL);
        if (taken < 0)
            return errno == EAGAIN || errno == EINTR ? total : -errno;
        for (int i = 0; i < taken; i++) {
            uint64_t number;
            memcpy(&number, start[i], NUMBER);
            number = be64toh(number);
            if (messages[i].msg_len == NUMBER && number < (uint64_t)count)
                seen[number] = 1;
        }
        total += taken;
    }
    return total;
}
