// The documents tell the truth about what can be checked: folders and links.
#include <catch2/catch.hpp>
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
