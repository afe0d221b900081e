#include "runtime/init/shutdown.h"

#include <catch2/catch.hpp>

using namespace ros;
using MountPoints = std::vector<MountPoint>;

TEST_CASE("shutdown: later mounts go first, and the kernel's stay", "[init]") {
  CHECK(
      mounts_to_undo(
          "21 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/run/ros/layers/base\n"
          "22 21 0:4 / /proc rw,nosuid - proc proc rw\n"
          "23 21 0:5 / /sys rw - sysfs sysfs rw\n"
          "24 23 0:6 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
          "25 21 0:7 / /dev rw - devtmpfs devtmpfs rw\n"
          "26 25 0:8 / /dev/pts rw - devpts devpts rw\n"
          "27 21 0:9 / /run rw - tmpfs tmpfs rw\n"
          "28 27 7:0 / /run/ros/layers/base ro - squashfs /dev/loop0 ro\n"
          "29 21 254:1 / /state rw,noatime shared:9 master:2 - ext4 /dev/vda1 rw\n"
          "30 21 254:1 /home /home rw,noatime - ext4 /dev/vda1 rw\n"
          "31 27 0:30 / /run/user/1000 rw - tmpfs tmpfs rw\n"
          "32 30 0:31 / /home/nfs rw - nfs4 server:/x rw\n") ==
      MountPoints{{"/home/nfs", true}, {"/run/user/1000"}, {"/home"}, {"/state"}});
}

TEST_CASE("shutdown: names that only look like the kernel's", "[init]") {
  CHECK(mounts_to_undo("1 0 8:1 / /device rw - ext4 /dev/sda1 rw\n"
                       "2 0 8:2 / /run/rosary rw - ext4 /dev/sda2 rw\n"
                       "3 0 8:3 / /process rw - ext4 /dev/sda3 rw\n") ==
        MountPoints{{"/process"}, {"/run/rosary"}, {"/device"}});
}

TEST_CASE("shutdown: escapes of the kernel are resolved", "[init]") {
  CHECK(mounts_to_undo("1 0 8:1 / /mnt/my\\040disk rw - ext4 /dev/sda1 rw\n"
                       "2 0 8:2 / /mnt/tab\\011line\\012back\\134040 rw - ext4 /dev/sda2 rw\n"
                       "3 0 8:3 / /mnt/hash\\043 rw - ext4 /dev/sda3 rw\n") ==
        MountPoints{{"/mnt/hash#"}, {"/mnt/tab\tline\nback\\040"}, {"/mnt/my disk"}});
}

TEST_CASE("shutdown: one point mounted twice is taken away twice", "[init]") {
  CHECK(mounts_to_undo("1 0 8:1 / /mnt rw - ext4 /dev/sda1 rw\n"
                       "2 1 8:2 / /mnt rw - ext4 /dev/sda2 rw\n") ==
        MountPoints{{"/mnt"}, {"/mnt"}});
}

TEST_CASE("shutdown: lines that are none are passed over", "[init]") {
  CHECK(mounts_to_undo("").empty());
  CHECK(mounts_to_undo("\nhello\n1 0 8:1 / /mnt rw\n1 0 8:1 / /mnt rw - ext4\n").empty());
}
