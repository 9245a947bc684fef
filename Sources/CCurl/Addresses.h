// Addresses of hosts: which of them can be reached from everywhere.
#ifndef WEFT_ADDRESSES_H
#define WEFT_ADDRESSES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

// Whether so many bits of an address are those of another one.
bool weft_address_begins(const struct in6_addr *address, const uint8_t *prefix, int32_t bits);
// Whether an address belongs to the open internet: none of this host, of a private network, of a link.
bool weft_address_is_public(const struct in6_addr *address);
// An address of IPv4 as one of IPv6.
void weft_address_map(const struct in_addr *four, struct in6_addr *six);

#endif
