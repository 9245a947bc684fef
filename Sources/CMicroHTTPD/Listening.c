// The socket of a listener; Listening.h says what the function does.
#define _GNU_SOURCE
#include "Listening.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

int weft_httpd_listen(const char *host, uint16_t port, uint16_t *bound) {
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
    };
    struct addrinfo *address = NULL;
    if (getaddrinfo(host, NULL, &hints, &address) != 0 || address == NULL) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int yes = 1;
    int descriptor =
        socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (address->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)address->ai_addr)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)address->ai_addr)->sin_port = htons(port);
    }
    struct sockaddr_storage own = {0};
    socklen_t length = sizeof own;
    bool is_open = descriptor >= 0
        && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0
        && bind(descriptor, address->ai_addr, address->ai_addrlen) == 0
        && listen(descriptor, 128) == 0
        && getsockname(descriptor, (struct sockaddr *)&own, &length) == 0;
    freeaddrinfo(address);
    if (!is_open) {
        int code = errno;
        if (descriptor >= 0) close(descriptor);
        errno = code;
        return -1;
    }
    *bound = ntohs(
        own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
                                  : ((struct sockaddr_in *)&own)->sin_port);
    return descriptor;
}
