// The kernel command line, as far as it is for the operating system: keys that
// start with "rancher." or "cc.". Values may be quoted, lists stand in brackets
// ("rancher.state.autoformat=[/dev/sda,/dev/vda]"), a key without a value is true.
// What follows " -- " belongs to init alone and counts as well; of two equal
// keys the later wins.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ros {

class Cmdline {
 public:
  Cmdline() = default;
  explicit Cmdline(std::string_view text, const std::vector<std::string>& arguments = {});

  std::string get(const std::string& key, std::string_view otherwise = {}) const;
  bool has(const std::string& key) const { return values_.contains(key); }
  bool flag(const std::string& key) const;  // true, yes, on, 1 and the bare key
  // The elements of "[a, b]" or of "a,b"; blanks and quotes around them are dropped.
  std::vector<std::string> list(const std::string& key) const;
  long number(const std::string& key, long otherwise) const;

 private:
  void add(std::string_view word);
  std::map<std::string, std::string> values_;
};

// The words of a command line as the kernel takes them apart: double quotes
// protect blanks and are dropped.
std::vector<std::string> cmdline_words(std::string_view text);

}  // namespace ros
