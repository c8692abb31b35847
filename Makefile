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
MONGOSH = $(TOOLS)/mongosh-2.12.0
READERS = $(TOOLS)/readers-$(shell cksum < deploy/readers/requirements.txt | cut -d ' ' -f 1)
CHECK = $(TOOLS)/deploy-check-$(shell cksum < deploy/check/requirements.txt | cut -d ' ' -f 1)
PROMETHEUS = $(TOOLS)/debian-prometheus
ALERTMANAGER = $(TOOLS)/debian-prometheus-alertmanager
SYSTEMD = $(TOOLS)/debian-systemd
MODEL = $(TOOLS)/model-$(shell cksum < datasets/requirements.txt | cut -d ' ' -f 1)
SERVERS = SERVICES_PYTHON=$(READERS)/bin/python SERVICES_KAFKA_LIBS=$(KAFKA)/libs SERVICES_MONGODB_SERVER=$(MONGODB)/bin/secantusd-rs SERVICES_MONGOSH=$(MONGOSH)/node_modules/.bin/mongosh

# Registries are tried three times: a connection that is cut in the middle is no reason to give up.
AGAIN = sh -c 'for pause in 5 20; do "$$@" && exit; echo "$$1 failed; again in $$pause s" >&2; sleep $$pause; done; exec "$$@"' again

# Kafka's client needs OpenSSL. Where its headers are, it is the machine's; elsewhere it is built, which takes some minutes once.
ifeq ($(shell pkg-config --exists 'openssl >= 1.1.1' 2>/dev/null && echo yes),yes)
export OPENSSL_NO_VENDOR = 1
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-services upgrade-check services-up services-down run-services chaos servers hospital deploy-check lint fmt rules doc deny check release bench alarm-curve bench-e2e bench-reload bench-restore bench-score bench-store mutants soak wards fuzz datasets model parity parity-models run

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run everything in one process: broker, gateway, engine, store, web (ARGS="--once")
	$(TRIAGE) demo $(ARGS)

run: ## Run the engine on the brokers of triage.toml (ARGS="--config FILE")
	$(TRIAGE) run $(ARGS)

test: ## Run all tests that need nothing but this folder
	$(CARGO) test --workspace

test-services: servers ## Run the tests on Apache Kafka and a MongoDB-wire server (ARGS="--test services")
	$(SERVERS) $(CARGO) test --package triage --features services $(or $(ARGS),--test sink_suite --test store_services --test services --test encryption_services --test rights --test chaos) -- --nocapture

# The earlier program is built in a checkout of its own, and shares what both are made of.
upgrade-check: ## Upgrade, back and again: the program of an earlier commit on this one's state (EARLIER=COMMIT)
	@[ -n "$(EARLIER)" ] || { echo "say which: make upgrade-check EARLIER=COMMIT"; exit 2; }
	rm -rf target/earlier && git worktree prune && git worktree add --force --detach target/earlier $(EARLIER)
	cd target/earlier && CARGO_TARGET_DIR=$(abspath $(DEBUG)/..) $(CARGO) build --locked --package triage
	cp $(DEBUG)/triage target/earlier-triage && git worktree remove --force target/earlier
	UPGRADE_EARLIER=$(CURDIR)/target/earlier-triage $(CARGO) test --package triage --test upgrade -- --ignored --nocapture an_earlier_program

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

# Java 17, Maven, Node, Python, cmake and a C compiler; the MongoDB-wire server is built once, in about nine minutes on two cores.
servers: $(KAFKA)/libs/complete $(MONGODB)/bin/secantusd-rs $(MONGOSH)/complete $(READERS)/complete

hospital: ## Start the whole hospital in containers (needs Docker): Kafka, MongoDB, engine, gateway, Prometheus, Alertmanager, Grafana
	deploy/secrets.sh deploy/secrets
	docker compose --file deploy/compose.yaml up --build --detach --wait

deploy-check: $(CHECK)/complete $(PROMETHEUS)/complete $(ALERTMANAGER)/complete $(SYSTEMD)/complete $(KAFKA)/libs/complete ## Check deploy/ without a daemon, and that each check names the faults it is for
	$(CARGO) build --package triage
	TRIAGE=$(abspath $(DEBUG))/triage PROMETHEUS=$(PROMETHEUS) ALERTMANAGER=$(ALERTMANAGER) SYSTEMD=$(SYSTEMD) KAFKA=$(KAFKA)/libs $(CHECK)/bin/python -B deploy/check/main.py
	TRIAGE=$(abspath $(DEBUG))/triage PROMETHEUS=$(PROMETHEUS) ALERTMANAGER=$(ALERTMANAGER) SYSTEMD=$(SYSTEMD) KAFKA=$(KAFKA)/libs $(CHECK)/bin/python -B deploy/check/main.py seeded

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

# Paths of this machine stay out of the program, so that another folder makes the same one.
release: ## The archive for a hospital with licences, bill of materials and checksums, in target/dist (BINARY=FILE packs another; ARGS=--check packs twice)
	$(if $(BINARY),,RUSTFLAGS="--remap-path-prefix=$(CURDIR)=/triage --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo" $(CARGO) build --release --locked --package triage)
	python3 -B engine/release/main.py --binary $(or $(BINARY),$(RELEASE)/triage) --output target/dist $(ARGS)

bench: ## Run the benches (ARGS="--bench decode")
	$(CARGO) bench --package triage-bench $(ARGS)

alarm-curve: ## Alarms of a simulated ward by how long their conditions must hold: the table and picture of docs/alarm-curve.md
	$(CARGO) run --release --package triage-bench --bin alarm-curve

bench-e2e: $(KAFKA)/libs/complete ## Engine and hand-written program on Apache Kafka, side by side (ARGS="--help")
	$(CARGO) build --release --package triage --package triage-bench --bins
	SERVICES_KAFKA_LIBS=$(KAFKA)/libs $(RELEASE)/e2e $(ARGS)

bench-reload: $(KAFKA)/libs/complete ## How long a reload of 10,000 rules holds readings back, on Apache Kafka (RULES, WINDOWS, PATIENTS)
	SERVICES_KAFKA_LIBS=$(KAFKA)/libs $(CARGO) test --release --package triage --features services --test reload_delay -- --ignored --nocapture

bench-store: $(KAFKA)/libs/complete $(MONGODB)/bin/secantusd-rs ## The store on Apache Kafka and a MongoDB-wire server: CPU, memory, recovery
	$(CARGO) build --release --package triage --package triage-bench --bins
	$(SERVERS) $(RELEASE)/store $(ARGS)

bench-score: $(MODEL)/complete ## Scores per second beside onnxruntime on one thread (ARGS="cardio random_forest", names of fixtures)
	$(CARGO) build --release --package triage-model --example rate
	$(MODEL)/bin/python datasets/parity/rate.py $(RELEASE)/examples/rate $(ARGS)

bench-restore: ## A hundred thousand patients taken over on the embedded broker: seconds
	$(CARGO) test --release --package triage --test restoring -- --ignored --nocapture

mutants: ## Break the compiled side on purpose, one thing at a time: the property tests must notice
	python3 engine/core/tests/mutations.py

soak: ## A million random readings, ten thousand edits: the program held to the plain interpreter (SOAK_SEED=N repeats, SOAK_READINGS=N, SOAK_EDITS=N shorten)
	$(CARGO) test --release --package triage-core --test equivalence soak -- --ignored --nocapture

wards: ## Seeded faults on simulated wards, and thirty days without any (WARDS_SEED=N: thirty days of that seed)
	$(CARGO) test --release --package triage --test wards -- --ignored --nocapture --test-threads 1

fuzz: $(FUZZ)/bin/cargo-fuzz ## Fuzz the parser and the decoder (FUZZ_SECONDS each, FUZZ_SEED=N repeats; needs the nightly toolchain)
	cd engine/fuzz && PATH="$(FUZZ)/bin:$$PATH" $(CARGO) +nightly fuzz run --fuzz-dir . parse -- -max_total_time=$(FUZZ_SECONDS) $(addprefix -seed=,$(FUZZ_SEED))
	cd engine/fuzz && PATH="$(FUZZ)/bin:$$PATH" $(CARGO) +nightly fuzz run --fuzz-dir . decode -- -max_total_time=$(FUZZ_SECONDS) $(addprefix -seed=,$(FUZZ_SEED))

datasets: ## Make the heart table and the demonstration patients again and compare them with what is here
	python3 datasets/make_heart_table.py --check
	python3 datasets/make_demo_patients.py --check

model: $(MODEL)/complete ## Train and measure the heart score: model, figures, model card (ARGS=--check compares instead)
	$(MODEL)/bin/python datasets/train.py $(ARGS)

parity: $(MODEL)/complete ## Hold every kind of model to onnxruntime on 100,000 rows, and print the table of docs/models.md (ROWS=N)
	$(MODEL)/bin/python datasets/parity/make.py --rows $(or $(ROWS),100000) --output target/parity
	TRIAGE_PARITY=$(CURDIR)/target/parity $(CARGO) test --release --package triage-model --test parity -- --nocapture

parity-models: $(MODEL)/complete ## Make the models of the engine's tests, and what they must answer (ARGS=--check compares instead)
	$(MODEL)/bin/python datasets/parity/make.py $(ARGS)

$(KAFKA)/libs/complete: engine/services/pom.xml
	$(AGAIN) mvn --batch-mode --quiet --file engine/services/pom.xml dependency:copy-dependencies -DoutputDirectory=$(@D)
	touch $@

# A beta, GPL-2.0: run as a process of its own, never linked. Its own build folder: it shares nothing with ours.
$(MONGODB)/bin/secantusd-rs:
	CARGO_TARGET_DIR=$(MONGODB)/build $(CARGO) install secantus-mdb --version 0.5.3-beta.196 --locked --ignore-rust-version --root $(MONGODB)
	rm -rf $(MONGODB)/build

# What administrators run `deploy/mongo` with, and what it needs as of a day; its optional parts are for what nobody here logs in with.
$(MONGOSH)/complete:
	mkdir -p $(@D)
	$(AGAIN) npm install --prefix $(@D) --omit=optional --ignore-scripts --no-package-lock --before 2026-11-20 --silent mongosh@2.12.0
	touch $@

$(READERS)/complete: deploy/readers/requirements.txt
	python3 -m venv $(@D)
	$(AGAIN) $(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(CHECK)/complete: deploy/check/requirements.txt
	python3 -m venv $(@D)
	$(AGAIN) $(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# Debian's packages, unpacked beside the other tools: nothing is installed, and no root is needed where the lists are there.
$(PROMETHEUS)/complete: PACKAGES = prometheus
$(ALERTMANAGER)/complete: PACKAGES = prometheus-alertmanager
$(SYSTEMD)/complete: PACKAGES = systemd libsystemd-shared
DOWNLOAD = apt-get --quiet=2 --option Acquire::Retries=3 download $(PACKAGES)
$(PROMETHEUS)/complete $(ALERTMANAGER)/complete $(SYSTEMD)/complete:
	mkdir -p $(@D)
	cd $(@D) && { $(DOWNLOAD) || { apt-get --quiet=2 update && $(DOWNLOAD); }; }
	cd $(@D) && for package in *.deb; do dpkg -x $$package .; done
	touch $@

$(MODEL)/complete: datasets/requirements.txt
	python3 -m venv $(@D)
	$(AGAIN) $(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

# A tool's folder bears its version, so that another version is installed beside it.
$(TOOLS)/%:
	$(CARGO) install --locked --root $(TOOLS)/$(*D:/bin=) --version $(lastword $(subst -, ,$(*D:/bin=))) $(*F)
