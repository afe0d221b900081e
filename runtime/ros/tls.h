// Certificates for a Docker that is spoken to from other machines: an authority of this box's own,
// one certificate for the daemon and any number for clients.
//
// openssl(1) makes them. Authority and daemon's pair are kept in rancher.docker.{ca_cert,ca_key,
// server_cert,server_key}, so that they survive a reboot and may as well be configured.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// Where user Docker finds them; written anew from the configuration at each start.
inline constexpr const char* kServerTls = "/etc/docker/tls";

struct Pair {
  std::string certificate, key;  // PEM
};

enum class Certificate { authority, server, client };

// openssl's configuration for a certificate of this kind; names are host names and addresses.
// Throws Error for one that is neither.
std::string openssl_config(Certificate kind, const std::vector<std::string>& names);

// A new key with a certificate for it, signed by `authority`; without one, by itself.
Pair make_certificate(Certificate kind, const std::vector<std::string>& names,
                      const Pair& authority = {});

// rancher.docker.tls, and all that the daemon needs for it.
bool has_tls(const Config& config);
// The arguments of rancher.docker.tls_args, when TLS is on.
std::vector<std::string> tls_arguments(const Config& config);
// Writes the files below kServerTls. Names in `problems` what keeps TLS off.
void write_server_tls(const Config& config, std::vector<std::string>& problems);

}  // namespace ros
