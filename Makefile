# Every command that a person or CI runs. `make` prints this help.

CARGO ?= cargo
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/triage/tools
TRIAGE = $(CARGO) run --package triage --
FUZZ_SECONDS ?= 60
DENY = $(TOOLS)/cargo-deny-0.20.2
FUZZ = $(TOOLS)/cargo-fuzz-0.13.2

.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt rules doc deny check bench mutants fuzz datasets run

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run everything in one process: broker, gateway, engine, store, web (ARGS="--once")
	$(TRIAGE) demo $(ARGS)

run: ## Run the engine on the brokers of triage.toml (ARGS="--config FILE")
	$(TRIAGE) run $(ARGS)

test: ## Run all tests that need nothing but this folder
	$(CARGO) test --workspace

rules: ## Check, format-check and test the rule sets
	$(TRIAGE) check --deny warnings rules/hospital
	$(TRIAGE) check --deny warnings rules/original
	$(TRIAGE) fmt --check rules/hospital
	$(TRIAGE) fmt --check rules/original
	$(TRIAGE) test rules/hospital
	$(TRIAGE) test rules/original

lint: ## Check formatting and lints; warnings are errors
	$(CARGO) fmt --all -- --config-path engine/rustfmt.toml --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings

fmt: ## Format the code and the rules
	$(CARGO) fmt --all -- --config-path engine/rustfmt.toml
	$(TRIAGE) fmt rules/hospital
	$(TRIAGE) fmt rules/original

doc: ## Build the API documentation; warnings are errors
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps

deny: $(DENY)/bin/cargo-deny ## Check licences, bans and sources of all dependencies
	$(DENY)/bin/cargo-deny --workspace --config engine/deny.toml check licenses bans sources

check: lint test rules doc deny ## All of the above but the demo

bench: ## Run the benches (ARGS="--bench decode")
	$(CARGO) bench --package triage-bench $(ARGS)

mutants: ## Break the compiled side on purpose, one thing at a time: the property tests must notice
	python3 engine/core/tests/mutations.py

fuzz: $(FUZZ)/bin/cargo-fuzz ## Fuzz the parser and the decoder (FUZZ_SECONDS each; needs the nightly toolchain)
	cd engine/fuzz && PATH="$(FUZZ)/bin:$$PATH" $(CARGO) +nightly fuzz run --fuzz-dir . parse -- -max_total_time=$(FUZZ_SECONDS)
	cd engine/fuzz && PATH="$(FUZZ)/bin:$$PATH" $(CARGO) +nightly fuzz run --fuzz-dir . decode -- -max_total_time=$(FUZZ_SECONDS)

datasets: ## Make the demonstration patients again and compare them with the checksum
	python3 datasets/make_demo_patients.py --check

# A tool's folder bears its version, so that another version is installed beside it.
$(TOOLS)/%:
	$(CARGO) install --locked --root $(TOOLS)/$(*D:/bin=) --version $(lastword $(subst -, ,$(*D:/bin=))) $(*F)
