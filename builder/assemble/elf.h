// The little of ELF that the builder reads: the SONAME of a shared library and
// a section by name. 64-bit little-endian only (amd64, arm64). Every offset is
// checked, so a damaged file gives an empty answer and never a crash.
#pragma once

#include <string>
#include <string_view>

namespace rosbuild {

// DT_SONAME; empty when the bytes are no shared library or have none.
std::string elf_soname(std::string_view bytes);
// Whether this is an ELF file of type DYN.
bool elf_is_shared(std::string_view bytes);
// The content of section `name` (".modinfo"); empty when absent.
std::string_view elf_section(std::string_view bytes, std::string_view name);

}  // namespace rosbuild
