#include "builder/load/platform.h"

#include <algorithm>

#include "root.h"
#include "runtime/base/text.h"

using namespace rosbuild;

namespace {

const ArtifactSpec& artifact(const Platform& platform, const std::string& name) {
  const auto found = std::ranges::find(platform.artifacts, name, &ArtifactSpec::name);
  REQUIRE(found != platform.artifacts.end());
  return *found;
}

std::vector<std::string> names(const Platform& platform) {
  std::vector<std::string> found;
  for (const auto& spec : platform.artifacts) found.push_back(spec.name);
  return found;
}

}  // namespace

TEST_CASE("platform: an heir replaces lists, appends with + and merges artifacts", "[load]") {
  const Root root;
  root.put("recipes/layers/more.yaml", "name: more\npackages: [curl]\n");
  root.put("platforms/vmware.yaml",
           "name: vmware\n"
           "extends: amd64\n"
           "description: VMware\n"
           "+layers: [more]\n"
           "+cmdline: [x=2]\n"
           "datasources: [configdrive]\n"
           "+artifacts:\n"
           "  - {name: rancheros.iso, +cmdline: [b=2]}\n"
           "  - {name: rancheros.vmdk, format: vmdk, size: 8GiB}\n");
  const auto recipes = root.load();
  const auto& vmware = recipes.platforms.at("vmware");
  CHECK(vmware.description == "VMware");
  CHECK(vmware.arch.value == "amd64");
  CHECK(values(vmware.layers) == std::vector<std::string>{"base", "runtime", "more"});
  CHECK(vmware.datasources == std::vector<std::string>{"configdrive"});
  CHECK(names(vmware) == std::vector<std::string>{"vmlinuz", "rancheros.iso", "rancheros.vmdk"});
  const auto& iso = artifact(vmware, "rancheros.iso");
  CHECK(iso.format == Format::iso);
  CHECK(command_line(vmware, iso) == "quiet x=2 a=1 b=2");
  const auto& vmdk = artifact(vmware, "rancheros.vmdk");
  CHECK(vmdk.size->value == 8ULL << 30);
  CHECK(vmdk.size->at.line == 9);
  CHECK(command_line(vmware, vmdk) == "quiet x=2");

  // The parent is untouched by what its heir says.
  const auto& amd64 = recipes.platforms.at("amd64");
  CHECK(values(amd64.layers) == std::vector<std::string>{"base", "runtime"});
  CHECK(command_line(amd64, artifact(amd64, "rancheros.iso")) == "quiet a=1");
  CHECK(names(amd64) == std::vector<std::string>{"vmlinuz", "rancheros.iso"});
}

TEST_CASE("platform: artifacts without + are all that there are", "[load]") {
  const Root root;
  root.put("platforms/cloud.yaml",
           "name: cloud\n"
           "extends: amd64\n"
           "description: Cloud\n"
           "artifacts: [{name: cloud.img, format: qcow2, size: 4GiB}]\n");
  const auto recipes = root.load();
  CHECK(names(recipes.platforms.at("cloud")) == std::vector<std::string>{"cloud.img"});
  root.put("platforms/cloud.yaml",
           "name: cloud\n"
           "extends: amd64\n"
           "description: Cloud\n"
           "artifacts: [{name: rancheros.iso}]\n"
           "+artifacts: [{name: x, format: iso}]\n");
  CHECK(root.complaint() ==
        "platforms/cloud.yaml:5:13: 'artifacts' and '+artifacts' exclude each other");
}

TEST_CASE("platform: inheritance goes over several steps, in any file order", "[load]") {
  const Root root;
  root.put("platforms/a.yaml", "name: a\nextends: z\ndescription: A\n+cmdline: [a]\n");
  root.put("platforms/z.yaml", "name: z\nextends: amd64\ndescription: Z\n+cmdline: [z]\n");
  const auto recipes = root.load();
  CHECK(values(recipes.platforms.at("a").cmdline) == std::vector<std::string>{"quiet", "z", "a"});
}

TEST_CASE("platform: a circle is reported once, with each member's place", "[load]") {
  const Root root;
  root.put("platforms/a.yaml", "name: a\nextends: b\ndescription: A\n");
  root.put("platforms/b.yaml", "name: b\ndescription: B\nextends: c\n");
  root.put("platforms/c.yaml", "name: c\nextends:   a\ndescription: C\n");
  root.put("platforms/d.yaml", "name: d\nextends: a\ndescription: D\n");
  CHECK(root.complaint() ==
        "platforms/a.yaml:2:10: platforms extend each other in a circle: a -> b -> c -> a\n"
        "  platforms/a.yaml:2:10: 'a' extends 'b'\n"
        "  platforms/b.yaml:3:10: 'b' extends 'c'\n"
        "  platforms/c.yaml:2:12: 'c' extends 'a'");
}

TEST_CASE("platform: one that extends itself is a circle of one", "[load]") {
  const Root root;
  root.put("platforms/a.yaml", "name: a\nextends: a\ndescription: A\n");
  CHECK(root.complaint() ==
        "platforms/a.yaml:2:10: platforms extend each other in a circle: a -> a\n"
        "  platforms/a.yaml:2:10: 'a' extends 'a'");
}

TEST_CASE("platform: unknown names of every sort get a suggestion, all at once", "[load]") {
  const Root root;
  root.put("platforms/amd64.yaml",
           "name: amd64\n"
           "description: PC\n"
           "arch: amd46\n"
           "layers: [bas, runtime, base, base]\n"
           "cmdline: ['a b']\n"
           "datasources: [nocluod]\n"
           "artifacts:\n"
           "  - {name: vmlinuz, format: kernle}\n"
           "  - {name: x.iso, format: iso, siez: 1GiB}\n"
           "  - {name: x.iso, format: iso}\n"
           "  - {name: y.iso}\n"
           "  - {format: iso}\n"
           "  - {name: ../z, format: iso}\n"
           "  - {name: checksums.txt, format: iso}\n"
           "  - {name: d.vmdk, format: vmdk, size: 8GB}\n"
           "  - {name: version.txt, format: iso}\n");
  root.put("platforms/vmware.yaml", "name: vmware\nextends: amd46\ndescription: V\n");
  CHECK(root.complaint() ==
        "platforms/amd64.yaml:8:29: unknown format 'kernle'\n"
        "  hint: did you mean 'kernel'?\n"
        "platforms/amd64.yaml:9:32: unknown key 'siez' in artifact\n"
        "  hint: did you mean 'size'?\n"
        "platforms/amd64.yaml:10:12: artifact 'x.iso' stands twice; first in line 9\n"
        "platforms/amd64.yaml:12:5: artifact has no 'name'\n"
        "platforms/amd64.yaml:13:12: '../z' is not a plain relative path\n"
        "  hint: write it as usr/bin/name, without a slash in front, '.' or '..'\n"
        "platforms/amd64.yaml:14:12: 'checksums.txt' is written by rosbuild\n"
        "platforms/amd64.yaml:15:40: expected a size, found '8GB'\n"
        "  hint: write 8GiB\n"
        "platforms/amd64.yaml:16:12: 'version.txt' is written by rosbuild\n"
        "platforms/amd64.yaml:3:7: unknown architecture 'amd46'\n"
        "  hint: did you mean 'amd64'?\n"
        "platforms/amd64.yaml:4:10: unknown layer 'bas'\n"
        "  hint: did you mean 'base'?\n"
        "platforms/amd64.yaml:6:15: unknown datasource 'nocluod'\n"
        "  hint: did you mean 'nocloud'?\n"
        "platforms/amd64.yaml:5:11: 'a b' is not one kernel parameter\n"
        "  hint: one item a word, without blanks, quotes or backslashes\n"
        "platforms/amd64.yaml:11:12: artifact 'y.iso' has no 'format'\n"
        "platforms/amd64.yaml:4:30: layer 'base' stands twice\n"
        "platforms/vmware.yaml:2:10: unknown platform 'amd46'\n"
        "  hint: did you mean 'amd64'?");
}

TEST_CASE("platform: a parent's problems are not repeated for its heirs", "[load]") {
  const Root root;
  root.put("platforms/amd64.yaml",
           "name: amd64\ndescription: PC\narch: amd64\nlayers: [base, base]\n"
           "artifacts: [{name: y.iso}]\n");
  root.put("platforms/vmware.yaml", "name: vmware\nextends: amd64\ndescription: V\n");
  root.put("platforms/hyperv.yaml", "name: hyperv\nextends: broken\ndescription: H\n");
  root.put("platforms/broken.yaml", "name: [\n");
  const auto said = root.complaint();
  CHECK(said.find("platforms/amd64.yaml:5:20: artifact 'y.iso' has no 'format'\n"
                  "platforms/amd64.yaml:4:16: layer 'base' stands twice") != std::string::npos);
  CHECK(said.find("vmware") == std::string::npos);
  CHECK(said.find("hyperv") == std::string::npos);
  CHECK(said.find("platforms/broken.yaml:2:1: not valid YAML") != std::string::npos);
}

TEST_CASE("platform: names are chosen in order, once, and 'all' means each", "[load]") {
  const Root root;
  root.put("platforms/vmware.yaml", "name: vmware\nextends: amd64\ndescription: V\n");
  const auto recipes = root.load();
  const auto chosen = [&](const std::vector<std::string>& wanted) {
    std::vector<std::string> found;
    for (const auto* platform : select_platforms(recipes, wanted)) found.push_back(platform->name);
    return found;
  };
  CHECK(chosen({"vmware", "amd64", "vmware"}) == std::vector<std::string>{"vmware", "amd64"});
  CHECK(chosen({"vmware", "all"}) == std::vector<std::string>{"vmware", "amd64"});
  CHECK(select_platforms(recipes, {"all"}, "amd64").size() == 2);
  CHECK(select_platforms(recipes, {"all"}, "arm64").empty());
  CHECK_THROWS_WITH(chosen({"vmwear", "nothing-like-it"}),
                    "unknown platform 'vmwear'\n  hint: did you mean 'vmware'?\n"
                    "unknown platform 'nothing-like-it'\n  hint: known: amd64, vmware");
}

TEST_CASE("platform: each format has a name of its own", "[load]") {
  for (const auto& [format, name] : formats()) CHECK(name_of(format) == name);
}

TEST_CASE("platform: the recipes of this project load", "[load]") {
  const auto recipes = load_all(SOURCE_DIR);
  CHECK(recipes.platforms.contains("amd64"));
  CHECK(artifact(recipes.platforms.at("vmware"), "rancheros.vmdk").size->value == 8ULL << 30);
  for (const auto& [name, platform] : recipes.platforms)
    for (const auto& spec : platform.artifacts)
      if (is_disk(spec.format)) {
        INFO(name << "/" << spec.name);
        CHECK_THAT(command_line(platform, spec),
                   Catch::Contains(" rancher.state.dev=LABEL=RANCHER_STATE rancher.state.wait"));
      }
}

TEST_CASE("platform: each cloud has one image, its datasource and its parameters", "[load]") {
  const auto recipes = load_all(SOURCE_DIR);
  struct Cloud {
    const char *platform, *image, *datasources, *parameters;
  };
  for (const auto& [name, image, datasources, parameters] :
       {Cloud{"openstack", "rancheros-openstack.img", "configdrive openstack nocloud", ""},
        Cloud{"digitalocean", "rancheros-digitalocean.img", "digitalocean nocloud",
              "notsc clocksource=kvm-clock rancher.network.interfaces.eth0.dhcp=true "
              "rancher.network.interfaces.eth0.ipv4ll=true "},
        Cloud{"cloudstack", "rancheros-cloudstack.img", "cloudstack nocloud", ""},
        Cloud{"exoscale", "rancheros-exoscale.img", "exoscale nocloud", ""},
        Cloud{"aliyun", "rancheros-aliyun.vhd", "aliyun nocloud", ""},
        Cloud{"gce", "rancheros-gce.tar.gz", "gce nocloud", "rancher.docker.mtu=1460 "},
        Cloud{"azure", "rancheros-azure.vhd", "azure nocloud", "earlyprintk=ttyS0 rootdelay=300 "},
        Cloud{"ami", "rancheros-ami.vmdk", "ec2 nocloud", ""}}) {
    INFO(name);
    const Platform& platform = recipes.platforms.at(name);
    CHECK(names(platform)[0] == image);
    CHECK(ros::join(platform.datasources, " ") == datasources);
    CHECK(command_line(platform, platform.artifacts[0]) ==
          "console=tty1 console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 " +
              std::string(parameters) + "rancher.state.dev=LABEL=RANCHER_STATE rancher.state.wait");
  }
}
