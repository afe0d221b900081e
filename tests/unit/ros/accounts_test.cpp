#include "runtime/ros/accounts.h"

#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "runtime/ros/account_files.h"

using namespace ros;

namespace {

// A box: /etc is the image's at each boot, /var/lib/rancher stays.
struct Box {
  TempDir folder;
  std::vector<std::string> problems;

  AccountFiles boot(const std::string& text) {
    const auto& root = folder.path();
    fs::remove_all(root / "etc");
    fs::remove_all(root / "run");
    write_file(root / "etc/passwd",
               "root:x:0:0::/root:/bin/sh\nrancher:x:1100:1100::/home/rancher:/bin/bash\n");
    write_file(root / "etc/group",
               "root:x:0:\nsudo:x:27:rancher\nrancher:x:1100:\ndocker:x:1101:\n");
    write_file(root / "etc/shadow", "root:*:1:0:99999:7:::\nrancher:*:1:0:99999:7:::\n", 0640);
    Config config;
    add_layer(config, text, "c.yml");
    problems = config.problems;
    prepare_accounts(config, problems, root);
    keep_accounts(root);
    return load_accounts(root / "etc");
  }
  // What `passwd` does.
  void change_password(const std::string& name, const std::string& hash) {
    AccountFiles files = load_accounts(folder.path() / "etc");
    find_account(files.shadow, name)->at(AccountFiles::kHash) = hash;
    save_accounts(files, folder.path() / "etc");
    keep_accounts(folder.path());
  }
};

std::string line(std::vector<AccountFiles::Line>& lines, const char* name) {
  const auto* found = find_account(lines, name);
  return found ? join(*found, ":") : "";
}

}  // namespace

TEST_CASE("accounts: the words of cloud-init make users and groups") {
  Box box;
  auto files = box.boot(R"(
groups: [admins, {ops: [rancher]}]
users:
  - default
  - plain
  - name: alice
    gecos: Alice A.
    uid: "1500"
    groups: docker, admins
    shell: /bin/sh
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys: [ssh-ed25519 K alice]
  - {name: daemon1, system: true}
)");
  CHECK(box.problems.empty());
  CHECK(line(files.passwd, "alice") == "alice:x:1500:1500:Alice A.:/home/alice:/bin/sh");
  CHECK(line(files.passwd, "plain") == "plain:x:1102:1102::/home/plain:/bin/bash");
  CHECK(line(files.passwd, "daemon1").starts_with("daemon1:x:500:"));
  CHECK(line(files.group, "docker") == "docker:x:1101:alice");
  CHECK(line(files.group, "ops").ends_with(":rancher"));
  CHECK(line(files.shadow, "alice").starts_with("alice:*:"));
  const auto& root = box.folder.path();
  CHECK_FALSE(fs::exists(root / "home/daemon1"));
  CHECK(fs::is_directory(root / "home/plain"));
  CHECK(read_file(root / "home/alice/.ssh/authorized_keys").find("ssh-ed25519 K alice\n") !=
        std::string::npos);
  CHECK(read_file(root / "etc/sudoers.d/cloud-config") == "alice ALL=(ALL) NOPASSWD:ALL\n");
  std::vector<std::string> problems;
  prepare_accounts({}, problems, root);  // in the same boot, by a document that came later
  CHECK_FALSE(fs::exists(root / "etc/sudoers.d/cloud-config"));
}

TEST_CASE("accounts: numbers stay whatever the order, and a dropped name's number is not reused") {
  Box box;
  box.boot("users: [a, b, c]\n");
  auto files = box.boot("users: [c, d, a]\n");
  CHECK(line(files.passwd, "a").starts_with("a:x:1102:"));
  CHECK(line(files.passwd, "b").empty());
  CHECK(line(files.passwd, "c").starts_with("c:x:1104:"));
  CHECK(line(files.passwd, "d").starts_with("d:x:1105:"));
  files = box.boot("users: [b]\n");
  CHECK(line(files.passwd, "b").starts_with("b:x:1103:"));
}

TEST_CASE("accounts: a password changed on the box stays until another one is configured") {
  Box box;
  const std::string user = "users: [{name: a, lock_passwd: false, passwd: ";
  auto files = box.boot(user + "$6$one}]\n");
  CHECK(line(files.shadow, "a").starts_with("a:$6$one:"));
  box.change_password("a", "$y$changed");
  box.change_password("rancher", "$y$mine");
  // As the version before the last field kept it.
  const fs::path record = box.folder.path() / "var/lib/rancher/accounts/configured";
  const std::string kept{trim(read_file(record))};
  write_file(record, kept.substr(0, kept.rfind(':')) + "\n");
  files = box.boot(user + "$6$one}]\n");
  CHECK(line(files.shadow, "a").starts_with("a:$y$changed:"));
  CHECK(line(files.shadow, "rancher").starts_with("rancher:$y$mine:"));
  files = box.boot(user + "$6$two}]\n");
  CHECK(line(files.shadow, "a").starts_with("a:$6$two:"));
}

TEST_CASE("accounts: what the configuration gave goes with it, what was given by hand stays") {
  Box box;
  const std::string rights =
      "groups: [{ops: [rancher]}]\n"
      "users: [{name: a, groups: docker, lock_passwd: false, passwd: $6$one},\n"
      "        {name: b, lock_passwd: false, passwd: $6$two},\n"
      "        {name: rancher, groups: sudo, lock_passwd: false, passwd: $6$three}]\n";
  auto files = box.boot(rights);
  CHECK(line(files.group, "docker") == "docker:x:1101:a");
  CHECK(line(files.group, "sudo") == "sudo:x:27:rancher");
  AccountFiles by_hand = files;
  add_member(by_hand, "sudo", "a");
  save_accounts(by_hand, box.folder.path() / "etc");
  box.change_password("b", "$y$changed");
  files = box.boot("users: [a, b]\n");
  CHECK(box.problems.empty());
  CHECK(line(files.group, "docker") == "docker:x:1101:");
  CHECK(line(files.group, "sudo") == "sudo:x:27:rancher,a");  // the image's, and that by hand
  CHECK(line(files.group, "ops").ends_with(":"));
  CHECK(line(files.shadow, "a").starts_with("a:*:"));
  CHECK(line(files.shadow, "b").starts_with("b:$y$changed:"));
  CHECK(line(files.shadow, "rancher").starts_with("rancher:*:"));
  files = box.boot(rights);
  CHECK(line(files.group, "docker") == "docker:x:1101:a");
  CHECK(line(files.shadow, "a").starts_with("a:$6$one:"));
  std::vector<std::string> problems;
  Config later;  // in the same boot
  add_layer(later, "users: [a]\n", "c.yml");
  prepare_accounts(later, problems, box.folder.path());
  files = load_accounts(box.folder.path() / "etc");
  CHECK(line(files.group, "docker") == "docker:x:1101:");
  CHECK(line(files.shadow, "a").starts_with("a:*:"));
}

TEST_CASE("accounts: as Proxmox describes the owner of a machine") {
  Box box;
  auto files = box.boot(
      "#cloud-config\n"
      "hostname: node\nmanage_etc_hosts: true\nfqdn: node.example\n"
      "user: eve\npassword: $5$hash\n"
      "ssh_authorized_keys:\n  - ssh-ed25519 K eve\n"
      "chpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n");
  CHECK(box.problems.empty());
  CHECK(line(files.shadow, "eve").starts_with("eve:$5$hash:"));
  CHECK(line(files.group, "docker") == "docker:x:1101:eve");
  const auto& root = box.folder.path();
  CHECK(read_file(root / "home/eve/.ssh/authorized_keys").find("ssh-ed25519 K eve\n") !=
        std::string::npos);
  CHECK(read_file(root / "etc/sudoers.d/cloud-config") == "eve ALL=(ALL) NOPASSWD:ALL\n");
  // Without a user it is rancher's password; in clear it is hashed, once.
  files = box.boot(
      "password: secret\nusers: [{name: p, lock_passwd: false,"
      " plain_text_passwd: open}, {name: h, lock_passwd: false, hashed_passwd: $6$h}]");
  const std::string first = line(files.shadow, "rancher");
  CHECK(first.starts_with("rancher:$6$"));
  CHECK(first.find("secret") == std::string::npos);
  CHECK(line(files.shadow, "p").starts_with("p:$6$"));
  CHECK(line(files.shadow, "h").starts_with("h:$6$h:"));
  files = box.boot("password: secret\n");
  CHECK(line(files.shadow, "rancher") == first);
  for (const char* wrong : {"password: \"$6$a:0:\\nroot:$6$b\"\n", "password: \"a\\nb\"\n"}) {
    files = box.boot(wrong);
    CHECK(box.problems.size() == 1);
    CHECK(line(files.shadow, "root").starts_with("root:*:"));
    CHECK(files.shadow.size() <= 5);
  }
}

TEST_CASE("accounts: the password of one boot is not kept, however often it is set") {
  Box box;
  const std::string mine = "rancher:$y$mine:1:0:99999:7:::";
  const auto boot_password = [&](const std::string& hash) {  // as the console's start does
    AccountFiles files = load_accounts(box.folder.path() / "etc");
    const std::string before = line(files.shadow, "rancher");
    box.change_password("rancher", hash);
    files = load_accounts(box.folder.path() / "etc");
    note_boot_password(before, line(files.shadow, "rancher"), box.folder.path());
    keep_accounts(box.folder.path());
    AccountFiles kept = load_accounts(box.folder.path() / "var/lib/rancher/accounts");
    return line(kept.shadow, "rancher");
  };
  box.boot("hostname: x\n");
  box.change_password("rancher", "$y$mine");
  CHECK(boot_password("$6$boot") == mine);
  CHECK(boot_password("$6$again") == mine);
  CHECK(boot_password("$6$third") == mine);
  box.change_password("rancher", "$y$new");  // passwd, in between
  CHECK(boot_password("$6$fourth") == "rancher:$y$new:1:0:99999:7:::");
  auto files = box.boot("hostname: x\n");
  CHECK(line(files.shadow, "rancher") == "rancher:$y$new:1:0:99999:7:::");
}

TEST_CASE("accounts: one made by hand survives a reboot") {
  Box box;
  box.boot("hostname: x\n");
  AccountFiles files = load_accounts(box.folder.path() / "etc");
  files.passwd.push_back({"joe", "x", "1200", "1200", "", "/home/joe", "/bin/bash"});
  files.group.push_back({"joe", "x", "1200", ""});
  files.shadow.push_back({"joe", "$y$joe", "1", "0", "99999", "7", "", "", ""});
  add_member(files, "docker", "joe");
  save_accounts(files, box.folder.path() / "etc");
  keep_accounts(box.folder.path());
  files = box.boot("users: [k]\n");
  CHECK(line(files.passwd, "joe") == "joe:x:1200:1200::/home/joe:/bin/bash");
  CHECK(line(files.shadow, "joe").starts_with("joe:$y$joe:"));
  CHECK(line(files.group, "docker") == "docker:x:1101:joe");
}

TEST_CASE("accounts: what is wrong is named with its place, and the others are made") {
  Box box;
  auto files = box.boot(R"(users:
  - {name: "a:b"}
  - {name: c, uid: 1100}
  - {name: d, passwd: secret, lock_passwd: false}
  - {name: e, homdir: /x}
  - {gecos: nobody}
  - good
groups: {g: [absent]}
)");
  for (const auto& problem : box.problems) UNSCOPED_INFO(problem);
  REQUIRE(box.problems.size() == 6);
  CHECK(box.problems[0].find("did you mean homedir?") != std::string::npos);
  CHECK(box.problems[1].starts_with("c.yml:2:5: users: a:b: "));
  CHECK(box.problems[2].find("passwd must be a hash") != std::string::npos);
  CHECK(box.problems[4].find("uid 1100 belongs to rancher") != std::string::npos);
  CHECK(line(files.passwd, "c").empty());
  CHECK_FALSE(line(files.passwd, "e").empty());
  CHECK_FALSE(line(files.passwd, "good").empty());
}
