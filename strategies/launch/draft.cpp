#include "strategies/launch/draft.hpp"

#include <algorithm>

namespace strategies::launch {

void Draft::expressed(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) expressed_.emplace(key);
}

void Draft::always(std::string_view key, std::string_view value) {
  const auto same = [&](const PlanField& field) {
    return field.key == key && field.value == value;
  };
  if (std::any_of(fields_.begin(), fields_.end(), same))
    expressed_.emplace(key);
  else
    cannot(key, fmt::format("{} always has {}", framework_->product, value));
}

void Draft::cannot(std::string_view key, std::string reason) {
  reasons_.push_back({std::string(key), std::move(reason)});
}

void Draft::lacks(std::string message) { lacking_.push_back(std::move(message)); }

std::string Draft::reason_of(std::string_view key) const {
  for (const Reason& reason : reasons_)
    if (reason.key == key) return reason.text;
  return fmt::format("{} has no option for it", framework_->product);
}

base::Diagnostics Draft::left_out() const {
  base::Diagnostics all;
  const auto tell = [&](std::string message, std::string hint) {
    all.push_back({{}, std::move(message), std::move(hint), base::Severity::warning});
  };
  for (const std::string& message : lacking_) tell(message, "");
  for (const PlanField& field : fields_)
    if (!expressed_.contains(field.key))
      tell(fmt::format("not expressed: plan.{}: {}", field.key, field.value), reason_of(field.key));
  return all;
}

std::vector<std::string> Draft::head() const {
  std::vector<std::string> lines{
      fmt::format("{}: {}", job_->name, describe(job_->plan)),
      fmt::format("Written by foreshard for {} ({})", framework_->product, framework_->version)};
  for (const base::Diagnostic& one : left_out())
    lines.push_back(one.hint.empty() ? one.message : fmt::format("{} ({})", one.message, one.hint));
  lines.insert(lines.end(), remarks_.begin(), remarks_.end());
  return lines;
}

std::string Arguments::shell_word(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-_./:,+=").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain && !text.empty()) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Arguments::bash(std::string_view array) const {
  std::string out = fmt::format("{}=(\n", array);
  for (const Group& group : groups_) {
    if (group.lines.empty()) continue;
    out += fmt::format("  # {}\n", group.heading);
    for (const std::string& line : group.lines) out += fmt::format("  {}\n", line);
  }
  return out + ")\n";
}

std::string comments(const std::vector<std::string>& lines) {
  constexpr std::size_t width = 98;
  std::string out;
  for (const std::string& line : lines) {
    std::string_view rest = line;
    bool first = true;
    while (!rest.empty()) {
      const std::size_t room = first ? width : width - 2;
      std::size_t cut = rest.size();
      if (cut > room) {
        cut = rest.rfind(' ', room);
        if (cut == std::string_view::npos) cut = std::min(rest.find(' '), rest.size());
      }
      std::string part(rest.substr(0, cut));
      // A name from a user's file may hold anything; a comment ends with its line.
      std::replace_if(
          part.begin(), part.end(),
          [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
      out += fmt::format("# {}{}\n", first ? "" : "  ", part);
      rest.remove_prefix(std::min(cut + 1, rest.size()));
      first = false;
    }
  }
  return out;
}

int nodes_of(const Job& job) {
  return (job.plan.ranks() + job.ranks_per_node - 1) / job.ranks_per_node;
}

std::string torchrun(const Job& job) {
  return fmt::format("torchrun=(--nnodes {} --nproc-per-node {})\n", nodes_of(job),
                     std::min(job.ranks_per_node, job.plan.ranks()));
}

}  // namespace strategies::launch
