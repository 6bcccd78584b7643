#include "demo/packages.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

namespace miroir::demo {
namespace {

constexpr const char* kSmallPackages =
#include "demo/small_packages.inc"
    ;

// Fields of a control file that become members, as text.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kTexts = {
    {{"Package", "name"},
     {"Version", "version"},
     {"Section", "section"},
     {"Priority", "priority"},
     {"Maintainer", "maintainer"},
     {"Description", "description"},
     {"Homepage", "homepage"},
     {"Architecture", "architecture"}}};

Json words_of(std::string_view list) {
  Json words = Json::array();
  std::size_t start = 0;
  while (start < list.size()) {
    const std::size_t end = std::min(list.find_first_of(",|", start), list.size());
    std::string_view word = list.substr(start, end - start);
    start = end + 1;
    while (word.starts_with(' ')) word.remove_prefix(1);
    word = word.substr(0, word.find_first_of(" ("));
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

void add_field(Json& package, std::string_view name, const std::string& value) {
  for (const auto& [field, member] : kTexts) {
    if (field == name) package.set(member, value);
  }
  if (name == "Package") package.set("id", id_of_name(value));
  if (name == "Depends") package.set("depends", words_of(value));
  if (name == "Installed-Size" || name == "Size") {
    std::int64_t size = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), size);
    if (parsed.ec == std::errc()) package.set(name == "Size" ? "size" : "installed_size", size);
  }
}

std::string run(const char* command) {
  std::string out;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command, "r"), ::pclose);
  if (!pipe) return out;
  std::array<char, 65'536> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    out.append(buffer.data(), got);
  }
  return out;
}

}  // namespace

std::string id_of_name(const std::string& name) {
  std::string id;
  for (const char c : name) {
    if (c == '+') {
      id += "_p";
    } else if (c == '.') {
      id += "_d";
    } else {
      id += c;
    }
  }
  return id;
}

std::vector<Json> parse_packages(const std::string& control_text) {
  std::vector<Json> packages;
  std::set<std::string> seen;
  std::istringstream lines(control_text);
  Json package;
  std::string name;
  std::string value;
  auto end_field = [&] {
    if (!name.empty()) add_field(package, name, value);
    name.clear();
  };
  auto end_package = [&] {
    end_field();
    const Json* id = package.find("id");
    if (id != nullptr && seen.insert(id->as_string()).second) packages.push_back(package);
    package = Json();
  };
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      end_package();
    } else if (line.front() == ' ' || line.front() == '\t') {
      value += line;
    } else {
      end_field();
      const std::size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      name = line.substr(0, colon);
      const std::size_t start = line.find_first_not_of(' ', colon + 1);
      value = start == std::string::npos ? "" : line.substr(start);
    }
  }
  end_package();
  return packages;
}

Result<PackageList> load_packages(const std::string& file, std::size_t packages_max) {
  PackageList list;
  if (!file.empty()) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    if (!in) return fail(ErrorCode::kNotFound, "cannot read " + file);
    list = {parse_packages(text.str()), file};
  } else {
    list = {parse_packages(run("apt-cache dumpavail 2>/dev/null")), "this machine's package index"};
    if (list.packages.empty()) list = {parse_packages(kSmallPackages), "a small list of our own"};
  }
  if (list.packages.empty()) return fail(ErrorCode::kInvalid, "no packages in " + list.source);
  if (packages_max > 0 && list.packages.size() > packages_max) list.packages.resize(packages_max);
  return list;
}

}  // namespace miroir::demo
