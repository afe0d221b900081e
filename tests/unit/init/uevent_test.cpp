#include "runtime/init/uevent.h"

#include <catch2/catch.hpp>

using namespace ros;
using namespace std::string_literals;

TEST_CASE("uevent: a message of the kernel", "[init]") {
  const auto event = parse_uevent(
      "add@/devices/pci0000:00/0000:00:04.0/virtio1/block/vda\0ACTION=add\0"
      "DEVPATH=/devices/pci0000:00/0000:00:04.0/virtio1/block/vda\0SUBSYSTEM=block\0MAJOR=254\0"
      "DEVNAME=vda\0DEVTYPE=disk\0SEQNUM=1234\0"s);
  REQUIRE(event);
  CHECK(event->action == "add");
  CHECK(event->devpath == "/devices/pci0000:00/0000:00:04.0/virtio1/block/vda");
  CHECK(event->subsystem == "block");
  CHECK(event->devname == "vda");
  CHECK(event->modalias.empty());
}

TEST_CASE("uevent: a value may hold an equals sign and need no end", "[init]") {
  const auto event = parse_uevent("bind@/d\0ACTION=bind\0MODALIAS=of:NaT=b\0DEVNAME=sr0"s);
  REQUIRE(event);
  CHECK(event->modalias == "of:NaT=b");
  CHECK(event->devname == "sr0");
}

TEST_CASE("uevent: fields without sense are passed over", "[init]") {
  const auto event = parse_uevent("add@/d\0NOVALUE\0\0=x\0ACTION=add\0ACTIONS=remove\0"s);
  REQUIRE(event);
  CHECK(event->action == "add");
}

TEST_CASE("uevent: what the kernel did not say is no event", "[init]") {
  CHECK_FALSE(parse_uevent(""));
  CHECK_FALSE(parse_uevent("libudev\0\xfe\xed\xca\xfe ACTION=add\0"s));
  CHECK_FALSE(parse_uevent("ACTION=add\0DEVNAME=vda\0"s));
  CHECK_FALSE(parse_uevent("add@/devices/x"));
  CHECK_FALSE(parse_uevent("add@/devices/x\0SUBSYSTEM=block\0"s));
  CHECK_FALSE(parse_uevent("\0\0\0"s));
}
