# Limn: make            build/limn
#       make test       build and pass all tests
#       make install-deps   what Debian 12 lacks for that (needs root or sudo)
#       make install-ci     what .ci/run needs beyond that: clang with its sanitizers, locales, qemu-user, iproute2
#       make arm        build-arm64/limn for 64-bit ARM, by a cross compiler; make install-arm: only gets what that needs (Debian)
#       make mpi        what lets `mpirun -n 8 build/limn train` be one training: Open MPI, and build/limn-mpi.so
#       make bench      speed of the standard cases beside the machine's best product (bench/peers/compare.py: beside PyTorch)
#       make install    the program, the library and the models, under PREFIX (/usr/local); DESTDIR as everywhere
#       make picture    the README's first command: everything up to a picture
BUILD ?= build
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PACKAGES := build-essential cmake ninja-build pkg-config libdnnl-dev libjansson-dev libpng-dev libjpeg62-turbo-dev \
            libtiff-dev libwebp-dev zlib1g-dev libutf8proc-dev librandom123-dev nettle-dev libcmocka-dev
MPI_PACKAGES := libopenmpi-dev openmpi-bin
CI_PACKAGES := clang libclang-rt-14-dev libomp-14-dev locales qemu-user iproute2 $(MPI_PACKAGES)
ARM_PACKAGES := gcc-aarch64-linux-gnu qemu-user
ARM_LIBRARIES := libc6-dev $(filter lib% zlib% nettle%,$(PACKAGES))
ARM := build-arm64

all: $(BUILD)/build.ninja
	cmake --build $(BUILD)

$(BUILD)/build.ninja: CMakeLists.txt
	cmake -S . -B $(BUILD) -G Ninja $(OPTIONS)

install = dpkg -s $(1) >/dev/null 2>&1 || { $(SUDO) apt-get update && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(1); }

install-deps:
	@$(call install,$(PACKAGES))

install-ci: install-deps
	@$(call install,$(CI_PACKAGES))

install-arm: install-deps
	@$(call install,$(ARM_PACKAGES))
	@[ -e $(ARM)/sysroot ] || { echo "Debian's libraries for arm64, to $(ARM)/sysroot"; cmake/sysroot.sh $(ARM)/sysroot $(ARM_LIBRARIES); }

arm: install-arm
	cmake -S . -B $(ARM) -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DLIMN_SYSROOT=$(CURDIR)/$(ARM)/sysroot $(OPTIONS)
	cmake --build $(ARM) $(if $(TARGETS),--target $(TARGETS))

mpi: install-deps
	@$(call install,$(MPI_PACKAGES))
	cmake -S . -B $(BUILD) -G Ninja $(OPTIONS)
	cmake --build $(BUILD)

test: install-deps all
	ctest --test-dir $(BUILD) -j 2 --output-on-failure
	@echo "All tests passed. Next: $(BUILD)/limn --help, or docs/map.md for how the code is laid out."

picture: install-deps all
	$(BUILD)/limn generate "man farmer, dark skin tone" -o farmer.png
	@echo "The picture is farmer.png. Next: make test, or other words: $(BUILD)/limn generate \"woman mechanic\" --show"

install: all
	DESTDIR=$(DESTDIR) cmake --install $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))

bench: all
	$(BUILD)/limn-bench

clean:
	cmake --build $(BUILD) --target clean

.PHONY: all install-deps install-ci install-arm install arm mpi test picture bench clean
