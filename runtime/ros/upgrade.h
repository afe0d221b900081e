// Versions on the disk that the box boots from: bringing a new one, putting it on trial, and
// collecting old ones. docs/upgrade.md tells why a power cut harms none of it.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/base/boot_medium.h"
#include "runtime/ros/release_source.h"

namespace ros {

using Say = std::function<void(const std::string&)>;

std::string running_version();  // VERSION_ID of /usr/lib/os-release, which is a layer's

// The folder of the disk that this box was booted from. Throws Error, whose hint says how this
// box gets a new version, when it was booted from elsewhere.
fs::path boot_disk();
bool has_boot_disk();
// The running version's entry of the menu can be changed without a moment in which it is not
// whole: not on FAT. Throws Error that says how this box gets words for its kernel instead.
fs::path disk_to_append();

// Words that may be added to a kernel command line through GRUB. Throws Error (kind usage).
std::vector<std::string> append_words(const std::string& text);
// Those that were added to `version` when its image was built, when it was installed or by
// set_append().
std::vector<std::string> kept_append(const fs::path& medium, const std::string& version);
// Of these, what its image was built with, or the one that it is an upgrade of.
std::vector<std::string> own_append(const fs::path& medium, const std::string& version);

// All of the kernel's command line of a version on a disk.
std::vector<std::string> whole_cmdline(const Release& release,
                                       const std::vector<std::string>& append);
// Writes VERSION/ of the medium but for kernel and initrd; `release` last, for then it is whole.
// `own`: those of `append` that an image brought.
void describe_version(const fs::path& medium, const Release& release,
                      const std::vector<std::string>& append,
                      const std::vector<std::string>& own = {});

// Puts other words in the place of those that were added to a version, which may be the one that
// runs; what the image brought stays, and the folder that the installer chose for the state, unless
// `append` names another. A power cut leaves an entry of the menu as it was or as it shall be.
// Throws Error.
void set_append(WritableMedium& medium, const std::string& version,
                std::vector<std::string> append);

// What of `release` has to be fetched: not on the medium (going by size; stage() looks closer),
// nor the same as a file of another version.
std::vector<ReleaseFile> missing_files(const fs::path& medium, const Release& release);

// Brings every file of the release onto the medium, checks all of them, and writes the version's
// menu: it could boot, and nothing points to it yet. Old versions make room when there is none.
// Throws Error when the medium is too small, a file cannot be had or is not what the release
// says; versions that may start are as they were, the previous one but for making room.
void stage(WritableMedium& medium, const Release& release, const ReleaseSource& source,
           const std::vector<std::string>& append, const std::string& running, const Say& say);

// The switch: the next starts are those of `version`; GRUB counts them, up to `tries`.
void put_on_trial(WritableMedium& medium, const std::string& version, int tries = kTrialStarts);

// Takes back a switch whose version does not run (yet). False when there is none.
bool cancel_trial(WritableMedium& medium, const std::string& running);

// Throws Error when the release is of another platform than `platform` or, when that is empty, than
// the version that runs: its layers have another platform's datasources, agents and words for the
// kernel.
void check_platform(const fs::path& medium, const Release& release, const std::string& running,
                    const std::string& platform);
// The platform of a version on the medium, "" when nothing says it.
std::string platform_of(const fs::path& medium, const std::string& version);

// When the running version is ready: it stays if it was on trial, or what failed is kept as such.
// What to tell people, if there is anything.
std::optional<std::string> settle(const fs::path& medium, const std::string& running);

// Removes all versions but `keep` and files that neither these nor `coming`, which is about to
// be brought, name. A folder with anything else in it is not a version's. Returns what was removed.
std::vector<std::string> collect(WritableMedium& medium, const std::set<std::string>& keep,
                                 const Release& coming = {});

}  // namespace ros
