// The accounts of the configuration (account_config.h), made; and what somebody did to accounts on
// the box (useradd, passwd), kept over a reboot.
//
// var/lib/rancher/accounts has the copies of account_files.h and the file `configured`,
// NAME:UID:GID:DIGEST:HASH for each account that the configuration ever made: a name has the
// same number for good, and DIGEST tells a password that is configured anew, which
// wins, from one that was configured before and has since been changed with passwd; HASH is
// that of what shadow(5) got. `members`, GROUP:NAME, is who is in a group by the configuration
// alone.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// Brings back what was kept (once a boot), then makes the configured accounts: /etc's
// files, homes, keys, /etc/sudoers.d/cloud-config. An account that the configuration
// made and no longer has is gone, its folder and its numbers stay; so are a password and a
// membership that it gave.
void prepare_accounts(const Config& config, std::vector<std::string>& problems,
                      const fs::path& root = "/");

// Copies /etc's files to the state. A password that is only for this boot is not kept.
void keep_accounts(const fs::path& root = "/");
// `line` is rancher's shadow line for this boot, `before` the one that it replaced; the one of
// before the boot is kept instead, however often this is called.
void note_boot_password(const std::string& before, const std::string& line,
                        const fs::path& root = "/");

}  // namespace ros
