# Every build and check, by name: `make` lists them. Commands are printed as they run, and nothing is done twice.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-kit torture bench evaluate setup plugins host fmt deny clippy doc nextest test-plugins test-kit-native dist fuzz clean

export CARGO_TERM_COLOR ?= auto
# Logs of real networks, where there are any: without them their tests are skipped.
export WARDFLOW_DATA ?= $(wildcard $(abspath ../shared/data))
# Cargo's own choice, made explicit for the paths below.
target := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
plugins_target := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR)/plugins,$(CURDIR)/plugins/target)

# One profile for everything, and always the whole workspace: else features differ, and dependencies are compiled twice.
all := --release --workspace --locked
wardflow := $(target)/release/wardflow
python := $(target)/bench-python/bin/python
evaluation_python := $(target)/evaluation-python/bin/python
# Of one version, whatever is installed: what it checks is what passes.
deny_version := 0.20.2
cargo_deny := $(target)/tools/cargo-deny-$(deny_version)/bin/cargo-deny
nextest := $(shell command -v cargo-nextest)
run_tests := $(if $(nextest),nextest run --final-status-level skip,test)
# nextest runs no documentation tests; `cargo test` runs them with the others.
doc_tests := $(if $(nextest),cargo test $(all) --doc)

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' Makefile | while IFS=$$'\t' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

demo: host ## Write a synthetic hospital to ./demo, analyse it, and show what was found
	rm -rf demo
	$(wardflow) demo demo

test: fmt deny plugins clippy doc host nextest test-plugins test-kit-native dist ## Check everything: formatting, dependencies, clippy, documentation, all tests, the tarball

bench: host ## Measure Wardflow beside DuckDB, Polars and DataFusion SQL: an hour, and 5 GB in ./bench
	test -x $(python) || python3 -m venv $(dir $(python)).. || { echo "error: python3 has no venv: on Debian, apt-get install python3-venv" >&2; exit 1; }
	$(python) -m pip install --quiet --disable-pip-version-check duckdb==2.0.0 polars==2.1.0
	$(target)/release/wardflow-bench --python $(python)

evaluate: host ## Measure what is found of incidents in hospitals of other seeds and in captures, beside other means: two hours, a table for the README
	test -x $(evaluation_python) || python3 -m venv $(dir $(evaluation_python)).. || { echo "error: python3 has no venv: on Debian, apt-get install python3-venv" >&2; exit 1; }
	$(evaluation_python) -m pip install --quiet --disable-pip-version-check duckdb==2.0.0 scikit-learn==1.9.1
	$(target)/release/wardflow-evaluation --python $(evaluation_python)

torture: host ## Try to break it: much data, mutated plugins and files, spins, bombs, kills; hours, and a table for the README
	$(target)/release/wardflow-torture
	cargo test $(all) --test all -- --ignored damaged::many

plugins: setup ## Build the bundled plugins into plugins/dist
	plugins/build

host: plugins ## Build the command, which carries the plugins
	cargo build $(all)

fmt: ## Check formatting
	cargo fmt --all -- --check
	cargo fmt --manifest-path plugins/Cargo.toml --all -- --check

deny: $(cargo_deny) ## Check where dependencies come from, their licences, and that none is in that must not be
	@for manifest in Cargo.toml plugins/Cargo.toml; do $(cargo_deny) --locked --log-level error --manifest-path $$manifest --config .ci/deny.toml check --hide-inclusion-graph bans licenses sources; done

# In the target directory, so that it is compiled once: three minutes.
$(cargo_deny): | setup
	cargo install --quiet --locked cargo-deny --version $(deny_version) --root $(patsubst %/bin/cargo-deny,%,$@) --target-dir $(target)/tools/build
	rm -rf $(target)/tools/build

clippy: plugins ## Lint, warnings denied
	cargo clippy $(all) --all-targets -- -D warnings
	cargo clippy --manifest-path plugins/Cargo.toml --target-dir $(plugins_target) $(all) --all-targets -- -D warnings

doc: plugins ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc $(all) --no-deps
	RUSTDOCFLAGS="-D warnings" cargo doc --manifest-path plugins/Cargo.toml --target-dir $(plugins_target) $(all) --no-deps

nextest: host ## Run the tests of the host, by cargo-nextest if it is there
	cargo $(run_tests) $(all)
	$(doc_tests)

test-plugins: setup ## Run the plugins' own tests, natively
	cargo test --manifest-path plugins/Cargo.toml --target-dir $(plugins_target) $(all)

test-kit-native: host ## Make a plugin's project in Rust and in C, build and test both, and compare what they find
	.ci/kit $(wardflow) $(target)/kit rust c

test-kit: host ## The same in Rust, C, Python, Go and JavaScript: fetches a gigabyte
	.ci/kit $(wardflow) $(target)/kit rust c python go javascript

dist: host ## Make dist/wardflow-VERSION-TARGET.tar.gz and try it as an ordinary user without network
	.ci/dist $(wardflow)

# Stable Rust cannot: cargo-fuzz is installed with `cargo install cargo-fuzz`, and asks for a nightly compiler and for C++.
fuzz: ## Fuzz each reader of records, the manifest, the mapping and the config, a minute each: needs nightly Rust and cargo-fuzz
	cp Cargo.lock tests/fuzz/Cargo.lock
	for target in $(basename $(notdir $(wildcard tests/fuzz/targets/*.rs))); do mkdir -p tests/fuzz/corpus/$$target; cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target tests/fuzz/corpus/$$target tests/fuzz/seeds/$$target -- -max_total_time=60 -rss_limit_mb=1024 -timeout=10; done

clean: ## Remove what was built here, and ./demo
	cargo clean
	cargo clean --manifest-path plugins/Cargo.toml --target-dir $(plugins_target)
	rm -rf bench evaluation plugins/bench plugins/dist plugins/test dist demo

# Crates with C code, and the linker, need a C compiler.
setup:
	@command -v cargo >/dev/null || { echo "error: no cargo: install Rust from https://rustup.rs" >&2; exit 1; }
ifeq ($(shell command -v cc),)
ifeq ($(and $(filter 0,$(shell id -u)),$(shell command -v apt-get)),)
	@echo "error: no C compiler: install gcc, on Debian with: apt-get install gcc libc6-dev" >&2; exit 1
else
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev
endif
endif
