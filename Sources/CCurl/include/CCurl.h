// libcurl's multi-socket interface as a machine: bytes of work go in, events come out. The caller
// watches the sockets and keeps the time; nothing here waits, and no function of libcurl is on the
// stack while the caller looks at an event. Not here: what a request means, retries.
#ifndef WEFT_CURL_H
#define WEFT_CURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// All transfers of one loop, with the connections they share.
typedef struct weft_curl weft_curl;
// One request and its response.
typedef struct weft_transfer weft_transfer;

typedef enum {
    // Watch a socket for `value` (bits below), or no more when it is 0.
    WEFT_CURL_SOCKET,
    // Call weft_curl_timeout after `value` milliseconds; no timeout is wanted when it is negative.
    WEFT_CURL_TIMER,
    // The head of a transfer's response: `value` is the status, the bytes are the header lines.
    WEFT_CURL_HEAD,
    // A piece of a transfer's body.
    WEFT_CURL_BODY,
    // The end of a transfer: `value` is a weft_curl_result, the bytes say why in words.
    WEFT_CURL_END,
} weft_curl_kind;

enum {
    WEFT_CURL_READABLE = 1,
    WEFT_CURL_WRITABLE = 2,
    WEFT_CURL_BROKEN = 4,
};

typedef enum {
    WEFT_CURL_DONE,
    WEFT_CURL_BAD_URL,
    WEFT_CURL_UNRESOLVED,
    WEFT_CURL_UNREACHABLE,
    WEFT_CURL_CONNECT_TIMEOUT,
    WEFT_CURL_INSECURE,
    WEFT_CURL_UNTRUSTED,
    WEFT_CURL_BROKEN_OFF,
    WEFT_CURL_NO_HTTP,
    // The body exceeds its limit.
    WEFT_CURL_TOO_LARGE,
    // The host has no address that the transfer may connect to; the text is one that it has.
    WEFT_CURL_FORBIDDEN,
    WEFT_CURL_OTHER,
} weft_curl_result;

typedef struct {
    weft_curl_kind kind;
    // The number a transfer was given; 0 for sockets and timers.
    uint64_t transfer;
    int32_t descriptor;
    int64_t value;
    size_t length;
} weft_curl_event;

// What a transfer is made from. The texts are copied.
typedef struct {
    uint64_t number;
    int64_t connect_timeout_ms;
    // The most bytes of a body, decoded if it is; 0 for no limit.
    int64_t body_limit;
    // Whether compressed responses are asked for, and decoded.
    bool decodes;
    // Whether it connects to public addresses only, and to those of weft_transfer_allow.
    bool is_public;
} weft_transfer_options;

// The version of libcurl, which is loaded for it; null when it is not there.
const char *_Nullable weft_curl_version(void);

// Null when libcurl is not there, or no memory.
weft_curl *_Nullable weft_curl_new(void);
// Frees it; all its transfers have to be freed before.
void weft_curl_free(weft_curl *curl);

// A transfer that has not begun; null when there is no memory or the URL cannot be read.
//
// `proxy` is a URL, the empty text for none, or null for what the environment says, which then
// does not count for this host itself. `ca_file` holds the certificates to trust, null for the host's.
weft_transfer *_Nullable weft_transfer_new(
    weft_curl *curl, weft_transfer_options options, const char *method, const char *url,
    const char *_Nullable proxy, const char *_Nullable ca_file);
// Adds one header line, "Name: value"; "Name;" for one without value, "Name:" to leave out one that
// libcurl would add.
bool weft_transfer_header(weft_transfer *transfer, const char *line);
bool weft_transfer_body(weft_transfer *transfer, const uint8_t *bytes, size_t length);
// Allows to connect to the addresses that begin with so many bits; those of IPv4 are mapped into IPv6.
bool weft_transfer_allow(weft_transfer *transfer, const uint8_t *address, int32_t bits);
// Begins; false when it cannot, then there is no END.
bool weft_transfer_begin(weft_transfer *transfer);
// Ends a transfer wherever it stands, and frees it. Events already waiting still come.
void weft_transfer_free(weft_transfer *transfer);

// Tells that a watched socket is ready for what the bits say.
void weft_curl_ready(weft_curl *curl, int32_t descriptor, int32_t bits);
// Tells that the time of the last TIMER is over.
void weft_curl_timeout(weft_curl *curl);
// Takes the next event; false when none is waiting.
bool weft_curl_next(weft_curl *curl, weft_curl_event *event);
// Copies the bytes of the event taken last, `length` of them.
void weft_curl_copy(weft_curl *curl, uint8_t *bytes);

// Whether the URL's host is this one: localhost or an address of the loopback interface; not when
// libcurl is not there.
bool weft_url_is_loopback(const char *url);

typedef enum { WEFT_URL_WHOLE, WEFT_URL_SCHEME, WEFT_URL_HOST, WEFT_URL_PORT } weft_url_part;

// Writes a part of the URL that a reference means at a place with a base URL, or of the URL itself
// without a base, and gives its length; the port also where it is the usual one. 0 when the URL cannot
// be read, has another scheme than http or https, does not fit, or libcurl is not there.
size_t weft_url_read(const char *_Nullable base, const char *reference, weft_url_part part,
                     uint8_t *text, size_t capacity);

// The 16 bytes of an address, one of IPv4 mapped into IPv6; false for anything else.
bool weft_address_read(const char *text, uint8_t *address);

// Seconds since 1970 of a date as HTTP writes them; -1 for anything else, or without libcurl.
int64_t weft_http_date(const char *text);

#pragma clang assume_nonnull end
#endif
