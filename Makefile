# The short way to everything; `make help` lists it. The work itself is done by
# CMake, rosbuild and the scripts in ci/.
PLATFORM ?= vmware
COMPRESS ?= release
JOBS     ?= $(shell nproc)
BUILD    ?= build
OUT      ?= out
ROSBUILD  = $(BUILD)/rosbuild
# Boot tests need a processor each: two lanes, unless told otherwise.
LANES    ?= 2
CTEST     = ctest --test-dir $(BUILD) --output-on-failure --no-tests=error

# Not asked of git, which a tarball of the sources has no answer from.
SOURCES   = $(shell find builder runtime tests -name '*.cpp' -o -name '*.h')

.DEFAULT_GOAL := help
.PHONY: help image configure tools build arm64 test check boot test-matrix bench lint fmt asan fuzz install clean setup setup-test

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Variables: PLATFORM=$(PLATFORM) COMPRESS=release|fast OUT=$(OUT) JOBS=$(JOBS) PREFIX=/usr/local T=$(T)"

image: tools $(if $(filter arm64 raspberry-pi64 all,$(PLATFORM)),arm64) ## build the artifacts of PLATFORM into out/PLATFORM/
	$(ROSBUILD) image --platform $(PLATFORM) --compress $(COMPRESS) --jobs $(JOBS) --output $(OUT)

setup: ## install the packages that building needs
	@ci/setup build

setup-test:
	@ci/setup build test

configure: setup
	@cmake --preset release -B $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

tools: configure ## build rosbuild, init and ros
	cmake --build $(BUILD) -j $(JOBS) --target rosbuild init ros

build: configure ## build the tools and the tests
	cmake --build $(BUILD) -j $(JOBS)

arm64: setup ## build init and ros for 64-bit ARM (beside the others, which PLATFORM=arm64 needs)
	@ci/sysroot arm64 build/arm64/sysroot
	@cmake --preset arm64 -B $(BUILD)/arm64 >$(BUILD)-arm64.log 2>&1 || { cat $(BUILD)-arm64.log; exit 1; }
	@rm -f $(BUILD)-arm64.log
	cmake --build $(BUILD)/arm64 -j $(JOBS) --target init ros

test: setup-test build arm64 ## build everything, lint it and run every test
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory check
	$(MAKE) --no-print-directory fuzz T=5
	$(ROSBUILD) image --platform all --compress fast --jobs $(JOBS) --output $(OUT)
	$(MAKE) --no-print-directory boot

check: build ## unit and command line tests only (seconds)
	$(CTEST) -j $(JOBS) -LE 'boot|images' --output-junit results-check.xml

boot: build ## boot and image tests of what is in out/
	$(CTEST) -j $(LANES) -L 'boot|images' --output-junit results-boot.xml

test-matrix: setup-test build arm64 ## boot every image of a disk, arm64 too, and what CI has no time for (five hours), with times
	$(ROSBUILD) image --platform all --compress fast --jobs $(JOBS) --output $(OUT)
	$(BUILD)/test_boot "[matrix]" --durations yes

bench: ## the figures, each beside its bound and a baseline of this run
	@ci/setup build bench
	@$(MAKE) --no-print-directory build arm64
	@ci/bench $(ROSBUILD)

lint: ## scripts, formatting, recipes
	@ci/setup build test
	@$(MAKE) --no-print-directory build
	shellcheck ci/setup ci/sysroot ci/bench .ci/run
	@clang-format --dry-run --Werror $(SOURCES)
	$(ROSBUILD) lint

fmt: ## format the C++ sources
	@clang-format -i $(SOURCES)

asan: setup ## unit tests under AddressSanitizer and UBSan
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS)
	ctest --preset asan -j $(JOBS) -LE 'boot|images'

T ?= 10
fuzz: setup-test ## every fuzzer of tests/fuzz for T seconds
	@cmake --preset fuzz >$(BUILD)-fuzz.log 2>&1 || { cat $(BUILD)-fuzz.log; exit 1; }
	@rm -f $(BUILD)-fuzz.log
	cmake --build --preset fuzz -j $(JOBS)
	FUZZ_SECONDS=$(T) ctest --preset fuzz --no-tests=error -j $(JOBS) \
	  --output-junit $(CURDIR)/$(BUILD)/results-fuzz.xml

PREFIX ?= /usr/local
install: tools ## install rosbuild and its recipes below PREFIX
	cmake --install $(BUILD) --prefix $(PREFIX)

clean: ## remove build/ and out/ (the cache stays)
	rm -rf build out
