#include "base/document.hpp"
#include "strategies/autoshard/request.hpp"
#include "tests/fuzz/fuzz.hpp"

/// What a scenario says under `autoshard`.
void fuzz_one(std::string_view text) {
  const auto document = base::parse_yaml(text, "f.yaml");
  if (!document) return fuzz::check_refusal(document.error());
  base::Diagnostics problems;
  base::MapReader reader(*document, document->root, "autoshard", problems);
  const auto request = strategies::autoshard::read_request(reader, problems);
  if (base::has_errors(problems)) return fuzz::check_refusal(problems);
  CHECK_INVARIANT(request.mesh.size() <= 3);
  CHECK_INVARIANT(request.demands.memory.low <= request.demands.memory.high);
  for (const auto& constraint : request.demands.constraints)
    CHECK_INVARIANT(!constraint.name.empty() || !constraint.tensors.empty() ||
                    constraint.where.line > 0);
}
