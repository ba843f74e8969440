# make demo   the gateway between a load and stand-in backends, killed on the way, with its ledger
# make test   all tests
# make sdk    the official SDKs of Python and Node against the gateway (from PyPI and npm)
# make check  formatting, lints, documentation
# make docs   the reference pages under docs/reference
# make bench  throughput, CPU and latency, against a bare server in the same run
# make run    the gateway with its default configuration
#
# All of them build with the one profile, so that RocksDB is compiled once (10 to 25 minutes on two
# cores, the first time).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
BUILD := cargo build --release --workspace --locked
CORTEN := $(CARGO_TARGET_DIR)/release/corten
DURATION ?= 60s
# More arguments for the demo: make demo ARGS=--keep
ARGS ?=

.PHONY: demo test sdk check docs bench run build tools

demo: build
	$(CORTEN) demo --duration $(DURATION) $(ARGS)

test: tools
	cargo test --release --workspace --locked

sdk: build
	gateway/tests/sdk/run $(CORTEN)

check: tools
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --locked

docs: build
	$(CORTEN) docs --output docs/reference

bench: build
	$(CARGO_TARGET_DIR)/release/loadtest bench --gateway $(CORTEN) $(ARGS)

run: build
	$(CORTEN) run $(ARGS)

build: tools
	$(BUILD)

tools:
	@bash .ci/tools
