#include "builder/plan/made.h"

#include "runtime/base/digest.h"

namespace rosbuild {

std::optional<Made> find_made(const Cache& cache, const Key& key) {
  const auto entry = cache.find(key.digest());
  if (!entry) return std::nullopt;
  return Made{*entry / "data", ros::read_file(*entry / "sha256"), fs::file_size(*entry / "data")};
}

Outcome make_file(Cache& cache, const Key& key, const std::function<void(const fs::path&)>& make,
                  Made& made) {
  if (auto hit = find_made(cache, key)) {
    made = *hit;
    return Outcome::cached;
  }
  cache.get_or_make(key.digest(), [&](const fs::path& out) {
    fs::create_directory(out);
    make(out / "data");
    ros::write_file(out / "sha256", ros::sha256_file(out / "data"));
  });
  made = *find_made(cache, key);
  return Outcome::built;
}

}  // namespace rosbuild
