#include "runtime/init/cmdline.h"

#include <catch2/catch.hpp>

using namespace ros;
using Texts = std::vector<std::string>;

TEST_CASE("cmdline: quotes protect blanks and are dropped", "[init]") {
  CHECK(cmdline_words("quiet  a=\"b c\"\td \"e f\"\n") == Texts{"quiet", "a=b c", "d", "e f"});
  CHECK(cmdline_words(" \n").empty());
  CHECK(cmdline_words("a=\"never closed") == Texts{"a=never closed"});
}

TEST_CASE("cmdline: a list in brackets is one word", "[init]") {
  CHECK(cmdline_words("x=[a, b] y") == Texts{"x=[a, b]", "y"});
  CHECK(cmdline_words("x=[[a, b], c] y") == Texts{"x=[[a, b], c]", "y"});
  CHECK(cmdline_words("x[1 ] y") == Texts{"x[1", "]", "y"});
}

TEST_CASE("cmdline: an open bracket does not swallow the line", "[init]") {
  CHECK(cmdline_words("x=[a, b y=1 z") == Texts{"x=[a,", "b", "y=1", "z"});
  CHECK(Cmdline{"rancher.modules=[a rancher.debug"}.flag("rancher.debug"));
}

TEST_CASE("cmdline: only our keys are taken, and the later wins", "[init]") {
  const Cmdline line{"root=/dev/x rancherx.y=1 rancher.a=1 cc.b='2' rancher.a=3", {"cc.b=4", "single"}};
  CHECK_FALSE(line.has("root"));
  CHECK_FALSE(line.has("rancherx.y"));
  CHECK_FALSE(line.has("single"));
  CHECK(line.get("rancher.a") == "3");
  CHECK(line.get("cc.b") == "4");
  CHECK(line.get("rancher.none", "other") == "other");
}

TEST_CASE("cmdline: flags", "[init]") {
  const Cmdline line{"rancher.a rancher.b=on rancher.c=1 rancher.d=yes rancher.e=0 rancher.f="};
  for (const char* key : {"rancher.a", "rancher.b", "rancher.c", "rancher.d"}) {
    CAPTURE(key);
    CHECK(line.flag(key));
  }
  for (const char* key : {"rancher.e", "rancher.f", "rancher.none"}) {
    CAPTURE(key);
    CHECK_FALSE(line.flag(key));
  }
  CHECK(line.has("rancher.f"));
}

TEST_CASE("cmdline: lists with and without brackets", "[init]") {
  const Cmdline line{"rancher.a=[/dev/sda, \"/dev/vda\" ,'/dev/b'] rancher.b=x,,y rancher.c=[]"};
  CHECK(line.list("rancher.a") == Texts{"/dev/sda", "/dev/vda", "/dev/b"});
  CHECK(line.list("rancher.b") == Texts{"x", "y"});
  CHECK(line.list("rancher.c").empty());
  CHECK(line.list("rancher.none").empty());
}

TEST_CASE("cmdline: what is no number counts as absent", "[init]") {
  const Cmdline line{"rancher.a=60 rancher.b=60s rancher.c= rancher.d=99999999999999999999"};
  CHECK(line.number("rancher.a", 7) == 60);
  for (const char* key : {"rancher.b", "rancher.c", "rancher.d", "rancher.none"}) {
    CAPTURE(key);
    CHECK(line.number(key, 7) == 7);
  }
}
