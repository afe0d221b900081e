// User-data in all the shapes that clouds hand over.
#include "runtime/ros/user_data.h"

#include <catch2/catch.hpp>
#include <map>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/value.h"
#include "runtime/ros/mime.h"
#include "runtime/ros/process.h"

using namespace ros;
using Texts = std::vector<std::string>;

namespace {

struct Split {
  UserDataParts parts;
  Texts problems;
};

Split split_with(const std::string& text, const std::map<std::string, std::string>& web = {}) {
  Split split;
  split.parts = split_user_data(
      text, "test",
      [&](const std::string& url) {
        const auto found = web.find(url);
        if (found == web.end()) throw Error{"the server answered 404"};
        return found->second;
      },
      split.problems);
  return split;
}

std::string gzip(const std::string& text) { return capture({"gzip", "-c"}, text); }

std::string value(const std::string& config, const char* path) {
  const Value tree = parse_yaml(config, "merged");
  const Value* found = tree.find_path(path);
  return found ? found->text() : "-";
}

const std::string kMessage =
    "MIME-Version: 1.0\n"
    "Content-Type: multipart/mixed;\n"
    " boundary=\"==limit==\"\n"
    "\n"
    "This is for people.\n"
    "--==limit==\n"
    "Content-Type: text/cloud-config; charset=\"utf-8\"\n"
    "\n"
    "#cloud-config\n"
    "hostname: first\n"
    "rancher: {sysctl: {a: \"1\"}}\n"
    "--==limit==\n"
    "Content-Type: text/x-shellscript\n"
    "Content-Transfer-Encoding: base64\n"
    "\n"
    "IyEvYmluL3No\n"
    "CmVjaG8gaGkK\n"
    "--==limit==  \n"
    "content-type: TEXT/plain\n"
    "content-transfer-encoding: quoted-printable\n"
    "\n"
    "#cloud-config\n"
    "hostname: sec=\n"
    "ond\n"
    "rancher: {sysctl: {b: =222=22}}\n"
    "--==limit==--\n"
    "An epilogue.\n";

}  // namespace

TEST_CASE("user-data: one cloud-config or script stays as it is") {
  const std::string config = "#cloud-config\n# a comment\nhostname:   a\n";
  CHECK(split_with(config).parts.config == config);
  CHECK(split_with(gzip(config)).parts.config == config);
  CHECK(split_with("\xef\xbb\xbf" + config).parts.config == config);
  CHECK(split_with("hostname: no-header\n").parts.config == "hostname: no-header\n");
  CHECK(split_with("#cloud-config\r\nhostname: dos\r\n").parts.config ==
        "#cloud-config\nhostname: dos\n");
  const Split script = split_with("#!/bin/sh\r\necho\r\n");
  CHECK(script.parts.scripts == Texts{"#!/bin/sh\necho\n"});
  CHECK(script.parts.config.empty());
  const std::string archive{"#!/bin/sh\nexit\n\0\r\n\xff", 18};
  CHECK(split_with(archive).parts.scripts == Texts{archive});
  CHECK(value(split_with("#compose\nweb: {image: x}\n").parts.config,
              "rancher.services.web.image") == "x");
  for (const char* nothing : {"", "\n \n"}) {
    const Split split = split_with(nothing);
    CHECK(split.parts.config.empty());
    CHECK(split.parts.scripts.empty());
    CHECK(split.problems.empty());
  }
}

TEST_CASE("user-data: the parts of a message are merged in order, scripts are kept") {
  for (const auto& message : {kMessage, replace_all(kMessage, "\n", "\r\n"), gzip(kMessage)}) {
    const Split split = split_with(message);
    for (const auto& problem : split.problems) FAIL_CHECK(problem);
    CHECK(value(split.parts.config, "hostname") == "second");
    CHECK(value(split.parts.config, "rancher.sysctl.a") == "1");
    CHECK(value(split.parts.config, "rancher.sysctl.b") == "2");
    CHECK(split.parts.scripts == Texts{"#!/bin/sh\necho hi\n"});
  }
}

TEST_CASE("user-data: a gzipped part and a message in a message") {
  const std::string inner =
      "Content-Type: multipart/mixed; boundary=in\n\n--in\nContent-Type: text/x-shellscript\n\n"
      "#!/bin/sh\n--in--\n";
  const std::string message = "Content-Type: multipart/mixed; boundary=\"out er\"\n\n--out er\n" +
                              inner + "\n--out er\nContent-Type: application/gzip\n\n" +
                              gzip("#cloud-config\nhostname: packed\n") + "\n--out er--";
  const Split split = split_with(message);
  for (const auto& problem : split.problems) FAIL_CHECK(problem);
  CHECK(split.parts.scripts == Texts{"#!/bin/sh"});
  CHECK(value(split.parts.config, "hostname") == "packed");
}

TEST_CASE("user-data: what is wrong is named and left out, the rest counts") {
  const auto with_part = [](const std::string& headers, const std::string& body) {
    return split_with(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/cloud-config\n\n"
        "hostname: good\n--b\n" +
        headers + "\n" + body + "\n--b--\n");
  };
  const auto check = [](const Split& split, const std::string& problem) {
    CAPTURE(problem);
    CHECK(value(split.parts.config, "hostname") == "good");
    REQUIRE(split.problems.size() == 1);
    CHECK_THAT(split.problems[0], Catch::Contains("test, part 2") && Catch::Contains(problem));
  };
  check(with_part("Content-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n", "%%"),
        "no valid base64");
  check(with_part("Content-Type: text/jinja2\n", "## template: jinja"), "text/jinja2");
  check(with_part("", "#cloud-boothook\n"), "#cloud-boothook");
  check(with_part("Content-Type: text/x-shellscript\n", "echo no first line"), "#!");
  check(with_part("Content-Type: text/cloud-config\n", "a: ["), ":");
  check(with_part("Content-Type: text/cloud-config\n", "- a list"), "no cloud-config");
  check(with_part("Content-Type: multipart/mixed\n", "x"), "boundary");
  check(with_part("", "\x1f\x8b no gzip"), "decompressed");

  const auto cut = kMessage.find("hostname: sec");
  const Split truncated = split_with(kMessage.substr(0, cut));
  CHECK(value(truncated.parts.config, "hostname") == "first");
  CHECK(truncated.problems == Texts{"test: ends in the middle of part 3"});
  for (std::size_t size = 0; size < kMessage.size(); ++size) {
    split_with(kMessage.substr(0, size));  // no crash, wherever it is cut
  }
  CHECK(split_with("## template: jinja\nhostname: x\n").problems.size() == 1);
  CHECK(split_with("<!DOCTYPE html>\n<p>Please log in").problems.size() == 1);
  CHECK(split_with("Content-Type: text/plain\n\n#!/bin/sh\n").parts.scripts.size() == 1);
}

TEST_CASE("user-data: a bomb is not unpacked") {
  const Split split = split_with(gzip(std::string(kMaxUnpacked + 1, ' ')));
  REQUIRE(split.problems.size() == 1);
  CHECK_THAT(split.problems[0], Catch::Contains("larger than"));
}

TEST_CASE("user-data: includes are fetched in order, each of any kind") {
  const std::map<std::string, std::string> web{
      {"http://192.0.2.1/config", "#cloud-config\nhostname: web\n"},
      {"http://192.0.2.1/script", gzip("#!/bin/sh\n")},
      {"https://example.com/more", "#include\nhttp://192.0.2.1/config\n"},
      {"http://192.0.2.1/loop", "#include http://192.0.2.1/loop\n"},
      {"http://192.0.2.1/bomb", "#include\nhttp://192.0.2.1/bomb\nhttp://192.0.2.1/bomb\n"},
  };
  const Split split =
      split_with("#include\n# first\nhttp://192.0.2.1/script\n\nhttps://example.com/more\n", web);
  CHECK(split.problems.empty());
  CHECK(split.parts.scripts == Texts{"#!/bin/sh\n"});
  CHECK(value(split.parts.config, "hostname") == "web");
  CHECK(split_with("#include-once http://192.0.2.1/script", web).parts.scripts.size() == 1);
  CHECK(split_with("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
                   "Content-Type: text/x-include-url\n\nhttp://192.0.2.1/config\n--b--\n",
                   web)
            .parts.config == "#cloud-config\nhostname: web\n");

  CHECK(split_with("#include\nhttp://192.0.2.1/gone\n", web).problems ==
        Texts{"test: #include http://192.0.2.1/gone: the server answered 404"});
  CHECK(split_with("#include\nfile:///etc/shadow\n", web).problems ==
        Texts{"test: #include file:///etc/shadow: only http and https"});
  const Split loop = split_with("#include\nhttp://192.0.2.1/loop\n", web);
  REQUIRE(loop.problems.size() == 1);
  CHECK_THAT(loop.problems[0], Catch::EndsWith("nested too deeply"));
  CHECK_FALSE(split_with("#include\nhttp://192.0.2.1/bomb\n", web).problems.empty());
}

TEST_CASE("user-data: it is known beforehand whether the network is needed") {
  CHECK(needs_network("#include\nhttp://192.0.2.1/x\n"));
  CHECK(needs_network(gzip("#include http://192.0.2.1/x\n")));
  CHECK_FALSE(needs_network("#include\n# nothing\n"));
  CHECK_FALSE(needs_network(kMessage));
  CHECK_FALSE(needs_network(""));
  Texts problems;
  CHECK(split_user_data("#include\nhttp://192.0.2.1/x\n", "test", {}, problems).config.empty());
  CHECK(problems.empty());
}

TEST_CASE("user-data: transfer encodings are undone or refused") {
  const auto body = [](const char* encoding, const char* text) {
    return decoded_body({"", "", encoding, text});
  };
  CHECK(body("quoted-printable", "a=3D=\nb =c3=A4 \n=zz") == "a=b \xc3\xa4\n=zz");
  CHECK(body("8bit", "x") == "x");
  CHECK_FALSE(body("x-uuencode", "x"));
  CHECK_FALSE(body("base64", "a"));
}
