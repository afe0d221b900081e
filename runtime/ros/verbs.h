// Every verb of `ros`. Each returns the exit status and may throw Error;
// `arguments` is what follows the verb.
#pragma once

#include <string>
#include <vector>

namespace ros {

using Arguments = std::vector<std::string>;

// For people.
int config_verb(const Arguments& arguments);
int service_verb(const Arguments& arguments);
int service_logs(Arguments arguments);  // of `ros service logs`
int logs_verb(const Arguments& arguments);
int os_verb(const Arguments& arguments);
int install_verb(const Arguments& arguments);
int console_verb(const Arguments& arguments);
int engine_verb(const Arguments& arguments);
int tls_verb(const Arguments& arguments);
int env_verb(const Arguments& arguments);
int dev_verb(const Arguments& arguments);
int preload_images_verb(const Arguments& arguments);
int power_verb(const std::string& name, const Arguments& arguments);  // reboot, poweroff, …
int system_docker_verb(const Arguments& arguments);
int wait_for_docker_verb(const Arguments& arguments);

// For the system itself.
int early_config_verb(const Arguments& arguments);     // started by init: what it needs of YAML
int bootcmd_verb(const Arguments& arguments);          // started by init, before the state
int sysinit_verb(const Arguments& arguments);          // started by init; supervises the services
int system_dockerd_verb(const Arguments& arguments);   // started by init; becomes system Docker
int stop_all_verb(const Arguments& arguments);         // started by init when going down
int recovery_verb(const Arguments& arguments);         // the same, for its recovery console
int console_init_verb(const Arguments& arguments);     // main process of service console
int console_login_verb(const Arguments& arguments);    // called by agetty (console_image.h)
int sudo_verb(const Arguments& arguments);             // in consoles whose image has none
int netconf_verb(const Arguments& arguments);          // main process of service network
int dhcp_hook_verb(const Arguments& arguments);        // called by dhcpcd
int kernel_modprobe_verb(const Arguments& arguments);  // called by the kernel
int ntp_verb(const Arguments& arguments);              // main process of service ntp
int udev_verb(const Arguments& arguments);             // main process of service udev
int user_docker_verb(const Arguments& arguments);      // main process of service docker

// Throws Error (kind usage) that names the nearest of `known`.
[[noreturn]] void unknown_word(const std::string& what, const std::string& word,
                               const std::vector<std::string>& known);
// Throws Error when not root.
void require_root();

}  // namespace ros
