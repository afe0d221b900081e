#include "runtime/init/power_button.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace ros {
namespace {

bool has_power_key(int fd) {
  std::array<unsigned char, KEY_MAX / 8 + 1> keys{};
  return ::ioctl(fd, EVIOCGBIT(EV_KEY, keys.size()), keys.data()) >= 0 &&
         (keys[KEY_POWER / 8] >> (KEY_POWER % 8)) & 1;
}

void watch(int all, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(all, EPOLL_CTL_ADD, fd, &event) != 0)
    throw Error::from_errno("cannot watch the power button");
}

}  // namespace

PowerButton::PowerButton() : all_{::epoll_create1(EPOLL_CLOEXEC)} {
  watch(all_.get(), events_.fd());  // before the look around, so that none slips between
  boost::system::error_code none;
  for (fs::directory_iterator it{"/sys/class/input", none}, end; !none && it != end;
       it.increment(none))
    add("input/" + it->path().filename().string());
}

void PowerButton::add(const std::string& devname) {
  if (!devname.starts_with("input/event")) return;
  Fd fd{::open(("/dev/" + devname).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  if (!fd || !has_power_key(fd.get())) return;
  watch(all_.get(), fd.get());
  const int number = fd.get();
  devices_[number] = std::move(fd);
}

bool PowerButton::pressed() {
  while (const auto event = events_.next())
    if (event->subsystem == "input" && event->action == "add") add(event->devname);
  bool pressed = false;
  for (auto it = devices_.begin(); it != devices_.end();) {
    input_event event{};
    ssize_t count = 0;
    while ((count = ::read(it->first, &event, sizeof event)) == sizeof event)
      pressed = pressed || (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1);
    const bool gone = count < 0 && errno == ENODEV;
    it = gone ? devices_.erase(it) : std::next(it);
  }
  return pressed;
}

}  // namespace ros
