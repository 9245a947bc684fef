// Addresses of hosts: Addresses.h and CCurl.h say what each function does.
#include "Addresses.h"
#include "CCurl.h"

#include <arpa/inet.h>
#include <string.h>

bool weft_address_begins(const struct in6_addr *address, const uint8_t *prefix, int32_t bits) {
    for (int32_t bit = 0; bit < bits; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
        if ((address->s6_addr[bit / 8] ^ prefix[bit / 8]) & mask) return false;
    }
    return true;
}

static bool is_public_four(uint32_t address) {
    // This network, private ones, carriers, loopback, link-local, protocols, benchmarks, multicast.
    static const struct { uint32_t first; int bits; } special[] = {
        {0x00000000, 8}, {0x0A000000, 8}, {0x64400000, 10}, {0x7F000000, 8}, {0xA9FE0000, 16},
        {0xAC100000, 12}, {0xC0000000, 24}, {0xC0A80000, 16}, {0xC6120000, 15}, {0xE0000000, 3},
    };
    for (size_t index = 0; index < sizeof special / sizeof *special; index++) {
        if ((address ^ special[index].first) >> (32 - special[index].bits) == 0) return false;
    }
    return true;
}

static uint32_t four_at(const struct in6_addr *address, int offset) {
    const uint8_t *bytes = address->s6_addr + offset;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool weft_address_is_public(const struct in6_addr *address) {
    static const uint8_t translated[12] = {0, 0x64, 0xFF, 0x9B};
    static const uint8_t tunnelled[2] = {0x20, 0x02};
    static const uint8_t global[1] = {0x20};
    if (IN6_IS_ADDR_V4MAPPED(address)) return is_public_four(four_at(address, 12));
    if (weft_address_begins(address, translated, 96)) return is_public_four(four_at(address, 12));
    if (weft_address_begins(address, tunnelled, 16)) return is_public_four(four_at(address, 2));
    // All addresses of IPv6 that can be reached from everywhere begin so.
    return weft_address_begins(address, global, 3);
}

void weft_address_map(const struct in_addr *four, struct in6_addr *six) {
    memset(six, 0, sizeof *six);
    six->s6_addr[10] = six->s6_addr[11] = 0xFF;
    memcpy(six->s6_addr + 12, four, 4);
}

bool weft_address_read(const char *text, uint8_t *address) {
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, text, &four) == 1) {
        weft_address_map(&four, &six);
    } else if (inet_pton(AF_INET6, text, &six) != 1) {
        return false;
    }
    memcpy(address, &six, sizeof six);
    return true;
}
