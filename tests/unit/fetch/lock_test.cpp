#include "builder/fetch/lock.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

const std::string kDigest(64, 'a');

std::string line(const std::string& name) {
  return name + " 1:2.3-4+b1 amd64 debian pool/main/x/" + name + "_2.3-4+b1_amd64.deb 1234 " +
         kDigest + "\n";
}

std::string refusal(const std::string& text) {
  try {
    parse_lock(text, "amd64.lock");
  } catch (const ros::Error& error) {
    CHECK(error.exit_status() == 2);
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("lock: what is written is read back, in a stable order", "[fetch]") {
  Lock lock;
  for (const char* name : {"zlib1g", "bash", "libc6"})
    lock.sections["base"].push_back({name, "1:2.3-4+b1", "amd64", "debian",
                                     std::string("pool/main/x/") + name + ".deb", 7, kDigest});
  lock.sections["tools"];
  lock.asked = {{"base", "0123456789abcdef"}, {"tools", "f"}};
  const std::string text = write_lock(lock, "amd64");
  const Lock read = parse_lock(text, "amd64.lock");
  REQUIRE(read.sections.at("base").size() == 3);
  CHECK(read.sections.at("base")[0].name == "bash");
  CHECK(read.sections.at("base")[0].version == "1:2.3-4+b1");
  CHECK(read.sections.contains("tools"));
  CHECK(read.asked == lock.asked);
  CHECK(write_lock(read, "amd64") == text);
  std::swap(lock.sections["base"][0], lock.sections["base"][2]);
  CHECK(write_lock(lock, "amd64") == text);
}

TEST_CASE("lock: every wrong line is reported with its place, all at once", "[fetch]") {
  const std::string text = refusal("[base 0]\n" + line("bash") + "bash 1\n" + line("bash") +
                                   "\n[base 0]\n[tools 0\n[tools]\n");
  CHECK_THAT(text, Contains("amd64.lock:3:1: expected `name version"));
  CHECK_THAT(text, Contains("amd64.lock:4:1: package bash twice"));
  CHECK_THAT(text, Contains("amd64.lock:6:1: section base twice"));
  CHECK_THAT(text, Contains("amd64.lock:7:1: expected `[section digest]`"));
  CHECK_THAT(text, Contains("amd64.lock:8:1: expected `[section digest]`"));
}

TEST_CASE("lock: fields that could harm are refused", "[fetch]") {
  const std::string head = "[base 0]\nx 1 amd64 ";
  CHECK_THAT(refusal(head + "debian pool/../../etc/x.deb 1 " + kDigest), Contains("not a path"));
  CHECK_THAT(refusal(head + "debian /pool/x.deb 1 " + kDigest), Contains("not a path"));
  CHECK_THAT(refusal(head + "http://example/ pool/x.deb 1 " + kDigest), Contains("archive must"));
  CHECK_THAT(refusal(head + "debian pool/x.deb 1x " + kDigest), Contains("size must"));
  CHECK_THAT(refusal(head + "debian pool/x.deb 0 " + kDigest), Contains("size must"));
  CHECK_THAT(refusal(head + "debian pool/x.deb 1 ABC"), Contains("not a SHA-256"));
  CHECK_THAT(refusal(line("bash")), Contains("before the first"));
}
