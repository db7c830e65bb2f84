# SwarmNode: `make` alone lists what there is. Each may be set on the command line:
SWIFT ?= swift
FUZZ_SECONDS ?= 60
BENCH_ARGUMENTS ?=
SEEDS ?= 1-200
SEED ?= $(SEEDS)
SWIFT_SOURCES = Package.swift Sources Tests Benchmarks
scripts = $(sort $(shell find [!.]* -name '*.$(1)'))
PREFIX ?= /usr/local
DESTDIR ?=
export SWIFT PREFIX DESTDIR

.NOTPARALLEL:
.PHONY: help deps build demo docs install uninstall test check lint sim fuzz bench interop compose clean-machine

help: ## This list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
deps: ## Install what is missing to build and test (Debian 12), or name it
	@Scripts/deps.sh
build: deps ## The program in release, with no Swift needed to run it: .build/release/swarm
	$(SWIFT) build -c release --static-swift-stdlib --product swarm
demo: build ## A dataset shared, followed and updated; a machine that boots from the swarm: minutes, and nothing stays
	@Scripts/deps.sh --demo
	Scripts/demo.sh
docs: build ## Man pages and shell completions, in .build/share; the libraries as HTML, in .build/share/doc
	python3 -B Scripts/manual.py .build/release/swarm .build/share
	Scripts/libraries.sh .build/release .build/share/doc
install: ## Program, man pages, completions, documents, systemd units: sudo make install PREFIX=/usr/local (after make build)
	@Scripts/install.sh install
uninstall: ## Takes away what install put there
	@Scripts/install.sh uninstall
# Lines for debuggers and an index of the system's modules take time to build, and no test uses them.
test: deps ## All tests of the package
	$(SWIFT) test --parallel --disable-xctest -debug-info-format none -Xswiftc -index-ignore-system-modules
check: lint test build docs sim interop ## What CI runs: lint, tests with the fuzzers' corpora, release build, documentation, simulator, interop
lint: ## Swift format, shellcheck, Python syntax
	@Scripts/deps.sh --lint
	$(SWIFT) format lint -r --strict $(SWIFT_SOURCES)
	shellcheck .ci/run $(call scripts,sh)
	python3 -B Scripts/python_syntax.py $(call scripts,py)
	python3 -B Benchmarks/figures.py --check README.md
sim: deps ## Simulated swarms with all that goes wrong: SEEDS=1-200; SEED=7 prints the events of one
	$(SWIFT) build -c release --product swarm-sim
	.build/release/swarm-sim $(SEED)
	@[ "$(SEED)" != "$(SEEDS)" ] || { .build/release/swarm-sim --crowd 1 && .build/release/swarm-sim --heads 1-3 && .build/release/swarm-sim --dht 1-2 && .build/release/swarm-sim --dht 3-3 --nodes 200 && .build/release/swarm-sim --reads 1-2 && .build/release/swarm-sim --terabyte; }
fuzz: deps ## Each fuzzer for FUZZ_SECONDS (60) seconds
	Tests/Fuzz/fuzz.sh $(FUZZ_SECONDS)
bench: build ## Every figure beside other programs', and one table at the end; BENCH_ARGUMENTS="--quick" is small
	Benchmarks/run.sh $(BENCH_ARGUMENTS)
interop: build ## Against programs that others wrote
	$(SWIFT) build -c release --static-swift-stdlib --product swarm-map
	$(SWIFT) build -c release --static-swift-stdlib --product swarm-lan
	$(SWIFT) build -c release --static-swift-stdlib --product swarm-dht
	interop/run.sh
compose: build ## The scenarios of docker-compose.test.yml, in containers; starts an engine where none runs (root)
	interop/compose.sh
clean-machine: ## The README on a Debian with nothing but Swift (root, debootstrap, network)
	interop/clean-machine.sh
