#include "runtime/ros/release_signature.h"

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/release.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr const char* kSigner = "release";  // ssh-keygen wants a name for whoever holds the keys

// ALLOWED SIGNERS of ssh-keygen(1).
std::string allowed_signers(const std::vector<std::string>& keys) {
  std::string lines;
  for (const auto& key : keys) {
    const auto fields = words(key);
    if (fields.size() < 2 || !decode_base64(fields[1]))
      throw Error{fmt::format("rancher.upgrade.keys: '{}' is no public key of ssh", key),
                  Error::Kind::input};
    lines +=
        fmt::format("{} namespaces=\"{}\" {} {}\n", kSigner, kIndexNamespace, fields[0], fields[1]);
  }
  return lines;
}

}  // namespace

void check_signature(std::string_view index, std::string_view signature,
                     const std::vector<std::string>& keys) {
  const TempDir folder;
  const fs::path signers = folder.path() / "signers";
  const fs::path file = folder.path() / kIndexSignature;
  write_file(signers, allowed_signers(keys));
  write_file(file, signature);
  const auto checked = try_program({"ssh-keygen", "-Y", "verify", "-f", signers.string(), "-I",
                                    kSigner, "-n", kIndexNamespace, "-s", file.string()},
                                   index);
  if (checked.status != 0)
    throw Error{fmt::format("the index is not signed by a key of rancher.upgrade.keys: {}",
                            trim(checked.output))}
        .hint("nothing was changed; who publishes the releases knows the right key");
}

std::vector<std::string> signers_of(const Config& config) {
  config.require_whole("rancher.upgrade");
  return config.texts("rancher.upgrade.keys");
}

}  // namespace ros
