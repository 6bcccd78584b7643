#pragma once

#include "meili/settings.h"

namespace miroir::node {

// Index::settings is the complete object, as GET …/settings answers it.
using meili::apply_settings;
using meili::default_settings;

}  // namespace miroir::node
