#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "strategies/launch/launch.hpp"
#include "strategies/launch/plan_fields.hpp"

namespace strategies::launch {

/// A launch configuration in the making. It keeps account of which fields of the plan have been
/// said in the framework's words, so that what is left over is told and nothing is dropped.
class Draft {
 public:
  Draft(const Job& job, const Framework& framework)
      : job_(&job), framework_(&framework), fields_(plan_fields(job.plan, job.model)) {}

  const Job& job() const { return *job_; }
  const Plan& plan() const { return job_->plan; }
  const ModelSpec& model() const { return job_->model; }
  const Framework& framework() const { return *framework_; }

  /// These fields of the plan are expressed, whatever their values.
  void expressed(std::initializer_list<std::string_view> keys);
  /// The framework always does this: expressed where the plan has this value, else told.
  void always(std::string_view key, std::string_view value);
  /// Why a field that is not expressed is not.
  void cannot(std::string_view key, std::string reason);
  /// Something of the model that the configuration does not have.
  void lacks(std::string message);
  /// What the user is to know or do beside; told in the file, where it can hold comments.
  void remark(std::string text) { remarks_.push_back(std::move(text)); }

  /// What is left over, by the order of the plan, behind what the model lacks.
  base::Diagnostics left_out() const;
  /// "Llama on 64 H100: tp 8, …", the version of the options, what is left out and remarks: lines
  /// without end, for comments.
  std::vector<std::string> head() const;

 private:
  struct Reason {
    std::string key;
    std::string text;
  };
  std::string reason_of(std::string_view key) const;

  const Job* job_;
  const Framework* framework_;
  std::vector<PlanField> fields_;
  std::set<std::string, std::less<>> expressed_;
  std::vector<Reason> reasons_;
  std::vector<std::string> lacking_;
  std::vector<std::string> remarks_;
};

/// Words of a command line, in groups with a heading; a word with a blank or a sign of the shell is
/// quoted.
class Arguments {
 public:
  void group(std::string heading) { groups_.push_back({std::move(heading), {}}); }
  void flag(std::string_view name) { groups_.back().lines.emplace_back(name); }
  template <class T>
  void option(std::string_view name, const T& value) {
    groups_.back().lines.push_back(
        fmt::format("{} {}", name, shell_word(fmt::format("{}", value))));
  }

  /// A bash array of this name; empty groups are left out.
  std::string bash(std::string_view array) const;

 private:
  static std::string shell_word(const std::string& text);

  struct Group {
    std::string heading;
    std::vector<std::string> lines;
  };
  std::vector<Group> groups_;
};

/// The lines as comments, each behind `# `, wrapped at 100 columns.
std::string comments(const std::vector<std::string>& lines);

/// torchrun's options for all nodes but the address of the first, as a bash array.
std::string torchrun(const Job& job);

/// Ranks of the job over those of a node, rounded up.
int nodes_of(const Job& job);

}  // namespace strategies::launch
