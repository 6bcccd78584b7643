#pragma once

#include "base/yaml.h"
#include "log/log.h"

namespace miroir {

// The block `log` of the configuration (VOCABULARY.md).
LogOptions parse_log(YamlBlock block);

}  // namespace miroir
