#include "builder/verify/boot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string_view>

#include "builder/os/process.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr const char* kQemu = "qemu-system-x86_64";
constexpr const char* kQemuArm = "qemu-system-aarch64";
// What platforms/{amd64,arm64}.yaml say, and no disk is asked for.
constexpr const char* kNetbootCmdline =
    "console=tty1 console=ttyS0,115200 {}net.ifnames=0 quiet loglevel=4 panic=10 "
    "rancher.state.required=false";

constexpr std::size_t kSector = 512;
constexpr std::size_t kIsoDescriptor = 16 * 2048;  // the first volume descriptor of ISO 9660

// A file whose parts are looked at; what lies behind its end reads as nothing.
class Probe {
 public:
  explicit Probe(const fs::path& path)
      : fd_(ros::open_file(path.string(), O_RDONLY)), size_(fs::file_size(path)) {}

  bool has(std::uint64_t offset, std::string_view bytes) const {
    return offset + bytes.size() <= size_ && ros::read_at(fd_.get(), offset, bytes.size()) == bytes;
  }
  std::uint64_t size() const { return size_; }

 private:
  ros::Fd fd_;
  std::uint64_t size_;
};

bool is_iso(const Probe& file) { return file.has(kIsoDescriptor + 1, "CD001"); }
bool is_arm_kernel(const Probe& file) { return file.has(0x38, "ARM\x64"); }
bool is_kernel(const Probe& file) { return file.has(0x202, "HdrS") || is_arm_kernel(file); }
bool has_boot_sector(const Probe& file) { return file.has(510, "\x55\xaa"); }

// A path inside a QEMU option, where a comma ends the value.
std::string escaped(const fs::path& path) { return ros::replace_all(path.string(), ",", ",,"); }

bool is_arm(const BootOptions& options) { return options.arch == "arm64"; }

const char* qemu_of(const BootOptions& options) { return is_arm(options) ? kQemuArm : kQemu; }

std::string machine_of(const BootOptions& options) {
  if (is_arm(options)) return "virt";
  switch (options.firmware) {
    case BootFirmware::bios:
      return "pc";
    case BootFirmware::uefi:
      return "q35";
    case BootFirmware::secure_boot:
      return "q35,smm=on";
  }
  return {};
}

class QemuCommand {
 public:
  explicit QemuCommand(const BootOptions& options) : options_(options) {
    if (!options.board.empty()) {
      // A Raspberry Pi's first serial line is its Bluetooth chip's.
      add({qemu_of(options), "-nodefaults", "-machine", options.board, "-display", "none",
           "-serial", "null", "-serial", options.serial});
      add(options.arguments);
      return;
    }
    add({qemu_of(options), "-nodefaults", "-machine", machine_of(options)});
    // Of an AMD processor Linux does not hide its page tables (PTI), which costs a sixth of
    // a boot under emulation. All that QEMU can emulate ("max") is slower.
    if (options.kvm)
      add({"-accel", "kvm", "-cpu", "host"});
    else
      add({"-accel", "tcg,thread=multi", "-cpu",
           is_arm(options) ? "cortex-a72" : "Opteron_G3,-misalignsse"});
    add({"-smp", std::to_string(options.processors), "-m", std::to_string(options.memory_mb)});
    add({"-display", "none", "-serial", options.serial});
    if (!is_arm(options)) add({"-vga", "std"});
    add({"-device", "virtio-rng-pci"});
    add_network();
    if (options.firmware != BootFirmware::bios) add_firmware();
    for (const BootDisk& disk : options.disks) add_disk(disk);
    if (!options.kernel.empty()) add_kernel();
    add(options.arguments);
  }

  std::vector<std::string> take() { return std::move(argv_); }

 private:
  void add(const std::vector<std::string>& arguments) {
    argv_.insert(argv_.end(), arguments.begin(), arguments.end());
  }

  void add_network() {
    std::string nic = "none";
    if (options_.nic != nic) nic = "user,model=" + options_.nic;
    for (const BootForward& forward : options_.forwards)
      nic += fmt::format(",hostfwd=tcp:127.0.0.1:{}-:{}", forward.host, forward.guest);
    add({"-nic", nic});
  }

  void add_firmware() {
    if (options_.firmware == BootFirmware::secure_boot && !is_arm(options_))
      // Only system management mode, which the guest cannot enter, may write variables.
      add({"-global", "driver=cfi.pflash01,property=secure,value=on", "-global",
           "ICH9-LPC.disable_s3=1"});
    add({"-drive",
         "if=pflash,unit=0,format=raw,readonly=on,file=" + escaped(options_.firmware_code),
         "-drive", "if=pflash,unit=1,format=raw,file=" + escaped(options_.firmware_vars)});
  }

  void add_kernel() {
    add({"-kernel", options_.kernel.string(), "-append", options_.cmdline});
    if (!options_.initrd.empty()) add({"-initrd", options_.initrd.string()});
  }

  void add_disk(const BootDisk& disk) {
    const std::string id = fmt::format("disk{}", disks_++);
    const std::string device = add_controller(disk, id);
    const bool read_only = disk.read_only || disk.bus == Bus::cdrom;
    add({"-drive", fmt::format("if=none,id={},format={},file={}{}", id,
                               disk.format.empty() ? detect_format(disk.path) : disk.format,
                               escaped(disk.path),
                               read_only           ? ",readonly=on"
                               : options_.snapshot ? ",snapshot=on"
                                                   : "")});
    add({"-device",
         device + ",drive=" + id + (disk.boot ? fmt::format(",bootindex={}", ++boot_index_) : "")});
  }

  // Adds what the disk hangs on; returns the disk's own device.
  std::string add_controller(const BootDisk& disk, const std::string& id) {
    const auto on = [&](const std::string& controller, const std::string& device) {
      add({"-device", fmt::format("{},id={}-bus", controller, id)});
      return fmt::format("{},bus={}-bus.0", device, id);
    };
    const bool arm = is_arm(options_);  // it has no controller of its own
    const bool pc = !arm && options_.firmware == BootFirmware::bios;
    const std::string ide =  // IDE knows no other read-only disk
        disk.read_only || disk.bus == Bus::cdrom ? "ide-cd" : "ide-hd";
    switch (disk.bus) {
      case Bus::ahci:
        if (pc || arm) return on("ich9-ahci", ide);
        [[fallthrough]];  // q35's own controller
      case Bus::ide:
      case Bus::cdrom: {
        if (arm) return on("virtio-scsi-pci", ide == "ide-cd" ? "scsi-cd" : "scsi-hd");
        // QEMU finds no free place by itself. Two buses of two, or, of q35, six of one.
        const int place = ide_++;
        return pc ? fmt::format("{},bus=ide.{},unit={}", ide, place / 2, place % 2)
                  : fmt::format("{},bus=ide.{}", ide, place);
      }
      case Bus::nvme:
        return "nvme,serial=" + id;
      case Bus::virtio:
        return "virtio-blk-pci";
      case Bus::virtio_scsi:
        return on("virtio-scsi-pci", "scsi-hd");
      case Bus::pvscsi:
        return on("pvscsi", "scsi-hd");
      case Bus::usb:
        return on("qemu-xhci", "usb-storage");
    }
    return {};
  }

  const BootOptions& options_;
  std::vector<std::string> argv_;
  int disks_ = 0;
  int ide_ = 0;         // of them on the machine's own controller
  int boot_index_ = 0;  // 0 itself is taken by -kernel
};

fs::path firmware_file(const fs::path& path, const char* package) {
  if (!fs::exists(path))
    throw Error{path.string() + " is missing", Error::Kind::tool}.hint(
        fmt::format("apt-get install {}", package));
  return path;
}

volatile pid_t foreground_child = 0;

// With our terminal, environment and process group. Ctrl-C is the child's and TERM is
// handed on to it, so that we are there to tidy up after it.
int run_in_foreground(const fs::path& program, const std::vector<std::string>& argv) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw Error::from_errno("fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  const auto interrupt = ::signal(SIGINT, SIG_IGN);
  const auto quit = ::signal(SIGQUIT, SIG_IGN);
  foreground_child = pid;
  const auto terminate = ::signal(SIGTERM, [](int number) { ::kill(foreground_child, number); });
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw Error::from_errno("waitpid");
  ::signal(SIGINT, interrupt);
  ::signal(SIGQUIT, quit);
  ::signal(SIGTERM, terminate);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::vector<std::string> qemu_command(const BootOptions& options) {
  return QemuCommand{options}.take();
}

std::string detect_format(const fs::path& image) {
  const Probe file(image);
  if (file.has(0, "KDMV") || file.has(0, "COWD") || file.has(0, "# Disk DescriptorFile"))
    return "vmdk";
  if (file.has(0, "QFI\xfb")) return "qcow2";
  if (file.has(0, "vhdxfile")) return "vhdx";
  // A fixed VHD has its only header behind the disk.
  if (file.has(0, "conectix") ||
      (file.size() >= kSector && file.has(file.size() - kSector, "conectix")))
    return "vpc";
  return "raw";
}

void add_artifact(BootOptions& options, const fs::path& path) {
  if (!fs::exists(path))
    throw Error{path.string() + ": no such file or folder", Error::Kind::usage};
  const bool folder = fs::is_directory(path);
  // Absolute, so that QEMU takes no part of a name for a protocol.
  const fs::path file = fs::absolute(folder ? path / "vmlinuz" : path);
  const auto refuse = [&](const std::string& why) {
    return Error{path.string() + ": " + why, Error::Kind::usage}.hint(
        "boot an ISO, a disk image, or a folder that has vmlinuz and initrd");
  };
  if (folder && !fs::exists(file)) throw refuse("the folder has no vmlinuz");
  if (!fs::is_regular_file(file)) throw refuse("not a file");
  const Probe probe(file);
  const std::string format = detect_format(file);
  if (is_kernel(probe)) {
    options.kernel = file;
    options.initrd = file.parent_path() / "initrd";
    if (!fs::exists(options.initrd)) throw refuse("there is no initrd beside vmlinuz");
    if (is_arm_kernel(probe)) options.arch = "arm64";
    if (options.cmdline.empty())
      options.cmdline =
          fmt::format(kNetbootCmdline, is_arm(options) ? "console=ttyAMA0,115200 " : "");
  } else if (folder) {
    throw refuse("its vmlinuz is not a kernel");
  } else if (is_iso(probe)) {
    options.disks.push_back({.path = file, .bus = Bus::cdrom, .format = "raw", .boot = true});
  } else if (format != "raw" || has_boot_sector(probe)) {
    options.disks.push_back({.path = file, .format = format, .boot = true});
  } else {
    throw refuse("neither a bootable disk nor a kernel");
  }
}

void add_firmware(BootOptions& options, const fs::path& folder) {
  if (options.firmware == BootFirmware::bios) return;
  const bool secure = options.firmware == BootFirmware::secure_boot;
  fs::path vars;
  if (is_arm(options)) {
    const fs::path installed = "/usr/share/AAVMF";
    const char* package = "qemu-efi-aarch64";
    options.firmware_code =
        firmware_file(installed / (secure ? "AAVMF_CODE.ms.fd" : "AAVMF_CODE.fd"), package);
    vars = firmware_file(installed / (secure ? "AAVMF_VARS.ms.fd" : "AAVMF_VARS.fd"), package);
  } else {
    const fs::path installed = "/usr/share/OVMF";
    options.firmware_code =
        firmware_file(installed / (secure ? "OVMF_CODE_4M.secboot.fd" : "OVMF_CODE_4M.fd"), "ovmf");
    vars = firmware_file(installed / (secure ? "OVMF_VARS_4M.ms.fd" : "OVMF_VARS_4M.fd"), "ovmf");
  }
  options.firmware_vars = fs::absolute(folder / "firmware-variables.fd");
  ros::write_file(options.firmware_vars, ros::read_file(vars));
}

bool have_kvm() {
  // Opening /dev/kvm and making a machine prove nothing: a nested KVM may refuse the state that
  // QEMU gives its processors, or be far slower than emulation. So firmware has to start a boot
  // sector, which ends QEMU, in some ten times of what a real one takes.
  static const bool works = [] {
    if (::access("/dev/kvm", R_OK | W_OK) != 0 || !find_program(kQemu)) return false;
    constexpr int kDone = 0x15;
    std::string sector{"\xb0\x15\xe6\xf4\xeb\xfe"};  // mov al, kDone; out 0xf4, al; jmp $
    sector.resize(510);
    sector += "\x55\xaa";
    const ros::TempDir folder;
    const fs::path disk = folder.path() / "sector";
    ros::write_file(disk, sector);
    return try_run(
               {.argv = {"timeout", "2", kQemu, "-accel", "kvm", "-cpu", "host", "-m", "16",
                         "-nodefaults", "-display", "none", "-device", "isa-debug-exit,iobase=0xf4",
                         "-drive", "if=ide,format=raw,file=" + disk.string()}})
               .status == kDone * 2 + 1;
  }();
  return works;
}

int boot_artifact(BootOptions options, const fs::path& path) {
  add_artifact(options, path);
  if (is_arm(options) && options.firmware == BootFirmware::bios && options.kernel.empty())
    options.firmware = BootFirmware::uefi;  // there is no other
  if (is_arm(options)) options.kvm = false;
  const auto program = find_program(qemu_of(options));
  if (!program)
    throw Error{std::string{"program not found: "} + qemu_of(options), Error::Kind::tool}.hint(
        is_arm(options) ? "apt-get install qemu-system-arm" : "apt-get install qemu-system-x86");
  const ros::TempDir scratch;
  add_firmware(options, scratch.path());
  if (!options.kvm) fmt::print(stderr, "rosbuild: no usable /dev/kvm, so this will be slow\n");
  if (::isatty(STDIN_FILENO)) fmt::print(stderr, "rosbuild: Ctrl-A X ends QEMU\n");
  return run_in_foreground(*program, qemu_command(options));
}

}  // namespace rosbuild
