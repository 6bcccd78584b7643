#include "forward/filter_slice.h"

namespace miroir {
namespace {

constexpr std::size_t kSlots = 65'536;

}  // namespace

FilterSlice slice_of(const Entry& entry) {
  const auto number = [&](std::string_view name, std::uint64_t otherwise) {
    const Json* value = entry.arguments.find(name);
    return value != nullptr && value->is_integer() ? value->as_uint64() : otherwise;
  };
  return {.slots = {.first = static_cast<Slot>(number("firstSlot", 0)),
                    .last = static_cast<Slot>(number("lastSlot", kSlots - 1))},
          .first = entry.position - number("slicesBefore", 0)};
}

Json slice_arguments(const Json& filter, std::size_t slice, std::size_t slices) {
  Json arguments = Json::object({{"filter", filter}});
  if (slices == 1) return arguments;
  arguments.set("firstSlot", std::uint64_t{slice * kSlots / slices});
  arguments.set("lastSlot", std::uint64_t{(slice + 1) * kSlots / slices - 1});
  arguments.set("slicesBefore", std::uint64_t{slice});
  return arguments;
}

}  // namespace miroir
