#include "runtime/init/passphrase.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <utility>

#include "runtime/base/fd.h"
#include "runtime/init/console.h"

namespace ros {
namespace {

constexpr std::size_t kLongest = 512;  // cryptsetup(8)'s own limit for what is typed

}  // namespace

// A console that hands over each key and shows none, until destruction.
class PassphrasePrompt::Terminal {
 public:
  explicit Terminal(const std::string& name)
      : fd_{::open(("/dev/" + name).c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)} {
    if (!fd_ || ::tcgetattr(fd_.get(), &before_) != 0) {
      fd_.reset();
      return;
    }
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    ::tcsetattr(fd_.get(), TCSAFLUSH, &quiet);
  }
  Terminal(Terminal&&) = default;
  ~Terminal() {
    if (fd_) ::tcsetattr(fd_.get(), TCSAFLUSH, &before_);
  }
  int fd() const { return fd_.get(); }

  // Takes what was typed; true when a line is complete. What follows it stays for the next.
  bool read_line(std::string& line) {
    char c = 0;
    while (::read(fd_.get(), &c, 1) == 1) {
      if (c == '\r' || c == '\n') {
        line = std::exchange(typed_, {});
        return true;
      }
      if (c == 0x7f || c == '\b') {
        if (!typed_.empty()) typed_.pop_back();
      } else if (c == 0x15) {  // Ctrl-U
        typed_.clear();
      } else if (typed_.size() < kLongest) {
        typed_ += c;
      }
    }
    return false;
  }

 private:
  Fd fd_;
  termios before_{};
  std::string typed_;
};

PassphrasePrompt::PassphrasePrompt() {
  for (const auto& name : active_consoles())
    if (Terminal terminal{name}; terminal.fd() >= 0) terminals_.push_back(std::move(terminal));
}

PassphrasePrompt::~PassphrasePrompt() = default;

std::string PassphrasePrompt::ask(std::string_view prompt) {
  std::vector<pollfd> waiting;
  for (const auto& terminal : terminals_) waiting.push_back({terminal.fd(), POLLIN, 0});
  if (waiting.empty()) return {};
  announce(prompt);
  std::string line;
  for (;;) {
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return {};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents & (POLLHUP | POLLERR | POLLNVAL)) waiting[i].fd = -1;
      if ((waiting[i].revents & POLLIN) && terminals_[i].read_line(line)) return line;
    }
  }
}

}  // namespace ros
