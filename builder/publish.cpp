// The verb publish: checks what was built, says which version it is, and signs it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "builder/build.h"
#include "builder/load/platform.h"
#include "builder/os/process.h"
#include "builder/pack/stream.h"
#include "builder/publish/page.h"
#include "builder/publish/release.h"
#include "runtime/base/error.h"
#include "runtime/base/release.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr const char* kFileNamespace = "file";  // what ssh-keygen(1) suggests for files

std::vector<fs::path> built_folders(const fs::path& output) {
  std::vector<fs::path> found;
  if (fs::is_directory(output))
    for (const auto& entry : fs::directory_iterator(output))
      if (fs::exists(entry.path() / kChecksums)) found.push_back(entry.path());
  if (found.empty())
    throw Error{fmt::format("{} has no folder with a {}", output.string(), kChecksums),
                Error::Kind::usage}
        .hint("`rosbuild image --platform all` fills it");
  std::ranges::sort(found);
  return found;
}

// Every file that the list names, as it is now. What lies in release/ is for boxes, not for people,
// and the version is in the heading.
DownloadFolder checked(const fs::path& folder, ros::Problems& problems) {
  DownloadFolder found{.name = folder.filename().string()};
  for (const auto& [name, sha256] : read_checksums(folder)) {
    const fs::path path = folder / name;
    if (!fs::is_regular_file(path) || sha256_sparse(path.string()) != sha256) {
      problems.add(Error{fmt::format("{} is not what {} says", path.string(), kChecksums)});
    } else if (name.starts_with("release/")) {
      found.upgrades = true;
    } else if (name != kVersion) {
      found.files.push_back({name, fs::file_size(path), sha256});
    }
  }
  return found;
}

// What was built by other recipes must not be offered, and signed, as what these build.
void check_version(const fs::path& folder, const std::string& version, ros::Problems& problems) {
  const auto check = [&](const fs::path& file, const std::string& said) {
    if (said != version)
      problems.add(Error{
          fmt::format("{} says version '{}', the recipes say '{}'", file.string(), said, version)}
                       .hint("`rosbuild image --platform all` builds what they say; a folder of "
                             "another platform or version belongs elsewhere"));
  };
  check(folder / kVersion,
        std::string(ros::trim(ros::try_read_file(folder / kVersion).value_or(""))));
  // The newest that boxes of this platform are offered.
  const fs::path index = folder / "release/index";
  const auto releases = ros::parse_releases(ros::try_read_file(index).value_or(""), index.string());
  if (!releases.empty()) check(index, releases.back().version);
}

// Makes FILE.sig of each. ssh-keygen may ask for the key's passphrase.
void sign(const std::vector<fs::path>& files, const std::string& key, const char* purpose) {
  Command command{.argv = {"ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", purpose},
                  .asks = true};
  if (const char* agent = std::getenv("SSH_AUTH_SOCK")) command.env["SSH_AUTH_SOCK"] = agent;
  for (const auto& file : files) {
    fs::remove(file.string() + ".sig");  // it would ask
    command.argv.push_back(file.string());
  }
  if (!files.empty()) run(command);
}

// The kind and the key, without the comment, out of KEY.pub or of the public half itself.
std::string public_half(const std::string& key) {
  const auto file = key.ends_with(".pub") ? key : key + ".pub";
  const auto fields = ros::words(ros::try_read_file(file).value_or(""));
  if (!fs::exists(key) || fields.size() < 2)
    throw Error{fmt::format("there is no key {} with its public half in {}", key, file),
                Error::Kind::usage}
        .hint("ssh-keygen -t ed25519 -f KEY makes both; ssh-keygen -y -f KEY > KEY.pub the latter");
  return fields[0] + " " + fields[1];
}

}  // namespace

int publish_outputs(const Request& request) {
  const auto recipes = load_all(request.recipes);
  const std::string signer =
      request.signing_key.empty() ? std::string{} : public_half(request.signing_key);

  ros::Problems problems;
  std::vector<DownloadFolder> folders;
  const std::string& version = recipes.distribution.version;
  const auto built = built_folders(request.output);
  for (const auto& folder : built) {
    folders.push_back(checked(folder, problems));
    if (const auto known = recipes.platforms.find(folders.back().name);
        known != recipes.platforms.end())
      folders.back().description = known->second.description;
    check_version(folder, version, problems);
  }
  problems.throw_if_any();

  if (!signer.empty()) {
    std::vector<fs::path> checksums, indexes;
    for (const auto& folder : built) {
      checksums.push_back(folder / kChecksums);
      const fs::path index = folder / "release/index";
      if (fs::exists(index)) indexes.push_back(index);
    }
    sign(checksums, request.signing_key, kFileNamespace);
    sign(indexes, request.signing_key, ros::kIndexNamespace);
  }
  ros::write_file_atomically(request.output / "latest", version + "\n");
  ros::write_file_atomically(request.output / "index.html",
                             download_page(recipes.distribution.title, version, folders, signer));
  fmt::print("{} {}: {} platforms{}\n", recipes.distribution.title, version, folders.size(),
             signer.empty() ? ", not signed" : ", signed by " + signer);
  return 0;
}

}  // namespace rosbuild
