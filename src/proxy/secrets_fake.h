#pragma once

#include "proxy/authorization.h"

namespace miroir {

inline const Secrets kSecrets = {"clientsMaster", "nodesMaster", "adminKey"};

}  // namespace miroir
