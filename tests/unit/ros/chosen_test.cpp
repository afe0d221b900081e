// Consoles and engines out of images: what their containers are, and what a console's image gets.
#include "runtime/ros/chosen.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "runtime/base/error.h"
#include "runtime/ros/console_image.h"
#include "runtime/ros/head_start.h"
#include "runtime/ros/user_docker.h"
#include "tests/support/config.h"

using namespace ros;
using test::config_of;

namespace {

constexpr const char* kServices = R"(
  services:
    docker:
      command: [ros, user-docker]
      privileged: true
      labels: {io.rancher.os.scope: system}
    console:
      command: [ros, console-init]
      volumes: ["/etc:/etc", "/etc/hosts:/etc/hosts", "/root:/root", "/home:/home:rshared"]
      labels: {io.rancher.os.scope: system}
)";

Service service_of(const std::string& settings, const std::string& name) {
  std::vector<std::string> problems;
  for (auto& service : services_of(config_of("rancher:\n" + settings + kServices), problems))
    if (service.name == name) return service;
  FAIL("there is no service " << name);
  return {};
}

bool has(const std::vector<std::string>& list, const std::string& item) {
  return std::count(list.begin(), list.end(), item) == 1;
}

}  // namespace

TEST_CASE("chosen: the system's own console and engine have no image of their own") {
  CHECK(service_of("", "console").chosen.empty());
  CHECK(service_of("  console: default", "console").chosen.empty());
  CHECK(service_of("  docker: {engine: docker}", "docker").chosen.empty());
  CHECK(service_of("  console: debian:13", "console").chosen == "debian:13");
  CHECK(service_of("  console: debian:13", "docker").chosen.empty());
}

TEST_CASE("chosen: only the system's own engine gets a head start") {
  std::vector<std::string> problems;
  const auto services = [&](const std::string& engine) {
    return services_of(
        config_of("rancher:\n  docker: {engine: '" + engine + "'}" + std::string{kServices}),
        problems);
  };
  CHECK(may_start_ahead(services("docker")));
  CHECK_FALSE(may_start_ahead(services("docker:28-dind")));
}

TEST_CASE("chosen: a console out of an image keeps its /etc and has the system at /host") {
  const Service own = service_of("", "console");
  const Service console = from_image(own, "10.0.2.2:5000/Debian:13");
  CHECK(console.container == "console-10.0.2.2-5000-Debian-13");
  CHECK(console.spec.image == "10.0.2.2:5000/Debian:13");
  CHECK(console.spec.entrypoint == std::vector<std::string>{"/usr/bin/ros"});
  CHECK(console.spec.command == std::vector<std::string>{"console-init"});
  CHECK_FALSE(has(console.spec.binds, "/etc:/etc"));
  CHECK_FALSE(has(console.spec.binds, "/root:/root"));
  CHECK(has(console.spec.binds, "/etc/hosts:/etc/hosts"));
  CHECK(has(console.spec.binds, "/home:/home:rshared"));
  CHECK(has(console.spec.binds, "/:/host:rslave"));
  CHECK(console.persistent);
  CHECK_FALSE(from_image(service_of("  force_console_rebuild: true", "console"), "x").persistent);
}

TEST_CASE("chosen: an engine out of an image stays the service docker") {
  const Service engine = from_image(service_of("", "docker"), "docker:28-dind");
  CHECK(engine.container == "docker");
  CHECK(engine.spec.privileged);
  CHECK(engine.spec.command == std::vector<std::string>{"user-docker"});
  CHECK(std::count(engine.spec.environment.begin(), engine.spec.environment.end(),
                   std::pair<std::string, std::string>{kEngineVariable, "docker:28-dind"}) == 1);
  CHECK_FALSE(engine.persistent);
}

TEST_CASE("chosen: for an engine by its old name the image is said") {
  CHECK_THROWS_WITH(refuse_old_engine(kEngine, "docker-17.12.1-ce"),
                    Catch::Contains("docker:17.12.1-ce-dind"));
  for (const char* image :
       {"docker", "docker:28-dind", "docker-dind", "docker-28:x", "a/docker-28"})
    CHECK_NOTHROW(refuse_old_engine(kEngine, image));
  CHECK_NOTHROW(refuse_old_engine(kConsole, "docker-17.12.1-ce"));
}

TEST_CASE("chosen: the root of a container is found on the host") {
  CHECK(root_on_host("22 1 0:5 / /proc rw - proc proc rw\n"
                     "30 1 0:40 / / rw,relatime master:3 - overlay overlay "
                     "rw,lowerdir=/v/l/A:/v/l/B,upperdir=/v/overlay2/id/diff,workdir=/v/w\n") ==
        "/v/overlay2/id/merged");
  CHECK(root_on_host("30 1 0:40 / / rw - overlay overlay rw,upperdir=id/diff\n") ==
        "/var/lib/system-docker/overlay2/id/merged");
  CHECK_THROWS_AS(root_on_host("30 1 8:1 / / rw - ext4 /dev/vda rw\n"), Error);
  CHECK_THROWS_AS(root_on_host(""), Error);
}

TEST_CASE("console image: people come with their groups, the system's own accounts do not") {
  const AccountFiles people =
      people_of({.passwd = {{"root", "x", "0", "0", "", "/root", "/bin/sh"},
                            {"sshd", "x", "103", "65534", "", "/", "/bin/no"},
                            {"rancher", "x", "1100", "1100", "", "/home/rancher", "/bin/bash"},
                            {"nobody", "x", "65534", "65534", "", "/", "/bin/no"}},
                 .group = {{"tty", "x", "5", ""},
                           {"sudo", "x", "27", "rancher"},
                           {"docker", "x", "1101", "rancher"}},
                 .shadow = {{"root", "*", "1", "", "", "", "", "", ""},
                            {"rancher", "*", "1", "", "", "", "", "", ""}}});
  REQUIRE(people.passwd.size() == 1);
  CHECK(people.passwd[0][0] == "rancher");
  REQUIRE(people.group.size() == 2);
  CHECK(people.group[1][0] == "docker");
  REQUIRE(people.shadow.size() == 1);
}

TEST_CASE("console image: gets what it does not have, and keeps what it has") {
  const TempDir folder;
  const fs::path root = folder.path() / "image", host = folder.path() / "host";
  write_file(host / "etc/passwd", "rancher:x:1100:1100::/home/rancher:/bin/bash\n");
  write_file(host / "etc/group", "docker:x:1101:rancher\n");
  write_file(host / "etc/shadow", "rancher:*:1:0:99999:7:::\n");
  write_file(host / "etc/sudoers.d/rancher", "rancher ALL=(ALL:ALL) NOPASSWD: ALL\n");
  write_file(host / "usr/bin/ros", "ros");
  write_file(root / "etc/passwd", "root:x:0:0::/root:/bin/ash\n");
  fs::create_directories(root / "sbin");
  fs::create_symlink("/bin/busybox", root / "sbin/reboot");

  prepare_console_image(root, host);
  CHECK(read_file(root / "etc/passwd") ==
        "root:x:0:0::/root:/bin/ash\nrancher:x:1100:1100::/home/rancher:/bin/bash\n");
  CHECK(read_file(root / "etc/group") == "docker:x:1101:rancher\n");
  CHECK(fs::exists(root / "bin/bash"));
  CHECK(fs::read_symlink(root / "var/run") == "/run");
  CHECK(fs::read_symlink(root / "usr/local/bin/system-docker") == "/usr/bin/ros");
  CHECK_FALSE(fs::exists(fs::symlink_status(root / "usr/local/bin/reboot")));
  struct stat info = {};
  REQUIRE(::stat((root / "usr/local/bin/sudo").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 04755);
  CHECK_FALSE(fs::exists(root / "etc/sudoers.d"));

  // Somebody installed sudo, docker and bash.
  for (const char* name : {"usr/bin/sudo", "usr/bin/docker", "bin/bash"})
    write_file(root / name, "theirs");
  prepare_console_image(root, host);
  CHECK_FALSE(fs::exists(root / "usr/local/bin/sudo"));
  CHECK_FALSE(fs::exists(root / "usr/local/bin/docker"));
  CHECK(read_file(root / "bin/bash") == "theirs");
  CHECK(fs::exists(root / "etc/sudoers.d/rancher"));
  CHECK(read_file(root / "etc/group") == "docker:x:1101:rancher\n");  // not twice
}

TEST_CASE("console image: what the owner put into /usr/local/bin is not ours to change") {
  const TempDir folder;
  const fs::path root = folder.path() / "image", host = folder.path() / "host";
  const fs::path programs = root / "usr/local/bin";
  write_file(host / "etc/passwd", "rancher:x:1100:1100::/home/rancher:/bin/bash\n");
  write_file(host / "usr/bin/ros", "ros");
  write_file(root / "etc/passwd", "root:x:0:0::/root:/bin/ash\n");
  write_file(programs / "halt", "theirs");

  prepare_console_image(root, host);
  CHECK(read_file(programs / "halt") == "theirs");
  CHECK(fs::read_symlink(programs / "reboot") == "/usr/bin/ros");
  const std::string list = read_file(root / "usr/local/share/ros-provided");
  CHECK_THAT(list, Catch::Contains("  usr/local/bin/docker\n") && !Catch::Contains("halt"));

  for (const char* name : {"docker", "shutdown", "poweroff"}) fs::remove(programs / name);
  write_file(programs / "docker", "theirs");
  write_file(programs / "shutdown", "theirs");
  fs::create_symlink("/opt/off", programs / "poweroff");
  fs::remove(programs / "halt");
  write_file(host / "usr/bin/ros", "newer");
  prepare_console_image(root, host);
  CHECK(read_file(programs / "docker") == "theirs");
  CHECK(read_file(programs / "shutdown") == "theirs");
  CHECK(fs::read_symlink(programs / "poweroff") == "/opt/off");
  CHECK(fs::read_symlink(programs / "halt") == "/usr/bin/ros");
  CHECK(read_file(programs / "sudo") == "newer");
}

TEST_CASE("console image: what the configuration took from people goes") {
  const TempDir folder;
  const fs::path root = folder.path() / "image", host = folder.path() / "host";
  write_file(host / "etc/passwd",
             "rancher:x:1100:1100::/home/rancher:/bin/bash\n"
             "alice:x:1102:1102::/home/alice:/bin/bash\n");
  write_file(host / "etc/group", "sudo:x:27:rancher,alice\ndocker:x:1101:alice,rancher\n");
  write_file(host / "etc/sudoers.d/cloud-config", "alice ALL=(ALL) NOPASSWD:ALL\n");
  write_file(host / "usr/bin/ros", "ros");
  write_file(root / "etc/passwd", "root:x:0:0::/root:/bin/ash\nci:x:100:100::/:/bin/false\n");
  write_file(root / "etc/group", "docker:x:999:ci\nlocal:x:3000:alice\n");
  write_file(root / "usr/bin/sudo", "theirs");
  prepare_console_image(root, host);
  const std::string all =
      "docker:x:999:ci,alice,rancher\nlocal:x:3000:alice\nsudo:x:27:rancher,alice\n";
  CHECK(read_file(root / "etc/group") == all);
  CHECK(fs::exists(root / "etc/sudoers.d/cloud-config"));
  prepare_console_image(root, host);
  CHECK(read_file(root / "etc/group") == all);

  write_file(host / "etc/group", "sudo:x:27:rancher\ndocker:x:1101:rancher\n");
  fs::remove(host / "etc/sudoers.d/cloud-config");
  prepare_console_image(root, host);
  CHECK(read_file(root / "etc/group") ==
        "docker:x:999:ci,rancher\nlocal:x:3000:alice\nsudo:x:27:rancher\n");
  CHECK_FALSE(fs::exists(root / "etc/sudoers.d/cloud-config"));
}
