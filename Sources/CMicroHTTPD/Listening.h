// A socket that listens. Not here: what is done with its connections.
#ifndef WEFT_MICROHTTPD_LISTENING_H
#define WEFT_MICROHTTPD_LISTENING_H

#include <stdint.h>

// Listens on a numeric address; the descriptor, or -1 with errno. Port 0 lets the system choose.
int weft_httpd_listen(const char *host, uint16_t port, uint16_t *bound);

#endif
