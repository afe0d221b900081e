#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/init/layers.h"

using namespace ros;
using Catch::Contains;

namespace {

const std::string kDigest(64, 'a');

std::string error_of(const std::string& text) {
  try {
    parse_manifest(text);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::input);
    return error.what();
  }
  return "no error";
}

// Writes `content` as the file of a layer and describes it.
LayerFile layer_in(const fs::path& folder, const std::string& name, const std::string& content) {
  write_file(folder / (name + ".squashfs"), content);
  return {name, name + ".squashfs", content.size(), sha256(content)};
}

}  // namespace

TEST_CASE("manifest: layers come in their order", "[init]") {
  const auto manifest = parse_manifest(
      "version 2.0.0\nplatform generic-x86_64\n\n"
      "layer base base-1.squashfs 123 " +
      kDigest + "\nlayer  docker docker-2.squashfs 6442450944 " + kDigest);
  CHECK(manifest.version == "2.0.0");
  CHECK(manifest.platform == "generic-x86_64");
  REQUIRE(manifest.layers.size() == 2);
  CHECK(manifest.layers[0].name == "base");
  CHECK(manifest.layers[0].file == "base-1.squashfs");
  CHECK(manifest.layers[0].size == 123);
  CHECK(manifest.layers[0].sha256 == kDigest);
  CHECK(manifest.layers[1].name == "docker");
  CHECK(manifest.layers[1].size == 6442450944);
}

TEST_CASE("manifest: a bad line is named by its number", "[init]") {
  const auto [line, reason] = GENERATE_COPY(table<std::string, std::string>({
      {"hello", "not understood: hello"},
      {"version", "not understood"},
      {"version 1 2", "not understood"},
      {"platform", "not understood"},
      {"layer base f 1", "not understood"},
      {"layer base f 1 " + kDigest + " more", "not understood"},
      {"layer base f many " + kDigest, "the size is no number"},
      {"layer base f 12x " + kDigest, "the size is no number"},
      {"layer base f -1 " + kDigest, "the size is no number"},
      {"layer base f 99999999999999999999 " + kDigest, "the size is no number"},
      {"layer base f 1 abc", "the digest is no SHA-256"},
      {"layer ../base f 1 " + kDigest, "has a slash"},
      {"layer base ../f 1 " + kDigest, "has a slash"},
  }));
  const std::string text = error_of("version 1\n\n" + line + "\nplatform p\n");
  CHECK_THAT(text, Contains("/manifest:3:1: ") && Contains(reason));
}

TEST_CASE("manifest: without layers there is nothing to boot", "[init]") {
  CHECK_THAT(error_of("version 1\nplatform p\n"), Contains("names no layers"));
  CHECK_THAT(error_of(""), Contains("names no layers"));
}

TEST_CASE("manifest: whole layers pass", "[init]") {
  TempDir folder;
  const Manifest manifest{"1",
                          "p",
                          {layer_in(folder.path(), "base", std::string(100'000, 'b')),
                           layer_in(folder.path(), "empty", "")}};
  CHECK_NOTHROW((LayerCheck{manifest, folder.path()}.finish()));
}

TEST_CASE("manifest: every layer that is not whole is named", "[init]") {
  TempDir folder;
  std::string content(100'000, 'x');
  const Manifest manifest{
      "1",
      "p",
      {layer_in(folder.path(), "flipped", content), layer_in(folder.path(), "good", content),
       layer_in(folder.path(), "short", content), layer_in(folder.path(), "missing", content)}};
  content[50'000] ^= 1;
  write_file(folder.path() / "flipped.squashfs", content);
  fs::resize_file(folder.path() / "short.squashfs", 99'999);
  fs::remove(folder.path() / "missing.squashfs");
  CHECK_THROWS_WITH((LayerCheck{manifest, folder.path()}.finish()),
                    Contains("layer flipped is damaged") && Contains("layer short is damaged") &&
                        Contains("layer missing cannot be read") && !Contains("layer good"));
}
