# Cross building for 64-bit ARM: cmake -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DLIMN_SYSROOT=FOLDER, where cmake/sysroot.sh
# made FOLDER (`make arm` does both).  What is built runs by `qemu-aarch64 -L FOLDER`, and as it is on such a machine.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LIMN_SYSROOT)

set(CMAKE_SYSROOT ${LIMN_SYSROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${LIMN_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${LIMN_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${LIMN_SYSROOT}/usr/share/pkgconfig)
