#include "runtime/base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ros {

Error::Error(std::string message, Kind kind) : kind_(kind), message_(std::move(message)) {
  render();
}

Error Error::from_errno(const std::string& what) {
  const int code = errno;
  return Error{fmt::format("{}: {}", what, std::strerror(code))};
}

Error&& Error::at(Position position) && {
  position_ = std::move(position);
  render();
  return std::move(*this);
}

Error&& Error::hint(std::string advice) && {
  hint_ = std::move(advice);
  render();
  return std::move(*this);
}

void Error::add_context(std::string line) {
  context_.insert(context_.begin(), std::move(line));
  render();
}

int Error::exit_status() const noexcept {
  return kind_ == Kind::usage || kind_ == Kind::input ? 2 : 1;
}

void Error::render() {
  text_.clear();
  for (const auto& line : context_) text_ += line + ":\n  ";
  if (!position_.file.empty()) {
    text_ += position_.file;
    if (position_.line > 0) text_ += fmt::format(":{}:{}", position_.line, position_.column);
    text_ += ": ";
  }
  text_ += message_;
  if (!hint_.empty()) text_ += "\n  hint: " + hint_;
}

void Problems::add(const Error& error) { texts_.emplace_back(error.what()); }

void Problems::throw_if_any() const {
  if (texts_.empty()) return;
  std::string all;
  for (const auto& text : texts_) {
    if (!all.empty()) all += '\n';
    all += text;
  }
  throw Error{all, Error::Kind::input};
}

}  // namespace ros
