#include "builder/plan/made.h"

#include "builder/pack/stream.h"

namespace rosbuild {

std::optional<Made> find_made(const Cache& cache, const Key& key) {
  const auto entry = cache.find(key.digest());
  if (!entry) return std::nullopt;
  return Made{*entry / "data", ros::read_file(*entry / "sha256"), fs::file_size(*entry / "data")};
}

Outcome make_file(Cache& cache, const Key& key, const std::function<void(const fs::path&)>& make,
                  Made& made, const std::stop_token& stop) {
  if (auto hit = find_made(cache, key)) {
    made = *hit;
    return Outcome::cached;
  }
  const auto make_entry = [&](const fs::path& out) {
    fs::create_directory(out);
    make(out / "data");
    ros::write_file(out / "sha256", sha256_sparse((out / "data").string()));
  };
  cache.get_or_make(key.digest(), make_entry, stop);
  made = *find_made(cache, key);
  return Outcome::built;
}

PlannedFile FileSteps::add(const std::string& title, const Key& key, std::vector<std::size_t> needs,
                           double weight, MakeFile make) {
  const auto [found, is_new] = planned_.try_emplace(key.digest());
  PlannedFile& file = found->second;
  if (!is_new) return file;
  file.made = std::make_shared<Made>();
  file.key = key.digest();
  file.step =
      graph_.add({title, std::move(needs), weight,
                  [this, key, make = std::move(make), made = file.made](std::stop_token stop) {
                    return make_file(
                        cache_, key, [&](const fs::path& out) { make(out, stop); }, *made, stop);
                  }});
  return file;
}

}  // namespace rosbuild
