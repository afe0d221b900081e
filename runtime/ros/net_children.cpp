#include "runtime/ros/net_children.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr std::chrono::seconds kPause{1};       // between two starts of one program
constexpr std::chrono::seconds kLongPause{10};  // of one that cannot be started, or has failed

}  // namespace

void Children::add(const std::string& owner, Client client) {
  children_.push_back({owner, std::move(client)});
}

void Children::remove(const std::string& owner) {
  for (auto& child : children_) {
    if (child.owner != owner) continue;
    child.wanted = false;
    if (child.pid > 0) ::kill(child.pid, SIGTERM);
  }
}

void Children::stop() {
  for (auto& child : children_) {
    child.wanted = false;
    if (child.pid > 0) ::kill(child.pid, SIGTERM);
  }
}

void Children::tend() {
  int raw = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &raw, WNOHANG)) > 0;) {
    for (auto& child : children_) {
      if (child.pid != pid) continue;
      child.pid = 0;
      if (!child.client.once) continue;
      if (raw == 0) child.wanted = false;
      child.due = Clock::now() + kLongPause;
    }
  }
  std::erase_if(children_, [](const Child& child) { return !child.wanted && child.pid == 0; });
  const auto now = Clock::now();
  for (auto& child : children_) {
    // One that replaces another waits for its end: they would share their files.
    const bool replaced = std::any_of(children_.begin(), children_.end(), [&](const Child& other) {
      return !other.wanted && other.owner == child.owner;
    });
    if (child.pid > 0 || now < child.due || replaced) continue;
    child.due = now + kPause;
    try {
      const Client& client = child.client;
      if (!client.file.empty()) write_file_atomically(client.file, client.text, 0600);
      SpawnOptions options;
      options.new_session = true;
      child.pid = spawn(client.argv, options);
    } catch (const std::exception& error) {
      child.due = now + kLongPause;
      if (!child.complained) {
        announce_error("network: " + child.owner + ": " + error.what() +
                       " (this image does not have it, or a service that brings it is not on)");
      }
      child.complained = true;
    }
  }
}

bool Children::any_running() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const Child& child) { return child.pid > 0; });
}

int Children::due_ms() const {
  auto next = Clock::time_point::max();
  for (const auto& child : children_) {
    if (child.pid == 0 && child.wanted) next = std::min(next, child.due);
  }
  if (next == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::max<long>(left, 1));
}

}  // namespace ros
