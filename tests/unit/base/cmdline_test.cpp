#include "runtime/base/cmdline.h"

#include <catch2/catch.hpp>

using namespace ros;
using Texts = std::vector<std::string>;

namespace {

// "name=value" of each parameter.
Texts words_of(std::string_view line) {
  const Cmdline cmdline{line};
  Texts words;
  for (const auto& parameter : cmdline.parameters())
    words.push_back(parameter.name + (parameter.assigned ? "=" + parameter.value : ""));
  return words;
}

}  // namespace

TEST_CASE("cmdline: quotes protect blanks and are dropped", "[base]") {
  CHECK(words_of("quiet  a=\"b c\"\td 'e f'\n") == Texts{"quiet", "a=b c", "d", "e f"});
  CHECK(words_of("\"cc.hostname=my box\" x='y z'") == Texts{"cc.hostname=my box", "x=y z"});
  CHECK(words_of(" \n").empty());
}

TEST_CASE("cmdline: an escaped quote is a character", "[base]") {
  CHECK(words_of(R"(a=it\'s b=\"c d)") == Texts{"a=it's", "b=\"c", "d"});
  CHECK(words_of(R"(a="x \"y\" z" b)") == Texts{"a=x \"y\" z", "b"});
  CHECK(words_of(R"(a=[\"x\", \"y\"])") == Texts{"a=[\"x\", \"y\"]"});
}

TEST_CASE("cmdline: a list in brackets is one word", "[base]") {
  CHECK(words_of("x=[a, b] y") == Texts{"x=[a, b]", "y"});
  CHECK(words_of("x=[[a, b], c] y={k: v} z") == Texts{"x=[[a, b], c]", "y={k: v}", "z"});
  CHECK(words_of("x[1 ] y") == Texts{"x[1", "]", "y"});
  CHECK(words_of("x=[a, ' ]'] y") == Texts{"x=[a, ' ]']", "y"});
}

TEST_CASE("cmdline: what is never closed does not swallow the line", "[base]") {
  CHECK(words_of("x=[a, b y=1 z") == Texts{"x=[a,", "b", "y=1", "z"});
  CHECK(words_of("rancher.password=it's quiet") == Texts{"rancher.password=it's", "quiet"});
  CHECK(words_of("a=\"never closed") == Texts{"a=\"never", "closed"});
  CHECK(Cmdline{"rancher.modules=[a rancher.debug"}.flag("rancher.debug"));
}

TEST_CASE("cmdline: of equal names the last counts, and all can be had", "[base]") {
  const Cmdline line{"console=tty1 rancher.a=1 cc.b='2' rancher.a=3 console=ttyS0,115200 console"};
  CHECK(line.get("rancher.a") == "3");
  CHECK(line.get("cc.b") == "2");
  CHECK(line.get("rancher.none", "other") == "other");
  CHECK_FALSE(line.has("rancher"));
  CHECK(line.all("console") == Texts{"tty1", "ttyS0,115200"});
}

TEST_CASE("cmdline: what follows -- counts and is kept as written", "[base]") {
  const Cmdline line{"quiet rancher.a=1 -- rancher.a=2  x=\"y z\" -- last\n"};
  CHECK(line.get("rancher.a") == "2");
  CHECK(line.get("x") == "y z");
  CHECK(line.extra() == "rancher.a=2  x=\"y z\" -- last");
  CHECK(Cmdline{"a --b=c"}.extra().empty());
  CHECK(Cmdline{"a --"}.extra().empty());
}

TEST_CASE("cmdline: flags", "[base]") {
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

TEST_CASE("cmdline: lists with and without brackets", "[base]") {
  const Cmdline line{"rancher.a=[/dev/sda, \"/dev/vda\" ,'/dev/b'] rancher.b=x,,y rancher.c=[]"};
  CHECK(line.list("rancher.a") == Texts{"/dev/sda", "/dev/vda", "/dev/b"});
  CHECK(line.list("rancher.b") == Texts{"x", "y"});
  CHECK(line.list("rancher.c").empty());
  CHECK(line.list("rancher.none").empty());
}

TEST_CASE("cmdline: what is no number counts as absent", "[base]") {
  const Cmdline line{"rancher.a=60 rancher.b=60s rancher.c= rancher.d=99999999999999999999"};
  CHECK(line.number("rancher.a", 7) == 60);
  for (const char* key : {"rancher.b", "rancher.c", "rancher.d", "rancher.none"}) {
    CAPTURE(key);
    CHECK(line.number(key, 7) == 7);
  }
}

TEST_CASE("cmdline: 64 KiB are read, whatever they hold", "[base]") {
  constexpr std::size_t kSize = 64 << 10;
  std::string many;
  while (many.size() < kSize) many += "rancher.modules=[a, b] ";
  CHECK(Cmdline{many}.parameters().size() == many.size() / 23);
  const std::string one = "cc.hostname=" + std::string(kSize, 'x');
  CHECK(Cmdline{one}.get("cc.hostname").size() == kSize);
  for (const std::string_view piece : {"x=[ ", "x=\" ", "x='", "[", "\\\"", "-- ", "="}) {
    CAPTURE(piece);
    std::string line;
    while (line.size() < kSize) line += piece;
    CHECK(Cmdline{line + " rancher.debug"}.has("rancher.debug"));
  }
  CHECK(Cmdline{std::string_view{"a\0rancher.b\0\xff\xfe", 13}}.has("rancher.b"));
}
