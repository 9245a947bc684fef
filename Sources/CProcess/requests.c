// The worker's side of the keeper: requests to it, and the reply to each start.
#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int weft_keeper_sockets(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : -errno;
}

static long milliseconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000L + time.tv_nsec / 1000000;
}

// Waits for an event until a time; false when it is over.
static bool wait_for(int descriptor, short event, long until) {
    while (true) {
        long rest = until - milliseconds_now();
        struct pollfd wait = {.fd = descriptor, .events = event};
        int count = poll(&wait, 1, rest > 0 ? (int)rest : 0);
        if (count > 0) return true;
        if (count == 0 || errno != EINTR) return false;
    }
}

static bool send_request(
    int control, const struct request *request, const char *strings, const int *descriptors,
    size_t descriptor_count, long until
) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } rights;
    memset(&rights, 0, sizeof rights);
    struct iovec parts[2] = {
        {.iov_base = (void *)request, .iov_len = sizeof *request},
        {.iov_base = (void *)strings, .iov_len = request->has_file ? 0 : request->size},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (descriptor_count > 0) {
        message.msg_control = &rights;
        message.msg_controllen = CMSG_SPACE(descriptor_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptor_count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, descriptor_count * sizeof(int));
    }
    while (sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN || !wait_for(control, POLLOUT, until)) return false;
    }
    return true;
}

// A file without a name that holds the strings, or -errno.
static int file_of(const char *strings, size_t size) {
    int file = memfd_create("weft-arguments", MFD_CLOEXEC);
    if (file < 0) return -errno;
    for (size_t done = 0; done < size;) {
        ssize_t count = write(file, strings + done, size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            int error = count < 0 ? errno : ENOSPC;
            close(file);
            return -error;
        }
        done += (size_t)count;
    }
    return file;
}

int weft_keeper_spawn(int control, uint64_t id, const struct weft_start *start, int milliseconds) {
    if (start->size > UINT32_MAX / 2) return -E2BIG;
    struct request request = {
        .kind = request_spawn, .size = (uint32_t)start->size, .id = id,
        .arguments = start->arguments, .variables = start->variables,
        .confinement = start->confinement,
    };
    int descriptors[4];
    size_t count = 0;
    int file = -1;
    if (start->size > request_limit - sizeof request) {
        file = file_of(start->strings, start->size);
        if (file < 0) return file;
        request.has_file = 1;
        descriptors[count++] = file;
    }
    for (int number = 0; number < 3; number++) {
        request.has_stdio[number] = start->stdio[number] >= 0;
        if (start->stdio[number] >= 0) descriptors[count++] = start->stdio[number];
    }
    long until = milliseconds_now() + milliseconds;
    bool is_sent = send_request(control, &request, start->strings, descriptors, count, until);
    if (file >= 0) close(file);
    if (!is_sent) return 0;
    // Counted in slices: while this process itself is stopped or starved, at most one goes by.
    const int slice = 50;
    for (int left = milliseconds / slice; left > 0;) {
        struct pollfd wait = {.fd = control, .events = POLLIN};
        int count = poll(&wait, 1, slice);
        if (count == 0) left--;
        if (count <= 0) continue;
        struct reply reply;
        ssize_t length = recv(control, &reply, sizeof reply, MSG_DONTWAIT);
        if (length < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (length != sizeof reply) break;
        if (reply.id == id) return reply.result;
    }
    return WEFT_KEEPER_SILENT;
}

bool weft_keeper_signal(int control, uint64_t id, int signal, bool group) {
    struct request request = {
        .kind = request_signal, .id = id, .signal = signal, .has_group = group,
    };
    return send_request(control, &request, NULL, NULL, 0, milliseconds_now());
}
