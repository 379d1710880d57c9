#!/bin/bash
# cmake/sysroot.sh FOLDER PACKAGE...: Debian's packages for arm64, with all that they need, unpacked into FOLDER, to build against
# by cmake/aarch64.cmake and to run by `qemu-aarch64 -L FOLDER`.  apt keeps its lists and archives there meanwhile: nothing is
# installed, the machine's own packages and architectures stay as they are, and it needs no root.
set -eu
folder=$(realpath -m "$1") part=$(realpath -m "$1").part
apt=$part/apt
shift
get() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= -o Debug::NoLocking=1 \
        -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::State::lists="$apt/lists" \
        -o Dir::Cache="$apt" -o Dir::Cache::archives="$apt/archives" "$@"
}
rm -rf "$part"
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$part/proc"
: >"$apt/status"
get update
get install -y --download-only --no-install-recommends "$@" >/dev/null
for package in "$apt"/archives/*.deb; do dpkg -x "$package" "$part"; done
find "$part" -lname '/*' -print0 | while IFS= read -r -d '' link; do # to files in FOLDER, not to this machine's
    ln -sfrT "$part$(readlink "$link")" "$link"
done
echo "Features : fp asimd" >"$part/proc/cpuinfo" # of the CPU that is emulated, not of this one
rm -rf "$apt" "$folder"
mv "$part" "$folder"
