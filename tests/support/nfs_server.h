// A server of NFS 4.1 on the host, which is Debian's nfs-ganesha: no kernel is asked for one. Needs
// root, to open files by their handles. Its 4.2 answers READ_PLUS of a newer kernel with zeros.
#pragma once

#include <fmt/format.h>

#include <csignal>

#include "tests/support/guest.h"

namespace proof {

class NfsServer {
 public:
  // Exports `folder`/export to everybody, as /share.
  explicit NfsServer(const fs::path& folder) : port_(free_port()), export_(folder / "export") {
    fs::create_directories(export_);
    fs::create_directories(folder / "recovery");
    const std::string settings = (folder / "ganesha.conf").string();
    ros::write_file(
        settings,
        fmt::format("NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {}; Bind_addr = 127.0.0.1;\n"
                    "  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;\n"
                    "  mount_path_pseudo = true; }}\n"
                    "NFSV4 {{ Graceless = true; Minor_Versions = 0, 1; RecoveryRoot = {}; }}\n"
                    "EXPORT {{ Export_Id = 1; Path = {}; Pseudo = /share; Access_Type = RW;\n"
                    "  Squash = None; SecType = sys; FSAL {{ Name = VFS; }} }}\n",
                    port_, (folder / "recovery").string(), export_.string()));
    server_ = std::make_unique<Child>(std::vector<std::string>{"ganesha.nfsd", "-F", "-f", settings,
                                                               "-L", "STDOUT", "-p",
                                                               (folder / "ganesha.pid").string()});
  }
  int port() const { return port_; }
  const fs::path& folder() const { return export_; }
  void hang() { server_->signal(SIGSTOP); }

 private:
  int port_;
  fs::path export_;
  std::unique_ptr<Child> server_;
};

}  // namespace proof
