// The table itself. Keep it sorted within a section.
#include "runtime/config/schema.h"

namespace ros {
namespace {

using enum KeyType;

// What both Docker engines can be told; rancher.docker and rancher.system_docker.
#define DOCKER_KEYS(prefix)                                                                     \
  {prefix, section, "settings of this Docker engine"},                                          \
      {prefix ".bip", text, "address of the default bridge, as ADDRESS/BITS"},                  \
      {prefix ".bridge", text, "name of the default bridge, or none"},                          \
      {prefix ".config_file", text, "its daemon.json; what is set here counts more"},           \
      {prefix ".containerd", text, "socket of containerd"},                                     \
      {prefix ".data_root", text, "the same as graph"}, {prefix ".debug", boolean, "log much"}, \
      {prefix ".engine", text, "which engine runs: docker, or an OCI image that has one"},      \
      {prefix ".environment", pairs, "environment of the daemon"},                              \
      {prefix ".exec", boolean, "accepted, has no effect"},                                     \
      {prefix ".exec_root", text, "folder of what runs"},                                       \
      {prefix ".extra_args", texts, "arguments added to the daemon's command line"},            \
      {prefix ".graph", text, "folder of images and containers"},                               \
      {prefix ".group", text, "group that may use the socket"},                                 \
      {prefix ".host", texts, "where the daemon listens, besides the system's own socket"},     \
      {prefix ".insecure_registry", texts, "registries used without checking certificates"},    \
      {prefix ".live_restore", boolean, "containers outlive the daemon"},                       \
      {prefix ".log_driver", text, "where containers log"},                                     \
      {prefix ".log_opts", text_map, "options of the log driver"},                              \
      {prefix ".mtu", integer, "largest packet of the default bridge, in bytes"},               \
      {prefix ".pid_file", text, "file with the number of its process"},                        \
      {prefix ".registry_mirror", texts, "mirrors of the default registry"},                    \
      {prefix ".restart", boolean, "accepted, has no effect: Docker has dropped it"},           \
      {prefix ".selinux_enabled", boolean, "SELinux for containers"},                           \
      {prefix ".storage_context", text, "accepted, has no effect"},                             \
      {prefix ".storage_driver", text, "how image layers are kept"}, {                          \
    prefix ".userland_proxy", boolean, "a proxy process for each published port"                \
  }

// A system service, in the words of Compose (version 1).
#define SERVICE_KEYS(prefix)                                                                     \
  {prefix ".build", any, "folder its image is built from, or context, dockerfile and args"},     \
      {prefix ".cap_add", texts, "capabilities added"},                                          \
      {prefix ".cap_drop", texts, "capabilities dropped"},                                       \
      {prefix ".cgroupns", text, "cgroup namespace: host or private"},                           \
      {prefix ".command", texts, "command and arguments"},                                       \
      {prefix ".container_name", text, "name of the container when not the service's"},          \
      {prefix ".depends_on", texts, "services that are started before it"},                      \
      {prefix ".devices", texts, "devices given to it"}, {prefix ".dns", texts, "name servers"}, \
      {prefix ".entrypoint", texts, "replaces the image's entry point"},                         \
      {prefix ".environment", pairs, "environment variables"},                                   \
      {prefix ".extra_hosts", texts, "lines for /etc/hosts, as NAME:ADDRESS"},                   \
      {prefix ".hostname", text, "its host name"}, {prefix ".image", text, "image it runs"},     \
      {prefix ".ipc", text, "IPC namespace: host"},                                              \
      {prefix ".labels", pairs, "labels; io.rancher.os.* steer how it is run"},                  \
      {prefix ".log_driver", text, "where it logs"},                                             \
      {prefix ".log_opt", text_map, "options of the log driver"},                                \
      {prefix ".mem_limit", text, "most memory it may use"},                                     \
      {prefix ".net", text, "network: host, none, bridge"},                                      \
      {prefix ".network_mode", text, "the same as net"},                                         \
      {prefix ".oom_score_adj", integer, "how likely it is killed when memory runs out"},        \
      {prefix ".pid", text, "process namespace: host"},                                          \
      {prefix ".ports", texts, "published ports"},                                               \
      {prefix ".privileged", boolean, "all rights on the host"},                                 \
      {prefix ".read_only", boolean, "its root file system cannot be written"},                  \
      {prefix ".restart", text, "always, unless-stopped, on-failure or no"},                     \
      {prefix ".security_opt", texts, "security options"},                                       \
      {prefix ".stdin_open", boolean, "keep its input open"},                                    \
      {prefix ".stop_signal", text, "signal that stops it"},                                     \
      {prefix ".tmpfs", texts, "folders in memory"},                                             \
      {prefix ".tty", boolean, "give it a terminal"}, {prefix ".user", text, "user it runs as"}, \
      {prefix ".uts", text, "host name namespace: host"},                                        \
      {prefix ".volumes", texts, "bind mounts, as SOURCE:TARGET[:OPTIONS]"},                     \
      {prefix ".volumes_from", texts, "services whose mounts it gets too"}, {                    \
    prefix ".working_dir", text, "folder it starts in"                                           \
  }

#define NETWORK_DEVICE_KEYS(prefix)                                                                \
  {prefix, section, "settings of the interfaces that match this name"},                            \
      {prefix ".accept_ra", boolean, "take IPv6 addresses and routes from router advertisements"}, \
      {prefix ".address", text, "IPv4 or IPv6 address, as ADDRESS/BITS"},                          \
      {prefix ".addresses", texts, "further addresses"}, {prefix ".bond", text, "bond it joins"},  \
      {prefix ".bond_opts", text_map,                                                              \
       "options of a bond, by their names in /sys/class/net/NAME/bonding"},                        \
      {prefix ".bridge", text, "bridge it joins, or true when it is one"},                         \
      {prefix ".dhcp", boolean, "ask for an IPv4 address, and for IPv6 when routers say so"},      \
      {prefix ".dhcp6", boolean, "ask for an IPv6 address whatever routers say, or never"},        \
      {prefix ".dhcp_args", text, "further arguments for dhcpcd"},                                 \
      {prefix ".gateway", text, "IPv4 gateway"}, {prefix ".gateway_ipv6", text, "IPv6 gateway"},   \
      {prefix ".ipv4ll", boolean, "take a link-local IPv4 address"},                               \
      {prefix ".mac", text, "match by hardware address instead of by name"},                       \
      {prefix ".match", text, "match by this: a name, a pattern or mac:ADDRESS"},                  \
      {prefix ".metric", integer, "of its routes; the smallest is preferred"},                     \
      {prefix ".mtu", integer, "largest packet, in bytes"},                                        \
      {prefix ".post_up", commands, "commands when it has an address"},                            \
      {prefix ".pre_up", commands, "commands before it is up"},                                    \
      {prefix ".routes", sections, "further routes"},                                              \
      {prefix ".routes.[].metric", integer, "when not the interface's"},                           \
      {prefix ".routes.[].to", text, "NETWORK/BITS, or default"},                                  \
      {prefix ".routes.[].via", text, "gateway"},                                                  \
      {prefix ".vlans", text, "VLANs on it, as ID[:NAME], separated by commas"}, {                 \
    prefix ".wifi_network", text, "network of rancher.network.wifi_networks that it joins"         \
  }

#define WIFI_KEYS(prefix)                                                        \
  {prefix, section, "a wireless network"},                                       \
      {prefix ".address", text, "fixed address in it, as ADDRESS/BITS"},         \
      {prefix ".anonymous_identity", text, "identity shown outside the tunnel"}, \
      {prefix ".ca_certs", texts, "files of authorities"},                       \
      {prefix ".client_certs", texts, "files of certificates"},                  \
      {prefix ".eap", text, "method of authentication"},                         \
      {prefix ".eapol_flags", integer, "flags of EAPOL"},                        \
      {prefix ".gateway", text, "gateway for the fixed address"},                \
      {prefix ".group", text, "ciphers for groups"},                             \
      {prefix ".identity", text, "name of the user"},                            \
      {prefix ".key_mgmt", text, "WPA-PSK, WPA-EAP, NONE …"},                    \
      {prefix ".pairwise", text, "ciphers for one station"},                     \
      {prefix ".password", text, "password of the user"},                        \
      {prefix ".phases", texts, "parameters of phases 1 and 2"},                 \
      {prefix ".priority", integer, "the largest is preferred"},                 \
      {prefix ".private_key_passwds", texts, "passwords of the keys"},           \
      {prefix ".private_keys", texts, "files of private keys"},                  \
      {prefix ".psk", text, "passphrase, or 64 hexadecimal digits"},             \
      {prefix ".scan_ssid", integer, "1 for a hidden network"}, {                \
    prefix ".ssid", text, "name of the network"                                  \
  }

const std::vector<Key> kKeys = {
    {"bootcmd", commands,
     "commands run before the state is mounted; those that it keeps, before all else"},
    {"chpasswd", section, "cloud-init's settings of passwords"},
    {"chpasswd.expire", boolean, "accepted, has no effect: passwords do not expire"},
    {"fqdn", text,
     "full name of the machine; its first part is the host name when no other is given"},
    {"groups", any, "groups to make: names, or names with their members"},
    {"hostname", text, "name of the machine"},
    {"manage_etc_hosts", text, "accepted, has no effect: /etc/hosts always has the name"},
    {"mount_default_fields", any, "what entries of mounts leave out, a list of six like theirs"},
    {"mounts", lists, "file systems and swap: [device, folder, type, options], as in fstab"},
    {"package_upgrade", boolean, "accepted, has no effect: packages come with a new version"},
    {"password", text, "password of `user`, or its hash as openssl passwd -6 makes it"},
    {"runcmd", commands, "commands run when the console starts; the first failure ends them"},
    {"ssh_authorized_keys", texts, "public keys that may log in as rancher and docker"},
    {"ssh_pwauth", boolean, "sshd takes passwords; without it only when rancher.password is set"},
    {"swap", section, "a file to swap to"},
    {"swap.filename", text, "where, /var/lib/rancher/swap when not given"},
    {"swap.maxsize", text, "no more than this"},
    {"swap.size", text, "its size, such as 512M, or auto: as much as there is memory"},
    {"user", text, "account with ssh_authorized_keys and `password`, rancher when not given"},
    {"users", named, "accounts to make; `default` is rancher"},
    {"users.[].gecos", text, "the user's full name"},
    {"users.[].groups", any, "further groups, a list or separated by commas"},
    {"users.[].hashed_passwd", text, "the same as passwd"},
    {"users.[].homedir", text, "home folder, /home/NAME when not given"},
    {"users.[].lock_passwd", boolean, "no login with a password; true when not given"},
    {"users.[].name", text, "name of the account"},
    {"users.[].no_create_home", boolean, "do not make the home folder"},
    {"users.[].passwd", text, "hash of the password, as openssl passwd -6 makes it"},
    {"users.[].plain_text_passwd", text, "the password itself"},
    {"users.[].primary_group", text, "group, one of its own when not given"},
    {"users.[].shell", text, "login shell, /bin/bash when not given"},
    {"users.[].ssh_authorized_keys", texts, "public keys that may log in"},
    {"users.[].sudo", texts, "rules of sudoers(5) without the name, or false"},
    {"users.[].system", boolean, "a system account: a low number, no home folder"},
    {"users.[].uid", integer, "its number; one that stays the same when not given"},
    {"write_files", sections, "files to write"},
    {"write_files.[].container", text, "service in which the file is written"},
    {"write_files.[].content", text, "what is written"},
    {"write_files.[].encoding", text, "b64, gzip, gz+b64 and their long names"},
    {"write_files.[].owner", text, "USER or USER:GROUP"},
    {"write_files.[].path", text, "where"},
    {"write_files.[].permissions", text, "octal mode, 0644 when not given"},

    {"rancher", section, "settings of this system"},
    {"rancher.autologin", texts, "consoles on which rancher is logged in at once"},
    {"rancher.bootstrap", any, "accepted, has no effect: init does without services"},
    {"rancher.bootstrap_docker", any, "accepted, has no effect"},
    {"rancher.cloud_init", section, "where configuration is fetched from"},
    {"rancher.cloud_init.datasources", texts, "sources, first one that answers wins"},
    {"rancher.cloud_init.wait", integer,
     "seconds that sources on the network have, 10 when not given"},
    {"rancher.cloud_init_services", any, "accepted, has no effect"},
    {"rancher.console", text, "which console runs: default, or an OCI image"},
    {"rancher.debug", boolean, "log much"},
    {"rancher.defaults", section, "used when nothing else is given"},
    {"rancher.defaults.docker", any, "accepted, has no effect"},
    {"rancher.defaults.hostname", text, "host name when no other is known"},
    {"rancher.defaults.network", any, "accepted, has no effect"},
    {"rancher.defaults.system_docker_logs", text, "accepted, has no effect"},
    {"rancher.disable", texts, "features turned off: password, autologin"},
    DOCKER_KEYS("rancher.docker"),
    {"rancher.docker.ca_cert", text, "certificate of the authority that clients are checked by"},
    {"rancher.docker.ca_key", text, "its key, with which ros tls makes certificates"},
    {"rancher.docker.server_cert", text, "the daemon's certificate"},
    {"rancher.docker.server_key", text, "its key"},
    {"rancher.docker.tls", boolean, "listen on port 2376 for clients with a certificate"},
    {"rancher.docker.tls_args", texts, "what the daemon is told instead, when tls is true"},
    {"rancher.environment", text_map, "variables for services and their definitions"},
    {"rancher.force_console_rebuild", boolean, "make the console anew at each boot"},
    {"rancher.http_load_retries", integer, "attempts to fetch a definition, 6 when not given"},
    {"rancher.hypervisor_service", boolean, "run the agent of the hypervisor found"},
    {"rancher.log", boolean, "accepted, has no effect: boot messages are always kept"},
    {"rancher.modules", texts, "kernel modules to load, with parameters after a blank"},

    {"rancher.network", section, "network settings"},
    {"rancher.network.dhcp_timeout", integer,
     "seconds that post_up and post_cmds wait for an address; asking goes on"},
    {"rancher.network.dns", section, "name servers"},
    {"rancher.network.dns.nameservers", texts, "addresses of name servers"},
    {"rancher.network.dns.search", texts, "domains searched"},
    {"rancher.network.http_proxy", text, "proxy for http"},
    {"rancher.network.https_proxy", text, "proxy for https"},
    {"rancher.network.interfaces", section,
     "interfaces by name, pattern or mac:…; those not named stay down"},
    NETWORK_DEVICE_KEYS("rancher.network.interfaces.*"),
    {"rancher.network.modem_networks", section, "modems by interface"},
    {"rancher.network.modem_networks.*", section, "a modem"},
    {"rancher.network.modem_networks.*.apn", text, "access point of the provider"},
    {"rancher.network.modem_networks.*.extra_args", text, "more of mmcli's --simple-connect"},
    {"rancher.network.no_proxy", text, "hosts reached without a proxy"},
    {"rancher.network.post_cmds", commands, "commands after the network is set up"},
    {"rancher.network.pre_cmds", commands, "commands before the network is set up"},
    {"rancher.network.wifi_networks", section, "wireless networks by a name of your choice"},
    WIFI_KEYS("rancher.network.wifi_networks.*"),

    {"rancher.no_sharedroot", boolean, "accepted, has no effect"},
    {"rancher.ntp", section, "time synchronisation"},
    {"rancher.ntp.servers", texts, "time servers, besides those that DHCP names"},
    {"rancher.password", text, "password of rancher, for this boot"},
    {"rancher.preload_wait", boolean, "not ready before /var/lib/rancher/preload is loaded"},
    {"rancher.recovery", boolean, "start the recovery console instead of the system"},
    {"rancher.registry_auths", section, "credentials for registries, by their names"},
    {"rancher.registry_auths.*", section, "a registry: auth, or username and password"},
    {"rancher.registry_auths.*.auth", text, "USER:PASSWORD in base64, as in docker's config.json"},
    {"rancher.registry_auths.*.email", text, "accepted, has no effect"},
    {"rancher.registry_auths.*.password", text, "password or token"},
    {"rancher.registry_auths.*.username", text, "name of the user"},
    {"rancher.repositories", section, "catalogues of services, by a name of your choice"},
    {"rancher.repositories.*", section, "a catalogue"},
    {"rancher.repositories.*.url", text, "its folder, or the http or https URL of one"},
    {"rancher.resize_device", text, "disk whose last partition grows at boot, or that partition"},
    {"rancher.restart_services", texts, "accepted, has no effect"},

    {"rancher.rm_usr", boolean, "accepted, has no effect"},
    {"rancher.services", section, "system services"},
    {"rancher.services.*", section, "a system service"},
    SERVICE_KEYS("rancher.services.*"),
    {"rancher.services_include", bool_map,
     "services switched on or off: names of a catalogue, files, URLs"},
    {"rancher.shutdown_timeout", integer, "seconds that services have to stop"},

    {"rancher.ssh", section, "the ssh server"},
    {"rancher.ssh.daemon", boolean, "run it"},
    {"rancher.ssh.keys", text_map, "host keys by kind"},
    {"rancher.ssh.listen_address", text, "address it listens on"},
    {"rancher.ssh.port", integer, "port it listens on"},

    {"rancher.state", section, "the partition that keeps what must survive"},
    {"rancher.state.autoformat", texts, "empty disks that may be formatted for it"},
    {"rancher.state.boot_dev", text, "boot partition"},
    {"rancher.state.boot_fstype", text, "its file system"},
    {"rancher.state.cryptsetup", boolean, "open LUKS devices"},
    {"rancher.state.dev", text, "the partition: /dev/…, LABEL=… or UUID=…"},
    {"rancher.state.directory", text, "folder on it that is used"},
    {"rancher.state.fstype", text, "its file system"},
    {"rancher.state.lvm_scan", boolean, "activate LVM volumes"},
    {"rancher.state.mdadm_scan", boolean, "assemble RAID arrays"},
    {"rancher.state.oem_dev", text, "partition with the vendor's configuration"},
    {"rancher.state.oem_fstype", text, "its file system"},
    {"rancher.state.required", boolean, "do not run without it"},
    {"rancher.state.rngd", boolean, "accepted, has no effect"},
    {"rancher.state.script", text, "script that prepares it"},
    {"rancher.state.wait", boolean, "wait for it"},
    {"rancher.sysctl", text_map, "kernel parameters"},
    DOCKER_KEYS("rancher.system_docker"),
    {"rancher.trial", boolean, "set by GRUB for a version that is on trial"},
    {"rancher.upgrade", section, "where new versions come from"},
    {"rancher.upgrade.image", text, "accepted, has no effect"},
    {"rancher.upgrade.keys", texts,
     "public keys of ssh: one of them must have signed the releases"},
    {"rancher.upgrade.policy", text, "accepted, has no effect"},
    {"rancher.upgrade.rollback", text, "accepted, has no effect"},
    {"rancher.upgrade.url", text, "folder of releases: a path, an http(s) URL or an OCI image"},
};

}  // namespace

const std::vector<Key>& keys() { return kKeys; }

}  // namespace ros
