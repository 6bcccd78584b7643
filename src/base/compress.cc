#include "base/compress.h"

#include <zstd.h>

#include "base/assert.h"

namespace miroir {

std::string compress(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1);
  MIROIR_ASSERT(!ZSTD_isError(size));
  out.resize(size);
  return out;
}

Result<std::string> decompress(std::string_view bytes, std::size_t size_max) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return fail(ErrorCode::kCorrupt, "compressed bytes have no valid header");
  }
  if (size > size_max) {
    return fail(ErrorCode::kTooLarge,
                "compressed bytes would expand to " + std::to_string(size) + " bytes");
  }
  std::string out(size, '\0');
  const std::size_t got = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) || got != size) {
    return fail(ErrorCode::kCorrupt, "compressed bytes are damaged");
  }
  return out;
}

}  // namespace miroir
