// Resolving package names into a lock. apt itself does it, in a private root:
// its own lists, an empty dpkg status, and Debian's keyring, so the host's
// packages, release and architecture do not matter and every index is signed.
// Runs only for `rosbuild lock`; a build needs no apt.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "builder/fetch/lock.h"
#include "builder/fetch/proxy.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct Mirror {
  std::string debian;  // URL without a trailing slash
  std::string security;
  std::string origin = {};  // who names it: an option, a variable, a file of apt's sources
  Proxies proxies = {};     // on the way to it
  // The URL of a locked package.
  std::string url(const LockedPackage& package) const;
  std::string description() const;  // for messages
};

// `option`: what --mirror said ("URL" or "URL SECURITY-URL"), or empty. Then
// ROSBUILD_MIRROR, then the host's own apt sources below `sources` (/etc/apt), those last that are
// signed by others than Debian.
// The security archive defaults to the sibling of the same URL with "-security".
// Throws ros::Error when there is none, saying how to name one.
Mirror find_mirror(std::string_view option, const fs::path& sources = "/etc/apt");

struct WantedPackage {
  std::string name;
  ros::Position position;  // in the recipe, for messages
};

struct LockSection {
  std::string name;  // layer name, or "tools"
  std::vector<WantedPackage> packages;
  std::vector<std::string> without;  // globs over names: dropped from the closure
  std::vector<std::string> only;     // globs over names: nothing else is kept; empty: no limit
  // Earlier sections that are always below this one: their packages count as
  // installed and are not repeated. Empty for a section that stands alone
  // (base, tools, kernel).
  std::vector<std::string> below;
  // Of the request, and here for the digest.
  std::vector<std::string> suites;
  std::vector<std::string> components;

  // Of everything above, but for positions: 16 hex digits for the lock.
  std::string digest() const;
};

// Was this section of the lock made for what the section asks for now?
bool fits(const Lock& lock, const LockSection& section);

struct LockRequest {
  std::string arch;                 // "amd64"
  std::vector<std::string> suites;  // those ending in "-security" come from the security archive
  std::vector<std::string> components;
  std::vector<LockSection> sections;  // lowest first
  Mirror mirror;
  fs::path keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  fs::path scratch;  // an empty folder for apt's private root
};

// Throws ros::Error: every unknown package at once (with position and a
// suggestion), a mirror that cannot be reached, a signature that is not good.
Lock resolve(const LockRequest& request, std::stop_token stop = {});

}  // namespace rosbuild
