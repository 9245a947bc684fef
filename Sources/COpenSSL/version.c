// The version of the library that is there when the program runs.
#include "COpenSSL.h"

#include <openssl/crypto.h>

const char *weft_openssl_version(void) { return OpenSSL_version(OPENSSL_VERSION_STRING); }
