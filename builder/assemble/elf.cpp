#include "builder/assemble/elf.h"

#include <elf.h>

#include <cstring>
#include <optional>

namespace rosbuild {
namespace {

template <class Struct>
std::optional<Struct> read(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(Struct)) return std::nullopt;
  Struct value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::optional<Elf64_Ehdr> header(std::string_view bytes) {
  const auto found = read<Elf64_Ehdr>(bytes, 0);
  if (!found || std::memcmp(found->e_ident, ELFMAG, SELFMAG) != 0 ||
      found->e_ident[EI_CLASS] != ELFCLASS64 || found->e_ident[EI_DATA] != ELFDATA2LSB)
    return std::nullopt;
  return found;
}

// The zero-terminated string at `offset`.
std::string_view text_at(std::string_view bytes, std::uint64_t offset) {
  if (offset >= bytes.size()) return {};
  const auto rest = bytes.substr(offset);
  const auto end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view{} : rest.substr(0, end);
}

std::optional<std::uint64_t> file_offset(std::string_view bytes, const Elf64_Ehdr& elf,
                                         std::uint64_t address) {
  for (unsigned i = 0; i < elf.e_phnum; ++i) {
    const auto segment = read<Elf64_Phdr>(bytes, elf.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment && segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
        address - segment->p_vaddr < segment->p_filesz)
      return segment->p_offset + (address - segment->p_vaddr);
  }
  return std::nullopt;
}

}  // namespace

bool elf_is_shared(std::string_view bytes) {
  const auto elf = header(bytes);
  return elf && elf->e_type == ET_DYN;
}

std::string elf_soname(std::string_view bytes) {
  const auto elf = header(bytes);
  if (!elf || elf->e_type != ET_DYN) return {};
  for (unsigned i = 0; i < elf->e_phnum; ++i) {
    const auto segment = read<Elf64_Phdr>(bytes, elf->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment || segment->p_type != PT_DYNAMIC) continue;
    std::optional<std::uint64_t> name;
    std::optional<std::uint64_t> strings;
    for (std::uint64_t at = 0; at < segment->p_filesz; at += sizeof(Elf64_Dyn)) {
      const auto item = read<Elf64_Dyn>(bytes, segment->p_offset + at);
      if (!item || item->d_tag == DT_NULL) break;
      if (item->d_tag == DT_SONAME) name = item->d_un.d_val;
      if (item->d_tag == DT_STRTAB) strings = file_offset(bytes, *elf, item->d_un.d_ptr);
    }
    if (name && strings) return std::string(text_at(bytes, *strings + *name));
  }
  return {};
}

std::string_view elf_section(std::string_view bytes, std::string_view name) {
  const auto elf = header(bytes);
  if (!elf) return {};
  const auto section = [&](unsigned i) {
    return read<Elf64_Shdr>(bytes, elf->e_shoff + i * sizeof(Elf64_Shdr));
  };
  const auto names = section(elf->e_shstrndx);
  if (!names) return {};
  for (unsigned i = 0; i < elf->e_shnum; ++i) {
    const auto found = section(i);
    if (!found || text_at(bytes, names->sh_offset + found->sh_name) != name) continue;
    if (found->sh_offset > bytes.size() || bytes.size() - found->sh_offset < found->sh_size)
      return {};
    return bytes.substr(found->sh_offset, found->sh_size);
  }
  return {};
}

}  // namespace rosbuild
