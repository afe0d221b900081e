#include "runtime/ros/release_image.h"

#include "runtime/base/text.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/process.h"

namespace ros {

ReleaseImage::ReleaseImage(std::string reference) : reference_(std::move(reference)) {
  was_here_ = !Docker{kSystemDocker}.image_id(reference_).empty();
  fetch_image(reference_);
  // It is never started, but without a command there is no container. By the label, which no
  // service has, `ros os gc` finds it when an upgrade was cut short.
  container_ = trim(run_program(system_docker(
      {"create", std::string{"--label="} + kServiceLabel + "=ros os", reference_, "/none"})));
}

ReleaseImage::~ReleaseImage() {
  try {
    const Docker docker{kSystemDocker};
    docker.remove(container_);
    if (!was_here_) docker.remove_image(reference_);
  } catch (const std::exception&) {
    // `ros os gc` removes what nobody uses.
  }
}

void ReleaseImage::copy(const std::string& path, const fs::path& to) const {
  run_program(system_docker({"cp", container_ + ":/" + path, to.string()}));
}

}  // namespace ros
