#pragma once

#include <httplib.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

/// An API server that answers what it was told to, over plain HTTP. Its errors have the form of
/// kube-apiserver's Status objects; a path that nobody told of is one that is not installed.
class RecordedApiServer {
 public:
  struct Reply {
    int code = 200;
    std::string text;
    std::string type = "application/json";
    std::chrono::milliseconds delay{0};
  };

  RecordedApiServer() {
    server_.Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
      const Reply reply = answer(request);
      std::this_thread::sleep_for(reply.delay);
      response.status = reply.code;
      response.set_content(reply.text, reply.type);
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    REQUIRE(port_ > 0);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~RecordedApiServer() {
    server_.stop();
    thread_.join();
  }
  RecordedApiServer(const RecordedApiServer&) = delete;
  RecordedApiServer& operator=(const RecordedApiServer&) = delete;

  static Reply status(int code, const std::string& reason, const std::string& message) {
    return {code, R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                  R"("message":")" +
                      message + R"(","reason":")" + reason + R"(","code":)" + std::to_string(code) +
                      "}"};
  }

  /// Replies to requests of a path, in turn; the last of them to all that follow. The query's
  /// `continue` is part of the path: "/api/v1/nodes#token".
  void tell(const std::string& path, std::vector<Reply> replies) {
    told_[path] = std::move(replies);
  }

  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  /// A kubeconfig whose context "recorded" is this server.
  std::string kubeconfig() const {
    return "apiVersion: v1\nkind: Config\n"
           "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:" +
           std::to_string(port_) +
           "'}}]\nusers: [{name: u, user: {}}]\n"
           "contexts: [{name: recorded, context: {cluster: c, user: u}}]\n";
  }

 private:
  Reply answer(const httplib::Request& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request.method + " " + request.path);
    const std::string token = request.get_param_value("continue");
    const auto found = told_.find(request.path + (token.empty() ? "" : "#" + token));
    if (found == told_.end())
      return status(404, "NotFound", "the server could not find the requested resource");
    const Reply reply = found->second.front();
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    return reply;
  }

  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::vector<Reply>> told_;
  std::vector<std::string> requests_;
};
