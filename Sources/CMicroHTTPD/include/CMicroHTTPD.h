// libmicrohttpd with external polling as a machine: the caller watches one descriptor and keeps the
// time, requests and their ends come out as events, responses go in. Nothing here waits, and no
// function of libmicrohttpd is on the stack while the caller handles an event. Not here: what a
// request means.
#ifndef WEFT_MICROHTTPD_H
#define WEFT_MICROHTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// A listener with its connections.
typedef struct weft_httpd weft_httpd;

typedef enum {
    // A request has arrived with all of its body; it waits for weft_httpd_answer or _begin.
    WEFT_HTTPD_REQUEST,
    // An exchange is over: its response is sent, or its client is gone. Its number means nothing
    // any more.
    WEFT_HTTPD_ENDED,
} weft_httpd_kind;

typedef struct {
    weft_httpd_kind kind;
    uint64_t exchange;
    // Bytes of the head: method, path, arguments of the query ("?name: value", decoded) and header
    // lines ("Name: value"), each with a line feed.
    size_t head_length;
    size_t body_length;
    // Whether the body has more bytes than allowed; then it is left out.
    bool is_too_large;
} weft_httpd_event;

typedef struct {
    // Bytes of a request's body, and of all that have not been copied.
    size_t body_limit, all_bodies_limit;
    unsigned connection_limit;
    // Seconds after which a connection is closed that sends nothing while something is due.
    unsigned idle_seconds;
} weft_httpd_limits;

// The version of libmicrohttpd, which is loaded for it; null when it is not there.
const char *_Nullable weft_httpd_version(void);

// Listens on a numeric address; null on failure, with errno, which is ENOSYS without libmicrohttpd.
weft_httpd *_Nullable weft_httpd_new(const char *host, uint16_t port, weft_httpd_limits limits);
// Closes everything; exchanges end without an event.
void weft_httpd_free(weft_httpd *httpd);

// The port that it listens on.
uint16_t weft_httpd_port(const weft_httpd *httpd);
// The descriptor to watch for being readable.
int32_t weft_httpd_descriptor(const weft_httpd *httpd);
// Does what is due: to be called when the descriptor is readable and when the time is over.
void weft_httpd_run(weft_httpd *httpd);
// Milliseconds until weft_httpd_run is to be called in any case; negative for never.
int64_t weft_httpd_timeout(weft_httpd *httpd);

// Removes the next event from the queue; false when none is waiting.
bool weft_httpd_next(weft_httpd *httpd, weft_httpd_event *event);
// Copies head and body of the request that is the last event.
void weft_httpd_copy(weft_httpd *httpd, uint8_t *head, uint8_t *body);

// Answers a request. `headers` has lines "Name: value", each with a line feed.
void weft_httpd_answer(
    weft_httpd *httpd, uint64_t exchange, unsigned status, const char *headers,
    const uint8_t *_Nullable body, size_t length);
// Begins a response whose body follows in pieces.
void weft_httpd_begin(
    weft_httpd *httpd, uint64_t exchange, unsigned status, const char *headers);
void weft_httpd_write(weft_httpd *httpd, uint64_t exchange, const uint8_t *bytes, size_t length);
// Bytes of the pieces that the client has not taken.
size_t weft_httpd_unsent(weft_httpd *httpd, uint64_t exchange);
void weft_httpd_end(weft_httpd *httpd, uint64_t exchange);
// Closes the connection of an exchange without (the rest of) a response.
void weft_httpd_drop(weft_httpd *httpd, uint64_t exchange);

// The socket of an exchange, for watching whether its client is gone; -1 when it has none.
int32_t weft_httpd_socket(weft_httpd *httpd, uint64_t exchange);
// Whether the client has closed its side.
bool weft_httpd_is_gone(weft_httpd *httpd, uint64_t exchange);

#pragma clang assume_nonnull end
#endif
