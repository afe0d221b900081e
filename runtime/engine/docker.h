// The part of the Docker Engine API that the system uses, as plain functions of
// values. Every call may throw Error; a call to a daemon that is starting blocks
// until it serves when its socket is activated by init.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/engine/http.h"

namespace ros {

inline constexpr const char* kSystemDocker = "/run/system-docker.sock";
inline constexpr const char* kUserDocker = "/run/docker.sock";
// In the environment of both engines and of containerd (and so of its shims): how much garbage Go's
// collector lets be, in hundredths of what lives. They have little to do and much that lives.
inline constexpr const char* kEngineGarbage = "GOGC=50";

// What a container is to be. System services leave `restart` at "no": they are
// restarted by `ros sysinit`, which also knows when not to.
struct ContainerSpec {
  std::string image;
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::pair<std::string, std::string>> environment;
  std::map<std::string, std::string> labels;
  std::vector<std::string> binds;  // SOURCE:TARGET[:OPTIONS]
  std::vector<std::string> volumes_from;
  std::vector<std::string> tmpfs;
  std::vector<std::string> cap_add, cap_drop, security_opt, devices, dns, extra_hosts, ports;
  std::map<std::string, std::string> annotations;  // of the OCI runtime specification
  std::map<std::string, std::string> log_opts;
  std::string restart = "no";
  std::string log_driver, hostname, user, working_dir, stop_signal;
  std::string network, pid, ipc, uts, cgroupns;  // empty: the engine's default
  int most_restarts = 0;  // with restart "on-failure"; 0: as often as it fails
  std::optional<int> oom_score_adj;
  std::int64_t memory = 0;  // bytes; 0 is no limit
  bool privileged = false, read_only = false, tty = false, stdin_open = false;
};

struct Container {
  std::string id, name, image, state, status;
  std::map<std::string, std::string> labels;
  bool running() const { return state == "running"; }
};

struct Image {
  std::string id;
  std::vector<std::string> tags;
};

struct ContainerState {
  std::string id, status;
  bool running = false;
  int exit_code = 0;
  int pid = 0;
};

// The JSON body of a create request; its SHA-256 tells whether a container that
// exists is still the one that is wanted.
std::string create_body(const ContainerSpec& spec);

class Docker {
 public:
  explicit Docker(std::string socket) : socket_(std::move(socket)) {}

  void ping() const;
  std::string version() const;
  std::string image_id(const std::string& reference) const;  // "" when there is none
  std::vector<Container> list(bool all, const std::string& label = {}) const;
  std::optional<ContainerState> inspect(const std::string& name) const;
  std::string create(const std::string& name, const ContainerSpec& spec) const;
  void start(const std::string& id) const;  // running already is fine
  void stop(const std::string& id, int seconds) const;
  void restart(const std::string& id, int seconds) const;
  void kill(const std::string& id, const std::string& signal) const;  // ended already is fine
  // By force, with its anonymous volumes when asked for; absent is fine.
  void remove(const std::string& id, bool volumes = false) const;
  std::string default_bridge() const;  // "docker0"; "" when it has no network `bridge`
  std::vector<Image> images() const;
  // False when something uses it.
  bool remove_image(const std::string& id) const;
  int wait(const std::string& id) const;  // blocks; the exit status
  // Unpacks a tar archive over the container's files, those of its mounts too.
  void put_archive(const std::string& id, std::string_view tar) const;
  // Calls `sink` with (stream 1 or 2, bytes) until the log ends; all is 1 with a terminal.
  void logs(const std::string& id, bool follow, int lines,
            const std::function<void(int, std::string_view)>& sink) const;
  // An opened event stream: events from this moment on cannot be missed. `filter` is
  // the API's filters JSON.
  ResponseStream open_events(const std::string& filter) const;

  const std::string& socket() const noexcept { return socket_; }

 private:
  Response call(std::string_view method, const std::string& target, std::string_view body,
                std::initializer_list<int> accepted, const std::string& what) const;
  std::string socket_;
};

// Takes the frames of an attached log apart (8-byte headers).
class LogReader {
 public:
  void feed(std::string_view bytes, const std::function<void(int, std::string_view)>& sink);

 private:
  std::string pending_;
};

}  // namespace ros
