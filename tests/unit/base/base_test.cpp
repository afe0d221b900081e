#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <thread>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"

using namespace ros;

TEST_CASE("error: renders context, position, message and hint", "[base]") {
  Error error = Error{"unknown key 'pakages'", Error::Kind::input}
                    .at({"recipes/a.yaml", 3, 5})
                    .hint("did you mean 'packages'?");
  error.add_context("while reading the recipes");
  CHECK(std::string(error.what()) ==
        "while reading the recipes:\n  recipes/a.yaml:3:5: unknown key 'pakages'\n"
        "  hint: did you mean 'packages'?");
  CHECK(error.exit_status() == 2);
  CHECK(Error{"x", Error::Kind::network}.exit_status() == 1);
}

TEST_CASE("error: problems are thrown together, or not at all", "[base]") {
  Problems problems;
  CHECK_NOTHROW(problems.throw_if_any());
  problems.add(Error{"first"});
  problems.add(Error{"second"});
  CHECK_THROWS_WITH(problems.throw_if_any(), "first\nsecond");
}

TEST_CASE("text: globs match by component", "[base]") {
  CHECK(glob_match("usr/share/doc/**", "usr/share/doc/a/copyright"));
  CHECK(glob_match("usr/share/doc/*/copyright", "usr/share/doc/a/copyright"));
  CHECK_FALSE(glob_match("usr/share/doc/*", "usr/share/doc/a/copyright"));
  CHECK(glob_match("**/*.ko", "kernel/fs/ext4.ko"));
  CHECK(glob_match("**/*.ko", "ext4.ko"));
  CHECK_FALSE(glob_match("usr/*", "usr"));
}

TEST_CASE("text: did you mean", "[base]") {
  const std::vector<std::string> names{"packages", "files", "remove"};
  CHECK(nearest("pakages", names) == "packages");
  CHECK(nearest("fiels", names) == "files");
  CHECK_FALSE(nearest("quite-different", names));
}

TEST_CASE("text: quoting survives a shell", "[base]") {
  CHECK(quote("plain-1.0") == "plain-1.0");
  CHECK(quote("it's") == "'it'\\''s'");
  CHECK(quote("") == "''");
}

TEST_CASE("text: words are cut as a shell cuts them", "[base]") {
  using Words = std::vector<std::string>;
  CHECK(shell_words(" a  b\tc\n") == Words{"a", "b", "c"});
  CHECK(shell_words("").empty());
  CHECK(shell_words("sh -c 'a && b' \"\" ''") == Words{"sh", "-c", "a && b", "", ""});
  CHECK(shell_words("x\"a b\"'c d'y") == Words{"xa bc dy"});
  CHECK(shell_words(R"(a\ b \'c "d\"e\f\\" 'g\h')") == Words{"a b", "'c", R"(d"e\f\)", R"(g\h)"});
  CHECK(shell_words(quote(Words{"it's", "a\\b", "", "c\"d"})) == Words{"it's", "a\\b", "", "c\"d"});
  for (const char* open : {"'", "a \"b", "\"a'", "a\\"}) {
    INFO(open);
    CHECK_THROWS_AS(shell_words(open), Error);
  }
}

TEST_CASE("text: base64 takes the RFC's vectors and refuses the rest", "[base]") {
  CHECK(decode_base64("Zm9vYmFy") == "foobar");
  CHECK(decode_base64("Zm9v\nYmE=") == "fooba");
  CHECK(decode_base64("") == "");
  CHECK_FALSE(decode_base64("Zm9"));
  CHECK_FALSE(decode_base64("Zm9v!mFy"));
  CHECK_FALSE(decode_base64("Zg==Zg=="));
}

TEST_CASE("text: sizes for people", "[base]") {
  CHECK(human_size(999) == "999 B");
  CHECK(human_size(61'200'000) == "61.2 MB");
}

TEST_CASE("digest: SHA-256 of FIPS 180-4's example, and of a file", "[base]") {
  const std::string expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(sha256("abc") == expected);
  const TempDir folder;
  write_file(folder.path() / "f", "abc");
  CHECK(sha256_file(folder.path() / "f") == expected);
}

TEST_CASE("digest: UUIDs follow from the seed and have version and variant", "[base]") {
  const std::string id = uuid_from("rancheros state");
  CHECK(id == uuid_from("rancheros state"));
  CHECK(id != uuid_from("rancheros boot"));
  CHECK(id.size() == 36);
  CHECK(id[14] == '5');
  CHECK(std::string("89ab").find(id[19]) != std::string::npos);
}

TEST_CASE("file: an atomic write replaces content and mode, and leaves nothing beside", "[base]") {
  const TempDir folder;
  const fs::path path = folder.path() / "deep/file";
  write_file_atomically(path, "old");
  write_file_atomically(path, "new", 0600);
  CHECK(read_file(path) == "new");
  struct stat status = {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(std::distance(fs::directory_iterator{path.parent_path()}, fs::directory_iterator{}) == 1);
}

TEST_CASE("file: absence is an error for read_file and nothing for try_read_file", "[base]") {
  CHECK_THROWS_WITH(read_file("/nonexistent/x"), Catch::Contains("/nonexistent/x: No such file"));
  CHECK_FALSE(try_read_file("/nonexistent/x"));
}
