#include "tests/support/guest.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <exception>
#include <regex>

#include "builder/os/process.h"
#include "runtime/base/text.h"

namespace proof {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Without escape sequences and carriage returns, which firmware and GRUB love.
std::string plain(const std::string& console) {
  static const std::regex escapes{"\x1b\\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\r"};
  return std::regex_replace(console, escapes, "");
}

std::string tail(const std::string& console, std::size_t count) {
  const auto lines = ros::split(plain(console), '\n');
  std::string result;
  for (std::size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i)
    result += "  | " + lines[i] + "\n";
  return result;
}

}  // namespace

int free_port() {
  ros::Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

fs::path overlay(const fs::path& folder, const fs::path& artifact, const std::string& format,
                 const std::string& size) {
  const fs::path path = folder / (artifact.filename().string() + ".qcow2");
  check_output({"qemu-img", "create", "-q", "-f", "qcow2", "-F", format, "-b",
                fs::canonical(artifact).string(), path.string(), size});
  return path;
}

fs::path empty_disk(const fs::path& folder, std::uintmax_t size) {
  const fs::path path = folder / fs::unique_path("disk-%%%%.img");
  ros::write_file(path, "");
  fs::resize_file(path, size);
  return path;
}

fs::path outgrown_disk(const fs::path& folder, const std::string& table,
                       std::vector<std::string> mkfs, std::uintmax_t mebibytes) {
  constexpr std::uintmax_t kMiB = 1 << 20;
  const fs::path disk = empty_disk(folder, (mebibytes + 2) * kMiB);
  const fs::path content = empty_disk(folder, mebibytes * kMiB);
  mkfs.push_back(content.string());
  check_output(mkfs);
  check_output({"sh", "-c", "echo \"2048,$1M,L\" | sfdisk -q --label \"$2\" \"$3\"", "sh",
                std::to_string(mebibytes), table, disk.string()});
  check_output({"dd", "if=" + content.string(), "of=" + disk.string(), "bs=1M", "seek=1",
                "conv=notrunc,sparse", "status=none"});
  fs::resize_file(disk, (mebibytes + 514) * kMiB);
  return disk;
}

fs::path state_disk(const fs::path& folder, const std::map<std::string, std::string>& files) {
  const fs::path path = empty_disk(folder, 2ULL << 30);
  const ros::TempDir content;
  for (const auto& [name, text] : files) ros::write_file(content.path() / name, text);
  check_output({"mke2fs", "-q", "-t", "ext4", "-L", "RANCHER_STATE", "-d", content.path().string(),
                path.string()});
  return path;
}

void make_key(const fs::path& key) {
  check_output(
      {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "boot-test", "-f", key.string()});
}

// Machine::same_addresses. The kernel's word for it is `norandmaps`; where GRUB has the command
// line, the seed says it.
constexpr const char* kSameAddresses = "rancher: {sysctl: {kernel.randomize_va_space: '0'}}\n";

Guest::Guest(Machine machine)
    : machine_{std::move(machine)}, exceptions_at_start_{std::uncaught_exceptions()} {
  port_ = free_port();
  const auto& dir = folder_.path();
  if (machine_.key.empty()) {
    make_key(machine_.key = dir / "key");
    write_seed();
  } else {
    machine_.seed = Seed::none;
  }

  rosbuild::BootOptions options{.arch = machine_.arch,
                                .board = machine_.board,
                                .firmware = machine_.firmware,
                                .memory_mb = machine_.memory_mb,
                                .processors = machine_.processors,
                                .disks = machine_.disks,
                                .nic = machine_.nic,
                                .serial = "chardev:console",
                                .snapshot = false};
  if (machine_.nic != "none") options.forwards = {{port_, 22}};
  options.arguments = {"-chardev", "stdio,id=console,signal=off", "-monitor",
                       "unix:" + (dir / "monitor").string() + ",server=on,wait=off"};
  if (machine_.seed == Seed::share) {
    options.arguments.insert(options.arguments.end(),
                             {"-virtfs",
                              "local,mount_tag=config-2,security_model=none,readonly=on,"
                              "path=" +
                                  (dir / "seed").string()});
  } else if (machine_.seed != Seed::none) {
    options.disks.push_back({.path = dir / "seed.iso", .bus = Bus::cdrom});
  }
  for (const auto& word : machine_.arguments)
    options.arguments.push_back(machine_.same_addresses && options.arguments.back() == "-append"
                                    ? word + " norandmaps"
                                    : word);
  rosbuild::add_firmware(options, dir);
  qemu_ = std::make_unique<Child>(rosbuild::qemu_command(options));
}

void Guest::write_seed() const {
  const bool own = machine_.user_data.find("rancher:") != std::string::npos;
  const std::string head =
      std::string{"#cloud-config\n"} + (machine_.same_addresses && !own ? kSameAddresses : "");
  const fs::path& dir = folder_.path();
  const fs::path seed = dir / "seed";
  const std::string key{ros::trim(ros::read_file(dir / "key.pub"))};
  const bool nocloud = machine_.seed == Seed::nocloud;
  if (nocloud) {
    ros::write_file(seed / "meta-data", "instance-id: boot-test\n");
    ros::write_file(seed / "user-data",
                    head + "ssh_authorized_keys:\n  - " + key + "\n" + machine_.user_data);
  } else {
    ros::write_file(seed / "openstack/latest/meta_data.json",
                    R"({"hostname": "named-by-drive", "public_keys": {"test": ")" + key + "\"}}");
    ros::write_file(seed / "openstack/latest/user_data", head + machine_.user_data);
  }
  for (const auto& [path, content] : machine_.seed_files) ros::write_file(seed / path, content);
  check_output({"xorriso", "-as", "mkisofs", "-quiet", "-V", nocloud ? "cidata" : "config-2", "-J",
                "-r", "-o", (dir / "seed.iso").string(), seed.string()});
}

Guest::~Guest() {
  if (connected_) disconnect();
  const std::string console = qemu_->output();
  try {
    ros::write_file(fs::path{BINARY_DIR} / "consoles" / (machine_.name + ".log"), console);
  } catch (const std::exception&) {
    // A log that cannot be kept must not hide the test's own result.
  }
  if (std::uncaught_exceptions() > exceptions_at_start_)
    fmt::print(stderr, "Console of '{}':\n{}", machine_.name, tail(console, 40));
}

std::vector<std::string> Guest::expect(const std::string& pattern, seconds limit) {
  const std::regex regex{pattern};
  const auto deadline = Clock::now() + limit;
  std::string output = qemu_->output();
  for (;;) {
    // Whole lines only, but for the last one, which may be a prompt.
    while (consumed_ < output.size()) {
      const auto end = output.find('\n', consumed_);
      const std::string line = plain(output.substr(consumed_, end - consumed_));
      if (line.find("Kernel panic") != std::string::npos) fail("the kernel panicked");
      std::smatch match;
      const bool found = std::regex_search(line, match, regex);
      if (found || end != std::string::npos)
        consumed_ = end == std::string::npos ? output.size() : end + 1;
      if (found) return {match.begin(), match.end()};
      if (end == std::string::npos) break;
    }
    const std::size_t seen = output.size();
    output = qemu_->wait_output(seen, deadline);
    if (output.size() == seen) {
      if (!qemu_->running())
        fail("QEMU ended while the console was expected to say /" + pattern + "/");
      if (Clock::now() >= deadline)
        fail(fmt::format("the console did not say /{}/ within {} s", pattern, limit.count()));
    }
  }
}

double Guest::expect_ready(seconds limit) {
  return std::stod(expect("rancheros: ready in ([0-9]+\\.[0-9]+) s", limit)[1]);
}

void Guest::fail(const std::string& message) {
  FAIL(machine_.name << ": " << message);
  std::abort();  // FAIL has thrown
}

std::vector<std::string> Guest::ssh(const std::vector<std::string>& options) const {
  const auto& dir = folder_.path();
  std::vector<std::string> argv{"ssh",
                                "-F",
                                "none",
                                "-i",
                                machine_.key.string(),
                                "-p",
                                std::to_string(port_),
                                "-o",
                                "BatchMode=yes",
                                "-o",
                                "ConnectTimeout=20",
                                "-o",
                                "LogLevel=ERROR",
                                "-o",
                                "StrictHostKeyChecking=no",
                                "-o",
                                "UserKnownHostsFile=/dev/null",
                                "-o",
                                "ControlPath=" + (dir / "ssh").string()};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.push_back("rancher@127.0.0.1");
  return argv;
}

// One connection that all commands share: a key exchange under emulation takes seconds.
void Guest::connect() {
  const auto deadline = Clock::now() + 120s;
  const std::string log = (folder_.path() / "ssh.log").string();
  const std::string command =
      ros::quote(ssh({"-f", "-N", "-M"})) + " </dev/null >" + ros::quote(log) + " 2>&1";
  while (rosbuild::try_run({.argv = {"sh", "-c", "exec " + command}}).status != 0) {
    if (Clock::now() >= deadline || !qemu_->running())
      fail("ssh did not let us in: " + ros::try_read_file(log).value_or("(no message)"));
    std::this_thread::sleep_for(1s);  // nothing outside the guest tells when its sshd listens
  }
  connected_ = true;
}

void Guest::disconnect() {
  if (!connected_) return;
  rosbuild::try_run({.argv = ssh({"-O", "exit"})});
  connected_ = false;
}

Result Guest::try_run(const std::string& script, seconds limit) {
  if (!connected_) connect();
  auto argv = ssh({"-o", "ControlMaster=no"});
  // The connection's master has the output's file for as long as the command hangs, so no pipe.
  constexpr const char* kRun =
      "f=$1.$$; shift; timeout \"$@\" >\"$f\" 2>&1; s=$?; cat \"$f\"; rm \"$f\"; exit $s";
  argv.insert(argv.begin(), {"sh", "-c", kRun, "sh", (folder_.path() / "said").string(),
                             std::to_string(limit.count())});
  argv.insert(argv.end(), {"--", script});
  const auto exit = rosbuild::try_run({.argv = argv});
  return {exit.status, std::string{ros::trim(exit.output)}};
}

std::string Guest::run(const std::string& script, seconds limit) {
  const Result result = try_run(script, limit);
  if (result.status != 0)
    fail(fmt::format("exit {} from: {}\n{}", result.status, script, result.output));
  return result.output;
}

std::string Guest::root(const std::string& script, seconds limit) {
  return run("sudo -n sh -c " + ros::quote(script), limit);
}

void Guest::monitor(const std::string& command) {
  const std::string path = (folder_.path() / "monitor").string();
  ros::Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const timeval limit{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const auto deadline = Clock::now() + 60s;
  while (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (Clock::now() >= deadline || !qemu_->running()) fail("QEMU has no monitor");
    std::this_thread::sleep_for(100ms);  // nothing tells when one that was just started listens
  }
  std::string output;
  const auto until_prompt = [&] {
    char byte = 0;
    for (output.clear(); !output.ends_with("(qemu) ") && ::read(socket.get(), &byte, 1) == 1;)
      output += byte;
    if (!output.ends_with("(qemu) ")) fail("QEMU's monitor does not answer: " + output);
  };
  until_prompt();
  const std::string line = command + "\n";
  REQUIRE(::write(socket.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  until_prompt();  // it was carried out
}

void Guest::expect_off(seconds limit) {
  if (connected_) disconnect();
  if (!qemu_->wait(limit)) fail(fmt::format("the machine is not off after {} s", limit.count()));
}

double Guest::reboot() {
  try_run("sudo -n reboot", seconds{60});  // the connection may break before it can say 0
  disconnect();
  return expect_ready();
}

seconds Guest::power_off(seconds limit) {
  const auto start = Clock::now();
  try_run("sudo -n poweroff", seconds{60});
  disconnect();
  const auto status = qemu_->wait(limit);
  if (!status) fail(fmt::format("poweroff did not finish within {} s", limit.count()));
  return std::chrono::duration_cast<seconds>(Clock::now() - start);
}

}  // namespace proof
