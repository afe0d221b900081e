// The tree, and YAML as people and attackers write it.
#include "runtime/config/value.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"

using namespace ros;

namespace {

std::string error_of(const std::string& text) {
  try {
    parse_yaml(text, "f.yml");
  } catch (const Error& error) {
    CHECK(error.exit_status() == 2);
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("json: a tree comes back with every text, in its order") {
  const std::string yaml =
      "z: {b: true, a: yes, c: \"true\"}\n"
      "numbers: [60, -500, \"60\", 0644, 1e3, 1.50, 0x10, 18446744073709551615, "
      "99999999999999999999]\n"
      "none: ~\nempty: [[], {}, \"\"]\n"
      "text: \"tab\\t, quote \\\", line\\n, \\u00e4 \\u20ac\"\n"
      "host: &all [/run:/run]\nsame: *all\n";
  const Value tree = parse_yaml(yaml, "f.yml");
  const std::string json = to_json(tree);
  CAPTURE(json);
  CHECK(json.find("\"b\": true") != std::string::npos);
  CHECK(json.find("\"c\": \"true\"") != std::string::npos);
  CHECK(json.find("-500,") != std::string::npos);
  const auto same_texts = [](const Value& one, const Value& other, const auto& self) -> bool {
    if (one.kind() != other.kind() || one.text() != other.text() ||
        one.items().size() != other.items().size() ||
        one.members().size() != other.members().size())
      return false;
    for (std::size_t i = 0; i < one.items().size(); ++i)
      if (!self(one.items()[i], other.items()[i], self)) return false;
    for (std::size_t i = 0; i < one.members().size(); ++i)
      if (one.members()[i].first != other.members()[i].first ||
          !self(one.members()[i].second, other.members()[i].second, self))
        return false;
    return true;
  };
  REQUIRE(parse_json(json));
  CHECK(same_texts(*parse_json(json), tree, same_texts));
  CHECK(same_texts(parse_yaml(json, "f.json"), tree, same_texts));  // it is YAML as well
}

TEST_CASE("json: what is none, or too deep, is nothing") {
  for (const std::string bad :
       {"", "{", "{\"a\":1", "{\"a\":1}x", "{a: 1}", "[1,]", "\"\x01\"", "\"\xff\""}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_json(bad));
  }
  CHECK(parse_json(std::string(32, '[') + std::string(32, ']')));
  CHECK_FALSE(parse_json(std::string(33, '[') + std::string(33, ']')));
  CHECK_FALSE(parse_json(std::string(1'000'000, '[')));
  CHECK(parse_json(R"({"a": 1, "a": 2})")->find("a")->text() == "1");
}

TEST_CASE("a value knows where it stands") {
  const Value tree = parse_yaml("a: 1\nb:\n  c: [x, y]\n", "f.yml");
  REQUIRE(tree.find_path("b.c"));
  CHECK(tree.find_path("b.c")->position() == Position{"f.yml", 3, 3});
  CHECK(tree.find_path("b.c")->as_texts() == std::vector<std::string>{"x", "y"});
  CHECK_FALSE(tree.find_path("b.c.d"));
  CHECK_FALSE(tree.find_path("a.b"));
}

TEST_CASE("scalars mean what the reader asks for") {
  const Value tree = parse_yaml("mode: 0644\nyes: yes\nnone: ~\ntext: \"~\"\nhex: 0x1f\n", "f");
  CHECK(tree.find("mode")->text() == "0644");
  CHECK(tree.find("mode")->as_int() == 644);
  CHECK(tree.find("yes")->as_bool() == true);
  CHECK(tree.find("none")->is_null());
  CHECK(tree.find("text")->text() == "~");
  CHECK(tree.find("hex")->as_int() == 31);
  CHECK_FALSE(Value::scalar("12x").as_int());
  CHECK_FALSE(Value::scalar("99999999999999999999").as_int());
  CHECK_FALSE(Value::scalar("maybe").as_bool());
}

TEST_CASE("a merge goes into maps and replaces lists") {
  Value base = parse_yaml("a: {x: 1, y: [1, 2]}\nb: text\n", "base");
  merge(base, parse_yaml("a: {y: [3], z: 4}\nb: {c: 5}\n", "over"));
  CHECK(base.find_path("a.x")->text() == "1");
  CHECK(base.find_path("a.y")->as_texts() == std::vector<std::string>{"3"});
  CHECK(base.find_path("a.z")->position().file == "over");
  CHECK(base.find_path("b.c")->text() == "5");
}

TEST_CASE("a merge of nothing leaves a map as it is, and takes away texts and lists") {
  Value base = parse_yaml("a: {x: 1, y: {z: 2}}\nb: text\nc: [1]\n", "base");
  merge(base, parse_yaml("a:\n  # x: 5\nb:\nc:\nd:\n", "over"));
  CHECK(base.find_path("a.y.z")->text() == "2");
  CHECK(base.find("b")->is_null());
  CHECK(base.find("c")->is_null());
  CHECK(base.find("d")->is_null());
  merge(base, parse_yaml("a: {x: null, y: null}\n", "over"));
  CHECK(base.find_path("a.x")->is_null());
  CHECK(base.find_path("a.y.z")->text() == "2");
  merge(base, parse_yaml("a: {y: {}}\n", "over"));
  CHECK(base.find_path("a.y.z")->text() == "2");
  merge(base, Value{});
  CHECK(base.members().size() == 4);
}

TEST_CASE("paths can be set and erased") {
  Value tree;
  tree.set_path("a.b.c", Value::scalar("1"));
  tree.set_path("a.b", Value::scalar("2"));
  CHECK(tree.find_path("a.b")->text() == "2");
  CHECK(tree.erase_path("a.b"));
  CHECK_FALSE(tree.erase_path("a.b"));
  CHECK_FALSE(tree.erase_path("x.y"));
}

TEST_CASE("what is written reads back the same") {
  Value tree = Value::map();
  for (const char* text :
       {"",           "plain", "0644",    "true",    "~",     "null",  "- x",
        "a: b",       "a #b",  " lead",   "trail ",  "'q'",   "\"q\"", "line\nline\n",
        "line\nline", "\n",    "\n\nx\n", " x\ny\n", "x\n\n", "\t",    "\x01",
        "ä",          "{",     "%",       "@",       "`",     "*a",    "&a",
        "!a",         "|",     ">",       "?",       "a:",    ":",     "=",
        "<<",         "1e3"}) {
    tree.set(text, Value::scalar(text, false));
  }
  tree.set("empty list", Value::list());
  tree.set("empty map", Value::map());
  tree.set("none", Value{});
  tree.set("deep", Value::list({Value::list({Value::scalar("x")}), Value::map()}));
  const std::string once = to_yaml(tree);
  const Value again = parse_yaml(once, "f");
  REQUIRE(again.members().size() == tree.members().size());
  for (std::size_t i = 0; i < tree.members().size(); ++i) {
    CAPTURE(tree.members()[i].first, once);
    CHECK(again.members()[i].first == tree.members()[i].first);
    CHECK(again.members()[i].second.text() == tree.members()[i].second.text());
    CHECK(again.members()[i].second.kind() == tree.members()[i].second.kind());
  }
  CHECK(to_yaml(again) == once);
}

TEST_CASE("plain numbers stay plain and quoted ones stay quoted") {
  CHECK(to_yaml(parse_yaml("a: 10\nb: \"10\"\nc: true\nd: \"true\"\n", "f")) ==
        "a: 10\nb: \"10\"\nc: true\nd: \"true\"\n");
}

TEST_CASE("every escape of YAML becomes text that can be read again") {
  const Value tree = parse_yaml("a: \"\\N\\_\\L\\P\\x85\\u00e9\\N\"\n", "f");
  CHECK(tree.find("a")->text() ==
        "\xc2\x85\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9\xc2\x85\xc3\xa9\xc2\x85");
  CHECK(parse_yaml(to_yaml(tree), "f").find("a")->text() == tree.find("a")->text());
}

TEST_CASE("bad YAML is refused with its place") {
  CHECK(error_of("a: [1, 2\n").find("f.yml:") == 0);
  CHECK(error_of("a:\n  b: 1\n c: 2\n").find("f.yml:3:") == 0);
  CHECK(error_of("a: 1\na: 2\n").find("f.yml:2:1: the key a is given twice") == 0);
  CHECK(error_of("? [x]\n: y\n").find("f.yml:1:") == 0);
  CHECK(error_of("a: *missing\n").find("f.yml:1:") == 0);
  CHECK(error_of("a: 1\n---\nb: 2\n").find("one document") != std::string::npos);
  CHECK_FALSE(error_of("a: \"\\xzz\"\n").empty());
}

TEST_CASE("aliases, depth and size are bounded") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  CHECK(error_of(bomb).find("too many values") != std::string::npos);
  CHECK_FALSE(error_of(std::string(200, '[') + std::string(200, ']')).empty());
  CHECK_FALSE(error_of(std::string(100'000, '[')).empty());
  CHECK(error_of(std::string((4u << 20) + 1, '#')).find("4 MiB") != std::string::npos);
}

TEST_CASE("an alias of a long text is bounded by what it makes of it") {
  std::string bomb = "a: &a " + std::string(100'000, 'x') + "\nb:\n";
  for (int i = 0; i < 200; ++i) bomb += "  - *a\n";
  CHECK(error_of(bomb).find("f.yml:84:5: too much text") == 0);
}

TEST_CASE("an alias of the value that it is part of is refused with its place") {
  CHECK(error_of("a: &x [*x]\n").find("f.yml:1:8: an alias of the value") == 0);
  CHECK(error_of("a: &x\n  b: &y\n    c: [1, *x]\n").find("f.yml:3:12: an alias") == 0);
  CHECK(error_of("&x a: *x\n").empty());  // a key is no parent
}

TEST_CASE("an alias is a copy, wherever it stands") {
  const Value tree = parse_yaml("a: &a {k: [1]}\nb: *a\nc: [*a, *a]\nd: &d e\n*d : f\n", "f");
  CHECK(to_yaml(tree) ==
        "a:\n  k:\n    - 1\nb:\n  k:\n    - 1\nc:\n  - k:\n      - 1\n  - k:\n      - 1\n"
        "d: e\ne: f\n");
}

TEST_CASE("a key is bounded, so that what is written can be read again") {
  CHECK(error_of("a: 1\n" + std::string(251, 'k') + ": 2\n")
            .find("f.yml:2:1: this key is too long") == 0);
  std::string key;
  for (int i = 0; i < 250; ++i) key += '\x01';
  Value tree = Value::map();
  tree.set(key, Value::scalar("x"));
  const Value again = parse_yaml(to_yaml(tree), "f");
  REQUIRE(again.members().size() == 1);
  CHECK(again.members()[0].first == key);
}

TEST_CASE("nesting is bounded, through aliases too") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + "x" + std::string(depth, ']');
  };
  CHECK(error_of(nested(60)).empty());
  CHECK(error_of(nested(70)).find("f.yml:1:66: nested too deeply") == 0);
  CHECK(error_of("a: &a " + nested(40) + "\nb: [[[[*a]]]]\n").empty());
  CHECK(error_of("a: &a " + nested(40) + "\nb: " + std::string(30, '[') + "*a" +
                 std::string(30, ']') + "\n")
            .find("f.yml:2:34: nested too deeply") == 0);
}

TEST_CASE("what is no text is refused with its place") {
  const auto with = [](std::string_view bytes) { return "a: 1\nb: x" + std::string{bytes} + "\n"; };
  for (const std::string_view bytes :
       {std::string_view{"\0", 1}, std::string_view{"\x04"}, std::string_view{"\x1b"}}) {
    CHECK(error_of(with(bytes)).find("f.yml:2:5: a control character is not allowed") == 0);
  }
  // A byte alone, cut short, overlong, a surrogate, past the last character.
  for (const std::string_view bytes :
       {"\xff", "\x80", "\xc3", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xf5\x80\x80\x80"}) {
    CHECK(error_of(with(bytes)).find("f.yml:2:5: this is not UTF-8 text") == 0);
  }
  CHECK(error_of(with("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xae")).empty());
  CHECK(error_of("\xef\xbb\xbf"
                 "a: 1\r\n")
            .empty());  // with a byte order mark
}

TEST_CASE("nothing at all is nothing") {
  CHECK(parse_yaml("", "f").is_null());
  CHECK(parse_yaml("#cloud-config\n", "f").is_null());
}
