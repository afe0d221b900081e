#include "builder/pack/cpio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <zstd.h>

#include <memory>

#include "builder/pack/stream.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

// The kernel looks for the next archive at a multiple of 4; boot loaders like 512.
constexpr std::size_t kAlignment = 512;

unsigned type_bits(EntryType type) {
  switch (type) {
    case EntryType::directory:
      return S_IFDIR;
    case EntryType::file:
      return S_IFREG;
    case EntryType::symlink:
      return S_IFLNK;
    case EntryType::char_device:
      return S_IFCHR;
    case EntryType::block_device:
      return S_IFBLK;
  }
  return 0;
}

std::string header(const std::string& name, const Entry& entry, unsigned inode,
                   std::uint64_t size) {
  const unsigned mode = entry.mode | type_bits(entry.type);
  const unsigned links = entry.type == EntryType::directory ? 2 : 1;
  std::string text = fmt::format(
      "070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}", inode,
      mode, entry.uid, entry.gid, links, static_cast<std::uint32_t>(entry.mtime), size, 0, 0,
      entry.major, entry.minor, name.size() + 1, 0);
  text += name;
  text.append(1 + (4 - (text.size() + 1) % 4) % 4, '\0');
  return text;
}

}  // namespace

void write_cpio(const Tree& tree, const Sink& sink) {
  std::uint64_t total = 0;
  const auto put = [&](std::string_view bytes) {
    total += bytes.size();
    if (!bytes.empty()) sink(bytes);
  };
  unsigned inode = 1;
  for (const auto& [path, entry] : tree.entries()) {
    const std::uint64_t size = entry.type == EntryType::symlink ? entry.target.size()
                               : entry.type == EntryType::file  ? entry.content.size()
                                                                : 0;
    if (size > 0xffffffffULL) throw Error{path + ": a cpio archive holds files up to 4 GiB only"};
    put(header(path, entry, inode++, size));
    if (entry.type == EntryType::symlink) put(entry.target);
    if (entry.type == EntryType::file) entry.content.stream(put);
    put(std::string((4 - total % 4) % 4, '\0'));
  }
  Entry trailer{.mode = 0};
  std::string end = header("TRAILER!!!", trailer, 0, 0);
  end.replace(14, 8, "00000000");  // no type either
  put(end);
  put(std::string((kAlignment - total % kAlignment) % kAlignment, '\0'));
}

void write_initrd(const Tree& tree, const fs::path& out, int level, std::stop_token stop) {
  const ros::Fd fd = ros::open_file(out.string(), O_WRONLY | O_CREAT | O_TRUNC);
  if (level == 0) {
    write_cpio(tree, [&](std::string_view bytes) { ros::write_all(fd.get(), bytes); });
    return;
  }
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 23);  // the kernel's limit is 128 MiB
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string buffer(ZSTD_CStreamOutSize(), '\0');
  const auto compress = [&](std::string_view bytes, ZSTD_EndDirective how) {
    check_stop(stop);
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer piece{buffer.data(), buffer.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context.get(), &piece, &in, how);
      if (ZSTD_isError(left)) throw Error{std::string{"zstd: "} + ZSTD_getErrorName(left)};
      ros::write_all(fd.get(), {buffer.data(), piece.pos});
      if (how == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
    }
  };
  write_cpio(tree, [&](std::string_view bytes) { compress(bytes, ZSTD_e_continue); });
  compress({}, ZSTD_e_end);
}

void extend_initrd(const fs::path& early, const Tree& more, const fs::path& out,
                   std::stop_token stop) {
  const ros::Fd fd = ros::open_file(out.string(), O_WRONLY | O_CREAT | O_TRUNC);
  const Content first = Content::whole_file(early);
  const auto put = [&](std::string_view bytes) {
    check_stop(stop);
    ros::write_all(fd.get(), bytes);
  };
  first.stream(put);
  put(std::string((kAlignment - first.size() % kAlignment) % kAlignment, '\0'));
  write_cpio(more, put);
}

void write_netboot_initrd(const fs::path& early, const std::vector<NamedFile>& layers,
                          const fs::path& out, std::stop_token stop) {
  Tree tree;
  for (const auto& layer : layers)
    tree.put_file("layers/" + layer.name, Content::whole_file(layer.file));
  extend_initrd(early, tree, out, std::move(stop));
}

}  // namespace rosbuild
