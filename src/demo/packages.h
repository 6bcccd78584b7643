#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace miroir::demo {

// Debian's packages as documents: {id, name, version, section, priority, size, maintainer,
// description, …}. The id is the name with `+` as `_p` and `.` as `_d`, which ids may not hold.
std::vector<Json> parse_packages(const std::string& control_text);

struct PackageList {
  std::vector<Json> packages;
  std::string source;  // for people
};
// Of the file, if one is given; else the machine's own index (`apt-cache dumpavail`); else a small
// list of our own.
Result<PackageList> load_packages(const std::string& file, std::size_t packages_max);

std::string id_of_name(const std::string& name);

}  // namespace miroir::demo
