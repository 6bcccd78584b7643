#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace miroir::node {

// A document's number within its index. Small, dense, reused after deletion; never shown to
// clients.
using DocumentNumber = std::uint32_t;

// A set of document numbers as bits: unions and intersections of filters cost a few microseconds
// for 100,000 documents.
class DocumentSet {
 public:
  bool contains(DocumentNumber number) const {
    const std::size_t word = number / 64;
    return word < words_.size() && (words_[word] >> (number % 64) & 1) != 0;
  }
  void insert(DocumentNumber number) {
    const std::size_t word = number / 64;
    if (word >= words_.size()) words_.resize(word + 1);
    words_[word] |= std::uint64_t{1} << (number % 64);
  }
  void erase(DocumentNumber number) {
    const std::size_t word = number / 64;
    if (word < words_.size()) words_[word] &= ~(std::uint64_t{1} << (number % 64));
  }
  std::size_t size() const {
    std::size_t count = 0;
    for (const std::uint64_t word : words_) count += static_cast<std::size_t>(std::popcount(word));
    return count;
  }
  bool empty() const {
    for (const std::uint64_t word : words_) {
      if (word != 0) return false;
    }
    return true;
  }

  DocumentSet& operator|=(const DocumentSet& other) {
    if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  DocumentSet& operator&=(const DocumentSet& other) {
    if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    return *this;
  }
  DocumentSet& operator-=(const DocumentSet& other) {
    const std::size_t shared = std::min(words_.size(), other.words_.size());
    for (std::size_t i = 0; i < shared; ++i) words_[i] &= ~other.words_[i];
    return *this;
  }

  // Calls `each` with every member in rising order, until it returns false.
  template <class Each>
  void for_each_while(Each each) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t word = words_[i]; word != 0; word &= word - 1) {
        if (!each(static_cast<DocumentNumber>(i * 64 +
                                              static_cast<std::size_t>(std::countr_zero(word)))))
          return;
      }
    }
  }
  template <class Each>
  void for_each(Each each) const {
    for_each_while([&](DocumentNumber number) {
      each(number);
      return true;
    });
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace miroir::node
