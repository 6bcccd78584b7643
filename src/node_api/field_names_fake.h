#pragma once

#include "node_api/stored_fields.h"

namespace miroir {

inline const FieldNames kNames;

}  // namespace miroir
