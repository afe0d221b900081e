// What the engines print, in files of bounded size.
//
// They start before /var/log is there, and live for years: their output comes
// through pipes, is kept in memory at first, and written to NAME.log, which
// becomes NAME.log.1 when it is large.
#pragma once

#include <memory>
#include <string>

#include "runtime/base/file.h"

namespace ros {

class EngineLog {
 public:
  EngineLog();
  // The write end of the pipe for the program `name`; it lives as long as the system.
  int writer(const std::string& name);
  // Opens the files: what was kept is written there, and all that follows.
  void write_to(const fs::path& folder);
  // Closes the files for good, so that their file system can be unmounted.
  void close();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace ros
