// The shim over libmicrohttpd; CMicroHTTPD.h says what each function does.
#define _GNU_SOURCE
#include "CMicroHTTPD.h"
#include "Listening.h"

#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Most bytes of a request's head, and of what libmicrohttpd keeps for a connection.
#define HEAD_LIMIT (64 * 1024)
// Bytes of a stream that are sent at once.
#define BLOCK (16 * 1024)

struct exchange {
    struct exchange *next;
    weft_httpd *httpd;
    uint64_t number;
    // Null once it is over.
    struct MHD_Connection *connection;
    char *head;
    size_t head_length;
    uint8_t *body;
    size_t body_length, body_capacity;
    bool is_too_large, is_told, is_suspended, is_broken;
    struct MHD_Response *response;
    unsigned status;
    // What of a stream is not sent yet.
    uint8_t *pending;
    size_t pending_start, pending_length, pending_capacity;
    bool has_ended;
};

struct event {
    struct event *next;
    weft_httpd_kind kind;
    struct exchange *exchange;
};

struct weft_httpd {
    struct MHD_Daemon *daemon;
    int descriptor, socket;
    uint16_t port;
    weft_httpd_limits limits;
    uint64_t last_number;
    // Bytes of all bodies that have not been copied.
    size_t all_bodies;
    struct exchange *exchanges;
    struct event *first, *last;
    // The exchange of the last event, and whether it is over.
    struct exchange *current;
    bool is_current_over;
};

// MARK: - The library

#define EACH_FUNCTION(use) \
    use(start_daemon) \
    use(stop_daemon) \
    use(run) \
    use(get_timeout) \
    use(get_daemon_info) \
    use(get_connection_info) \
    use(get_connection_values) \
    use(suspend_connection) \
    use(resume_connection) \
    use(create_response_from_buffer) \
    use(create_response_from_callback) \
    use(add_response_header) \
    use(queue_response) \
    use(destroy_response) \
    use(get_version)

#define DECLARE(name) __typeof__(&MHD_##name) name;
static struct { EACH_FUNCTION(DECLARE) } api;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;

static void load(void) {
    void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return;
#define FIND(name) \
    api.name = (__typeof__(api.name))dlsym(library, "MHD_" #name); \
    if (api.name == NULL) return;
    EACH_FUNCTION(FIND)
    is_loaded = true;
}

static bool is_there(void) {
    pthread_once(&once, load);
    return is_loaded;
}

const char *weft_httpd_version(void) { return is_there() ? api.get_version() : NULL; }

// MARK: - Exchanges

static struct exchange *find(weft_httpd *httpd, uint64_t number) {
    struct exchange *exchange = httpd->exchanges;
    while (exchange != NULL && exchange->number != number) exchange = exchange->next;
    return exchange;
}

static void free_body(struct exchange *exchange) {
    free(exchange->body);
    exchange->httpd->all_bodies -= exchange->body_length;
    exchange->body = NULL;
    exchange->body_length = exchange->body_capacity = 0;
}

static void free_exchange(struct exchange *exchange) {
    struct exchange **link = &exchange->httpd->exchanges;
    while (*link != NULL && *link != exchange) link = &(*link)->next;
    if (*link != NULL) *link = exchange->next;
    if (exchange->response != NULL) api.destroy_response(exchange->response);
    free(exchange->head);
    free_body(exchange);
    free(exchange->pending);
    free(exchange);
}

// Without memory an event would be lost, and with it the promise that each exchange ends.
static void push(weft_httpd *httpd, weft_httpd_kind kind, struct exchange *exchange) {
    struct event *event = calloc(1, sizeof *event);
    if (event == NULL) abort();
    event->kind = kind;
    event->exchange = exchange;
    if (httpd->last != NULL) {
        httpd->last->next = event;
    } else {
        httpd->first = event;
    }
    httpd->last = event;
}

static bool append(
    uint8_t **bytes, size_t *length, size_t *capacity, const void *more, size_t count) {
    if (*length + count > *capacity) {
        size_t wanted = (*length + count) * 2;
        uint8_t *grown = realloc(*bytes, wanted);
        if (grown == NULL) return false;
        *bytes = grown;
        *capacity = wanted;
    }
    memcpy(*bytes + *length, more, count);
    *length += count;
    return true;
}

static void resume(struct exchange *exchange) {
    if (!exchange->is_suspended || exchange->connection == NULL) return;
    exchange->is_suspended = false;
    api.resume_connection(exchange->connection);
}

static void suspend(struct exchange *exchange) {
    exchange->is_suspended = true;
    api.suspend_connection(exchange->connection);
}

// MARK: - What libmicrohttpd calls

struct head {
    uint8_t *bytes;
    size_t length, capacity;
    bool has_failed;
};

static void add_line(struct head *head, const char *first, const char *second) {
    static const char separator[] = ": ";
    const char *parts[] = {first, second == NULL ? "" : separator, second == NULL ? "" : second};
    for (int index = 0; index < 3; index++) {
        // A line feed would begin a line that the client did not send.
        for (const char *byte = parts[index]; *byte != 0; byte++) {
            char written = *byte == '\n' || *byte == '\r' ? ' ' : *byte;
            if (!append(&head->bytes, &head->length, &head->capacity, &written, 1)) {
                head->has_failed = true;
            }
        }
    }
    if (!append(&head->bytes, &head->length, &head->capacity, "\n", 1)) head->has_failed = true;
}

static enum MHD_Result add_header(
    void *data, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    add_line(data, name, value == NULL ? "" : value);
    return MHD_YES;
}

static enum MHD_Result add_argument(
    void *data, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    struct head *head = data;
    if (!append(&head->bytes, &head->length, &head->capacity, "?", 1)) head->has_failed = true;
    add_line(head, name, value == NULL ? "" : value);
    return MHD_YES;
}

static enum MHD_Result begin_exchange(
    weft_httpd *httpd, struct MHD_Connection *connection, const char *path, const char *method,
    void **place) {
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) return MHD_NO;
    exchange->httpd = httpd;
    exchange->number = ++httpd->last_number;
    exchange->connection = connection;
    exchange->next = httpd->exchanges;
    httpd->exchanges = exchange;
    *place = exchange;
    struct head head = {0};
    add_line(&head, method, NULL);
    add_line(&head, path, NULL);
    api.get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_argument, &head);
    api.get_connection_values(connection, MHD_HEADER_KIND, add_header, &head);
    exchange->head = (char *)head.bytes;
    exchange->head_length = head.length;
    return head.has_failed ? MHD_NO : MHD_YES;
}

static enum MHD_Result request_arrived(
    void *data, struct MHD_Connection *connection, const char *path, const char *method,
    const char *version, const char *bytes, size_t *length, void **place) {
    (void)version;
    weft_httpd *httpd = data;
    struct exchange *exchange = *place;
    if (exchange == NULL) return begin_exchange(httpd, connection, path, method, place);
    if (*length > 0) {
        if (exchange->body_length + *length > httpd->limits.body_limit
            || httpd->all_bodies + *length > httpd->limits.all_bodies_limit) {
            exchange->is_too_large = true;
            free_body(exchange);
        } else if (!exchange->is_too_large) {
            if (!append(&exchange->body, &exchange->body_length, &exchange->body_capacity, bytes,
                    *length)) {
                return MHD_NO;
            }
            httpd->all_bodies += *length;
        }
        *length = 0;
        return MHD_YES;
    }
    if (!exchange->is_told) {
        exchange->is_told = true;
        suspend(exchange);
        push(httpd, WEFT_HTTPD_REQUEST, exchange);
        return MHD_YES;
    }
    if (exchange->response == NULL) return MHD_NO;
    enum MHD_Result result =
        api.queue_response(connection, exchange->status, exchange->response);
    api.destroy_response(exchange->response);
    exchange->response = NULL;
    return result;
}

static void exchange_completed(
    void *data, struct MHD_Connection *connection, void **place,
    enum MHD_RequestTerminationCode code) {
    (void)connection;
    (void)code;
    struct exchange *exchange = *place;
    if (exchange == NULL) return;
    *place = NULL;
    exchange->connection = NULL;
    exchange->is_suspended = false;
    push(data, WEFT_HTTPD_ENDED, exchange);
}

static ssize_t read_stream(void *data, uint64_t position, char *bytes, size_t most) {
    (void)position;
    struct exchange *exchange = data;
    if (exchange->is_broken) return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t count = exchange->pending_length - exchange->pending_start;
    if (count > 0) {
        if (count > most) count = most;
        memcpy(bytes, exchange->pending + exchange->pending_start, count);
        exchange->pending_start += count;
        if (exchange->pending_start == exchange->pending_length) {
            exchange->pending_start = exchange->pending_length = 0;
        }
        return (ssize_t)count;
    }
    if (exchange->has_ended) return MHD_CONTENT_READER_END_OF_STREAM;
    suspend(exchange);
    return 0;
}

// MARK: - The listener

weft_httpd *weft_httpd_new(const char *host, uint16_t port, weft_httpd_limits limits) {
    if (!is_there()) {
        errno = ENOSYS;
        return NULL;
    }
    weft_httpd *httpd = calloc(1, sizeof *httpd);
    if (httpd == NULL) return NULL;
    httpd->limits = limits;
    httpd->socket = weft_httpd_listen(host, port, &httpd->port);
    if (httpd->socket < 0) {
        int code = errno;
        free(httpd);
        errno = code;
        return NULL;
    }
    httpd->daemon = api.start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_arrived, httpd,
        MHD_OPTION_LISTEN_SOCKET, httpd->socket, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed,
        httpd, MHD_OPTION_CONNECTION_LIMIT, limits.connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, limits.idle_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEAD_LIMIT, MHD_OPTION_END);
    if (httpd->daemon == NULL) {
        close(httpd->socket);
        free(httpd);
        errno = EIO;
        return NULL;
    }
    httpd->descriptor =
        api.get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return httpd;
}

void weft_httpd_free(weft_httpd *httpd) {
    for (struct exchange *each = httpd->exchanges; each != NULL; each = each->next) {
        each->is_broken = true;
        resume(each);
    }
    // Closes the listening socket, too.
    api.stop_daemon(httpd->daemon);
    while (httpd->first != NULL) {
        struct event *event = httpd->first;
        httpd->first = event->next;
        free(event);
    }
    while (httpd->exchanges != NULL) free_exchange(httpd->exchanges);
    free(httpd);
}

uint16_t weft_httpd_port(const weft_httpd *httpd) { return httpd->port; }

int32_t weft_httpd_descriptor(const weft_httpd *httpd) { return httpd->descriptor; }

void weft_httpd_run(weft_httpd *httpd) { api.run(httpd->daemon); }

int64_t weft_httpd_timeout(weft_httpd *httpd) {
    MHD_UNSIGNED_LONG_LONG milliseconds = 0;
    if (api.get_timeout(httpd->daemon, &milliseconds) != MHD_YES) return -1;
    return milliseconds > INT32_MAX ? INT32_MAX : (int64_t)milliseconds;
}

// MARK: - Events

bool weft_httpd_next(weft_httpd *httpd, weft_httpd_event *event) {
    if (httpd->current != NULL && httpd->is_current_over) free_exchange(httpd->current);
    httpd->current = NULL;
    struct event *next = httpd->first;
    if (next == NULL) return false;
    httpd->first = next->next;
    if (httpd->first == NULL) httpd->last = NULL;
    struct exchange *exchange = next->exchange;
    httpd->current = exchange;
    httpd->is_current_over = next->kind == WEFT_HTTPD_ENDED;
    *event = (weft_httpd_event){
        .kind = next->kind,
        .exchange = exchange->number,
        .head_length = exchange->head_length,
        .body_length = exchange->body_length,
        .is_too_large = exchange->is_too_large,
    };
    free(next);
    return true;
}

void weft_httpd_copy(weft_httpd *httpd, uint8_t *head, uint8_t *body) {
    struct exchange *exchange = httpd->current;
    if (exchange == NULL) return;
    memcpy(head, exchange->head, exchange->head_length);
    if (exchange->body_length > 0) memcpy(body, exchange->body, exchange->body_length);
    free_body(exchange);
}

// MARK: - Responses

static void add_headers(struct MHD_Response *response, const char *headers) {
    char line[2048];
    while (*headers != 0) {
        const char *end = strchr(headers, '\n');
        size_t length = end == NULL ? strlen(headers) : (size_t)(end - headers);
        if (length < sizeof line) {
            memcpy(line, headers, length);
            line[length] = 0;
            char *colon = strchr(line, ':');
            if (colon != NULL && colon[1] == ' ') {
                *colon = 0;
                api.add_response_header(response, line, colon + 2);
            }
        }
        headers += length + (end != NULL);
    }
}

static void respond(
    struct exchange *exchange, struct MHD_Response *response, unsigned status,
    const char *headers) {
    exchange->is_broken = response == NULL;
    if (response != NULL) add_headers(response, headers);
    exchange->response = response;
    exchange->status = status;
    resume(exchange);
}

void weft_httpd_answer(
    weft_httpd *httpd, uint64_t number, unsigned status, const char *headers, const uint8_t *body,
    size_t length) {
    struct exchange *exchange = find(httpd, number);
    if (exchange == NULL || exchange->connection == NULL || exchange->response != NULL) return;
    struct MHD_Response *response =
        api.create_response_from_buffer(length, (void *)body, MHD_RESPMEM_MUST_COPY);
    respond(exchange, response, status, headers);
}

void weft_httpd_begin(weft_httpd *httpd, uint64_t number, unsigned status, const char *headers) {
    struct exchange *exchange = find(httpd, number);
    if (exchange == NULL || exchange->connection == NULL || exchange->response != NULL) return;
    struct MHD_Response *response = api.create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK, read_stream, exchange, NULL);
    respond(exchange, response, status, headers);
}

void weft_httpd_write(
    weft_httpd *httpd, uint64_t number, const uint8_t *bytes, size_t length) {
    struct exchange *exchange = find(httpd, number);
    if (exchange == NULL || exchange->connection == NULL || exchange->has_ended) return;
    // What was sent makes room, so that a stream which always has more does not grow.
    if (exchange->pending_start > exchange->pending_length / 2) {
        exchange->pending_length -= exchange->pending_start;
        memmove(exchange->pending, exchange->pending + exchange->pending_start,
            exchange->pending_length);
        exchange->pending_start = 0;
    }
    if (!append(&exchange->pending, &exchange->pending_length, &exchange->pending_capacity, bytes,
            length)) {
        exchange->is_broken = true;
    }
    resume(exchange);
}

size_t weft_httpd_unsent(weft_httpd *httpd, uint64_t number) {
    struct exchange *exchange = find(httpd, number);
    return exchange == NULL || exchange->connection == NULL ? 0
        : exchange->pending_length - exchange->pending_start;
}

void weft_httpd_end(weft_httpd *httpd, uint64_t number) {
    struct exchange *exchange = find(httpd, number);
    if (exchange == NULL || exchange->connection == NULL) return;
    exchange->has_ended = true;
    resume(exchange);
}

void weft_httpd_drop(weft_httpd *httpd, uint64_t number) {
    struct exchange *exchange = find(httpd, number);
    if (exchange == NULL || exchange->connection == NULL) return;
    exchange->is_broken = true;
    resume(exchange);
}

// MARK: - The client's side

int32_t weft_httpd_socket(weft_httpd *httpd, uint64_t number) {
    struct exchange *exchange = find(httpd, number);
    if (exchange == NULL || exchange->connection == NULL) return -1;
    const union MHD_ConnectionInfo *info =
        api.get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

bool weft_httpd_is_gone(weft_httpd *httpd, uint64_t number) {
    int descriptor = weft_httpd_socket(httpd, number);
    if (descriptor < 0) return true;
    char byte;
    ssize_t count = recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count == 0 || count < 0 && errno != EAGAIN && errno != EINTR;
}
