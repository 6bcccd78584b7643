#pragma once

#include "base/yaml.h"
#include "search/searcher.h"

namespace miroir {

// The block `scatter` of the configuration (VOCABULARY.md).
SearchOptions parse_scatter(YamlBlock block);

}  // namespace miroir
