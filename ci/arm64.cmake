# Toolchain of `cmake --preset arm64`: init and ros for 64-bit ARM, built on amd64. ci/sysroot
# has made the folder with the libraries that they are linked with.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/arm64/sysroot)
set(CMAKE_FIND_ROOT_PATH ${SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES ${SYSROOT}/usr/include)
set(Boost_NO_BOOST_CMAKE ON)  # its files of CMake are in a package of 12 MB of headers, which we have
