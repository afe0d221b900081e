#include "builder/assemble/accounts.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

const std::string kPasswd =
    "root:*:0:0:root:/root:/bin/bash\nbin:*:2:2:bin:/bin:/usr/sbin/nologin\n";
const std::string kGroup = "root:*:0:\nbin:*:2:\nsudo:*:27:\nshadow:*:42:\n";

std::string text(const Tree& tree, const char* path) { return tree.find(path)->content.read(); }

}  // namespace

TEST_CASE("accounts: masters and recipe become four files", "[assemble]") {
  Accounts accounts{kPasswd, kGroup};
  accounts.add(Group{"docker", 1101});
  accounts.add(Group{"rancher", 1100});
  accounts.add(User{"rancher", 1100, "rancher", "/home/rancher", "/bin/bash", {"docker", "sudo"}});
  Tree tree;
  accounts.write(tree, 1767225600);
  CHECK(text(tree, "etc/passwd") ==
        "root:x:0:0:root:/root:/bin/bash\nbin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
        "rancher:x:1100:1100::/home/rancher:/bin/bash\n");
  CHECK(text(tree, "etc/group") ==
        "root:x:0:\nbin:x:2:\nsudo:x:27:rancher\nshadow:x:42:\n"
        "docker:x:1101:rancher\nrancher:x:1100:\n");
  CHECK(text(tree, "etc/shadow") ==
        "root:*:20454:0:99999:7:::\nbin:*:20454:0:99999:7:::\n"
        "rancher:*:20454:0:99999:7:::\n");
  CHECK_THAT(text(tree, "etc/gshadow"), Contains("docker:*::rancher\n"));
  CHECK(tree.find("etc/shadow")->mode == 0640);
  CHECK(tree.find("etc/shadow")->gid == 42);
}

TEST_CASE("accounts: a layer above merges into what is below, without loss", "[assemble]") {
  Accounts lower{kPasswd, kGroup};
  lower.add(Group{"a", 500});
  lower.add(User{"a", 500, "a", "/", "/bin/sh", {"sudo"}});
  Tree tree;
  lower.write(tree, 0);
  Accounts upper{text(tree, "etc/passwd"), text(tree, "etc/group")};
  upper.add(Group{"b", 501});
  upper.add(User{"b", 501, "b", "/", "/bin/sh", {"sudo"}});
  upper.add(User{"a", 500, "a", "/", "/bin/sh", {"sudo"}});  // again: accepted
  upper.write(tree, 0);
  CHECK_THAT(text(tree, "etc/group"), Contains("sudo:x:27:a,b\n"));
  CHECK(upper.uid("a") == 500);
}

TEST_CASE("accounts: conflicts and unknown names are refused", "[assemble]") {
  Accounts accounts{kPasswd, kGroup};
  CHECK_THROWS_WITH(accounts.add(Group{"x", 27}), Contains("id 27 belongs to sudo"));
  CHECK_THROWS_WITH(accounts.add(Group{"sudo", 28}), Contains("there already"));
  CHECK_THROWS_WITH(accounts.add(User{"x", 7, "shado", "/", "/", {}, {"base.yaml", 4, 5}}),
                    Contains("base.yaml:4:5: unknown group shado"));
  CHECK_THROWS_WITH(accounts.add(User{"x", 0, "root", "/", "/", {}}), Contains("belongs to root"));
  CHECK_THROWS_WITH(accounts.add(User{"x", 7, "shado", "/", "/", {}}),
                    Contains("unknown group shado") && Contains("did you mean shadow?"));
  CHECK_THROWS_WITH(accounts.add(User{"a:b", 7, "root", "/", "/", {}}), Contains("not a user"));
  CHECK_THROWS_WITH(accounts.uid("nobody-here"), Contains("unknown user"));
}
