#pragma once

#include "strategies/autoshard/prices.hpp"

namespace strategies::autoshard {

/// 10 us a collective, 1 us a kernel, 1 us a MiB of either, and 1 us a GFLOP.
class SimplePrices : public Prices {
 public:
  base::Seconds kernel(const base::Kernel& kernel) const override {
    return base::Seconds::from_us(1 + base::bytes_of(kernel).mib() +
                                  base::flop_of(kernel).count() * 1e-9);
  }
  base::Seconds collective(base::Collective, base::Bytes bytes,
                           const std::vector<int>&) const override {
    return base::Seconds::from_us(10 + bytes.mib());
  }
};

}  // namespace strategies::autoshard
