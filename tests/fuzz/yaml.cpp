#include <cmath>

#include "base/map_reader.hpp"
#include "tests/fuzz/document_check.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using base::MapReader;

enum class Colour { red, green };
constexpr std::array<std::pair<std::string_view, Colour>, 2> colours{
    {{"red", Colour::red}, {"green", Colour::green}}};

/// Reads every kind of value that a map can hold, and the maps in it.
void read_all(MapReader& reader, int depth) {
  int whole = 5;
  if (reader.read("whole", whole, {0, 10})) CHECK_INVARIANT(whole >= 0 && whole <= 10);
  double number = 0;
  if (reader.read("number", number)) CHECK_INVARIANT(std::isfinite(number));
  bool flag = false;
  std::string word;
  Colour colour = Colour::red;
  base::Bytes size;
  base::BytesPerSecond rate;
  base::Seconds time;
  base::FlopPerSecond speed;
  reader.read("flag", flag);
  reader.require("word", word);
  reader.read_choice("colour", colour, colours);
  if (reader.read("size", size)) CHECK_INVARIANT(size.count() >= 0);
  if (reader.read("rate", rate)) CHECK_INVARIANT(std::isfinite(rate.byte()) && rate.byte() >= 0);
  if (reader.read("time", time)) CHECK_INVARIANT(std::isfinite(time.s()) && time.s() >= 0);
  if (reader.read("speed", speed)) CHECK_INVARIANT(std::isfinite(speed.flops()));
  std::vector<std::string> words;
  std::vector<double> numbers;
  reader.read("words", words);
  reader.read("numbers", numbers);
  if (depth < 3) {
    if (auto inner = reader.map("inner")) read_all(*inner, depth + 1);
    for (MapReader& item : reader.maps("items")) read_all(item, depth + 1);
  }
  reader.finish();
}

}  // namespace

void fuzz_one(std::string_view text) {
  const base::Result<base::Document> document = base::parse_yaml(text, "f.yaml");
  if (!document) return fuzz::check_refusal(document.error());
  fuzz::check_tree(document->root);
  base::Diagnostics problems;
  base::Origins origins;
  MapReader reader(*document, document->root, "", problems, &origins);
  read_all(reader, 0);
  fuzz::check(problems);
}
