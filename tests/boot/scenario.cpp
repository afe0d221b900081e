#include "tests/boot/scenario.h"

#include <catch2/catch.hpp>

#include "runtime/base/text.h"

namespace proof {

const std::vector<std::string>& system_services() {
  static const std::vector<std::string> names{"udev", "network", "syslog",
                                              "ntp",  "console", "docker"};
  return names;
}

void await(Guest& guest, const std::string& command) {
  INFO(command);
  const std::string loop = "for i in $(seq 90); do " + command + " && exit; sleep 1; done; exit 1";
  constexpr seconds limit{300};  // a turn may take longer than its second
  // ssh's own: while a network is set up anew, a connection is lost, and the next may be refused.
  constexpr int kConnectionLost = 255;
  const auto end = std::chrono::steady_clock::now() + limit;
  Result result = guest.try_run(loop, limit);
  while (result.status == kConnectionLost && std::chrono::steady_clock::now() < end) {
    guest.disconnect();  // so that it waits until the box lets it in
    result = guest.try_run(loop, limit);
  }
  INFO(result.output);
  CHECK(result.status == 0);
}

fs::path make_cd(const fs::path& folder, const std::string& label,
                 const std::map<std::string, std::string>& files) {
  const fs::path content = folder / label;
  for (const auto& [name, text] : files) {
    ros::write_file(content / name, text);
    fs::permissions(content / name, static_cast<fs::perms>(0755));  // it may be a program
  }
  const fs::path cd = folder / (label + ".iso");
  check_output({"xorriso", "-as", "mkisofs", "-quiet", "-V", label, "-J", "-r", "-o", cd.string(),
                content.string()});
  return cd;
}

fs::path programs_cd(const fs::path& folder, const std::vector<fs::path>& programs) {
  std::map<std::string, std::string> files;
  for (const auto& program : programs) {
    files[program.filename().string()] = ros::read_file(program);
    // "libx.so.1 => /lib/libx.so.1 (0x…)", and the loader: "/lib64/ld-linux-x86-64.so.2 (0x…)".
    for (const auto& line : ros::split(check_output({"ldd", program.string()}), '\n')) {
      const auto fields = ros::words(line);
      if (fields.size() == 4 && fields[1] == "=>") files[fields[0]] = ros::read_file(fields[2]);
      if (fields.size() == 2 && fields[0].starts_with('/'))
        files["ld.so"] = ros::read_file(fields[0]);
    }
  }
  return make_cd(folder, "PROGRAMS", files);
}

void use_programs(Guest& guest) {
  guest.root("mkdir -p /run/programs && mount -o ro LABEL=PROGRAMS /run/programs");
}

void make_image(Guest& guest) {
  guest.run(
      "cd / && busybox tar -chf - usr/bin/busybox $(ls lib*/ld-linux-*.so.*)"
      " usr/lib/*-linux-gnu/libc.so.6 usr/lib/*-linux-gnu/libresolv.so.2 | docker import - spot");
}

void check_whole(Guest& guest) {
  CHECK(guest.run("docker run --rm spot /usr/bin/busybox echo made on the spot") ==
        "made on the spot");
  const auto running = ros::words(guest.root("system-docker ps --format '{{.Names}}'"));
  for (const auto& service : system_services()) {
    INFO("system-docker ps shows: " << ros::join(running, " "));
    CHECK(std::count(running.begin(), running.end(), service) == 1);
  }
}

void exercise(Guest& guest) {
  guest.expect_ready();
  make_image(guest);
  check_whole(guest);

  guest.run("docker run -d --name keeper --restart always spot /usr/bin/busybox sleep 1000000");
  guest.run("echo kept > /home/rancher/note");
  guest.root("ros config set rancher.environment.PROOF kept");
  const std::string host_key = guest.run("cat /etc/ssh/ssh_host_ed25519_key.pub");

  guest.reboot();
  CHECK(guest.run("cat /home/rancher/note") == "kept");
  CHECK(guest.root("ros config get rancher.environment.PROOF") == "kept");
  CHECK(guest.run("cat /etc/ssh/ssh_host_ed25519_key.pub") == host_key);
  CHECK(guest.run("docker inspect -f '{{.State.Running}}' keeper") == "true");

  guest.run("docker rm -f $(docker ps -qa)");
  CHECK(guest.run("docker ps -qa").empty());
  check_whole(guest);  // and the image has survived the reboot
}

fs::path build_next(const fs::path& folder, const std::string& platform,
                    const std::string& compression) {
  const fs::path recipes = folder / "recipes-root";
  fs::create_directories(recipes);
  check_output({"cp", "-r", SOURCE_DIR "/recipes", SOURCE_DIR "/platforms",
                SOURCE_DIR "/kernel-configs", recipes.string()});
  const fs::path file = recipes / "recipes/distribution.yaml";
  const std::string text = ros::read_file(file);
  ros::write_file(
      file, ros::replace_all(text, "version: " + release(), std::string{"version: "} + kNext));
  check_output({rosbuild_program().string(), "image", "--recipes", recipes.string(), "--platform",
                platform, "--only", "release", "--compress", compression, "--output",
                (folder / "out").string()});
  return folder / "out" / platform / "release";
}

fs::path next_disk(const fs::path& folder, const std::string& platform) {
  const fs::path disk = empty_disk(folder, 1ULL << 30);
  check_output({"mke2fs", "-q", "-t", "ext4", "-L", "NEXT", "-d",
                build_next(folder, platform).string(), disk.string()});
  return disk;
}

void upgrade_from_next_disk(Guest& guest, seconds limit) {
  guest.root("mount LABEL=NEXT /mnt");
  guest.try_run("sudo -n ros os upgrade -f -i /mnt", seconds{600});
  guest.disconnect();
  guest.expect(std::string{"rancheros: version "} + kNext + " is ready and stays", limit);
  CHECK(guest.run("ros os version") == kNext);
}

}  // namespace proof
