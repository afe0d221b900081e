// The page that people download from: one HTML file, without anything from elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rosbuild {

struct DownloadFile {
  std::string name;        // below the platform's folder
  std::uint64_t size = 0;  // bytes
  std::string sha256;
};

struct DownloadFolder {
  std::string name;  // of the platform, and of its folder beside the page
  std::string description;
  std::vector<DownloadFile> files;  // in the order to show
  bool upgrades = false;            // has release/
};

// `signer`: the public key that has signed, as in authorized_keys(5); empty: nothing is signed.
std::string download_page(const std::string& title, const std::string& version,
                          const std::vector<DownloadFolder>& folders, const std::string& signer);

}  // namespace rosbuild
