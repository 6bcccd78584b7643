#include "anti_entropy/slot_ranges.h"

#include <algorithm>

namespace miroir::anti_entropy {

SlotRanges complement(const SlotRanges& ranges) {
  SlotRanges rest;
  std::uint32_t next = 0;
  for (const SlotRange& range : ranges) {
    if (range.first > next) {
      rest.push_back({static_cast<Slot>(next), static_cast<Slot>(range.first - 1)});
    }
    next = range.last + 1U;
  }
  if (next <= 0xFFFF) rest.push_back({static_cast<Slot>(next), 0xFFFF});
  return rest;
}

SlotRanges intersection(const SlotRanges& a, const SlotRanges& b) {
  SlotRanges both;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    const Slot first = std::max(i->first, j->first);
    const Slot last = std::min(i->last, j->last);
    if (first <= last) both.push_back({first, last});
    (i->last < j->last ? i : j)++;
  }
  return both;
}

bool contains(const SlotRanges& ranges, Slot slot) {
  return std::ranges::any_of(ranges, [&](const SlotRange& range) { return range.contains(slot); });
}

std::uint32_t size(const SlotRange& range) { return range.last - range.first + 1U; }

std::uint32_t size(const SlotRanges& ranges) {
  std::uint32_t slots = 0;
  for (const SlotRange& range : ranges) slots += size(range);
  return slots;
}

SlotRanges portion(const SlotRanges& ranges, std::uint32_t from, std::uint32_t slots,
                   std::size_t ranges_max) {
  SlotRanges taken;
  for (SlotRange range : ranges) {
    if (range.last < from) continue;
    if (slots == 0 || taken.size() == ranges_max) break;
    range.first = static_cast<Slot>(std::max<std::uint32_t>(range.first, from));
    range.last = static_cast<Slot>(std::min<std::uint32_t>(range.last, range.first + slots - 1));
    slots -= size(range);
    taken.push_back(range);
  }
  return taken;
}

std::vector<SlotRanges> split(const SlotRanges& ranges, std::uint32_t parts) {
  const std::uint32_t part_size = std::max(1U, (size(ranges) + parts - 1) / parts);
  std::vector<SlotRanges> result;
  std::uint32_t room = 0;
  for (SlotRange rest : ranges) {
    for (bool more = true; more;) {
      if (room == 0) {
        result.emplace_back();
        room = part_size;
      }
      const std::uint32_t taken = std::min(room, size(rest));
      const Slot last = static_cast<Slot>(rest.first + taken - 1);
      result.back().push_back({rest.first, last});
      room -= taken;
      more = last != rest.last;
      if (more) rest.first = static_cast<Slot>(last + 1);
    }
  }
  return result;
}

}  // namespace miroir::anti_entropy
