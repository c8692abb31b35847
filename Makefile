# Every command that a person or CI runs. `make` prints this help.

CARGO ?= cargo
TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/triage/tools
TRIAGE = $(CARGO) run --package triage --
RELEASE = $(or $(CARGO_TARGET_DIR),target)/release
DEBUG = $(or $(CARGO_TARGET_DIR),target)/debug
SERVICES = target/services.env
FUZZ_SECONDS ?= 60
DENY = $(TOOLS)/cargo-deny-0.20.2
FUZZ = $(TOOLS)/cargo-fuzz-0.13.2
KAFKA = $(TOOLS)/kafka-4.1.0
MONGODB = $(TOOLS)/secantus-mdb-0.5.3-beta.196
READERS = $(TOOLS)/readers-$(shell cksum < deploy/readers/requirements.txt | cut -d ' ' -f 1)
MODEL = $(TOOLS)/model-$(shell cksum < datasets/requirements.txt | cut -d ' ' -f 1)
SERVERS = SERVICES_PYTHON=$(READERS)/bin/python SERVICES_KAFKA_LIBS=$(KAFKA)/libs SERVICES_MONGODB_SERVER=$(MONGODB)/bin/secantusd-rs

.DEFAULT_GOAL := help
.PHONY: help demo test test-services services-up services-down run-services chaos servers lint fmt rules doc deny check bench alarm-curve bench-e2e bench-reload bench-restore bench-store mutants soak wards fuzz datasets model parity run

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run everything in one process: broker, gateway, engine, store, web (ARGS="--once")
	$(TRIAGE) demo $(ARGS)

run: ## Run the engine on the brokers of triage.toml (ARGS="--config FILE")
	$(TRIAGE) run $(ARGS)

test: ## Run all tests that need nothing but this folder
	$(CARGO) test --workspace

test-services: servers ## Run the tests on Apache Kafka and a MongoDB-wire server (ARGS="--test services")
	$(SERVERS) $(CARGO) test --package triage --features services $(or $(ARGS),--test sink_suite --test store_services --test services --test chaos) -- --nocapture

services-up: servers ## Start Apache Kafka and a MongoDB-wire server, and keep them up
	$(CARGO) build --package triage --features services --example services
	$(SERVERS) engine/services/up.sh $(SERVICES) $(DEBUG)/examples/services

services-down: ## Stop them
	@[ -f $(SERVICES) ] || { echo "no servers are up"; exit 0; }; . ./$(SERVICES); kill $$SERVICES_PID && while kill -0 $$SERVICES_PID 2>/dev/null; do sleep 0.1; done; echo "the servers are down"

run-services: services-up ## Run the main job on them: gateway, engine, store, the nurse's alerts (ARGS="--log-level warn")
	$(CARGO) build --package triage
	engine/services/run.sh $(SERVICES) $(DEBUG)/triage $(READERS)/bin/python $(ARGS)

chaos: servers ## Exactly once through 250,000 readings and 123 faults, about 12 minutes (CHAOS_SEED=N repeats a run)
	CHAOS=long $(SERVERS) $(CARGO) test --package triage --features services --test chaos -- --nocapture

# Java 17, Maven, Python, cmake and a C compiler; the MongoDB-wire server is built once, in about nine minutes on two cores.
servers: $(KAFKA)/libs/complete $(MONGODB)/bin/secantusd-rs $(READERS)/complete

rules: ## Check, format-check and test the rule sets
	$(TRIAGE) check --deny warnings rules/hospital
	$(TRIAGE) check --deny warnings rules/original
	$(TRIAGE) fmt --check rules/hospital
	$(TRIAGE) fmt --check rules/original
	$(TRIAGE) test rules/hospital
	$(TRIAGE) test rules/original

lint: ## Check formatting and lints; warnings are errors
	$(CARGO) fmt --all -- --config-path engine/rustfmt.toml --check
	$(CARGO) clippy --workspace --all-targets --all-features -- --deny warnings

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

alarm-curve: ## Alarms of a simulated ward by how long their conditions must hold: the table and picture of docs/alarm-curve.md
	$(CARGO) run --release --package triage-bench --bin alarm-curve

bench-e2e: $(KAFKA)/libs/complete ## Engine and hand-written program on Apache Kafka, side by side (ARGS="--help")
	$(CARGO) build --release --package triage --package triage-bench --bins
	SERVICES_KAFKA_LIBS=$(KAFKA)/libs $(RELEASE)/e2e $(ARGS)

bench-reload: ## How long a reload of 10,000 rules holds readings back, on the embedded broker (RULES, WINDOWS, PATIENTS)
	$(CARGO) test --release --package triage --test reload_delay -- --ignored --nocapture

bench-store: $(KAFKA)/libs/complete $(MONGODB)/bin/secantusd-rs ## The store on Apache Kafka and a MongoDB-wire server: CPU, memory, recovery
	$(CARGO) build --release --package triage --package triage-bench --bins
	$(SERVERS) $(RELEASE)/store $(ARGS)

bench-restore: ## A hundred thousand patients taken over on the embedded broker: seconds
	$(CARGO) test --release --package triage --test restoring -- --ignored --nocapture

mutants: ## Break the compiled side on purpose, one thing at a time: the property tests must notice
	python3 engine/core/tests/mutations.py

soak: ## A million random readings, ten thousand edits: the program held to the plain interpreter (SOAK_SEED=N repeats, SOAK_READINGS=N, SOAK_EDITS=N shorten)
	$(CARGO) test --release --package triage-core --test equivalence soak -- --ignored --nocapture

wards: ## Seeded faults on simulated wards, and thirty days without any (WARDS_SEED=N: thirty days of that seed)
	$(CARGO) test --release --package triage --test wards -- --ignored --nocapture --test-threads 1

fuzz: $(FUZZ)/bin/cargo-fuzz ## Fuzz the parser and the decoder (FUZZ_SECONDS each; needs the nightly toolchain)
	cd engine/fuzz && PATH="$(FUZZ)/bin:$$PATH" $(CARGO) +nightly fuzz run --fuzz-dir . parse -- -max_total_time=$(FUZZ_SECONDS)
	cd engine/fuzz && PATH="$(FUZZ)/bin:$$PATH" $(CARGO) +nightly fuzz run --fuzz-dir . decode -- -max_total_time=$(FUZZ_SECONDS)

datasets: ## Make the heart table and the demonstration patients again and compare them with what is here
	python3 datasets/make_heart_table.py --check
	python3 datasets/make_demo_patients.py --check

model: $(MODEL)/complete ## Train and measure the heart score: model, figures, model card (ARGS=--check compares instead)
	$(MODEL)/bin/python datasets/train.py $(ARGS)

parity: $(MODEL)/complete ## Make the models that the engine's scores are held to, and what they must answer (ARGS="--rows 100000 --output DIR")
	$(MODEL)/bin/python datasets/parity/make.py $(ARGS)

$(KAFKA)/libs/complete: engine/services/pom.xml
	mvn --batch-mode --quiet --file engine/services/pom.xml dependency:copy-dependencies -DoutputDirectory=$(@D)
	touch $@

# A beta, GPL-2.0: run as a process of its own, never linked. Its own build folder: it shares nothing with ours.
$(MONGODB)/bin/secantusd-rs:
	CARGO_TARGET_DIR=$(MONGODB)/build $(CARGO) install secantus-mdb --version 0.5.3-beta.196 --ignore-rust-version --root $(MONGODB)
	rm -rf $(MONGODB)/build

$(READERS)/complete: deploy/readers/requirements.txt
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(MODEL)/complete: datasets/requirements.txt
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

# A tool's folder bears its version, so that another version is installed beside it.
$(TOOLS)/%:
	$(CARGO) install --locked --root $(TOOLS)/$(*D:/bin=) --version $(lastword $(subst -, ,$(*D:/bin=))) $(*F)
