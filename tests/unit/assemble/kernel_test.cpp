#include "builder/assemble/kernel.h"

#include <elf.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include "builder/assemble/initrd.h"
#include "runtime/base/error.h"
#include "tests/unit/assemble/make_deb.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

const std::string kVersion = "6.12.1-test";
const std::string kFolder = "usr/lib/modules/" + kVersion + "/";

// A relocatable ELF file with nothing but .modinfo, followed by a "signature".
std::string module(const std::string& info) {
  const std::string names = std::string("\0.modinfo\0.shstrtab\0", 20);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 3;
  header.e_shstrndx = 2;
  header.e_shoff = sizeof header + info.size() + names.size();
  Elf64_Shdr sections[3]{};
  sections[1] = {.sh_name = 1,
                 .sh_type = SHT_PROGBITS,
                 .sh_flags = SHF_ALLOC,
                 .sh_offset = sizeof header,
                 .sh_size = info.size(),
                 .sh_addralign = 1};
  sections[2] = {.sh_name = 10,
                 .sh_type = SHT_STRTAB,
                 .sh_offset = sizeof header + info.size(),
                 .sh_size = names.size(),
                 .sh_addralign = 1};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += info + names;
  bytes.append(reinterpret_cast<const char*>(sections), sizeof sections);
  return bytes + "~signature~";
}

std::string info(const std::string& name, const std::string& depends,
                 const std::string& more = "") {
  using namespace std::string_literals;
  return "name="s + name + '\0' + "depends=" + depends + '\0' + more;
}

std::string xz(const std::string& bytes) {
  return testing_deb::write_archive(archive_write_set_format_raw, archive_write_add_filter_xz,
                                    {{"x", AE_IFREG, bytes}});
}

Tree packages() {
  using namespace std::string_literals;
  Tree tree;
  tree.put_file("boot/vmlinuz-" + kVersion, "kernel image"s);
  tree.put_file("boot/config-" + kVersion,
                "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_S=\"x\"\n"s);
  const auto add = [&](const std::string& stem, const std::string& text) {
    tree.put_file(kFolder + "kernel/" + stem + ".ko.xz", xz(module(text)));
  };
  add("fs/top", info("top", "middle,base-lib"));
  add("fs/middle", info("middle", "base_lib", "softdep=pre: extra missing post: late\0"s));
  add("lib/base-lib", info("base_lib", "builtin_one"));
  add("lib/extra", info("extra", ""));
  add("lib/late", info("late", ""));
  add("drivers/net/nic", info("nic", "", "alias=pci:v00008086d*\0"s));
  add("drivers/net/old/nic2", info("nic2", ""));
  tree.put_file(kFolder + "modules.builtin", "kernel/lib/builtin-one.ko\n"s);
  tree.put_file(kFolder + "modules.builtin.modinfo", ""s);
  tree.put_file(kFolder + "modules.order",
                "kernel/lib/late.ko\nkernel/fs/top.ko\nkernel/fs/no.ko\n"s);
  return tree;
}

// The host's depmod, dressed as locked tools.
struct Tools {
  ros::TempDir folder;
  fs::path out = folder.path() / "out";
  Toolbox box{folder.path() / "tools", 1'700'000'000};
  Tools() {
    const fs::path root = folder.path() / "tools/usr";
    fs::create_directories(root / "sbin");
    if (fs::exists("/usr/sbin/depmod"))
      fs::create_symlink("/usr/sbin/depmod", root / "sbin/depmod");
    fs::create_symlink("/usr/lib", root / "lib");
    fs::create_symlink("/lib64", root / "lib64");
  }
  bool usable() {
    if (fs::exists("/usr/sbin/depmod") && fs::exists("/lib64/ld-linux-x86-64.so.2")) return true;
    WARN("SKIPPED: no depmod for amd64 here");
    return false;
  }
  Tree extract(const std::string& list) {
    fs::remove_all(out);
    extract_modules(packages(), {{list, "x.list"}}, box, out);
    return read_modules(out, 1'700'000'000);
  }
};

std::set<std::string> modules_in(const Tree& tree) {
  std::set<std::string> names;
  for (const auto& [path, entry] : tree.entries())
    if (path.ends_with(".ko")) names.insert(path.substr((kFolder + "kernel/").size()));
  return names;
}

std::string text(const Tree& tree, const std::string& name) {
  const Entry* entry = tree.find(kFolder + name);
  REQUIRE(entry);
  return entry->content.read();
}

}  // namespace

TEST_CASE("kernel: the one kernel of the packages", "[assemble]") {
  Tree tree = packages();
  const Kernel kernel = read_kernel(tree);
  CHECK(kernel.version == kVersion);
  CHECK(kernel.image.read() == "kernel image");
  tree.put_file("boot/vmlinuz-7", std::string("another"));
  CHECK_THROWS_WITH(read_kernel(tree), Contains("expected one kernel") && Contains("found 2"));
  CHECK_THROWS_WITH(read_kernel(Tree{}), Contains("found 0"));
}

TEST_CASE("kernel: every option that is missing, at once", "[assemble]") {
  const Kernel kernel = read_kernel(packages());
  CHECK_NOTHROW(check_kernel_config(
      kernel, "# comment\nCONFIG_A=y\nCONFIG_A=m\nCONFIG_B=m\nCONFIG_S=\"x\"\n", "r.config"));
  try {
    check_kernel_config(kernel, "CONFIG_B=y\nCONFIG_A=y\nCONFIG_C=m\nnonsense\n", "r.config");
    FAIL("accepted");
  } catch (const ros::Error& error) {
    CHECK_THAT(error.what(), Contains("r.config:1:1: kernel 6.12.1-test has CONFIG_B=m, the OS "
                                      "needs y") &&
                                 Contains("r.config:3:1:") && Contains("CONFIG_C=n") &&
                                 Contains("r.config:4:1: expected CONFIG_NAME=value"));
    CHECK_THAT(error.what(), !Contains("CONFIG_A"));
  }
}

TEST_CASE_METHOD(Tools, "modules: chosen ones come with what they need", "[assemble]") {
  if (!usable()) return;
  const Tree tree = extract("top  # a comment\n\n");
  CHECK(modules_in(tree) == std::set<std::string>{"fs/top.ko", "fs/middle.ko", "lib/base-lib.ko",
                                                  "lib/extra.ko", "lib/late.ko"});
  CHECK_THAT(text(tree, "kernel/fs/top.ko"), Catch::EndsWith("~signature~"));
  CHECK_THAT(text(tree, "modules.dep"), Contains("kernel/fs/top.ko:"));
  CHECK(tree.contains(kFolder + "modules.dep.bin"));
  CHECK(text(tree, "modules.order") == "kernel/lib/late.ko\nkernel/fs/top.ko\n");
  CHECK(tree.find(kFolder + "modules.dep")->mtime == 1'700'000'000);
}

TEST_CASE_METHOD(Tools, "modules: globs, exceptions, built-in names", "[assemble]") {
  if (!usable()) return;
  CHECK(modules_in(extract("drivers/**\n-drivers/net/old/*\nbuiltin-one\n")) ==
        std::set<std::string>{"drivers/net/nic.ko"});
  CHECK(modules_in(extract("nic*\nbase_lib\n-nic2\n")) ==
        std::set<std::string>{"drivers/net/nic.ko", "lib/base-lib.ko"});
}

TEST_CASE_METHOD(Tools, "modules: what another kernel has is passed over when a list says so",
                 "[assemble]") {
  if (!usable()) return;
  CHECK(modules_in(extract("nic\n-gone*\narch/x86/*\n!gone*\n!arch/x86/*\n")) ==
        std::set<std::string>{"drivers/net/nic.ko"});
  CHECK_THROWS_WITH(extract("nic\n!nic\n!builtin-one\n"),
                    Contains("x.list:2:1: the kernel has nic\n") &&
                        Contains("x.list:3:1: the kernel has builtin-one\n"));
}

TEST_CASE_METHOD(Tools, "modules: names that the kernel does not have, all at once", "[assemble]") {
  try {
    extract("top\nmidle\ndrivers/gpu/**\n");
    FAIL("accepted");
  } catch (const ros::Error& error) {
    CHECK_THAT(error.what(), Contains("x.list:2:1: the kernel has no module midle") &&
                                 Contains("did you mean middle?") && Contains("x.list:3:1:"));
  }
}

TEST_CASE_METHOD(Tools, "modules: the early part has its own indices", "[assemble]") {
  if (!usable()) return;
  const Tree all = extract("top\ndrivers/**\n");
  const Tree early = select_modules(all, {{"nic\nbase_lib\n", "early.list"}});
  CHECK(modules_in(early) == std::set<std::string>{"drivers/net/nic.ko", "lib/base-lib.ko"});
  CHECK(text(early, "modules.dep") == "kernel/drivers/net/nic.ko:\nkernel/lib/base-lib.ko:\n");
  CHECK(text(early, "modules.alias") == "alias pci:v00008086d* nic\n");
  CHECK_FALSE(early.contains(kFolder + "modules.dep.bin"));
  // Needs (which depmod finds by symbols, and these modules have none) and soft needs come along.
  Tree linked = all;
  linked.put_file(kFolder + "modules.dep",
                  std::string("kernel/fs/middle.ko: kernel/lib/base-lib.ko\n"));
  CHECK(modules_in(select_modules(linked, {{"middle\n", "early.list"}})) ==
        std::set<std::string>{"fs/middle.ko", "lib/base-lib.ko", "lib/extra.ko", "lib/late.ko"});
}

TEST_CASE_METHOD(Tools, "initrd: init, shell, modules", "[assemble]") {
  if (!usable()) return;
  const Tree early = select_modules(extract("nic\n"), {{"nic\n", "early.list"}});
  const Tree tree = early_initrd({.init = std::string("init"),
                                  .busybox = std::string("busybox"),
                                  .modules = early,
                                  .epoch = 1'500'000'000});
  CHECK(tree.find("init")->mode == 0755);
  CHECK(tree.find("bin/sh")->target == "busybox");
  CHECK(tree.find("dev/console")->major == 5);
  CHECK(tree.contains(tree.resolve("lib/modules/" + kVersion + "/kernel/drivers/net/nic.ko")));
  for (const auto& [path, entry] : tree.entries()) CHECK(entry.mtime <= 1'500'000'000);
  CHECK_THROWS_WITH(find_busybox(Tree{}), Contains("busybox-static"));
}
