// The shim over libcurl; CCurl.h says what each function does.
#include "CCurl.h"
#include "Addresses.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// Most bytes of a response's header lines.
#define HEAD_LIMIT (256 * 1024)

struct event {
    struct event *next;
    weft_curl_event event;
    uint8_t bytes[];
};

struct weft_curl {
    CURLM *multi;
    struct event *first, *last;
    // Kept until the next one is taken, for its bytes.
    struct event *taken;
};

struct weft_transfer {
    weft_curl *curl;
    CURL *easy;
    struct curl_slist *headers;
    uint64_t number;
    bool has_begun, has_type, head_told, is_too_large;
    int64_t body_limit, body_length;
    // The address of IPv6 that a network begins with, and how many bits of it.
    struct { struct in6_addr address; int32_t bits; } *allowed;
    size_t allowed_count;
    char forbidden[INET6_ADDRSTRLEN];
    char *head;
    size_t head_length, head_capacity;
    char error[CURL_ERROR_SIZE];
};

// MARK: - The library

// libcurl and the thirty libraries behind it are loaded by the first who needs them: a worker never
// does, so that its host need not have them.
#define EACH_FUNCTION(use) \
    use(global_init) \
    use(multi_init) \
    use(multi_cleanup) \
    use(multi_setopt) \
    use(multi_add_handle) \
    use(multi_remove_handle) \
    use(multi_socket_action) \
    use(multi_info_read) \
    use(easy_init) \
    use(easy_cleanup) \
    use(easy_setopt) \
    use(easy_getinfo) \
    use(easy_strerror) \
    use(slist_append) \
    use(slist_free_all) \
    use(url) \
    use(url_cleanup) \
    use(url_set) \
    use(url_get) \
    use(getdate) \
    use(version_info) \
    use(free)

#define DECLARE(name) __typeof__(&curl_##name) name;
static struct { EACH_FUNCTION(DECLARE) } api;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;

static void load(void) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return;
#define FIND(name) \
    api.name = (__typeof__(api.name))dlsym(library, "curl_" #name); \
    if (api.name == NULL) return;
    EACH_FUNCTION(FIND)
    is_loaded = api.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static bool is_there(void) {
    pthread_once(&once, load);
    return is_loaded;
}

const char *weft_curl_version(void) {
    return is_there() ? api.version_info(CURLVERSION_NOW)->version : NULL;
}

// MARK: - Events

// Without memory an event would be lost, and with it the promise that each transfer ends.
static bool push(weft_curl *curl, weft_curl_event event, const void *bytes) {
    struct event *entry = malloc(sizeof *entry + event.length);
    if (entry == NULL) {
        if (event.kind == WEFT_CURL_HEAD || event.kind == WEFT_CURL_BODY) return false;
        abort();
    }
    entry->next = NULL;
    entry->event = event;
    if (event.length > 0) memcpy(entry->bytes, bytes, event.length);
    if (curl->last != NULL) {
        curl->last->next = entry;
    } else {
        curl->first = entry;
    }
    curl->last = entry;
    return true;
}

bool weft_curl_next(weft_curl *curl, weft_curl_event *event) {
    free(curl->taken);
    curl->taken = curl->first;
    if (curl->taken == NULL) return false;
    curl->first = curl->taken->next;
    if (curl->first == NULL) curl->last = NULL;
    *event = curl->taken->event;
    return true;
}

void weft_curl_copy(weft_curl *curl, uint8_t *bytes) {
    if (curl->taken == NULL || curl->taken->event.length == 0) return;
    memcpy(bytes, curl->taken->bytes, curl->taken->event.length);
}

// MARK: - What libcurl calls

static int socket_changed(CURL *easy, curl_socket_t socket, int what, void *data, void *unused) {
    (void)easy;
    (void)unused;
    weft_curl_event event = {.kind = WEFT_CURL_SOCKET, .descriptor = socket};
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) event.value |= WEFT_CURL_READABLE;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) event.value |= WEFT_CURL_WRITABLE;
    push(data, event, NULL);
    return 0;
}

static int timer_changed(CURLM *multi, long milliseconds, void *data) {
    (void)multi;
    push(data, (weft_curl_event){.kind = WEFT_CURL_TIMER, .value = milliseconds}, NULL);
    return 0;
}

static size_t body_arrived(char *bytes, size_t size, size_t count, void *data) {
    weft_transfer *transfer = data;
    size_t length = size * count;
    transfer->body_length += (int64_t)length;
    if (transfer->body_limit > 0 && transfer->body_length > transfer->body_limit) {
        transfer->is_too_large = true;
        return length + 1;
    }
    weft_curl_event event = {
        .kind = WEFT_CURL_BODY, .transfer = transfer->number, .length = length};
    if (length > 0 && !push(transfer->curl, event, bytes)) return length + 1;
    return length;
}

static bool keep_header(weft_transfer *transfer, const char *line, size_t length) {
    size_t needed = transfer->head_length + length;
    if (needed > HEAD_LIMIT) return false;
    if (needed > transfer->head_capacity) {
        size_t capacity = needed * 2;
        char *head = realloc(transfer->head, capacity);
        if (head == NULL) return false;
        transfer->head = head;
        transfer->head_capacity = capacity;
    }
    memcpy(transfer->head + transfer->head_length, line, length);
    transfer->head_length = needed;
    return true;
}

// Gets one line at a time: status lines, headers, an empty line after them, trailers.
static size_t header_arrived(char *line, size_t size, size_t count, void *data) {
    weft_transfer *transfer = data;
    size_t length = size * count;
    if (transfer->head_told) return length;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        transfer->head_length = 0;
        return length;
    }
    if (length > 0 && line[0] != '\r' && line[0] != '\n') {
        return keep_header(transfer, line, length) ? length : length + 1;
    }
    long status = 0;
    api.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    // 1xx only announces the response.
    if (status < 200) return length;
    transfer->head_told = true;
    weft_curl_event event = {
        .kind = WEFT_CURL_HEAD,
        .transfer = transfer->number,
        .value = status,
        .length = transfer->head_length,
    };
    return push(transfer->curl, event, transfer->head) ? length : length + 1;
}

// MARK: - Addresses

static bool is_allowed(const weft_transfer *transfer, const struct in6_addr *address) {
    if (weft_address_is_public(address)) return true;
    for (size_t index = 0; index < transfer->allowed_count; index++) {
        const uint8_t *prefix = transfer->allowed[index].address.s6_addr;
        if (weft_address_begins(address, prefix, transfer->allowed[index].bits)) return true;
    }
    return false;
}

// Called with each address of the host before it is connected to.
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *target) {
    weft_transfer *transfer = data;
    struct in6_addr address = IN6ADDR_ANY_INIT;
    (void)purpose;
    const void *place = NULL;
    if (target->family == AF_INET) {
        place = &((const struct sockaddr_in *)&target->addr)->sin_addr;
        weft_address_map(place, &address);
    } else if (target->family == AF_INET6) {
        place = &((const struct sockaddr_in6 *)(const void *)&target->addr)->sin6_addr;
        memcpy(&address, place, sizeof address);
    }
    if (place == NULL || !is_allowed(transfer, &address)) {
        if (place != NULL)
            inet_ntop(target->family, place, transfer->forbidden, sizeof transfer->forbidden);
        return CURL_SOCKET_BAD;
    }
    return socket(target->family, target->socktype | SOCK_CLOEXEC, target->protocol);
}

bool weft_transfer_allow(weft_transfer *transfer, const uint8_t *address, int32_t bits) {
    size_t size = (transfer->allowed_count + 1) * sizeof *transfer->allowed;
    void *allowed = realloc(transfer->allowed, size);
    if (allowed == NULL || bits < 0 || bits > 128) return false;
    transfer->allowed = allowed;
    memcpy(&transfer->allowed[transfer->allowed_count].address, address, 16);
    transfer->allowed[transfer->allowed_count].bits = bits;
    transfer->allowed_count += 1;
    return true;
}

// MARK: - All transfers

weft_curl *weft_curl_new(void) {
    weft_curl *curl = is_there() ? calloc(1, sizeof *curl) : NULL;
    if (curl == NULL) return NULL;
    curl->multi = api.multi_init();
    if (curl->multi == NULL) {
        free(curl);
        return NULL;
    }
    api.multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    api.multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    api.multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    api.multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
    return curl;
}

void weft_curl_free(weft_curl *curl) {
    api.multi_cleanup(curl->multi);
    weft_curl_event event;
    while (weft_curl_next(curl, &event)) {}
    free(curl);
}

static weft_curl_result result_of(weft_transfer *transfer, CURLcode code) {
    double connected = 0;
    if (code == CURLE_WRITE_ERROR && transfer->is_too_large) return WEFT_CURL_TOO_LARGE;
    if (code == CURLE_COULDNT_CONNECT && transfer->forbidden[0] != 0) return WEFT_CURL_FORBIDDEN;
    switch (code) {
    case CURLE_OK: return WEFT_CURL_DONE;
    case CURLE_URL_MALFORMAT: return WEFT_CURL_BAD_URL;
    case CURLE_UNSUPPORTED_PROTOCOL:
        // Also said of a peer that speaks another one.
        api.easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME, &connected);
        return connected > 0 ? WEFT_CURL_NO_HTTP : WEFT_CURL_BAD_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return WEFT_CURL_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY: return WEFT_CURL_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        api.easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME, &connected);
        return connected > 0 ? WEFT_CURL_BROKEN_OFF : WEFT_CURL_CONNECT_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION: return WEFT_CURL_UNTRUSTED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return WEFT_CURL_INSECURE;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return WEFT_CURL_BROKEN_OFF;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: return WEFT_CURL_NO_HTTP;
    default: return WEFT_CURL_OTHER;
    }
}

static void tell_ends(weft_curl *curl) {
    CURLMsg *message;
    int left;
    while ((message = api.multi_info_read(curl->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        weft_transfer *transfer = NULL;
        api.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        const char *text = transfer->error[0] != 0 ? transfer->error : api.easy_strerror(code);
        weft_curl_result result = result_of(transfer, code);
        // For libcurl a head that breaks off is a head.
        if (result == WEFT_CURL_DONE && !transfer->head_told) {
            result = WEFT_CURL_BROKEN_OFF;
            text = "The connection ended within the head of the response";
        }
        if (result == WEFT_CURL_FORBIDDEN) text = transfer->forbidden;
        weft_curl_event event = {
            .kind = WEFT_CURL_END,
            .transfer = transfer->number,
            .value = result,
            .length = strlen(text),
        };
        push(curl, event, text);
    }
}

void weft_curl_ready(weft_curl *curl, int32_t descriptor, int32_t bits) {
    int mask = 0, running = 0;
    if (bits & WEFT_CURL_READABLE) mask |= CURL_CSELECT_IN;
    if (bits & WEFT_CURL_WRITABLE) mask |= CURL_CSELECT_OUT;
    if (bits & WEFT_CURL_BROKEN) mask |= CURL_CSELECT_ERR;
    api.multi_socket_action(curl->multi, descriptor, mask, &running);
    tell_ends(curl);
}

void weft_curl_timeout(weft_curl *curl) {
    int running = 0;
    api.multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    tell_ends(curl);
}

// MARK: - One transfer

static bool set_method(CURL *easy, const char *method) {
    if (strcmp(method, "HEAD") == 0) return api.easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    return api.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

static bool set_up(weft_transfer *transfer, weft_transfer_options options, const char *method,
                   const char *url, const char *proxy, const char *ca_file) {
    CURL *easy = transfer->easy;
    if (proxy == NULL && weft_url_is_loopback(url)) proxy = "";
    return api.easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK
        && (proxy == NULL || api.easy_setopt(easy, CURLOPT_PROXY, proxy) == CURLE_OK)
        && (ca_file == NULL || api.easy_setopt(easy, CURLOPT_CAINFO, ca_file) == CURLE_OK)
        && (!options.decodes || api.easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK)
        && (!options.is_public
            || (api.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK
                && api.easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK))
        && api.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK
        // A stream of one event after the other gains nothing from HTTP/2, and each transfer on a
        // connection of its own can be cancelled without a word to the others.
        && api.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options.connect_timeout_ms)
            == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_arrived) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_arrived) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK
        && set_method(easy, method)
        // libcurl would wait a second for a leave to send that many servers never give.
        && weft_transfer_header(transfer, "Expect:");
}

weft_transfer *weft_transfer_new(weft_curl *curl, weft_transfer_options options,
                                 const char *method, const char *url, const char *proxy,
                                 const char *ca_file) {
    weft_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) return NULL;
    transfer->curl = curl;
    transfer->number = options.number;
    transfer->body_limit = options.body_limit;
    transfer->easy = api.easy_init();
    if (transfer->easy == NULL
        || !set_up(transfer, options, method, url, proxy, ca_file)) {
        weft_transfer_free(transfer);
        return NULL;
    }
    return transfer;
}

bool weft_transfer_header(weft_transfer *transfer, const char *line) {
    struct curl_slist *headers = api.slist_append(transfer->headers, line);
    if (headers == NULL) return false;
    transfer->headers = headers;
    if (strncasecmp(line, "Content-Type:", 13) == 0) transfer->has_type = true;
    return true;
}

bool weft_transfer_body(weft_transfer *transfer, const uint8_t *bytes, size_t length) {
    CURL *easy = transfer->easy;
    return api.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length) == CURLE_OK
        && api.easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, length > 0 ? (const char *)bytes : "")
        == CURLE_OK;
}

bool weft_transfer_begin(weft_transfer *transfer) {
    // What libcurl takes a body for is wrong more often than not.
    if (!transfer->has_type && !weft_transfer_header(transfer, "Content-Type:")) return false;
    if (api.easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) != CURLE_OK
        || api.multi_add_handle(transfer->curl->multi, transfer->easy) != CURLM_OK)
        return false;
    transfer->has_begun = true;
    return true;
}

void weft_transfer_free(weft_transfer *transfer) {
    if (transfer->has_begun) api.multi_remove_handle(transfer->curl->multi, transfer->easy);
    if (transfer->easy != NULL) api.easy_cleanup(transfer->easy);
    api.slist_free_all(transfer->headers);
    free(transfer->head);
    free(transfer->allowed);
    free(transfer);
}

// MARK: - Hosts

static bool is_loopback(const char *host) {
    struct in_addr four;
    struct in6_addr six;
    char bare[64];
    size_t length = strlen(host);
    if (strcasecmp(host, "localhost") == 0) return true;
    if (length > 10 && strcasecmp(host + length - 10, ".localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    if (length < 3 || length >= sizeof bare || host[0] != '[') return false;
    memcpy(bare, host + 1, length - 2);
    bare[length - 2] = 0;
    if (inet_pton(AF_INET6, bare, &six) != 1) return false;
    return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

bool weft_url_is_loopback(const char *url) {
    if (!is_there()) return false;
    CURLU *parts = api.url();
    char *host = NULL;
    bool result = parts != NULL && api.url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK
        && api.url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && is_loopback(host);
    api.free(host);
    api.url_cleanup(parts);
    return result;
}

size_t weft_url_read(const char *base, const char *reference, weft_url_part part, uint8_t *text,
                     size_t capacity) {
    static const CURLUPart names[] = {
        CURLUPART_URL, CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    if (!is_there()) return 0;
    CURLU *parts = api.url();
    char *scheme = NULL, *found = NULL;
    if (parts != NULL && (base == NULL || api.url_set(parts, CURLUPART_URL, base, 0) == CURLUE_OK)
        && api.url_set(parts, CURLUPART_URL, reference, CURLU_URLENCODE) == CURLUE_OK
        && api.url_set(parts, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK
        && api.url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
        && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0))
        api.url_get(parts, names[part], &found, part == WEFT_URL_PORT ? CURLU_DEFAULT_PORT : 0);
    size_t length = found == NULL ? 0 : strlen(found);
    if (length > capacity) length = 0;
    if (length > 0) memcpy(text, found, length);
    api.free(found);
    api.free(scheme);
    api.url_cleanup(parts);
    return length;
}

int64_t weft_http_date(const char *text) {
    return is_there() ? (int64_t)api.getdate(text, NULL) : -1;
}
