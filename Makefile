# All a newcomer needs:
#   make demo    install what is missing, build, run the four experiments quickly, write the report
#   make test    install what is missing, run every check and every test
#   make test-tls  the shared cache over TLS, as ElastiCache wants it (builds the app with aws-tls)
#   make test-neon  the imaging room's golden tests on ARM's instructions, in an emulator
#   make bench   criterion microbenchmarks of the four layers
#   make bench-peers  our imaging beside Pillow, OpenCV, libvips and Rust crates, in interleaved rounds
#   make compare-suites  the picture suites of seven libraries, by our app and by Chromium
#   make compare-memory  what a server holds after large uploads: one build, or two in turn
#   make fuzz    hostile bytes for the imaging room: make fuzz FUZZ_SECONDS=150
#   make lint    format, clippy, docs, dependencies, terraform
#   make setup   only install what is missing
.PHONY: demo test test-tls test-neon bench bench-peers compare-suites compare-memory fuzz lint setup doctor
.DEFAULT_GOAL := help

CARGO ?= cargo
# Extra words for the demo's run: make demo RUN_FLAGS="--seed 7"
RUN_FLAGS ?=
# Extra words for the comparison: make bench-peers PEERS_FLAGS="--rounds 5 --only sepia"
PEERS_FLAGS ?=

.PHONY: help
help:
	@sed -n '2,12s/^#  //p' Makefile

setup:
	@scenarios/setup.sh demo

demo: setup
	$(CARGO) build --release --package lightmeter
	$(CARGO) lab run --quick $(RUN_FLAGS)

doctor:
	$(CARGO) lab doctor

lint:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --check --manifest-path app/fuzz/Cargo.toml
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	@if command -v cargo-deny >/dev/null 2>&1; then $(CARGO) deny check; \
	 else echo "lint: skipped the advisory check: cargo-deny is not installed (cargo install cargo-deny); licences are checked by the tests"; fi
	@terraform/check.sh

# One profile for everything, so that each dependency is compiled once for clippy's metadata and once for the tests. Every
# benchmark runs once, unmeasured.
test:
	@scenarios/setup.sh test
	@$(MAKE) --no-print-directory lint
	@if command -v cargo-nextest >/dev/null 2>&1; then $(CARGO) nextest run --workspace; \
	 else $(CARGO) test --workspace --all-targets; fi
	$(CARGO) test --workspace --doc --quiet
	$(CARGO) test --workspace --quiet --bench database --bench assets --bench framework --bench imaging

# What the release build for AWS can do beyond the ordinary one: TLS to Redis and Valkey. Not part of `make test`: the feature compiles
# the clients of AWS and of the databases a second time.
test-tls:
	@scenarios/setup.sh test
	$(CARGO) test --package photo-app --features aws-tls --lib redis_client
	$(CARGO) test --package photo-app --features aws-tls --test tls

# The imaging room compiled for 64-bit ARM, where the machine is none: an emulator runs it. It shows that NEON gives the same bytes, not how
# fast. (On such a machine `make test` does the same.)
ARM := aarch64-unknown-linux-gnu
ARM_SETTINGS := CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
 CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu"
test-neon:
	@for tool in aarch64-linux-gnu-gcc qemu-aarch64-static; do command -v $$tool >/dev/null 2>&1 || \
	 { echo "test-neon: $$tool is missing (Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)" >&2; exit 1; }; done
	@test -d "$$(rustc --print sysroot)/lib/rustlib/$(ARM)" || { echo "test-neon: Rust's $(ARM) is missing: rustup target add $(ARM)" >&2; exit 1; }
	$(ARM_SETTINGS) $(CARGO) test --target $(ARM) --package photo-app --test golden

bench:
	$(CARGO) bench --package benches

# Our imaging beside Pillow, OpenCV and libvips, which go into a Python environment of their own below target/, beside Rust crates, and
# beside Pillow-SIMD: it takes Pillow's place, and so has a second environment, where it is compiled for AVX2.
PEERS := target/tools/peers
SIMD := target/tools/peers-simd
bench-peers:
	$(CARGO) build --release --package benches --bin rounds --features peers
	test -x $(PEERS)/bin/python || python3 -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check numpy opencv-python-headless pillow 'pyvips[binary]' || \
	 echo "bench-peers: not all peers could be installed; those that are missing are left out" >&2
	test -x $(SIMD)/bin/python || python3 -m venv $(SIMD)
	CC="cc -mavx2" $(SIMD)/bin/python -m pip install --quiet --disable-pip-version-check pillow-simd || \
	 echo "bench-peers: Pillow-SIMD could not be built and is left out: it needs the headers of libjpeg, zlib and Python (Debian: libjpeg-dev zlib1g-dev python3-dev)" >&2
	target/release/rounds paint target/tools/peers.jpg
	$(PEERS)/bin/python benches/peers/compare.py target/release/rounds target/tools/peers.jpg --simd $(SIMD)/bin/python $(PEERS_FLAGS)

# What the app makes of the pictures in Debian's source packages of Pillow, libvips and others, beside what Chromium shows. The archives
# (110 MB) stay below target/. Extra words: make compare-suites SUITES_FLAGS="--only libexif --list"
SUITES_FLAGS ?=
compare-suites:
	@for tool in apt-get chromium; do command -v $$tool >/dev/null 2>&1 || \
	 { echo "compare-suites: $$tool is missing: it takes a Debian with chromium (apt-get install chromium)" >&2; exit 1; }; done
	$(CARGO) build --release --package lightmeter
	test -x $(PEERS)/bin/python || python3 -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check numpy pillow requests
	$(PEERS)/bin/python benches/peers/suites.py target/release/lightmeter --sources target/tools/suites-sources $(SUITES_FLAGS)

# BEFORE and AFTER are binaries of `lightmeter`; without BEFORE this build alone. Extra words: make compare-memory MEMORY_FLAGS="--worker --limit-mb 512"
AFTER ?= target/release/lightmeter
MEMORY_FLAGS ?=
compare-memory:
	test -n "$(BEFORE)" || $(CARGO) build --release --package lightmeter
	test -x $(PEERS)/bin/python || python3 -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check numpy pillow requests
	$(PEERS)/bin/python benches/peers/memory.py $(BEFORE) $(AFTER) $(MEMORY_FLAGS)

# Each fuzz target of app/fuzz for so many seconds, from seeds made anew; what one finds lies in app/fuzz/artifacts afterwards.
FUZZ_SECONDS ?= 60
FUZZ_BUILD := $(or $(CARGO_TARGET_DIR),target)/fuzz
# The targets take pictures of at most 250,000 pixels: by the limits that decoders are told one allocation has 18 MB at most. The rest of
# the 512 is the sanitizer's and libFuzzer's own.
FUZZ_FLAGS := -dict=app/fuzz/pictures.dict -max_len=65536 -timeout=10 -malloc_limit_mb=24 -rss_limit_mb=512
fuzz:
	@command -v cargo-fuzz >/dev/null 2>&1 || { echo "fuzz: cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }
	@$(CARGO) +nightly --version >/dev/null 2>&1 || { echo "fuzz: a nightly compiler is missing: rustup toolchain install nightly" >&2; exit 1; }
	cp Cargo.lock app/fuzz/Cargo.lock
	$(CARGO) run --quiet --manifest-path app/fuzz/Cargo.toml --target-dir $(FUZZ_BUILD) --no-default-features --example seeds -- app/fuzz/corpus
	$(CARGO) +nightly fuzz build --fuzz-dir app/fuzz --target-dir $(FUZZ_BUILD)
	@for target in decode exif pipeline jpeg_scaled; do \
	 ASAN_OPTIONS=quarantine_size_mb=32 $(CARGO) +nightly fuzz run --fuzz-dir app/fuzz --target-dir $(FUZZ_BUILD) $$target -- \
	  $(FUZZ_FLAGS) -max_total_time=$(FUZZ_SECONDS) || exit 1; done
