// The small things that every verb uses, and the one that only starts a program.
#include "runtime/ros/verbs.h"

#include <fmt/format.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/process.h"

namespace ros {

int system_docker_verb(const Arguments& arguments) {
  std::vector<std::string> argv{"docker", "-H", std::string{"unix://"} + kSystemDocker};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  exec(argv);
}

void unknown_word(const std::string& what, const std::string& word,
                  const std::vector<std::string>& known) {
  Error error{fmt::format("{}: there is no {}", what, word), Error::Kind::usage};
  const auto near = nearest(word, known);
  throw std::move(error).hint(near ? fmt::format("did you mean {}?", *near)
                                   : fmt::format("one of: {}", join(known, ", ")));
}

void require_root() {
  if (::geteuid() != 0) throw Error{"this needs root"}.hint("sudo ros …");
}

}  // namespace ros
