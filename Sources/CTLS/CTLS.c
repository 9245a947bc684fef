// The shim over libssl; CTLS.h says what each function does.
#include "CTLS.h"

#include <limits.h>
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
};

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
    SSL_CTX_set_session_cache_mode(shared, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(shared, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    if (is_server) {
        // Most of its many connections are idle; a peer has one.
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
    context->shared = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context->shared == NULL || !configure(context->shared, is_server)
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
    OPENSSL_cleanse(context->decoy, sizeof context->decoy);
    free(context);
}

// MARK: - Connections

static void note_event(const SSL *ssl, int where, int value) {
    if (where == SSL_CB_READ_ALERT) {
        weft_tls *tls = SSL_get_app_data(ssl);
        tls->alert = value & 0xff;
    }
}

weft_tls *weft_tls_new(weft_tls_context *context) {
    weft_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return NULL;
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    tls->ssl = SSL_new(context->shared);
    if (in == NULL || out == NULL || tls->ssl == NULL) {
        BIO_free(in);
        BIO_free(out);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    // An empty one means "later", not the end.
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(tls->ssl, in, out);
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
    free(tls);
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
    ERR_clear_error();
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

weft_tls_state weft_tls_receive(
    weft_tls *tls, const uint8_t *bytes, size_t offset, size_t length) {
    bytes += offset;
    if (tls->state == WEFT_TLS_FAILED || tls->state == WEFT_TLS_ENDED) return tls->state;
    BIO *in = SSL_get_rbio(tls->ssl);
    while (length > 0) {
        int piece = length > INT_MAX ? INT_MAX : (int)length;
        if (BIO_write(in, bytes, piece) != piece) {
            tls->state = WEFT_TLS_FAILED;
            return tls->state;
        }
        bytes += piece;
        length -= (size_t)piece;
    }
    return weft_tls_go_on(tls);
}

size_t weft_tls_read(weft_tls *tls, uint8_t *bytes, size_t capacity) {
    if (tls->state != WEFT_TLS_OPEN) return 0;
    size_t total = 0;
    // Asking an empty stream would cost as much as a short record.
    while (total < capacity
           && (SSL_has_pending(tls->ssl) || BIO_ctrl_pending(SSL_get_rbio(tls->ssl)) > 0)) {
        size_t count = 0;
        ERR_clear_error();
        int result = SSL_read_ex(tls->ssl, bytes + total, capacity - total, &count);
        if (result != 1) {
            note(tls, result);
            break;
        }
        total += count;
    }
    return total;
}

weft_tls_state weft_tls_state_of(const weft_tls *tls) { return tls->state; }

bool weft_tls_write(weft_tls *tls, const uint8_t *bytes, size_t offset, size_t length) {
    if (tls->state != WEFT_TLS_OPEN && tls->state != WEFT_TLS_ENDED) return false;
    bytes += offset;
    size_t sent = 0;
    while (sent < length) {
        size_t count = 0;
        ERR_clear_error();
        // Memory takes everything, so that this goes on until all is encrypted.
        if (SSL_write_ex(tls->ssl, bytes + sent, length - sent, &count) != 1) {
            tls->state = WEFT_TLS_FAILED;
            return false;
        }
        sent += count;
    }
    return true;
}

void weft_tls_end(weft_tls *tls) {
    if (tls->state != WEFT_TLS_OPEN && tls->state != WEFT_TLS_ENDED) return;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
}

size_t weft_tls_pending(const weft_tls *tls) { return BIO_ctrl_pending(SSL_get_wbio(tls->ssl)); }

size_t weft_tls_take(weft_tls *tls, uint8_t *bytes, size_t offset, size_t capacity) {
    int limit = capacity > INT_MAX ? INT_MAX : (int)capacity;
    int count = BIO_read(SSL_get_wbio(tls->ssl), bytes + offset, limit);
    return count > 0 ? (size_t)count : 0;
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
