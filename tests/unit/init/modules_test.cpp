#include "runtime/init/modules.h"

#include <catch2/catch.hpp>

using namespace ros;
using Texts = std::vector<std::string>;

namespace {

struct Folder {
  TempDir temporary;
  const fs::path& path() const { return temporary.path(); }
  void put(const std::string& name, const std::string& text) { write_file(path() / name, text); }
  ModuleIndex index() const { return ModuleIndex{path()}; }
};

}  // namespace

TEST_CASE("modules: dependencies are loaded before", "[init]") {
  Folder folder;
  // As depmod writes it: what is needed first stands last.
  folder.put("modules.dep",
             "fs/ext4/ext4.ko: fs/jbd2/jbd2.ko fs/mbcache.ko\n"
             "fs/jbd2/jbd2.ko:\n"
             "fs/mbcache.ko:\n");
  CHECK(folder.index().resolve("ext4") ==
        Texts{"fs/mbcache.ko", "fs/jbd2/jbd2.ko", "fs/ext4/ext4.ko"});
  CHECK(folder.index().resolve("jbd2") == Texts{"fs/jbd2/jbd2.ko"});
  CHECK(folder.index().resolve("xfs").empty());
}

TEST_CASE("modules: soft dependencies go before and after", "[init]") {
  Folder folder;
  folder.put("modules.dep",
             "a.ko: base.ko\nbase.ko:\nbefore.ko: deep.ko\ndeep.ko:\nafter-1.ko:\ncrc32c.ko:\n");
  folder.put("modules.softdep",
             "# Soft dependencies\n"
             "softdep a pre: before not-there post: after_1\n"
             "softdep base pre: crc32c\n"
             "softdep nobody pre: a\n");
  const auto order = folder.index().resolve("a");
  CHECK(order == Texts{"deep.ko", "before.ko", "crc32c.ko", "base.ko", "a.ko", "after-1.ko"});
}

TEST_CASE("modules: soft dependencies may go in circles", "[init]") {
  Folder folder;
  folder.put("modules.dep", "a.ko:\nb.ko:\n");
  folder.put("modules.softdep", "softdep a pre: b\nsoftdep b pre: a\n");
  CHECK(folder.index().resolve("a") == Texts{"b.ko", "a.ko"});
}

TEST_CASE("modules: an alias is a pattern", "[init]") {
  Folder folder;
  folder.put("modules.dep", "star.ko:\nset.ko:\nquestion.ko:\nexact.ko:\nany.ko:\n");
  folder.put("modules.alias",
             "# Aliases extracted from modules themselves.\n"
             "alias pci:v00008086d*sv*sd*bc*sc*i* star\n"
             "alias usb:v1234p000[0-2a-f]d* set\n"
             "alias acpi*:PNP0?00:* question\n"
             "alias fs-exact exact\n"
             "alias *:weird:* any\n");
  const auto index = folder.index();
  const auto [alias, path] = GENERATE(table<std::string, std::string>({
      {"pci:v00008086d00001237sv00001AF4sd00001100bc06sc00i00", "star.ko"},
      {"pci:v00008087d00001237sv00001AF4sd00001100bc06sc00i00", ""},
      {"usb:v1234p0001d0100", "set.ko"},
      {"usb:v1234p000cd0100", "set.ko"},
      {"usb:v1234p0003d0100", ""},
      {"acpi:PNP0F00:", "question.ko"},
      {"acpi:PNP0FF00:", ""},
      {"fs-exact", "exact.ko"},
      {"fs-exactly", ""},
      {"of:weird:x", "any.ko"},
      {"pci:", ""},
  }));
  CAPTURE(alias);
  CHECK(index.resolve(alias) == (path.empty() ? Texts{} : Texts{path}));
}

TEST_CASE("modules: all that claim a device are loaded", "[init]") {
  Folder folder;
  folder.put("modules.dep", "two.ko: lib.ko\none.ko: lib.ko\nlib.ko:\n");
  folder.put("modules.alias", "alias pci:v1* two\nalias pci:*d2 one\nalias pci:v1d* one\n");
  CHECK(folder.index().resolve("pci:v1d2") == Texts{"lib.ko", "one.ko", "two.ko"});
}

TEST_CASE("modules: dashes and underscores are one letter", "[init]") {
  Folder folder;
  folder.put("modules.dep", "drivers/snd-hda_intel.ko:\n");
  folder.put("modules.alias", "alias net-pf_10 snd-hda-intel\nalias x[a-c]-y* snd_hda_intel\n");
  const auto index = folder.index();
  for (const char* name : {"snd-hda_intel", "snd_hda_intel", "snd-hda-intel", "net-pf-10",
                           "net_pf-10", "xb-y", "xb_yz"}) {
    CAPTURE(name);
    CHECK(index.resolve(name) == Texts{"drivers/snd-hda_intel.ko"});
  }
  CHECK(index.resolve("x-_y").empty());  // in brackets a dash is a range
}

TEST_CASE("modules: what is built in needs nothing", "[init]") {
  Folder folder;
  folder.put("modules.dep", "a.ko:\n");
  folder.put("modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/crypto/crc32c-generic.ko\n");
  folder.put("modules.alias", "alias fs-ext4 ext4\nalias crypto-crc32c crc32c_generic\n");
  folder.put("modules.softdep", "softdep a pre: crypto-crc32c\n");
  const auto index = folder.index();
  CHECK(index.resolve("ext4").empty());
  CHECK(index.resolve("fs-ext4").empty());
  CHECK(index.resolve("a") == Texts{"a.ko"});
}

TEST_CASE("modules: the blacklist is for devices, not for names", "[init]") {
  Folder folder;
  folder.put("modules.dep", "good.ko:\nbad-one.ko:\n");
  folder.put("modules.alias", "alias pci:v1* good\nalias pci:v1* bad_one\n");
  folder.put("modprobe.d/a.conf", "# blacklist good\nblacklist bad-one\noptions good x=1\n");
  const ModuleIndex index{folder.path(), {folder.path() / "absent", folder.path() / "modprobe.d"}};
  CHECK(index.resolve("pci:v1d2") == Texts{"good.ko"});
  CHECK(index.resolve("bad_one") == Texts{"bad-one.ko"});
}

TEST_CASE("modules: compressed files have the same names", "[init]") {
  Folder folder;
  folder.put("modules.dep", "a.ko.xz: b-c.ko.zst\nb-c.ko.zst:\n");
  CHECK(folder.index().resolve("a") == Texts{"b-c.ko.zst", "a.ko.xz"});
  CHECK(folder.index().resolve("b_c") == Texts{"b-c.ko.zst"});
}

TEST_CASE("modules: without an index there is nothing to load", "[init]") {
  Folder folder;
  CHECK(folder.index().resolve("ext4").empty());
  CHECK(ModuleIndex{}.resolve("ext4").empty());
}
