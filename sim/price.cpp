#include "sim/price.hpp"

#include <algorithm>
#include <cctype>

namespace sim {

double read_gpu_hour(base::MapReader& reader) {
  double price = 0;
  reader.require("gpu_hour", price, base::Range<double>{0, 1e9});
  return price;
}

Price read_price(base::MapReader& reader) {
  Price price;
  price.gpu_hour = read_gpu_hour(reader);
  const bool word = reader.require("currency", price.currency);
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  if (word && (price.currency.empty() || price.currency.size() > 12 ||
               !std::all_of(price.currency.begin(), price.currency.end(), letter)))
    reader.error("currency", "a currency is a word of up to 12 letters",
                 "for example USD, EUR or credits");
  reader.finish();
  return price;
}

}  // namespace sim
