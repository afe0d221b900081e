// What every booted artifact must be able to do, whatever it booted from.
#pragma once

#include "tests/support/guest.h"

namespace proof {

// The services that `system-docker ps` must show.
const std::vector<std::string>& system_services();

// The command, in a shell of the box, succeeds within ninety seconds.
void await(Guest& guest, const std::string& command);
// A CD with this label and these files, by their paths.
fs::path make_cd(const fs::path& folder, const std::string& label,
                 const std::map<std::string, std::string>& files);

// A CD labelled PROGRAMS with programs of this machine and the libraries that they are linked
// with; `kCarried`NAME runs one in the box once use_programs() has mounted it.
fs::path programs_cd(const fs::path& folder, const std::vector<fs::path>& programs);
void use_programs(Guest& guest);
inline const std::string kCarried =
    "/run/programs/ld.so --library-path /run/programs /run/programs/";

// Makes the image "spot" out of files of the box: busybox and what it is linked with.
void make_image(Guest& guest);
// A container of that image prints; `system-docker ps` shows every service.
void check_whole(Guest& guest);

// The whole list: ready, a container prints, services; things are written, the box
// reboots, they are still there; every user container is removed, the box is whole.
void exercise(Guest& guest);

// The next version, a release of this platform: the same recipes under another number, so that
// its layer `runtime`, which says it, and its initrd differ.
inline constexpr const char* kNext = "2.99.0";
// Compressed as what it is laid beside, of which it then shares the other layers.
fs::path build_next(const fs::path& folder, const std::string& platform,
                    const std::string& compression = "fast");
// A disk without partitions, labelled NEXT, that holds it; and the box made to upgrade from it.
fs::path next_disk(const fs::path& folder, const std::string& platform);
void upgrade_from_next_disk(Guest& guest, seconds limit);

}  // namespace proof
