// A machine under test: QEMU under software emulation, its serial console, and
// ssh into it.
//
// Milestones are lines on the console (`expect`); a failed one shows the
// console's tail. "Kernel panic" anywhere fails whatever waits. ssh goes through
// QEMU's user network with a key made for this run, which the box learns from a
// NoCloud seed. The whole console is kept in BINARY_DIR/consoles/ for reading later.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "builder/verify/boot.h"
#include "tests/support/child.h"
#include "tests/support/paths.h"

namespace proof {

using Firmware = rosbuild::BootFirmware;
using rosbuild::Bus;
using Disk = rosbuild::BootDisk;

// What the box learns the test's key from: a NoCloud CD, an OpenStack config drive
// as a CD or as a folder that the hypervisor shares (9p), or nothing.
enum class Seed { nocloud, config_drive, share, none };

struct Machine {
  std::string name;  // of the console's file
  std::string arch = "amd64";
  std::string board = {};  // as in BootOptions
  Firmware firmware = Firmware::bios;
  unsigned memory_mb = 1024;
  // Two machines run at once, one for each of our processors. More than one
  // virtual processor is also not safe: QEMU 7.2's multi-threaded emulation now
  // and then runs an instruction that Linux has just patched ("Oops: int3").
  unsigned processors = 1;
  std::string nic = "virtio-net-pci";  // or "none"
  std::vector<Disk> disks = {};
  std::string user_data = {};               // added to the seed's ssh_authorized_keys
  std::vector<std::string> arguments = {};  // -kernel, -initrd, -append …
  Seed seed = Seed::nocloud;
  std::map<std::string, std::string> seed_files = {};  // further ones, by their paths in the seed
  // Private key that lets us in. When it is given, a disk brings its public half and there is no
  // seed.
  fs::path key = {};
  // Where programs lie at the same addresses each time, QEMU 7.2 finds its translations of the last
  // run: a third less of a boot. Figures are taken without.
  bool same_addresses = true;
};

struct Result {
  int status = 0;
  std::string output;  // standard output and error
};

class Guest {
 public:
  explicit Guest(Machine machine);
  ~Guest();

  // Waits for a console line (or an unfinished last line) that matches, from where
  // the last expect() ended. Returns the match's groups, [0] being all of it.
  std::vector<std::string> expect(const std::string& pattern, seconds limit);
  // Waits for the ready line, which must come within `limit`; returns its seconds.
  double expect_ready(seconds limit = seconds{420});
  void type(std::string_view text) { qemu_->type(text); }
  std::string console() const { return qemu_->output(); }

  // As the user rancher, through ssh; waits for sshd the first time.
  Result try_run(const std::string& script, seconds limit = seconds{180});
  std::string run(const std::string& script, seconds limit = seconds{180});  // must exit 0; trimmed
  std::string root(const std::string& script,
                   seconds limit = seconds{180});  // the same through sudo

  // A command of QEMU's human monitor, as somebody at the machine: "system_powerdown" …
  void monitor(const std::string& command);
  // Waits until QEMU ended, without asking for it.
  void expect_off(seconds limit);
  void disconnect();  // after a reboot that the test asked for by itself

  double reboot();                   // by the box's own command; until it is ready again
  seconds power_off(seconds limit);  // by the box's own command; the time until QEMU ended

  const fs::path& folder() const { return folder_.path(); }  // removed with the guest

 private:
  void write_seed() const;
  void connect();
  std::vector<std::string> ssh(const std::vector<std::string>& options) const;
  [[noreturn]] void fail(const std::string& message);

  Machine machine_;
  ros::TempDir folder_;
  int port_ = 0;
  bool connected_ = false;
  std::size_t consumed_ = 0;
  int exceptions_at_start_;
  std::unique_ptr<Child> qemu_;
};

// A copy-on-write disk over an artifact, which QEMU reads in its own format.
fs::path overlay(const fs::path& folder, const fs::path& artifact, const std::string& format,
                 const std::string& size);
// An ext4 file system without partitions, labelled for RancherOS' state, with these
// files by their paths in it.
fs::path state_disk(const fs::path& folder, const std::map<std::string, std::string>& files = {});
// A sparse empty disk.
fs::path empty_disk(const fs::path& folder, std::uintmax_t size);
// A disk whose only partition has a file system of `mebibytes`, made by `mkfs`, and that has
// grown by half a GiB since. `table` is what sfdisk(8) calls it: dos or gpt.
fs::path outgrown_disk(const fs::path& folder, const std::string& table,
                       std::vector<std::string> mkfs, std::uintmax_t mebibytes);
// A new key of ssh, and KEY.pub beside it.
void make_key(const fs::path& key);
// A TCP port of the loopback interface that was free a moment ago.
int free_port();

}  // namespace proof
