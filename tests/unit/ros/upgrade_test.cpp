// Staging, switching and collecting, on folders that stand for a medium and a release.
#include "runtime/ros/upgrade.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"
#include "tests/support/http_server.h"

using namespace ros;
using Catch::Contains;

namespace {

using Files = std::map<std::string, std::string>;  // layer -> content

Release make_release(const std::string& version, const std::string& kernel, const Files& layers) {
  Release release{
      .version = version, .platform = "amd64", .title = "RancherOS", .cmdline = {"panic=10"}};
  const auto add = [&](const char* role, const std::string& path, const std::string& content) {
    release.files.push_back({role, path, content.size(), sha256(content)});
  };
  add("kernel", version + "/vmlinuz", kernel);
  add("initrd", version + "/initrd", "initrd of " + version);
  for (const auto& [name, content] : layers) add("layer", "layers/" + name, content);
  return release;
}

void write_release(const fs::path& folder, const Release& release, const std::string& kernel,
                   const Files& layers) {
  write_file(folder / release.version / "vmlinuz", kernel);
  write_file(folder / release.version / "initrd", "initrd of " + release.version);
  for (const auto& [name, content] : layers) write_file(folder / "layers" / name, content);
}

// A medium with version 1, and a release 2 that changes one layer.
struct Box {
  TempDir dir;
  fs::path medium = dir.path() / "medium";
  fs::path source = dir.path() / "release";
  Release one = make_release("1", "kernel", {{"base-1", "base"}, {"runtime-1", "old"}});
  Release two = make_release("2", "kernel", {{"base-1", "base"}, {"runtime-2", "new"}});
  std::vector<std::string> said;

  Box() {
    write_release(medium, one, "kernel", {{"base-1", "base"}, {"runtime-1", "old"}});
    write_file(medium / "1/release", to_text(one));
    write_file(medium / "1/menu.cfg", "menu");
    write_file(medium / kBootStateFile, to_block({.current = "1"}));
    write_release(source, two, "kernel", {{"base-1", "base"}, {"runtime-2", "new"}});
    write_file(source / "index", to_text(two));
  }
  void bring(const std::string& place) {
    WritableMedium writable{medium};
    stage(writable, two, ReleaseSource{place}, {"a=b"}, "1",
          [&](const std::string& line) { said.push_back(line); });
  }
  void bring() { bring(source.string()); }
  void check_one_boots() const {
    for (const auto& file : one.files) CHECK(is_intact(medium / file.path, file));
    CHECK(read_file(medium / "1/menu.cfg") == "menu");
  }
};

}  // namespace

TEST_CASE("upgrade: only what differs is fetched, and nothing is switched by it", "[ros]") {
  Box box;
  CHECK(missing_files(box.medium, box.two).size() == 2);
  box.bring();
  REQUIRE(box.said.size() == 2);
  CHECK_THAT(box.said[0], Contains("2/initrd"));
  CHECK_THAT(box.said[1], Contains("layers/runtime-2"));
  for (const auto& file : box.two.files) CHECK(is_intact(box.medium / file.path, file));
  CHECK(fs::hard_link_count(box.medium / "2/vmlinuz") == 2);  // the same kernel, once on the disk
  CHECK_THAT(read_file(box.medium / "2/menu.cfg"),
             Contains("/2/vmlinuz $trial_word panic=10 a=b\n"));
  CHECK(kept_append(box.medium, "2") == std::vector<std::string>{"a=b"});
  CHECK(load_boot_state(box.medium) == BootState{.current = "1"});
  box.check_one_boots();
  box.said.clear();
  box.bring();
  CHECK(box.said.empty());
}

TEST_CASE("upgrade: a tampered file is refused and leaves nothing behind", "[ros]") {
  Box box;
  SECTION("of the right size") { write_file(box.source / "layers/runtime-2", "neW"); }
  SECTION("too long") { write_file(box.source / "layers/runtime-2", "new and more"); }
  SECTION("too short") { write_file(box.source / "layers/runtime-2", "n"); }
  CHECK_THROWS_WITH(box.bring(), Contains("layers/runtime-2") && Contains("nothing was switched"));
  CHECK_FALSE(fs::exists(box.medium / "layers/runtime-2"));
  CHECK_FALSE(fs::exists(box.medium / "layers/runtime-2.part"));
  CHECK_FALSE(fs::exists(box.medium / "2/release"));
  CHECK(load_boot_state(box.medium) == BootState{.current = "1"});
  box.check_one_boots();
  WritableMedium writable{box.medium};
  CHECK_THROWS_WITH(put_on_trial(writable, "2"), Contains("version 2 is not on this disk"));
}

TEST_CASE("upgrade: a file on the medium that is damaged is fetched again", "[ros]") {
  Box box;
  write_file(box.medium / "2/initrd", std::string("initrd of 2").replace(0, 1, "X"));
  write_file(box.medium / "layers/runtime-2.part", "ne");  // an interrupted download
  box.bring();
  CHECK(read_file(box.medium / "2/initrd") == "initrd of 2");
  CHECK(read_file(box.medium / "layers/runtime-2") == "new");
}

TEST_CASE("upgrade: a layer of a version that is kept is never overwritten", "[ros]") {
  Box box;
  box.two = make_release("2", "kernel", {{"base-1", "other"}});
  write_release(box.source, box.two, "kernel", {{"base-1", "other"}});
  CHECK_THROWS_WITH(box.bring(),
                    Contains("layers/base-1 is there with other content, for version 1"));
  box.check_one_boots();
  WritableMedium writable{box.medium};
  CHECK_THROWS_WITH(stage(writable, box.one, ReleaseSource{box.source.string()}, {}, "1",
                          [](const std::string&) {}),
                    Contains("the one that runs"));
}

TEST_CASE("upgrade: from a server, which is asked only for what is missing", "[ros]") {
  Box box;
  ros::test::HttpServer server;
  server.put("/r/index", to_text(box.two));
  server.put("/r/2/initrd", "initrd of 2");
  SECTION("it has everything") {
    server.put("/r/layers/runtime-2", "new");
    const ReleaseSource source{server.url() + "/r/"};
    CHECK(source.releases() == std::vector<Release>{box.two});
    box.bring(server.url() + "/r");
    CHECK(read_file(box.medium / "layers/runtime-2") == "new");
    CHECK(server.requests().size() == 3);
  }
  SECTION("it cannot go on with what an earlier one left") {
    write_file(box.medium / "layers/runtime-2.part", "ne");
    server.put("/r/layers/runtime-2", "new");  // all of it, whatever range is asked for
    box.bring(server.url() + "/r");
    CHECK(read_file(box.medium / "layers/runtime-2") == "new");
  }
  SECTION("a file is gone") {
    CHECK_THROWS_WITH(box.bring(server.url() + "/r"),
                      Contains("layers/runtime-2 cannot be fetched"));
    CHECK(load_boot_state(box.medium) == BootState{.current = "1"});
  }
  SECTION("there is no index") {
    CHECK_THROWS_WITH(ReleaseSource{server.url()}.releases(), Contains("the server answered 404"));
  }
}

TEST_CASE("upgrade: when keys are named, one of them must have signed the index", "[ros]") {
  const Box box;
  const fs::path key = box.dir.path() / "key";
  const fs::path other = box.dir.path() / "other";
  for (const auto& file : {key, other})
    run_program(
        {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", file.string()});
  const auto public_half = [](const fs::path& file) {
    return std::string{trim(read_file(file.string() + ".pub"))};
  };
  const fs::path index = box.source / "index";
  const auto sign = [&](const char* purpose) {
    fs::remove(box.source / "index.sig");
    run_program(
        {"ssh-keygen", "-q", "-Y", "sign", "-f", key.string(), "-n", purpose, index.string()});
  };
  const auto releases = [&](const std::vector<std::string>& keys) {
    return ReleaseSource{box.source.string(), {}, keys}.releases();
  };
  const std::string right = public_half(key), wrong = public_half(other);
  CHECK_THROWS_WITH(releases({right}), Contains("index.sig"));  // there is none

  sign(kIndexNamespace);
  CHECK(releases({right}) == std::vector<Release>{box.two});
  CHECK(releases({wrong, right}) == std::vector<Release>{box.two});
  CHECK(releases({}) == std::vector<Release>{box.two});
  CHECK_THROWS_WITH(releases({wrong}), Contains("not signed by a key of rancher.upgrade.keys"));
  for (const char* bad : {"ssh-ed25519", "ssh-ed25519 !!", "", "a\nb c"}) {
    INFO(bad);
    CHECK_THROWS(releases({bad}));
  }
  {
    ros::test::HttpServer server;
    server.put("/r/index", read_file(index));
    CHECK_THROWS_WITH(ReleaseSource(server.url() + "/r", {}, {right}).releases(),
                      Contains("while reading index.sig") && Contains("answered 404"));
    server.put("/r/index.sig", read_file(box.source / "index.sig"));
    CHECK(ReleaseSource(server.url() + "/r", {}, {right}).releases().size() == 1);
    CHECK_THROWS_WITH(ReleaseSource(server.url() + "/r", {}, {wrong}).releases(),
                      Contains("not signed by"));
  }
  sign("file");  // signed, but as something else
  CHECK_THROWS_WITH(releases({right}), Contains("not signed by"));
  sign(kIndexNamespace);
  write_file(index, to_text(box.two) + "\n");
  CHECK_THROWS_WITH(releases({right}), Contains("not signed by"));
  // A medium has no index.
  CHECK_THROWS_WITH(ReleaseSource(box.medium.string(), {}, {right}).releases(), Contains("index"));
}

TEST_CASE("upgrade: places that are none", "[ros]") {
  TempDir dir;
  CHECK_THROWS_WITH(ReleaseSource{dir.path().string()}.releases(), Contains("no index"));
  CHECK_THROWS_AS(ReleaseSource{"ftp://192.0.2.1/x"}, Error);
  CHECK_THROWS_WITH(ReleaseSource{"./absent"}.releases(), Contains("no index"));
  for (const char* words : {"a=\"b\"", "a='b'", "a\\b", "a\nb"})
    CHECK_THROWS_AS(append_words(words), Error);
  CHECK(append_words(" a=b  c ") == std::vector<std::string>{"a=b", "c"});
}

TEST_CASE("upgrade: words of the owner for the kernel, of the version that runs", "[ros]") {
  Box box;
  using Words = std::vector<std::string>;
  write_file(box.medium / "1/append", "own=[a]\n");  // as the builder does for an image's own words
  CHECK(kept_append(box.medium, "1") == Words{"own=[a]"});
  CHECK(own_append(box.medium, "1") == Words{"own=[a]"});
  const auto set = [&](const Words& words) {
    WritableMedium writable{box.medium};
    set_append(writable, "1", words);
    CHECK_FALSE(fs::exists(box.medium / "1/menu.old"));
    return read_file(box.medium / "1/menu.cfg");
  };
  write_file(box.medium / "1/menu.old", "of one that was cut short");
  CHECK_THAT(set({"a=[1]", "b"}),
             Contains("/1/vmlinuz $trial_word panic=10 'own=[a]' 'a=[1]' b\n"));
  CHECK(kept_append(box.medium, "1") == Words{"own=[a]", "a=[1]", "b"});
  CHECK_THAT(set({"c=2"}), Contains("/1/vmlinuz $trial_word panic=10 'own=[a]' c=2\n"));
  CHECK_THAT(set({}), Contains("/1/vmlinuz $trial_word panic=10 'own=[a]'\n"));
  CHECK(kept_append(box.medium, "1") == Words{"own=[a]"});
  // A power cut between the menu and the list.
  write_file(box.medium / "1/append", "else=1\n");
  CHECK_THAT(set({"c=2"}), Contains("/1/vmlinuz $trial_word panic=10 'own=[a]' c=2\n"));

  // The folder of the state stays where it is until somebody names another.
  set({"rancher.state.directory=ros", "d"});
  CHECK(kept_append(box.medium, "1") == Words{"own=[a]", "rancher.state.directory=ros", "d"});
  set({});
  CHECK(kept_append(box.medium, "1") == Words{"own=[a]", "rancher.state.directory=ros"});
  set({"rancher.state.directory=other"});
  CHECK(kept_append(box.medium, "1") == Words{"own=[a]", "rancher.state.directory=other"});
  // An upgrade keeps all, and knows which are whose.
  box.bring();
  CHECK(own_append(box.medium, "2") == Words{"own=[a]"});
  {
    WritableMedium writable{box.medium};
    set_append(writable, "2", {"e"});
  }
  CHECK(kept_append(box.medium, "2") == Words{"own=[a]", "e"});
  for (const auto& file : box.one.files) CHECK(is_intact(box.medium / file.path, file));
  WritableMedium writable{box.medium};
  CHECK_THROWS_WITH(set_append(writable, "3", {}), Contains("version 3 is not on this disk"));
}

TEST_CASE("upgrade: without room for it even the way back stays", "[ros]") {
  Box box;
  box.bring();  // version 2, which becomes the current one
  const BootState before{.current = "2", .previous = "1"};
  WritableMedium{box.medium}.save(before);
  Release three = make_release("3", "kernel", {{"base-1", "base"}, {"huge", "x"}});
  three.files.back().size = 1ULL << 40;
  WritableMedium writable{box.medium};
  CHECK_THROWS_WITH(stage(writable, three, ReleaseSource{box.source.string()}, {}, "2",
                          [](const std::string&) {}),
                    Contains("RANCHER_BOOT has room for") && Contains("nothing was changed"));
  CHECK(load_boot_state(box.medium) == before);
  box.check_one_boots();
  CHECK(fs::exists(box.medium / "1/release"));

  // So does a trial.
  const BootState trial{.current = "1", .trial = "2", .tries = 3};
  writable.save(trial);
  CHECK_THROWS(stage(writable, three, ReleaseSource{box.source.string()}, {}, "1",
                     [](const std::string&) {}));
  CHECK(load_boot_state(box.medium) == trial);
  CHECK(fs::exists(box.medium / "2/release"));
}

TEST_CASE("upgrade: the previous version makes room when that is enough", "[ros]") {
  // 7 MB of 8 are for a layer of 3 MB and what the file system may need: only one of them fits.
  const Box box;
  const auto layers = [](const std::string& version) {
    return Files{{"big-" + version, std::string(3 << 20, version[0])}};
  };
  const auto put = [&](const fs::path& folder, const std::string& version) {
    const Release release = make_release(version, "kernel", layers(version));
    write_release(folder, release, "kernel", layers(version));
    write_file(folder / version / "release", to_text(release));
    return release;
  };
  const auto user = ::getuid(), group = ::getgid();
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(77);
      write_file("/proc/self/setgroups", "deny");
      write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
      write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
      if (::mount("none", box.medium.c_str(), "tmpfs", 0, "size=8m") != 0) ::_exit(77);
    } catch (const std::exception&) {
      ::_exit(77);
    }
    try {
      put(box.medium, "0");
      put(box.medium, "1");
      fs::remove(box.medium / "layers/big-1");
      const Release three = put(box.source, "3");
      write_file(box.medium / kBootStateFile, to_block({.current = "1", .previous = "0"}));
      WritableMedium writable{box.medium};
      stage(writable, three, ReleaseSource{box.source.string()}, {}, "1",
            [](const std::string&) {});
      ::_exit(load_boot_state(box.medium) == BootState{.current = "1"} &&
                      !fs::exists(box.medium / "0") && fs::exists(box.medium / "3/release")
                  ? 0
                  : 1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(2);
    }
  }
  const int status = wait_for(child);
  if (status == 77) {
    WARN("SKIPPED: no namespaces here");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("upgrade: a release of another platform is refused unless it is asked for", "[ros]") {
  Box box;
  box.two.platform = "gce";
  CHECK_THROWS_WITH(check_platform(box.medium, box.two, "1", ""),
                    Contains("version 2 is of platform gce, and this box is amd64") &&
                        Contains("--platform gce"));
  CHECK_NOTHROW(check_platform(box.medium, box.two, "1", "gce"));
  CHECK_THROWS(check_platform(box.medium, box.two, "1", "amd64"));
  CHECK_NOTHROW(check_platform(box.medium, box.one, "1", ""));
  CHECK_NOTHROW(check_platform(box.medium, box.two, "unknown", ""));
}

TEST_CASE("upgrade: a switch that has not happened yet is taken back", "[ros]") {
  Box box;
  WritableMedium writable{box.medium};
  CHECK_FALSE(cancel_trial(writable, "1"));
  writable.save({.current = "1", .previous = "0", .trial = "2", .tries = 3});
  CHECK_FALSE(cancel_trial(writable, "2"));  // it runs
  CHECK(cancel_trial(writable, "1"));
  CHECK(load_boot_state(box.medium) == BootState{.current = "1", .previous = "0"});
}

TEST_CASE("upgrade: on trial, then ready: it stays, and there is a way back", "[ros]") {
  Box box;
  box.bring();
  WritableMedium{box.medium};
  {
    WritableMedium writable{box.medium};
    put_on_trial(writable, "2");
  }
  CHECK(load_boot_state(box.medium) == BootState{.current = "1", .trial = "2", .tries = 3});
  CHECK_FALSE(settle(box.medium, "1"));  // chosen by hand in the menu: the trial goes on
  CHECK_THAT(settle(box.medium, "2").value(), Contains("version 2 is ready"));
  CHECK(load_boot_state(box.medium) == BootState{.current = "2", .previous = "1"});
  CHECK_FALSE(settle(box.medium, "2"));

  {
    WritableMedium writable{box.medium};
    put_on_trial(writable, "1");
  }
  settle(box.medium, "1");
  CHECK(load_boot_state(box.medium) == BootState{.current = "1", .previous = "2"});
}

TEST_CASE("upgrade: a version that failed is told with its reason", "[ros]") {
  Box box;
  BootState state{.current = "1", .trial = "2", .tries = 0, .reason = "no state"};
  std::string why = "no state";
  SECTION("init left a reason") {}
  SECTION("nobody could") {
    state.reason.clear();
    why = "it was started 3 times and was never ready";
  }
  WritableMedium{box.medium}.save(state);
  CHECK_THAT(settle(box.medium, "1").value(),
             Contains("version 2 failed and this is 1 again: " + why));
  CHECK(load_boot_state(box.medium) == BootState{.current = "1", .failed = "2", .reason = why});
}

TEST_CASE("upgrade: old versions go, with what only they had", "[ros]") {
  Box box;
  box.bring();
  write_file(box.medium / "0/vmlinuz.part", "half");
  for (const char* left : {"0/menu.old", "0/append.aBc123", "0/kernel.squashfs", "0/own"})
    write_file(box.medium / left, "");
  write_file(box.medium / "layers/ancient", "x");
  write_file(box.medium / "photos/cat", "x");  // the owner's
  WritableMedium writable{box.medium};
  CHECK(collect(writable, {"2", "1"}) == std::vector<std::string>{"0", "layers/ancient"});
  box.check_one_boots();
  CHECK(collect(writable, {"2"}) == std::vector<std::string>{"1", "layers/runtime-1"});
  for (const auto& file : box.two.files) CHECK(is_intact(box.medium / file.path, file));
  CHECK(fs::exists(box.medium / kBootStateFile));
  CHECK(fs::exists(box.medium / "photos/cat"));

  fs::remove(box.medium / "2/release");  // as a builder of old made it
  CHECK_THROWS_WITH(collect(writable, {"2"}), Contains("version 2 has no list of its files"));
  CHECK(fs::exists(box.medium / "layers/base-1"));
}
