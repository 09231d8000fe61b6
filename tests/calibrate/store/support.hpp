#pragma once

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "calibrate/store/store.hpp"
#include "tests/calibrate/support.hpp"
#include "tests/support/folder.hpp"

namespace calibrate::store {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline Store opened(const std::string& path, Access access) {
  auto store = Store::open(path, access);
  INFO((store ? "" : text_of(store.error())));
  REQUIRE(store);
  return std::move(*store);
}

inline std::string refusal(const std::string& path, Access access) {
  const auto store = Store::open(path, access);
  REQUIRE_FALSE(store);
  return text_of(store.error());
}

/// Records with every field set to something of its own, by a seed.
class RandomRecords {
 public:
  explicit RandomRecords(unsigned seed) : random_(seed) {}

  RunRecords records(int rows) {
    RunRecords all;
    all.run = run();
    for (int i = 0; i < rows; ++i) {
      all.collectives.push_back(collective());
      all.kernels.push_back(kernel());
    }
    for (int i = 0; i < rows; i += 3)
      all.overlaps.push_back({below(static_cast<std::size_t>(rows)),
                              below(static_cast<std::size_t>(rows)), times(), times()});
    return all;
  }

  Run run() {
    Run run;
    for (int i = 0; i < 32; ++i) run.id += "0123456789abcdef"[below(16)];
    run.tool = text();
    run.version = text();
    run.command = text();
    run.source = text();
    run.started = text();
    run.ended = text();
    run.state = run_state_names[below(run_state_names.size())].second;
    run.machine = {text(), text(), small(), bytes(), text()};
    for (std::size_t i = below(4); i > 0; --i) run.devices.push_back({text(), text(), bytes()});
    for (std::size_t i = below(4); i > 0; --i) run.software.push_back({text(), text()});
    run.note = text();
    return run;
  }

  CollectiveRecord collective() {
    CollectiveRecord record;
    record.op = base::collective_names[below(base::collective_names.size())].second;
    record.library = text();
    record.library_version = text();
    record.device = text();
    record.algorithm = text();
    record.protocol = text();
    record.dtype = text();
    record.reduction = text();
    record.root = small() - 1;
    record.placement = {small(), small(), small(), small(), small(), small()};
    record.bytes = bytes();
    record.count = whole();
    record.in_place = below(2) == 1;
    record.times = times();
    if (below(2) == 1) record.wrong = whole();
    if (below(2) == 1) record.own_estimate = seconds();
    record.transport = text();
    record.convention = size_convention_names[below(2)].second;
    record.line = small();
    return record;
  }

  KernelRecord kernel() {
    KernelRecord record;
    record.kind = kernel_kinds[below(kernel_kinds.size())];
    record.kernel = shape();
    record.rows = whole();
    record.columns = whole();
    record.dtype = dtype();
    record.library = text();
    record.library_version = text();
    record.device = text();
    record.variant = text();
    record.concurrent = small();
    record.times = times();
    record.clock_mhz = seconds();
    record.power_w = seconds();
    record.temperature_c = -seconds();
    record.line = small();
    return record;
  }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  int small() { return static_cast<int>(below(1'000'000)); }
  std::int64_t whole() {
    return std::uniform_int_distribution<std::int64_t>(
        0, std::numeric_limits<std::int64_t>::max())(random_);
  }
  base::Bytes bytes() { return base::Bytes::from_count(whole()); }
  /// Of every order of magnitude, with all digits of a double.
  double seconds() {
    return std::pow(10.0, std::uniform_real_distribution<double>(-300, 300)(random_));
  }
  std::string text() {
    static const std::vector<std::string> pieces{"",   "NCCL", "\"", ",",    "\n", "'",
                                                 "\\", "äß漢", " ",  "null", "12", "\t"};
    std::string text;
    for (std::size_t i = below(4); i > 0; --i) text += pieces[below(pieces.size())];
    return text;
  }
  base::DType dtype() { return base::dtype_names[below(base::dtype_names.size())].second; }
  Times times() {
    Times times{seconds(), seconds(), seconds(), seconds(), seconds(), seconds(),
                seconds(), small(),   small(),   small(),   {}};
    for (std::size_t i = below(5); i > 0; --i) times.samples.push_back(seconds());
    return times;
  }
  base::Kernel shape() {
    switch (below(3)) {
      case 0:
        return base::Gemm{whole(), whole(), whole(), whole(), dtype(), dtype(), below(2) == 1};
      case 1:
        return base::Attention{whole(), whole(),       whole(),       whole(),
                               whole(), whole(),       whole(),       below(2) == 1,
                               whole(), below(2) == 1, below(2) == 1, dtype()};
      default: return base::MemoryBound{bytes(), small()};
    }
  }

  std::mt19937 random_;
};

}  // namespace calibrate::store
