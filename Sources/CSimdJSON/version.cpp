// The version of the library.
#include "CSimdJSON.h"

#include <simdjson.h>

#include <string>

const char *weft_simdjson_version(void) {
    static const std::string version = std::to_string(simdjson::SIMDJSON_VERSION_MAJOR) + "."
        + std::to_string(simdjson::SIMDJSON_VERSION_MINOR) + "."
        + std::to_string(simdjson::SIMDJSON_VERSION_REVISION);
    return version.c_str();
}
