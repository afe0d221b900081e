// The one exception of the project.
//
// An Error is a sentence for the user, optionally with the place in a file it
// is about, advice ("hint"), and the outer context added while it travels up.
// Several problems found together travel as one Error made by `Problems`.
#pragma once

#include <exception>
#include <string>
#include <vector>

namespace ros {

// A place in a text file. Lines and columns count from 1; 0 means "not known".
struct Position {
  std::string file;
  int line = 0;
  int column = 0;
  bool operator==(const Position&) const = default;
};

class Error : public std::exception {
 public:
  // Only chooses the exit status: usage and input 2, all others 1.
  enum class Kind { usage, input, tool, network, internal };

  explicit Error(std::string message, Kind kind = Kind::internal);

  // "what: strerror(errno)". Reads errno before anything else.
  static Error from_errno(const std::string& what);

  // Builders, for `throw Error{"…"}.at(position).hint("…")`.
  Error&& at(Position position) &&;
  Error&& hint(std::string advice) &&;

  // Puts an outer line ("while building layer base") before the message.
  void add_context(std::string line);

  Kind kind() const noexcept { return kind_; }
  int exit_status() const noexcept;

  // The full text: context lines, "file:line:col: message", then "hint: …".
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  friend class Problems;
  void render();

  Kind kind_;
  std::string message_;
  Position position_;
  std::string hint_;
  std::vector<std::string> context_;
  std::string text_;
};

// Gathers problems of one kind so that the user sees all of them at once.
class Problems {
 public:
  void add(const Error& error);
  bool empty() const noexcept { return texts_.empty(); }
  std::size_t size() const noexcept { return texts_.size(); }
  // Throws one Error (kind input) whose text is every problem, when there is any.
  void throw_if_any() const;

 private:
  std::vector<std::string> texts_;
};

}  // namespace ros
