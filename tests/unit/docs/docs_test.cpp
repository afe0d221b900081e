// The documents tell the truth about what can be checked: folders and links.
#include <catch2/catch.hpp>
#include <map>
#include <regex>

#include "runtime/base/file.h"
#include "runtime/base/text.h"

namespace fs = ros::fs;

namespace {

const fs::path kRoot{SOURCE_DIR};

// Every match of `pattern`'s first group in the text.
std::vector<std::string> all_matches(const std::string& text, const std::string& pattern) {
  const std::regex regex{pattern};
  std::vector<std::string> result;
  for (std::sregex_iterator match{text.begin(), text.end(), regex}, end; match != end; ++match)
    result.push_back((*match)[1]);
  return result;
}

}  // namespace

TEST_CASE("docs: every folder and file that architecture.md names exists", "[docs]") {
  const std::string text = ros::read_file(kRoot / "docs/architecture.md");
  const auto names = all_matches(text,
                                 "`((?:builder|runtime|recipes|platforms|kernel-configs|tests|ci|"
                                 "docs)(?:/[A-Za-z0-9_./-]*)?)`");
  REQUIRE(names.size() > 15);
  for (const auto& name : names) {
    INFO(name);
    CHECK(fs::exists(kRoot / name));
  }
}

TEST_CASE("docs: every source folder is in architecture.md", "[docs]") {
  const std::string text = ros::read_file(kRoot / "docs/architecture.md");
  for (const char* part : {"builder", "runtime"})
    for (const auto& entry : fs::directory_iterator(kRoot / part)) {
      if (!fs::is_directory(entry.path())) continue;
      const std::string name = std::string{part} + "/" + entry.path().filename().string();
      INFO(name);
      CHECK(text.find("`" + name + "`") != std::string::npos);
    }
}

TEST_CASE("docs: architecture.md is one page", "[docs]") {
  CHECK(ros::split(ros::read_file(kRoot / "docs/architecture.md"), '\n').size() <= 80);
}

TEST_CASE("docs: links between the documents lead somewhere", "[docs]") {
  for (const char* file :
       {"README.md", "docs/architecture.md", "docs/decisions.md", "docs/testing.md"}) {
    const std::string text = ros::read_file(kRoot / file);
    for (const auto& link : all_matches(text, "\\]\\(([^)#:]+)\\)")) {
      INFO(file << " -> " << link);
      CHECK(fs::exists((kRoot / file).parent_path() / link));
    }
  }
}

// Whoever reads that a row is proved by a boot must see whether CI boots it.
TEST_CASE("docs: conformance.md says which boot tests only the matrix has", "[docs]") {
  std::map<std::string, bool> only_matrix;  // by title
  for (const auto& entry : fs::directory_iterator(kRoot / "tests/boot")) {
    const std::string text = ros::read_file(entry.path());
    const std::regex test{"TEST_CASE\\(\\s*\"([^\"]+)\"\\s*,\\s*\"([^\"]+)\""};
    for (std::sregex_iterator match{text.begin(), text.end(), test}, end; match != end; ++match)
      only_matrix[(*match)[1]] = (*match)[2].str().find("[matrix]") != std::string::npos;
  }
  REQUIRE(only_matrix.size() > 40);
  const std::string table = ros::read_file(kRoot / "docs/conformance.md");
  const std::regex quoted{"[\"`]([a-z]+: [^\"`…]{8,}?)[ ,.]*…?[\"`]( \\(matrix\\))?"};
  std::size_t found = 0;
  for (std::sregex_iterator match{table.begin(), table.end(), quoted}, end; match != end; ++match) {
    const std::string title = (*match)[1];
    const auto test = only_matrix.lower_bound(title);
    if (test == only_matrix.end() || !test->first.starts_with(title)) continue;
    INFO(title);
    CHECK((*match)[2].matched == test->second);
    ++found;
  }
  CHECK(found > 40);
}
