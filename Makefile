# All a newcomer needs:
#   make demo    install what is missing, build, run the four experiments quickly, write the report
#   make test    install what is missing, run every check and every test
#   make bench   criterion microbenchmarks of the four layers
#   make bench-peers  our imaging beside Pillow, OpenCV and libvips, in interleaved rounds
#   make lint    format, clippy, docs, dependencies, terraform
#   make setup   only install what is missing
.PHONY: demo test bench bench-peers lint setup doctor
.DEFAULT_GOAL := help

CARGO ?= cargo
# Extra words for the demo's run: make demo RUN_FLAGS="--seed 7"
RUN_FLAGS ?=
# Extra words for the comparison: make bench-peers PEERS_FLAGS="--rounds 5 --only sepia"
PEERS_FLAGS ?=

.PHONY: help
help:
	@sed -n '2,8s/^#  //p' Makefile

setup:
	@scenarios/setup.sh demo

demo: setup
	$(CARGO) build --release --package lightmeter
	$(CARGO) lab run --quick $(RUN_FLAGS)

doctor:
	$(CARGO) lab doctor

lint:
	$(CARGO) fmt --all --check
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

bench:
	$(CARGO) bench --package benches

# Our imaging beside Pillow, OpenCV and libvips, which go into a Python environment of their own below target/.
PEERS := target/tools/peers
bench-peers:
	$(CARGO) build --release --package benches --bin rounds
	test -x $(PEERS)/bin/python || python3 -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check numpy opencv-python-headless pillow 'pyvips[binary]' || \
	 echo "bench-peers: not all peers could be installed; those that are missing are left out" >&2
	target/release/rounds paint target/tools/peers.jpg
	$(PEERS)/bin/python benches/peers/compare.py target/release/rounds target/tools/peers.jpg $(PEERS_FLAGS)
