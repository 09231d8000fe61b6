#include "calibrate/import/gzip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/check.hpp"

namespace calibrate {

namespace {

/// zlib's state, ended whatever happens.
class Inflater {
 public:
  Inflater() {
    constexpr int gzip_only = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, gzip_only) != Z_OK)
      throw base::EnvironmentError("zlib cannot be used: no memory");
  }
  Inflater(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }
  z_stream& operator*() { return stream_; }
  z_stream* operator->() { return &stream_; }

 private:
  z_stream stream_{};
};

base::Diagnostics mistake(const std::string& file, std::string message, std::string hint = {}) {
  return {{{file}, std::move(message), std::move(hint)}};
}

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

base::Result<std::string> unpack_gzip(std::string_view bytes, const std::string& file,
                                      std::size_t most) {
  std::string text;
  std::vector<char> piece(std::size_t{1} << 16);
  Inflater inflater;
  while (true) {
    // zlib only reads what it is given, but its interface is not const.
    inflater->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    inflater->avail_in =
        static_cast<uInt>(std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max()));
    inflater->next_out = reinterpret_cast<Bytef*>(piece.data());
    inflater->avail_out = static_cast<uInt>(piece.size());
    const uInt given = inflater->avail_in;
    const int code = inflate(&*inflater, Z_NO_FLUSH);
    bytes.remove_prefix(given - inflater->avail_in);
    const std::size_t made = piece.size() - inflater->avail_out;
    if (made > most - text.size())
      return tl::unexpected(
          mistake(file, fmt::format("unpacks to more than {} bytes", most), "cut it into parts"));
    text.append(piece.data(), made);
    if (code == Z_STREAM_END) {
      if (!bytes.empty() && !is_gzip(bytes))
        return tl::unexpected(mistake(file, "something that is not packed follows packed data"));
      if (bytes.empty()) return text;
      inflateReset(&*inflater);
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return tl::unexpected(
          mistake(file,
                  fmt::format("is damaged packed data: {}",
                              inflater->msg != nullptr ? inflater->msg : "gzip's check fails"),
                  "unpack it yourself: gzip -d"));
    } else if (bytes.empty() && inflater->avail_out > 0) {  // it wants more than there is
      return tl::unexpected(mistake(file, "is cut off: packed data without an end"));
    }
  }
}

}  // namespace calibrate
