#include "cli/kubectl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/check.hpp"
#include "base/document.hpp"
#include "cli/child_process.hpp"

namespace cli {

namespace {

using base::Diagnostic;
using base::Diagnostics;
using base::Node;
using base::Severity;

/// Of one page: far above 500 nodes of 25 kB.
constexpr std::size_t page_bytes_max = std::size_t{512} << 20;
/// More objects than any cluster has; a server that never ends its list is refused.
constexpr int pages_max = 20'000;

enum class Refusal { unauthorized, forbidden, not_found, expired, other };

/// Why a request failed, in words of kubectl.
struct Failure {
  Refusal why = Refusal::other;
  std::string message;
};

struct Resource {
  std::string_view group;  ///< empty: the core group
  std::string_view name;
  std::string_view selector;  ///< fields, as in a URL
  std::string_view without;   ///< what follows where it cannot be read
};

constexpr std::array<Resource, 10> resources{{
    {"", "pods", "&fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed",
     "which GPUs are free is unknown"},
    {"kueue.x-k8s.io", "topologies", "", "levels come from labels"},
    {"kai.scheduler", "topologies", "", "levels come from labels"},
    {"grove.io", "clustertopologybindings", "", "levels come from labels"},
    {"grove.io", "clustertopologies", "", "levels come from labels"},
    {"scheduling.koordinator.sh", "clusternetworktopologies", "", "levels come from labels"},
    {"topology.volcano.sh", "hypernodes", "", "levels come from labels"},
    {"resource.k8s.io", "resourceslices", "", "NICs and GPUs of DRA drivers are unknown"},
    {"resource.k8s.io", "resourceclaims", "", "GPUs that claims hold count as free"},
    {"sriovnetwork.openshift.io", "sriovnetworknodestates", "", "rates of NICs are unknown"},
}};

Failure failure_of(const Answer& answer) {
  std::string_view text = answer.err;
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::string_view line = text.substr(text.rfind('\n') + 1);
  Failure failure{Refusal::other, std::string(line.empty() ? *answer.fault : line)};
  constexpr std::array<std::pair<std::string_view, Refusal>, 5> words{{
      {"Error from server (Forbidden)", Refusal::forbidden},
      {"Error from server (NotFound)", Refusal::not_found},
      {"Error from server (Expired)", Refusal::expired},
      {"Error from server (Unauthorized)", Refusal::unauthorized},
      {"error: You must be logged in", Refusal::unauthorized},
  }};
  for (const auto& [begin, why] : words)
    if (line.starts_with(begin)) failure.why = why;
  return failure;
}

std::string hint_for(const Failure& failure) {
  const std::string_view text = failure.message;
  const auto has = [&](std::string_view word) { return text.find(word) != text.npos; };
  if (failure.why == Refusal::unauthorized) return "log in again, then repeat";
  if (failure.why == Refusal::forbidden) return "ask for the rights get and list on nodes";
  if (failure.why == Refusal::expired)
    return "the list changes faster than it can be read; try again";
  if (has("localhost:8080"))
    return "kubectl found no kubeconfig and tried this machine; name one with --kubeconfig";
  if (has("Client.Timeout") || has("deadline exceeded"))
    return "the server is slow; allow more with --request-timeout";
  if (has("ServiceUnavailable") || has("TooManyRequests"))
    return "the server is busy or down; try again";
  if (text == "error: EOF") return "kubectl asked for a password; log in first";
  return "try kubectl get nodes";
}

/// As RFC 3986 writes what is no letter or digit in a query.
std::string in_url(std::string_view text) {
  std::string url;
  for (const char c : text)
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
        c == '_' || c == '.' || c == '~')
      url += c;
    else
      url += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return url;
}

template <class T>
using Asked = tl::expected<T, Failure>;

class Reader {
 public:
  explicit Reader(const LiveOptions& options) : page_(options.page) {
    words_ = {"kubectl"};
    const auto pass = [&](std::string_view option, const std::string& value) {
      if (!value.empty()) words_.push_back(fmt::format("{}={}", option, value));
    };
    pass("--kubeconfig", options.kubeconfig);
    pass("--context", options.context);
    pass("--as", options.as);
    pass("--request-timeout", options.request_timeout);
    words_.insert(words_.end(), {"get", "--raw"});
  }

  base::Result<LiveDump> read() {
    if (const auto failure = add_list("/api/v1/nodes", ""))
      return tl::unexpected(Diagnostics{{{"/api/v1/nodes"}, failure->message, hint_for(*failure)}});
    for (const Resource& resource : resources) add_optional(resource);
    return std::move(dump_);
  }

 private:
  Asked<std::string> ask(const std::string& path) const {
    std::vector<std::string> words = words_;
    words.push_back(path);
    Answer answer = ask_process(words, page_bytes_max);
    if (answer.fault) return tl::unexpected(failure_of(answer));
    return std::move(answer.out);
  }

  /// A map that the server answered with, without its items.
  static Asked<base::Document> parse(const std::string& text, const std::string& path) {
    constexpr std::array<std::string_view, 1> unread{".items"};
    auto document = base::parse_json(text, path, {unread});
    if (document && document->root.kind == Node::Kind::map) return std::move(*document);
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    const bool html = begin != text.npos && text[begin] == '<';
    return tl::unexpected(Failure{
        Refusal::other, html ? "the answer is an HTML page: a proxy or a login page stands before "
                               "the API server"
                        : !document
                            ? fmt::format("the answer is no JSON: {}", document.error()[0].message)
                            : "the answer is no object"});
  }

  /// Reads all pages of a list; what is wrong, and then none of them is kept.
  std::optional<Failure> add_list(const std::string& path, std::string_view selector) {
    std::optional<Failure> failure;
    for (int attempt = 0; attempt < 2; ++attempt) {
      std::vector<topology::DumpFile> pages;
      failure = read_pages(path, selector, pages);
      if (!failure) {
        std::move(pages.begin(), pages.end(), std::back_inserter(dump_.files));
        return failure;
      }
      if (failure->why != Refusal::expired) return failure;
    }
    return failure;
  }

  std::optional<Failure> read_pages(const std::string& path, std::string_view selector,
                                    std::vector<topology::DumpFile>& pages) const {
    std::string more;
    do {
      if (pages.size() == pages_max)
        return Failure{Refusal::other, fmt::format("the list has more than {} pages", pages_max)};
      auto text = ask(fmt::format("{}?limit={}{}{}", path, page_, selector,
                                  more.empty() ? "" : "&continue=" + in_url(more)));
      if (!text) return text.error();
      const auto document = parse(*text, path);
      if (!document) return document.error();
      const Node* metadata = document->root.find("metadata");
      const Node* token = metadata == nullptr ? nullptr : metadata->find("continue");
      more = token == nullptr ? std::string() : token->text;
      pages.push_back({path, std::move(*text)});
    } while (!more.empty());
    return std::nullopt;
  }

  /// Versions of a group, the preferred one first; none where the cluster does not have it.
  Asked<std::vector<std::string>> versions_of(std::string_view group) const {
    const std::string path = fmt::format("/apis/{}", group);
    const auto text = ask(path);
    if (!text) return tl::unexpected(text.error());
    const auto document = parse(*text, path);
    if (!document) return tl::unexpected(document.error());
    std::vector<std::string> versions;
    const auto add = [&](const Node* version) {
      const Node* name = version == nullptr ? nullptr : version->find("version");
      if (name != nullptr && !name->text.empty() &&
          std::find(versions.begin(), versions.end(), name->text) == versions.end())
        versions.push_back(name->text);
    };
    add(document->root.find("preferredVersion"));
    if (const Node* all = document->root.find("versions"))
      for (const Node& version : all->items) add(&version);
    return versions;
  }

  /// What is not installed is nothing to tell of.
  void add_optional(const Resource& resource) {
    if (resource.group.empty()) {
      if (const auto failure =
              add_list(fmt::format("/api/v1/{}", resource.name), resource.selector))
        tell(resource, *failure);
      return;
    }
    const auto versions = versions_of(resource.group);
    if (!versions) {
      if (versions.error().why != Refusal::not_found) tell(resource, versions.error());
      return;
    }
    // A kind may be served by an older version of its group alone.
    for (const std::string& version : *versions) {
      const auto failure = add_list(
          fmt::format("/apis/{}/{}/{}", resource.group, version, resource.name), resource.selector);
      if (!failure) return;
      if (failure->why == Refusal::not_found) continue;
      return tell(resource, *failure);
    }
  }

  void tell(const Resource& resource, const Failure& failure) {
    dump_.notes.push_back(
        {{fmt::format("{}{}{}", resource.name, resource.group.empty() ? "" : ".", resource.group)},
         fmt::format("not read: {}", failure.message),
         std::string(resource.without),
         Severity::warning});
  }

  int page_;
  std::vector<std::string> words_;
  LiveDump dump_;
};

}  // namespace

base::Result<LiveDump> read_live(const LiveOptions& options) {
  try {
    return Reader(options).read();
  } catch (const base::EnvironmentError& error) {
    throw base::EnvironmentError(fmt::format(
        "reading a cluster needs kubectl: {}; install it, or give files", error.what()));
  }
}

}  // namespace cli
