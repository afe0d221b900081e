// Downloads, several at a time, each checked against its size and SHA-256
// while it streams in. The only user of libcurl.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct Download {
  std::string url;  // http://, https:// or file://
  std::string sha256;
  std::uint64_t size = 0;
  fs::path out;            // written as out.part, renamed when complete and right
  std::string proxy = {};  // on the way to the URL; empty: what the environment says
};

struct DownloadOptions {
  unsigned parallel = 8;
  unsigned attempts = 4;  // per file, for failures that may pass
  unsigned connect_timeout_seconds = 15;
  unsigned stall_timeout_seconds = 30;  // less than 1 kB/s for this long ends an attempt
  // Called after each complete file with the bytes so far and in all.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

// Returns when every file is there. Throws ros::Error on the first failure that
// does not pass (digest differs, gone from the mirror, mirror down, disk full),
// or Cancelled; either way no partial file is left.
void download(const std::vector<Download>& files, const DownloadOptions& options,
              std::stop_token stop = {});

}  // namespace rosbuild
