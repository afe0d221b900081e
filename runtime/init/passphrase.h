// A passphrase typed at any console of the machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ros {

// From its making to its end no console shows what is typed, also between two
// questions: a passphrase may be typed ahead.
class PassphrasePrompt {
 public:
  PassphrasePrompt();
  ~PassphrasePrompt();

  // Shows `prompt` on every console and waits, without a limit, until a line is typed
  // on one of them. "" for an empty line, or when no console can be read.
  std::string ask(std::string_view prompt);

 private:
  class Terminal;
  std::vector<Terminal> terminals_;
};

}  // namespace ros
