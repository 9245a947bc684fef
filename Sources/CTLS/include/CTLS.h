// What the Transport module needs from libssl, as plain C: TLS 1.3 whose only credentials are
// external pre-shared keys (RFC 8446 section 4.2.11), over memory: bytes in, bytes out. Sockets are
// not handled here. No function calls back; everything belongs to one thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_TLS_KEY_BYTES 32
/// The longest name of a key, in bytes.
#define WEFT_TLS_NAME_BYTES 128

/// What all connections of one side share: its keys.
typedef struct weft_tls_context weft_tls_context;
/// One connection; keeps its context.
typedef struct weft_tls weft_tls;

/// Makes a context without keys; NULL if libssl fails.
weft_tls_context *weft_tls_context_new(bool is_server);
/// Gives up a context, which lives on as long as a connection uses it.
void weft_tls_context_free(weft_tls_context *context);
/// Forgets all keys.
void weft_tls_clear_keys(weft_tls_context *context);
/// Adds a key of `WEFT_TLS_KEY_BYTES` bytes under a name, which has to be new. A client uses the
/// first key it has; a server all of them. False if the name is too long or memory ran out.
bool weft_tls_add_key(
    weft_tls_context *context, const uint8_t *name, size_t length, const uint8_t *key);

/// Begins a connection; NULL if libssl fails.
weft_tls *weft_tls_new(weft_tls_context *context);
void weft_tls_free(weft_tls *tls);

typedef enum weft_tls_state {
    /// The handshake waits for bytes of the peer.
    WEFT_TLS_SHAKING_HANDS,
    /// Both sides have proved that they hold the same key.
    WEFT_TLS_OPEN,
    /// The peer has ended its side in order.
    WEFT_TLS_ENDED,
    /// The handshake or the stream failed; an alert may still have to be sent.
    WEFT_TLS_FAILED,
} weft_tls_state;

/// Begins the handshake; a client calls it once before it has received anything.
weft_tls_state weft_tls_go_on(weft_tls *tls);
/// Takes the received bytes from `*start` to `end`, goes on as far as they allow, and puts what they
/// decrypt to into `plain`; returns how many bytes that are. `*start` is moved to the first byte that
/// was not taken, for want of room: call again as long as there is one, or `plain` was filled.
size_t weft_tls_receive(weft_tls *tls, const uint8_t *bytes, size_t *start, size_t end,
                        uint8_t *plain, size_t capacity);
/// The state after the last call.
weft_tls_state weft_tls_state_of(const weft_tls *tls);

/// What a record adds to its bytes, of which it has `WEFT_TLS_RECORD_BYTES` at most.
#define WEFT_TLS_RECORD_EXTRA 22
#define WEFT_TLS_RECORD_BYTES 16384

/// Encrypts the bytes from `start` to `end`; false if that failed. The peer may have ended its own
/// side. What is to be sent goes to `encrypted`, `*made` bytes; what does not fit there, or comes
/// after something that is kept, is kept until it is taken.
bool weft_tls_write(weft_tls *tls, const uint8_t *bytes, size_t start, size_t end,
                    uint8_t *encrypted, size_t capacity, size_t *made);
/// Tells the peer that no more bytes follow.
void weft_tls_end(weft_tls *tls);
/// How many bytes are kept to be sent to the peer.
size_t weft_tls_pending(const weft_tls *tls);
/// Moves bytes that are kept into `bytes`; returns how many.
size_t weft_tls_take(weft_tls *tls, uint8_t *bytes, size_t capacity);
/// Whether the peer has refused the key, as far as its alert tells, which is not
/// authenticated.
bool weft_tls_key_was_refused(const weft_tls *tls);

/// Copies the name of the key that the peer has proved, on the side of a server; returns its
/// length, 0 before the connection is open.
size_t weft_tls_key_name(const weft_tls *tls, uint8_t *name, size_t capacity);

#ifdef __cplusplus
}
#endif
