#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.hpp"
#include "cli/convert.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "sim/scenario.hpp"
#include "strategies/throughput.hpp"

namespace cli {

namespace {

using nlohmann::ordered_json;

/// "70b", "1.5t", "8030261248": a count with a suffix of thousands, or a whole number.
std::optional<double> parse_count(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || text.find_first_not_of("0123456789.") < text.size() - 1) return {};
  const std::string suffix(end);
  double scale = 0;
  if (suffix.empty()) scale = number >= 1000 && number == std::floor(number) ? 1 : 0;
  if (suffix == "k" || suffix == "K") scale = 1e3;
  if (suffix == "m" || suffix == "M") scale = 1e6;
  if (suffix == "b" || suffix == "B") scale = 1e9;
  if (suffix == "t" || suffix == "T") scale = 1e12;
  const double count = number * scale;
  if (!(count >= 1 && count <= 1e16)) return {};
  return count;
}

std::string check_count(const std::string& text) {
  if (parse_count(text)) return {};
  return "'" + text + "' is no count such as 70b, 1.5t or 8030261248";
}

/// "16", or "2x8" for nodes times GPUs.
std::optional<int> parse_gpus(const std::string& text) {
  const std::size_t cross = text.find('x');
  const auto factor = [](const std::string& word) -> std::int64_t {
    if (word.empty() || word.size() > 7 ||
        word.find_first_not_of("0123456789") != std::string::npos)
      return 0;
    return std::stoll(word);
  };
  const std::int64_t count = cross == std::string::npos
                                 ? factor(text)
                                 : factor(text.substr(0, cross)) * factor(text.substr(cross + 1));
  if (count < 1 || count > strategies::degree_max) return {};
  return static_cast<int>(count);
}

std::string check_gpus(const std::string& text) {
  if (parse_gpus(text)) return {};
  return "'" + text + "' is no number of GPUs such as 16, or 2x8 for nodes x GPUs";
}

struct TokensCommand {
  double rate = 0;
  std::string scenario;
  std::int64_t sequence = 0;
  double goodput = 1;
  std::string json;
};

struct UtilisationCommand {
  double rate = 0;
  std::string scenario;
  std::string model;
  std::string parameters;
  std::int64_t layers = 0;
  std::int64_t attention = 0;
  std::int64_t sequence = 0;
  std::string gpus;
  std::string gpu;
  base::DType precision = base::DType::bf16;
  double peak_tflops = 0;
  std::string json;
};

/// Says what is missing on the command line, and leaves.
[[noreturn]] void missing(const std::string& what, const std::string& hint) {
  print({{{}, what, hint}});
  throw CLI::RuntimeError(wrong_command);
}

std::optional<sim::Scenario> scenario_at(const std::string& path) {
  if (path.empty()) return std::nullopt;
  return value_or_leave(sim::load_scenario({path, {}, hardware_folder()}));
}

/// 1234567.8 as "1,234,568", small ones with their digits.
std::string grouped(double value) {
  if (value < 1000) return fmt::format("{:.4g}", value);
  std::string digits = fmt::format("{:.0f}", value);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string line(std::string_view name, const std::string& value) {
  return fmt::format("{:<18}{}\n", name, value);
}

void convert_tokens(const TokensCommand& command) {
  const std::optional<sim::Scenario> scenario = scenario_at(command.scenario);
  const std::int64_t sequence = command.sequence > 0 ? command.sequence
                                : scenario           ? scenario->plan.sequence
                                                     : 0;
  if (sequence == 0) missing("how long is a sample?", "say --sequence TOKENS, or --scenario FILE");
  const double tokens = command.rate * static_cast<double>(sequence);
  const double day = strategies::tokens_per_day(command.rate, sequence, command.goodput);
  if (!command.json.empty()) {
    const ordered_json json{{"schema", "foreshard.tokens_per_day.v1"},
                            {"samples_per_s", command.rate},
                            {"sequence_tokens", sequence},
                            {"goodput", command.goodput},
                            {"tokens_per_s", tokens},
                            {"tokens_per_day", day}};
    write_output(command.json, json.dump(1) + "\n");
  }
  if (command.json == "-") return;
  write_output("-", line("samples/s", fmt::format("{:g}", command.rate)) +
                        line("sample", grouped(static_cast<double>(sequence)) + " tokens") +
                        line("tokens/s", grouped(tokens)) +
                        line("goodput", fmt::format("{:g} of the time", command.goodput)) +
                        line("tokens/day", fmt::format("{} ({} billion)", grouped(day),
                                                       fmt::format("{:.4g}", day * 1e-9))));
}

/// What MFU is of: whence each number came is said beside it.
struct Setting {
  strategies::CountedModel model;
  strategies::ModelSpec spec;
  std::string model_text;
  std::int64_t sequence = 0;
  int gpus = 0;
  base::FlopPerSecond peak;
  std::string peak_text;
};

void know_model(Setting& setting, strategies::ModelSpec spec) {
  setting.spec = std::move(spec);
  const strategies::ParameterCount count = strategies::count_parameters(setting.spec);
  setting.model.parameters = static_cast<double>(count.active);
  setting.model.layers = setting.spec.layer_count();
  setting.model.attention = setting.spec.heads * setting.spec.head_dim;
  setting.model_text =
      fmt::format("{}, {} parameters{}", setting.spec.name,
                  base::format_count(static_cast<double>(count.total())),
                  count.active < count.total()
                      ? fmt::format(", of which a token passes {}",
                                    base::format_count(static_cast<double>(count.active)))
                      : "");
}

void choose_model(Setting& setting, const UtilisationCommand& command,
                  const std::optional<sim::Scenario>& scenario) {
  if (!command.model.empty()) {
    const std::string text = value_or_leave(base::read_file(command.model));
    know_model(setting, value_or_leave(strategies::read_hf_config(text, command.model)));
  } else if (!command.parameters.empty()) {
    setting.model = {*parse_count(command.parameters), command.layers, command.attention};
    setting.model_text = fmt::format("{} parameters", base::format_count(setting.model.parameters));
  } else if (scenario) {
    know_model(setting, scenario->model);
  } else {
    missing("which model?", "say --scenario FILE, --model config.json, or --parameters 70b");
  }
  setting.model.spec =
      setting.model.parameters > 0 && !setting.spec.layers.empty() ? &setting.spec : nullptr;
}

void choose_peak(Setting& setting, const UtilisationCommand& command,
                 const std::optional<sim::Scenario>& scenario) {
  if (command.peak_tflops > 0) {
    setting.peak = base::FlopPerSecond::from_tflops(command.peak_tflops);
    setting.peak_text = fmt::format("{:g} TFLOP/s a GPU, as stated", command.peak_tflops);
    return;
  }
  const base::DType type =
      scenario && command.gpu.empty() ? scenario->plan.precision.compute : command.precision;
  topology::GpuSpec gpu;
  if (!command.gpu.empty()) {
    const auto registry = value_or_leave(topology::HardwareRegistry::read(hardware_folder()));
    const topology::GpuSpec* found = registry.find_gpu(command.gpu);
    if (found == nullptr) {
      print({{{},
              fmt::format("unknown GPU '{}'", command.gpu),
              base::suggest(command.gpu, registry.gpu_names())}});
      leave_with(mistake);
    }
    gpu = *found;
  } else if (scenario) {
    gpu = scenario->cluster.gpu_spec(sim::place_ranks(*scenario).front());
  } else {
    missing("which GPU?", "say --gpu NAME or --peak-tflops NUMBER, or --scenario FILE");
  }
  const auto peak = gpu.peak.find(type);
  if (peak == gpu.peak.end()) {
    print({{{},
            fmt::format("no {} peak of {} is known", base::name_of(type), gpu.name),
            "say --peak-tflops NUMBER"}});
    leave_with(mistake);
  }
  setting.peak = peak->second;
  setting.peak_text = fmt::format("{:g} TFLOP/s a GPU, dense {} of {}", peak->second.tflops(),
                                  base::name_of(type), gpu.name);
}

Setting setting_of(const UtilisationCommand& command) {
  const std::optional<sim::Scenario> scenario = scenario_at(command.scenario);
  Setting setting;
  choose_model(setting, command, scenario);
  setting.sequence = command.sequence > 0 ? command.sequence
                     : scenario           ? scenario->plan.sequence
                                          : 0;
  if (setting.sequence == 0)
    missing("how long is a sample?", "say --sequence TOKENS, or --scenario FILE");
  setting.gpus = !command.gpus.empty() ? *parse_gpus(command.gpus)
                 : scenario            ? scenario->plan.ranks()
                                       : 0;
  if (setting.gpus == 0) missing("how many GPUs?", "say --gpus 16 or 2x8, or --scenario FILE");
  choose_peak(setting, command, scenario);
  return setting;
}

void convert_utilisation(const UtilisationCommand& command) {
  const Setting setting = setting_of(command);
  const double tokens = command.rate * static_cast<double>(setting.sequence);
  const double peak = setting.peak.flops() * setting.gpus;
  ordered_json json{
      {"schema", "foreshard.mfu.v1"},
      {"samples_per_s", command.rate},
      {"sequence_tokens", setting.sequence},
      {"tokens_per_s", tokens},
      {"tokens_per_s_per_gpu", tokens / setting.gpus},
      {"tokens_per_day", strategies::tokens_per_day(command.rate, setting.sequence, 1)},
      {"gpus", setting.gpus},
      {"peak_tflops_per_gpu", setting.peak.tflops()},
      {"parameters", setting.model.parameters}};
  std::string text =
      line("model", setting.model_text) +
      line("samples/s", fmt::format("{:g} of {} tokens", command.rate,
                                    grouped(static_cast<double>(setting.sequence)))) +
      line("tokens/s",
           fmt::format("{}, {} a GPU, {} billion a day", grouped(tokens),
                       grouped(tokens / setting.gpus),
                       fmt::format("{:.4g}", json["tokens_per_day"].get<double>() * 1e-9))) +
      line("peak", fmt::format("{}, {} GPUs", setting.peak_text, setting.gpus)) + "\n" +
      fmt::format("{:<18}{:>16}{:>18}{:>10}  {}\n", "counted as", "GFLOP a token", "TFLOP/s a GPU",
                  "MFU", "");
  base::Diagnostics notes;
  for (const strategies::TokenWork& way : strategies::token_work(setting.model, setting.sequence)) {
    const double achieved = way.flop.count() * tokens;
    const double mfu = achieved / peak;
    json["counts"].push_back({{"name", way.name},
                              {"formula", way.formula},
                              {"flop_per_token", way.flop.count()},
                              {"tflops_per_gpu", achieved * 1e-12 / setting.gpus},
                              {"mfu", mfu}});
    text +=
        fmt::format("{:<18}{:>16.4f}{:>18.2f}{:>8.2f} %  {}\n", way.name, way.flop.count() * 1e-9,
                    achieved * 1e-12 / setting.gpus, 100 * mfu, way.formula);
    if (mfu > 1 && notes.empty())
      notes.push_back({{},
                       fmt::format("an MFU of {:.0f} % cannot be", 100 * mfu),
                       "check the rate, the number of GPUs and the peak",
                       base::Severity::warning});
  }
  print(notes);
  json["diagnostics"] = ordered_json::array();
  for (const base::Diagnostic& note : notes) json["diagnostics"].push_back(note.format());
  if (!command.json.empty()) write_output(command.json, json.dump(1) + "\n");
  if (command.json != "-") write_output("-", text);
}

void add_json(CLI::App& command, std::string& json) {
  command.add_option("--json", json, "write the answer as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
}

void add_tokens(CLI::App& group) {
  CLI::App* command = group.add_subcommand("sps2tpd", "samples a second to tokens a day");
  const auto options = std::make_shared<TokensCommand>();
  command->add_option("-t,--rate", options->rate, "samples a second")
      ->required()
      ->check(CLI::Range(1e-9, 1e12));
  command->add_option("-s,--sequence", options->sequence, "tokens of a sample")
      ->check(CLI::Range(1, 100'000'000));
  command->add_option("--scenario", options->scenario, "whose sequence it is, unless stated")
      ->type_name("FILE");
  command
      ->add_option("-g,--goodput", options->goodput, "share of the time in which training advances")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  add_json(*command, options->json);
  command->callback([options] { convert_tokens(*options); });
}

void add_utilisation(CLI::App& group) {
  CLI::App* command =
      group.add_subcommand("sps2mfu", "samples a second to model FLOPs utilisation");
  const auto options = std::make_shared<UtilisationCommand>();
  command->add_option("-s,--rate", options->rate, "samples a second, of all GPUs")
      ->required()
      ->check(CLI::Range(1e-9, 1e12));
  command
      ->add_option("--scenario", options->scenario,
                   "whose model, sequence, GPUs and precision they are, unless stated")
      ->type_name("FILE");
  CLI::Option* model = command->add_option("--model", options->model, "a Hugging Face config.json")
                           ->type_name("FILE");
  command
      ->add_option("-m,--parameters", options->parameters,
                   "of the model; of a mixture those that a token passes: 70b, 1.5t")
      ->type_name("COUNT")
      ->excludes(model)
      ->check(CLI::Validator(check_count, ""));
  const CLI::Range width(1, 100'000'000);
  CLI::Option* layers = command->add_option("--layers", options->layers, "with --parameters")
                            ->check(width)
                            ->needs("--parameters");
  CLI::Option* attention =
      command
          ->add_option("--attention-width", options->attention,
                       "with --layers: heads x width of a head, mostly the hidden size")
          ->check(width)
          ->needs(layers);
  layers->needs(attention);
  command->add_option("-l,--sequence", options->sequence, "tokens of a sample")->check(width);
  command->add_option("-n,--gpus", options->gpus, "GPUs: 16, or 2x8 for nodes x GPUs")
      ->check(CLI::Validator(check_gpus, ""));
  CLI::Option* gpu =
      command->add_option("--gpu", options->gpu, "GPU model, by its name in the registry");
  CLI::Option* peak = command
                          ->add_option("-t,--peak-tflops", options->peak_tflops,
                                       "peak of one GPU in TFLOP/s, instead of --gpu")
                          ->excludes(gpu)
                          ->check(CLI::Range(1e-3, 1e9));
  std::vector<std::pair<std::string, base::DType>> types;
  for (const auto& [name, type] : base::dtype_names) types.emplace_back(name, type);
  command->add_option("--precision", options->precision, "with --gpu: whose peak it is")
      ->default_str("bf16")
      ->transform(CLI::CheckedTransformer(types))
      ->needs(gpu)
      ->excludes(peak);
  add_json(*command, options->json);
  command->callback([options] { convert_utilisation(*options); });
}

}  // namespace

void add_convert_throughput(CLI::App& group) {
  add_tokens(group);
  add_utilisation(group);
}

}  // namespace cli
