#include "runtime/init/boot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <thread>

#include "runtime/base/cmdline.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/base/timeline.h"
#include "runtime/engine/docker.h"
#include "runtime/engine/preload.h"
#include "runtime/init/clock.h"
#include "runtime/init/coldplug.h"
#include "runtime/init/console.h"
#include "runtime/init/early_config.h"
#include "runtime/init/layers.h"
#include "runtime/init/mounts.h"
#include "runtime/init/power_button.h"
#include "runtime/init/rescue.h"
#include "runtime/init/state.h"
#include "runtime/init/trial.h"

namespace ros {
namespace {

constexpr const char* kNewRoot = "/sysroot";  // not below what moves into it
constexpr const char* kSystemRoot = "/var/lib/system-docker";
constexpr const char* kSystemRepository = "rancher/os";
constexpr int kEngineOomScore = -999;

// The stage that ends here began where the one before ended.
void milestone(std::string_view what) {
  static double begin = 0;
  log::info(fmt::format("{:.2f} {}", uptime(), what));
  note_stage(begin, what);
  begin = uptime();
}

Cmdline read_cmdline() { return Cmdline{try_read_file("/proc/cmdline").value_or("")}; }

// The socket is init's own: a client can connect before system Docker serves,
// and again while it is started anew.
Fd listen_for_system_docker() {
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, kSystemDocker, sizeof address.sun_path - 1);
  ::unlink(kSystemDocker);
  const mode_t mask = ::umask(0177);
  const bool bound =
      fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::umask(mask);
  if (!bound || ::listen(fd.get(), SOMAXCONN) != 0)
    throw Error::from_errno(fmt::format("cannot listen on {}", kSystemDocker));
  return fd;
}

// Settings or a proxy. A word in a comment costs a start of `ros` and nothing else.
bool has_system_docker_settings() {
  const fs::path folder = "/var/lib/rancher/conf";
  std::vector<fs::path> files{"/proc/cmdline", "/usr/share/ros/platform.yml",
                              "/usr/share/ros/oem/oem-config.yml", folder / "cloud-config.yml"};
  boost::system::error_code absent;
  for (fs::directory_iterator it{folder / "cloud-config.d", absent}, end; it != end;
       it.increment(absent))
    files.push_back(it->path());
  return std::ranges::any_of(files, [](const fs::path& file) {
    const std::string text = try_read_file(file).value_or("");
    return std::ranges::any_of(std::array{"system_docker", "_proxy", "_PROXY"},
                               [&](const char* word) { return text.find(word) != text.npos; });
  });
}

std::vector<std::string> system_docker_command(bool debug) {
  std::vector<std::string> argv{
      "dockerd", "--host=fd://", "--containerd=/run/containerd/containerd.sock",
      "--containerd-namespace=system", "--containerd-plugins-namespace=system-plugins",
      fmt::format("--data-root={}", kSystemRoot), "--exec-root=/run/system-docker",
      "--pidfile=/run/system-docker.pid", "--config-file=/etc/docker/system-docker.json",
      "--cgroup-parent=/system", "--storage-driver=overlay2", "--live-restore",
      // System services use the host's network.
      "--bridge=none", "--iptables=false", "--ip6tables=false", "--userland-proxy=false"};
  if (debug) argv.push_back("--debug");
  if (has_system_docker_settings()) argv.insert(argv.begin(), {"ros", "system-dockerd"});
  return argv;
}

// Engines would do this later, while much else runs: the kernel patches its own
// code when the first group gets controllers.
void make_system_cgroup() {
  const fs::path root{"/sys/fs/cgroup"};
  try {
    for (const auto& name : words(read_file(root / "cgroup.controllers")))
      write_file(root / "cgroup.subtree_control", "+" + name);
    fs::create_directory(root / "system");
  } catch (const std::exception& error) {
    log::error(error.what());
  }
}

// Debian's kernel gives huge pages to whoever touches memory and keeps 44 MB free
// for making them: of 512 MB that is too much. Programs that ask still get them;
// what is kept free is what the kernel keeps without them (mm/page_alloc.c,
// calculate_min_free_kbytes).
void save_memory() {
  try {
    write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
    struct sysinfo info = {};
    ::sysinfo(&info);
    const auto kilobytes = static_cast<double>(info.totalram) * info.mem_unit / 1024;
    write_file("/proc/sys/vm/min_free_kbytes",
               fmt::format("{:.0f}", std::clamp(std::sqrt(kilobytes * 16), 4096.0, 262144.0)));
  } catch (const std::exception& error) {
    log::error(error.what());
  }
}

// From one writer the kernel takes ten lines in five seconds and drops the rest; a boot has more
// to say (Documentation/admin-guide/kernel-parameters.txt, printk.devkmsg, which locks it).
void keep_every_line() {
  try {
    write_file("/proc/sys/kernel/printk_devkmsg", "on\n");  // refused without the newline
  } catch (const std::exception& error) {
    log::info(error.what());
  }
}

// Until the box is ready, waiting for an RCU grace period means asking every processor
// at once (Documentation/admin-guide/kernel-parameters.txt, rcupdate.rcu_expedited). The
// two dozen iptables processes of a starting Docker, and each network, mount and cgroup
// that it makes, wait for such periods; it is most of what they do. `ros sysinit` turns
// it off again, since it disturbs processors that have other work.
void hurry_grace_periods() {
  try {
    write_file("/sys/kernel/rcu_expedited", "1");
  } catch (const std::exception& error) {
    log::error(error.what());
  }
}

// Everything that is found on the way is laid below /run, which moves along.
LayerCheck enter_layers(const Manifest& manifest) {
  auto loader = std::make_shared<ModuleLoader>();
  auto coldplug = std::make_unique<Coldplug>(loader);
  ModuleLoader& modules = *loader;
  // What media and state mostly have; loading it takes as long as finding a disk.
  const std::jthread filesystem{[loader] { loader->load("ext4"); }};
  for (const char* name : {"loop", "squashfs", "overlay"}) modules.load(name);
  fs::create_directories(kMediumFolder);
  const fs::path folder = find_layers(manifest, *coldplug, modules);
  LayerCheck check{manifest, folder};
  fs::create_directories(kMemoryFolder);
  fs::create_directories(kNewRoot);
  mount_layers(manifest, folder, kNewRoot);
  // Its modules go with the initramfs, and some controllers' are nowhere else.
  coldplug->wait();
  coldplug.reset();
  switch_root(kNewRoot);
  boost::system::error_code ignored;
  if (folder != "/layers" && fs::exists(kMediumFolder, ignored)) bind_mount(kMediumFolder, "/boot");
  milestone("root is the layers");
  return check;
}

void preload(const Manifest& manifest) {
  std::vector<PreloadedLayer> layers;
  for (const auto& layer : manifest.layers)
    layers.push_back({layer.name, layer.sha256, fs::path{kLayersFolder} / layer.name});
  write_preloaded_image(kSystemRoot, kSystemRepository, manifest.version, layers);
}

}  // namespace

void boot(Supervisor& supervisor, EngineLog& logs) {
  ::umask(0022);
  ::reboot(RB_DISABLE_CAD);  // Ctrl-Alt-Del becomes SIGINT
  mount_all(early_mounts());
  keep_every_line();
  make_dev_links();
  make_system_cgroup();
  save_memory();
  hurry_grace_periods();
  const Cmdline cmdline = read_cmdline();
  const bool debug = cmdline.flag("rancher.debug");
  log::set_debug(debug);
  milestone("kernel");

  const Manifest manifest = parse_manifest(read_file("/manifest"));
  LayerCheck check = enter_layers(manifest);
  move_clock_past("/usr/bin/bash");  // the image's time; its own programs have none

  if (!cmdline.flag("rancher.recovery"))
    supervisor.keep("containerd",
                    {.argv = {"containerd", "--config", "/etc/containerd/config.toml"},
                     .output = logs.writer("containerd"),
                     .environment = {kEngineGarbage},
                     .oom_score = kEngineOomScore});

  // From here on the whole of the kernel's modules is at hand.
  write_file("/proc/sys/kernel/modprobe", "/usr/lib/ros/kernel-modprobe");
  auto modules = std::make_shared<ModuleLoader>();
  static Coldplug coldplug{modules};  // for good: what is plugged in later is served as well
  check.wait_for_small();             // its programs are about to touch what lasts
  milestone("layers checked, but for the largest");
  const Cmdline settings = early_config(cmdline, coldplug, *modules);
  const bool recovery = settings.flag("rancher.recovery");
  if (!recovery) run_early_commands(settings);
  const State state = set_up_state(settings, coldplug, *modules);
  move_clock_past("/var/log/sysinit.log");  // of the last boot
  milestone(state.device.empty() ? "state in memory" : "state on " + state.device);
  if (recovery) recovery_console("rancher.recovery asks for it");
  logs.write_to("/var/log");

  preload(manifest);
  static const Fd socket = listen_for_system_docker();
  const int output = logs.writer("system-docker");
  supervisor.keep("system Docker", [=] {  // its settings may change while the box runs
    return Command{.argv = system_docker_command(debug),
                   .output = output,
                   .listen = socket.get(),
                   .environment = {kEngineGarbage},
                   .oom_score = kEngineOomScore};
  });
  milestone("system Docker started");
  mount_oem(*modules);
  check.finish();  // containers are made from here on
  milestone("all layers checked");
  supervisor.keep("ros sysinit", {.argv = {"ros", "sysinit"}, .output = logs.writer("sysinit")});
  watch_trial(cmdline);

  mount_boot(settings, *modules);
  static PowerButton button;
  supervisor.power_off_on(button.fd(), [] { return button.pressed(); });
  if (!state.growth.empty())
    supervisor.once({.argv = state.growth}, [command = state.growth](int status) {
      if (status != 0)
        announce_error(fmt::format("state: {} failed with status {}", join(command, " "), status));
      else
        milestone("state grown");
    });
}

}  // namespace ros
