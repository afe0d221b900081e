#include "builder/load/yaml.h"

#include <catch2/catch.hpp>

#include "runtime/base/text.h"

using namespace rosbuild;

namespace {

std::string complaint(const ros::Problems& problems) {
  try {
    problems.throw_if_any();
  } catch (const ros::Error& error) {
    return error.what();
  }
  return {};
}

// What parsing alone complains about.
std::string parse_complaint(const std::string& text) {
  ros::Problems problems;
  const auto node = parse_yaml(text, "f.yaml", problems);
  CHECK((node.has_value() || !problems.empty()));
  return complaint(problems);
}

// Reads the value of `v: TEXT` with one of the read_ functions.
template <class Read>
auto read(const std::string& text, Read read, std::string* said = nullptr) {
  ros::Problems problems;
  const auto node = parse_yaml("v: " + text, "f.yaml", problems);
  REQUIRE(node);
  const auto value = read(node->members.at(0).value, problems);
  CHECK(value.has_value() == problems.empty());
  if (said != nullptr) *said = complaint(problems);
  return value;
}

template <class Read>
std::string refusal(const std::string& text, Read function) {
  std::string said;
  CHECK_FALSE(read(text, function, &said));
  return said;
}

}  // namespace

TEST_CASE("yaml: sizes are whole numbers of binary units", "[load]") {
  CHECK(read("8GiB", read_bytes) == 8ULL << 30);
  CHECK(read("512MiB", read_bytes) == 512ULL << 20);
  CHECK(read("4 KiB", read_bytes) == 4096U);
  CHECK(read("1TiB", read_bytes) == 1ULL << 40);
  CHECK(read("1000", read_bytes) == 1000U);
  CHECK(refusal("8GB", read_bytes) ==
        "f.yaml:1:4: expected a size, found '8GB'\n  hint: write 8GiB");
  CHECK(refusal("8g", read_bytes) == "f.yaml:1:4: expected a size, found '8g'\n  hint: write 8GiB");
  const std::string end = "expected a size (as 512MiB or 8GiB), found ";
  CHECK(refusal("big", read_bytes) == "f.yaml:1:4: " + end + "'big'");
  CHECK(refusal("-1MiB", read_bytes) == "f.yaml:1:4: " + end + "'-1MiB'");
  CHECK(refusal("1.5GiB", read_bytes) == "f.yaml:1:4: " + end + "'1.5GiB'");
  CHECK(refusal("99999999TiB", read_bytes) == "f.yaml:1:4: " + end + "'99999999TiB'");
  CHECK(refusal("99999999999999999999", read_bytes) ==
        "f.yaml:1:4: " + end + "'99999999999999999999'");
}

TEST_CASE("yaml: modes are octal and say so", "[load]") {
  CHECK(read("0750", read_mode) == 0750U);
  CHECK(read("\"0750\"", read_mode) == 0750U);
  CHECK(read("0o4755", read_mode) == 04755U);
  CHECK(read("00", read_mode) == 0U);
  CHECK(refusal("750", read_mode) ==
        "f.yaml:1:4: expected a file mode, found '750'\n  hint: write 0750");
  CHECK(refusal("0980", read_mode) ==
        "f.yaml:1:4: expected a file mode (octal, as 0750), found '0980'");
  CHECK(refusal("017777", read_mode) ==
        "f.yaml:1:4: expected a file mode (octal, as 0750), found '017777'");
  CHECK(refusal("rwxr-xr-x", read_mode) ==
        "f.yaml:1:4: expected a file mode (octal, as 0750), found 'rwxr-xr-x'");
}

TEST_CASE("yaml: booleans and numbers are strict, and text in quotes is neither", "[load]") {
  CHECK(read("true", read_boolean) == true);
  CHECK(read("false", read_boolean) == false);
  CHECK(refusal("yes", read_boolean) == "f.yaml:1:4: expected true or false, found 'yes'");
  CHECK(refusal("\"true\"", read_boolean) == "f.yaml:1:4: expected true or false, found 'true'");
  CHECK(read("1100", read_integer) == 1100);
  CHECK(refusal("1100x", read_integer) == "f.yaml:1:4: expected a whole number, found '1100x'");
  CHECK(refusal("1e3", read_integer) == "f.yaml:1:4: expected a whole number, found '1e3'");
  CHECK(refusal("99999999999999999999", read_integer) ==
        "f.yaml:1:4: expected a whole number, found '99999999999999999999'");
  CHECK(read("2.0", read_text)->value == "2.0");
  CHECK(refusal("[a]", read_text) == "f.yaml:1:4: expected text, found a list");
  CHECK(refusal("{a: b}", read_text) == "f.yaml:1:4: expected text, found a map");
}

TEST_CASE("yaml: an absent value is blamed on its key", "[load]") {
  ros::Problems problems;
  const auto node = parse_yaml("a: 1\nb:\n\n\nc: 2\n", "f.yaml", problems);
  REQUIRE(node);
  read_text(node->members.at(1).value, problems);
  CHECK(complaint(problems) == "f.yaml:2:1: expected text, found nothing");
}

TEST_CASE("yaml: lists of text report every wrong item", "[load]") {
  CHECK(values(*read("[a, b-c, 1]", read_texts)) == std::vector<std::string>{"a", "b-c", "1"});
  CHECK(read("[]", read_texts)->empty());
  CHECK(refusal("bash", read_texts) ==
        "f.yaml:1:4: expected a list, found 'bash'\n  hint: write [bash]");
  ros::Problems problems;
  const auto node = parse_yaml("v:\n  - ok\n  - [x]\n  - {y: z}\n", "f.yaml", problems);
  REQUIRE(node);
  const auto texts = read_texts(node->members.at(0).value, problems);
  CHECK(values(*texts) == std::vector<std::string>{"ok"});
  CHECK(complaint(problems) ==
        "f.yaml:3:5: expected text, found a list\nf.yaml:4:5: expected text, found a map");
}

TEST_CASE("yaml: unknown keys get a suggestion, missing and duplicate keys a place", "[load]") {
  ros::Problems problems;
  const auto node = parse_yaml("nam: x\nfiles: a\nfiles: b\nzzzzzzzz: 1\n", "f.yaml", problems);
  REQUIRE(node);
  MapReader reader(*node, "layer", problems);
  CHECK(reader.required_text("name").value.empty());
  CHECK(reader.text("files").value == "a");
  reader.finish();
  CHECK(complaint(problems) ==
        "f.yaml:3:1: key 'files' stands twice in one map; first in line 2\n"
        "f.yaml:1:1: layer has no 'name'\n"
        "f.yaml:1:1: unknown key 'nam' in layer\n  hint: did you mean 'name'?\n"
        "f.yaml:4:1: unknown key 'zzzzzzzz' in layer\n  hint: known: files, name");
}

TEST_CASE("yaml: something else than a map is one problem, not one a key", "[load]") {
  ros::Problems problems;
  const auto node = parse_yaml("- a\n- b\n", "f.yaml", problems);
  REQUIRE(node);
  MapReader reader(*node, "layer", problems);
  reader.required_text("name");
  reader.required_texts("packages");
  reader.finish();
  CHECK(complaint(problems) == "f.yaml:1:1: expected a map, found a list");
}

TEST_CASE("yaml: broken documents are refused with a place", "[load]") {
  CHECK(parse_complaint("a: [1, 2\nb: 3\n").starts_with("f.yaml:2:2: not valid YAML: "));
  CHECK(parse_complaint("a: 'open").starts_with("f.yaml:1:9: not valid YAML: "));
  for (const std::string open : {"'open", "\"open", "\"a\\\"", "'a''", "'a''b"})
    CHECK(parse_complaint("x: y\na: " + open + "\nb: c\n") ==
          "f.yaml:2:4: this quote is never closed");
  for (const std::string closed : {"'a'", "\"a\"", "\"a\\\"\"", "'a'''", "'a''b'", "''", "'a' # '"})
    CHECK(parse_complaint("x: y\na: " + closed + "\nb: c\n").empty());
  CHECK(parse_complaint("a: b: c\n").starts_with("f.yaml:1:"));
  CHECK(parse_complaint("\tname: x\n").starts_with("f.yaml:1:"));
  CHECK(parse_complaint("") == "f.yaml:1:1: the file is empty");
  CHECK(parse_complaint("# only a comment\n") == "f.yaml:1:1: the file is empty");
  CHECK(parse_complaint("a: 1\n---\nb: 2\n") ==
        "f.yaml:3:1: a second document; one file holds one");
  CHECK(parse_complaint(std::string("a: 1\nb: \0x\n", 10)) ==
        "f.yaml:2:1: holds a NUL byte: this is no text");
}

TEST_CASE("yaml: anchors, aliases, tags and keys that are no text are refused", "[load]") {
  CHECK(parse_complaint("a: &x [1]\nb: *x\n") ==
        "f.yaml:1:4: anchors ('&name') are not used in recipes");
  CHECK(parse_complaint("a: !!python/object x\n").find("are not used in recipes") !=
        std::string::npos);
  CHECK(parse_complaint("? [a]\n: b\n").find("a key must be text") != std::string::npos);
}

TEST_CASE("yaml: hostile documents neither crash nor hang", "[load]") {
  const auto repeat = [](const std::string& piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += piece;
    return text;
  };
  CHECK(parse_complaint(repeat("[", 100'000) + repeat("]", 100'000)) ==
        "f.yaml:1:17: nested more than 16 levels deep");
  CHECK(parse_complaint(repeat("- ", 100'000)) == "f.yaml:1:33: nested more than 16 levels deep");
  CHECK(parse_complaint(repeat("{a: ", 40'000) + repeat("}", 40'000)) ==
        "f.yaml:1:65: nested more than 16 levels deep");
  CHECK(parse_complaint(repeat("{a: ", 40'000)) ==
        "f.yaml:1:1: a key must be text (or a bracket was left open)");
  for (const auto* piece :
       {"? ",           "!",     "&a ",   "*a ", "'", "\"", "%", "|", ">", "[a,", "{a:", "\xff\xfe",
        "\xef\xbb\xbf", "---\n", "a:\n ", ": ",  "]", "}",  "@", "`", "\r"}) {
    INFO(piece);
    CHECK_NOTHROW(parse_complaint(repeat(piece, 2'000)));
  }
  CHECK(parse_complaint(repeat("a", 300'000)) == "f.yaml:1:1: larger than 256 KiB");
}

TEST_CASE("yaml: a file that cannot be read is a problem", "[load]") {
  const ros::TempDir folder;
  ros::Problems problems;
  CHECK_FALSE(load_yaml(folder.path() / "absent.yaml", problems));
  CHECK(complaint(problems).find("absent.yaml") != std::string::npos);
}
