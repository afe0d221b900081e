#include "runtime/ros/settings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr unsigned kKeepOwner = static_cast<unsigned>(-1);

// Numbers of a user or group from the given file, whose lines begin NAME:x:ID.
unsigned id_of(const std::string& name, const fs::path& file) {
  unsigned id = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (code == std::errc{} && end == name.data() + name.size()) return id;
  for (const auto& line : split(try_read_file(file).value_or(""), '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 3 || fields[0] != name) continue;
    std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), id);
    return id;
  }
  throw Error{fmt::format("there is no {} in {}", name, file.string()), Error::Kind::input};
}

// /etc/hosts and the like are mounts of their own in system containers; nothing can take their
// place.
bool is_mount(const fs::path& path) {
  struct statx info = {};
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) == 0 &&
         (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

std::string text_of(const Value& entry, const char* key) {
  const Value* member = entry.find(key);
  return member ? member->text() : std::string{};
}

void write_one(const Value& entry, const fs::path& root) {
  const auto text = [&](const char* key) { return text_of(entry, key); };
  const std::string path = text("path");
  if (!path.starts_with('/')) throw Error{"path must begin with /", Error::Kind::input};
  unsigned mode = 0644;
  if (const std::string octal = text("permissions"); !octal.empty()) {
    const auto [end, code] = std::from_chars(octal.data(), octal.data() + octal.size(), mode, 8);
    if (code != std::errc{} || end != octal.data() + octal.size() || mode > 07777) {
      throw Error{fmt::format("permissions {} is no octal mode", octal), Error::Kind::input};
    }
  }
  unsigned user = kKeepOwner, group = kKeepOwner;
  if (const std::string owner = text("owner"); !owner.empty()) {
    const auto parts = split(owner, ':');
    const fs::path accounts = fs::exists(root / "etc/passwd") ? root : "/";
    user = id_of(parts[0], accounts / "etc/passwd");
    group = parts.size() > 1 ? id_of(parts[1], accounts / "etc/group") : kKeepOwner;
  }
  const fs::path target = root / path.substr(1);
  const std::string content = decode_content(text("content"), text("encoding"));
  if (is_mount(target)) {
    write_file(target, content, mode);
  } else {
    write_file_atomically(target, content, mode);
  }
  if (user != kKeepOwner || group != kKeepOwner) {
    if (::chown(target.c_str(), user, group) != 0) throw Error::from_errno("chown " + path);
  }
  // Last, for a new owner costs a program its setuid bit.
  if (::chmod(target.c_str(), mode) != 0) throw Error::from_errno("chmod " + path);
}

std::string container_of_file(const Value& entry) {
  const std::string name = text_of(entry, "container");
  return name.empty() ? "console" : name;
}

void write_chosen(const Config& config, const std::function<bool(const Value& entry)>& chosen,
                  std::vector<std::string>& problems, const fs::path& root) {
  const Value* list = config.find("write_files");
  if (!list) return;
  for (const auto& entry : list->items()) {
    if (!chosen(entry)) continue;
    try {
      write_one(entry, root);
    } catch (const std::exception& error) {
      const auto& at = entry.position();
      problems.push_back(fmt::format("{}:{}:{}: write_files {}: {}", at.file, at.line, at.column,
                                     text_of(entry, "path"), error.what()));
    }
  }
}

// As sysctl(8) reads names: dots and slashes change places when a dot comes first.
std::string sysctl_path(std::string name) {
  const auto first = name.find_first_of("./");
  if (first != name.npos && name[first] == '.') {
    for (char& c : name) c = c == '.' ? '/' : c == '/' ? '.' : c;
  }
  return "/proc/sys/" + name;
}

}  // namespace

std::string hosts_with(const std::string& name, std::string_view hosts) {
  auto lines = split(trim(hosts), '\n');
  std::erase_if(lines, [](const std::string& line) {
    const auto fields = words(line);
    return fields.empty() || fields[0] == "127.0.1.1";
  });
  lines.push_back("127.0.1.1\t" + name);
  return join(lines, "\n") + "\n";
}

// The name comes last: whoever sees it can look it up.
void apply_hostname(const std::string& name) {
  write_file("/etc/hosts", hosts_with(name, try_read_file("/etc/hosts").value_or("")));
  write_file("/etc/hostname", name + "\n");
  if (::sethostname(name.data(), name.size()) != 0)
    throw Error::from_errno("set host name " + name);
}

std::vector<std::string> apply_sysctl(const Config& config) {
  std::vector<std::string> problems;
  const Value* map = config.find("rancher.sysctl");
  if (!map) return problems;
  for (const auto& [name, value] : map->members()) {
    const std::string path = sysctl_path(name);
    const std::string line = value.text() + "\n";
    errno = EINVAL;
    const Fd file{path.find("..") == path.npos ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC) : -1};
    if (file && ::write(file.get(), line.data(), line.size()) >= 0) continue;
    const std::string reason =
        errno == ENOENT ? "there is no such parameter" : std::strerror(errno);
    problems.emplace_back(
        Error{fmt::format("rancher.sysctl: {}={}: {}", name, value.text(), reason)}
            .at(value.position())
            .what());
  }
  return problems;
}

void load_modules(const Config& config, std::vector<std::string>& problems) {
  const Value* list = config.find("rancher.modules");
  if (!list) return;
  for (const auto& entry : list->is_scalar() ? std::vector{*list} : list->items()) {
    auto argv = words(entry.text());
    if (argv.empty()) continue;
    argv.insert(argv.begin(), {"modprobe", "--"});
    try {
      run_program(argv);
    } catch (const Error& error) {
      problems.emplace_back(
          Error{fmt::format("rancher.modules: {}", error.what())}.at(entry.position()).what());
    }
  }
}

void bring_up_loopback() {
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  if (!socket || ::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  ::ioctl(socket.get(), SIOCSIFFLAGS, &request);
}

std::set<std::string> containers_with_files(const Config& config) {
  std::set<std::string> names;
  if (const Value* list = config.find("write_files"))
    for (const auto& entry : list->items()) names.insert(container_of_file(entry));
  return names;
}

void write_docker_files(const Config& config, const fs::path& root) {
  const std::string own = config.text("rancher.docker.config_file", kDaemonJson);
  std::vector<std::string> said_by_the_console;
  write_chosen(
      config,
      [&](const Value& entry) {
        const std::string path = text_of(entry, "path");
        return container_of_file(entry) == "console" &&
               (path == own || path.starts_with("/etc/docker/"));
      },
      said_by_the_console, root);
}

void write_files(const Config& config, const std::string& container,
                 std::vector<std::string>& problems, const fs::path& root) {
  write_chosen(
      config, [&](const Value& entry) { return container_of_file(entry) == container; }, problems,
      root);
}

std::string decode_content(const std::string& content, const std::string& encoding) {
  const auto unzip = [](const std::string& bytes) { return capture({"gzip", "-dc"}, bytes); };
  const auto base64 = [](const std::string& text) {
    const auto bytes = decode_base64(text);
    if (!bytes) throw Error{"the content is no base64", Error::Kind::input};
    return *bytes;
  };
  if (encoding.empty() || encoding == "text/plain") return content;
  if (encoding == "b64" || encoding == "base64") return base64(content);
  if (encoding == "gz" || encoding == "gzip") return unzip(content);
  for (const char* name : {"gz+b64", "gz+base64", "gzip+b64", "gzip+base64"}) {
    if (encoding == name) return unzip(base64(content));
  }
  throw Error{fmt::format("unknown encoding {}", encoding), Error::Kind::input}.hint(
      "b64, gzip or gz+b64");
}

}  // namespace ros
