// The shim over libssl; CTLS.h says what each function does.
#include "CTLS.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

typedef struct named_key {
    uint8_t name[WEFT_TLS_NAME_BYTES];
    size_t length;
    uint8_t key[WEFT_TLS_KEY_BYTES];
} named_key;

struct weft_tls_context {
    SSL_CTX *shared;
    // How libssl gets what was received and gives what is to be sent.
    BIO_METHOD *stream;
    bool is_server;
    // One for its owner and one for each connection.
    size_t references;
    named_key *keys;
    size_t count, capacity;
    // Stands in for the key of an unknown name, so that a wrong name fails as a wrong key does.
    uint8_t decoy[WEFT_TLS_KEY_BYTES];
};

struct weft_tls {
    weft_tls_context *context;
    SSL *ssl;
    weft_tls_state state;
    // The alert that was received last; 0 for none.
    int alert;
    // The name that a client offered last.
    uint8_t name[WEFT_TLS_NAME_BYTES];
    size_t name_length;
    // Received bytes of the caller, while a call reads them.
    const uint8_t *in;
    size_t in_left;
    // Room of the caller, while a call writes.
    uint8_t *out;
    size_t out_left;
    // What is to be sent and had no room: above all the handshake.
    uint8_t *kept;
    size_t kept_start, kept_end, kept_capacity;
};

// MARK: - Bytes

static int take_in(BIO *bio, char *bytes, size_t limit, size_t *count) {
    weft_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *count = limit < tls->in_left ? limit : tls->in_left;
    if (*count == 0) {
        // Not the end: more may be received later.
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(bytes, tls->in, *count);
    tls->in += *count;
    tls->in_left -= *count;
    return 1;
}

static bool keep(weft_tls *tls, const char *bytes, size_t length) {
    if (length > tls->kept_capacity - tls->kept_end) {
        size_t capacity = tls->kept_end + length + 1024;
        uint8_t *kept = realloc(tls->kept, capacity);
        if (kept == NULL) return false;
        tls->kept = kept;
        tls->kept_capacity = capacity;
    }
    memcpy(tls->kept + tls->kept_end, bytes, length);
    tls->kept_end += length;
    return true;
}

static int put_out(BIO *bio, const char *bytes, size_t length, size_t *count) {
    weft_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *count = length;
    // What is kept comes before it.
    size_t fitting = tls->kept_end > 0 ? 0 : length < tls->out_left ? length : tls->out_left;
    if (fitting > 0) {
        memcpy(tls->out, bytes, fitting);
        tls->out += fitting;
        tls->out_left -= fitting;
    }
    return fitting == length || keep(tls, bytes + fitting, length - fitting);
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_stream(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weft");
    if (method != NULL && BIO_meth_set_read_ex(method, take_in)
        && BIO_meth_set_write_ex(method, put_out) && BIO_meth_set_ctrl(method, control)) {
        return method;
    }
    BIO_meth_free(method);
    return NULL;
}

// MARK: - Keys

static SSL_SESSION *session_of(SSL *ssl, const uint8_t *key) {
    static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
    SSL_SESSION *session = SSL_SESSION_new();
    if (session != NULL && cipher != NULL
        && SSL_SESSION_set1_master_key(session, key, WEFT_TLS_KEY_BYTES)
        && SSL_SESSION_set_cipher(session, cipher)
        && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION)) {
        return session;
    }
    SSL_SESSION_free(session);
    return NULL;
}

static int find_key(
    SSL *ssl, const unsigned char *name, size_t length, SSL_SESSION **session) {
    weft_tls *tls = SSL_get_app_data(ssl);
    const weft_tls_context *context = tls->context;
    const uint8_t *key = context->decoy;
    tls->name_length = 0;
    for (size_t index = 0; index < context->count; index += 1) {
        const named_key *candidate = &context->keys[index];
        if (candidate->length == length && memcmp(candidate->name, name, length) == 0) {
            key = candidate->key;
            memcpy(tls->name, name, length);
            tls->name_length = length;
        }
    }
    *session = session_of(ssl, key);
    return *session != NULL;
}

static int use_key(SSL *ssl, const EVP_MD *digest, const unsigned char **name, size_t *length,
                   SSL_SESSION **session) {
    const weft_tls *tls = SSL_get_app_data(ssl);
    const weft_tls_context *context = tls->context;
    *session = NULL;
    // After a retry the digest is fixed; a key for another one must not be offered.
    if (context->count == 0 || (digest != NULL && EVP_MD_get_type(digest) != NID_sha256)) return 1;
    *session = session_of(ssl, context->keys[0].key);
    *name = context->keys[0].name;
    *length = context->keys[0].length;
    return *session != NULL;
}

bool weft_tls_add_key(
    weft_tls_context *context, const uint8_t *name, size_t length, const uint8_t *key) {
    if (length == 0 || length > WEFT_TLS_NAME_BYTES) return false;
    if (context->count == context->capacity) {
        size_t capacity = context->capacity * 2 + 4;
        // Not realloc, which would leave a copy of the keys behind.
        named_key *keys = calloc(capacity, sizeof *keys);
        if (keys == NULL) return false;
        if (context->count > 0) memcpy(keys, context->keys, context->count * sizeof *keys);
        if (context->keys != NULL) {
            OPENSSL_cleanse(context->keys, context->capacity * sizeof *keys);
        }
        free(context->keys);
        context->keys = keys;
        context->capacity = capacity;
    }
    named_key *added = &context->keys[context->count++];
    memcpy(added->name, name, length);
    added->length = length;
    memcpy(added->key, key, WEFT_TLS_KEY_BYTES);
    return true;
}

void weft_tls_clear_keys(weft_tls_context *context) {
    if (context->keys != NULL) {
        OPENSSL_cleanse(context->keys, context->capacity * sizeof *context->keys);
    }
    context->count = 0;
}

// MARK: - Contexts

static bool configure(SSL_CTX *shared, bool is_server) {
    if (!SSL_CTX_set_min_proto_version(shared, TLS1_3_VERSION)
        || !SSL_CTX_set_max_proto_version(shared, TLS1_3_VERSION)
        || !SSL_CTX_set_ciphersuites(
            shared, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256")
        || !SSL_CTX_set1_groups_list(shared, "X25519:P-256")) {
        return false;
    }
    SSL_CTX_set_mode(shared, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One copy for a record and not one for its head and one for the rest.
    SSL_CTX_set_read_ahead(shared, 1);
    SSL_CTX_set_session_cache_mode(shared, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(shared, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    if (is_server) {
        // Most of its many connections are idle; a peer has one. See also weft_tls_new.
        SSL_CTX_set_mode(shared, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_psk_find_session_callback(shared, find_key);
        return SSL_CTX_set_num_tickets(shared, 0) && SSL_CTX_set_max_early_data(shared, 0);
    }
    SSL_CTX_set_psk_use_session_callback(shared, use_key);
    // There is no authority, so no certificate can pass: the key is the only way in.
    SSL_CTX_set_verify(shared, SSL_VERIFY_PEER, NULL);
    return true;
}

weft_tls_context *weft_tls_context_new(bool is_server) {
    weft_tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) return NULL;
    context->references = 1;
    context->is_server = is_server;
    context->stream = make_stream();
    context->shared = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context->stream == NULL || context->shared == NULL
        || !configure(context->shared, is_server)
        || RAND_bytes(context->decoy, sizeof context->decoy) != 1) {
        weft_tls_context_free(context);
        return NULL;
    }
    return context;
}

void weft_tls_context_free(weft_tls_context *context) {
    if (--context->references > 0) return;
    weft_tls_clear_keys(context);
    free(context->keys);
    SSL_CTX_free(context->shared);
    BIO_meth_free(context->stream);
    OPENSSL_cleanse(context->decoy, sizeof context->decoy);
    free(context);
}

// MARK: - Connections

// Of a server: those that begin while there are no more keep their buffers.
static const size_t connections_with_buffers = 64;

static void note_event(const SSL *ssl, int where, int value) {
    if (where == SSL_CB_READ_ALERT) {
        weft_tls *tls = SSL_get_app_data(ssl);
        tls->alert = value & 0xff;
    }
}

weft_tls *weft_tls_new(weft_tls_context *context) {
    weft_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return NULL;
    BIO *stream = BIO_new(context->stream);
    tls->ssl = SSL_new(context->shared);
    if (stream == NULL || tls->ssl == NULL) {
        BIO_free(stream);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    BIO_set_data(stream, tls);
    BIO_set_init(stream, 1);
    SSL_set_bio(tls->ssl, stream, stream);
    // Few connections may keep their buffers of 17 KiB: to get them again for each record takes as
    // long as to encrypt a short one, because glibc then tidies up all of its memory.
    if (context->references <= connections_with_buffers) {
        SSL_clear_mode(tls->ssl, SSL_MODE_RELEASE_BUFFERS);
    }
    tls->context = context;
    context->references += 1;
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_info_callback(tls->ssl, note_event);
    if (context->is_server) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
    }
    return tls;
}

void weft_tls_free(weft_tls *tls) {
    SSL_free(tls->ssl);
    weft_tls_context_free(tls->context);
    free(tls->kept);
    free(tls);
}

// An error that is left from before would be taken for one of the next call. Mostly there is none,
// and clearing costs more than looking.
static void clear_errors(void) {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

// Notes what a call that could not go on means.
static void note(weft_tls *tls, int result) {
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: break;
    case SSL_ERROR_ZERO_RETURN: tls->state = WEFT_TLS_ENDED; break;
    default: tls->state = WEFT_TLS_FAILED;
    }
}

weft_tls_state weft_tls_go_on(weft_tls *tls) {
    if (tls->state != WEFT_TLS_SHAKING_HANDS) return tls->state;
    clear_errors();
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        note(tls, result);
        return tls->state;
    }
    // A handshake without a key of ours would be one with a certificate.
    bool has_key = SSL_session_reused(tls->ssl) == 1
        && (!tls->context->is_server || tls->name_length > 0);
    tls->state = has_key ? WEFT_TLS_OPEN : WEFT_TLS_FAILED;
    return tls->state;
}

size_t weft_tls_receive(weft_tls *tls, const uint8_t *bytes, size_t *start, size_t end,
                        uint8_t *plain, size_t capacity) {
    size_t total = 0;
    tls->in = bytes + *start;
    tls->in_left = end - *start;
    weft_tls_go_on(tls);
    // Asking an empty stream would cost as much as a short record.
    while (tls->state == WEFT_TLS_OPEN && total < capacity
           && (tls->in_left > 0 || SSL_has_pending(tls->ssl))) {
        size_t count = 0;
        clear_errors();
        int result = SSL_read_ex(tls->ssl, plain + total, capacity - total, &count);
        if (result != 1) {
            note(tls, result);
            break;
        }
        total += count;
    }
    // After the end nothing is read any more.
    *start = tls->state == WEFT_TLS_OPEN ? end - tls->in_left : end;
    tls->in = NULL;
    tls->in_left = 0;
    return total;
}

weft_tls_state weft_tls_state_of(const weft_tls *tls) { return tls->state; }

bool weft_tls_write(weft_tls *tls, const uint8_t *bytes, size_t start, size_t end,
                    uint8_t *encrypted, size_t capacity, size_t *made) {
    *made = 0;
    if (tls->state != WEFT_TLS_OPEN && tls->state != WEFT_TLS_ENDED) return false;
    tls->out = encrypted;
    tls->out_left = capacity;
    while (start < end) {
        size_t count = 0;
        clear_errors();
        // Everything is taken, so that this goes on until all is encrypted.
        if (SSL_write_ex(tls->ssl, bytes + start, end - start, &count) != 1) {
            tls->state = WEFT_TLS_FAILED;
            break;
        }
        start += count;
    }
    *made = capacity - tls->out_left;
    tls->out = NULL;
    tls->out_left = 0;
    return start == end;
}

void weft_tls_end(weft_tls *tls) {
    if (tls->state != WEFT_TLS_OPEN && tls->state != WEFT_TLS_ENDED) return;
    clear_errors();
    SSL_shutdown(tls->ssl);
}

size_t weft_tls_pending(const weft_tls *tls) { return tls->kept_end - tls->kept_start; }

size_t weft_tls_take(weft_tls *tls, uint8_t *bytes, size_t capacity) {
    size_t count = weft_tls_pending(tls);
    if (count > capacity) count = capacity;
    if (count > 0) memcpy(bytes, tls->kept + tls->kept_start, count);
    tls->kept_start += count;
    if (tls->kept_start == tls->kept_end) {
        free(tls->kept);
        tls->kept = NULL;
        tls->kept_start = tls->kept_end = tls->kept_capacity = 0;
    }
    return count;
}

size_t weft_tls_key_name(const weft_tls *tls, uint8_t *name, size_t capacity) {
    if (tls->state == WEFT_TLS_SHAKING_HANDS || tls->state == WEFT_TLS_FAILED) return 0;
    if (tls->name_length > capacity) return 0;
    memcpy(name, tls->name, tls->name_length);
    return tls->name_length;
}

bool weft_tls_key_was_refused(const weft_tls *tls) {
    return tls->alert == SSL_AD_ILLEGAL_PARAMETER || tls->alert == SSL_AD_DECRYPT_ERROR
        || tls->alert == SSL_AD_UNKNOWN_PSK_IDENTITY;
}
