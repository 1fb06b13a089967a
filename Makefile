# sendgate: everything a developer types. `make` alone explains it.

PYTHON ?= python3
# Which PostgreSQL: empty means a private one, fetched once into .run/. Or the pg_config of yours.
PG_CONFIG ?=
# For `make test`: the versions, separated by commas; and a part of the names of the tests to run.
PG ?=
ONLY ?=
# How long `make run` sends, in seconds; empty means as long as the demo chooses.
DEMO_SECONDS ?=
# For `make run`: over how many partitions behind a proxy; empty means one database and no proxy.
PARTITIONS ?=
# Options of `make test-fresh`, such as FRESH="--suite trixie --case user"; and Debian's archive, if not apt's.
FRESH ?=
MIRROR ?=
# Options of `make package`, such as PACKAGE="--kinds deb", of `make test-packages` and of `make test-containers`.
PACKAGE ?=
PACKAGES ?=
CONTAINERS ?=
# Options of `make soak`, such as SOAK="--operations 100000 --kills 50 --seed 7".
SOAK ?=

# Options of `make bench`, such as BENCH="--quick"; and a commit that it measures beside the
# present revision, or beside the commit AFTER.
BENCH ?=
AGAINST ?=
AFTER ?=

# make hands variables from its command line on to the commands by itself.
export PYTHONDONTWRITEBYTECODE = 1

harness = $(PYTHON) tests/harness/run.py $(if $(PG),--pg $(PG)) $(if $(ONLY),--only $(ONLY))

.DEFAULT_GOAL := help
.PHONY: help python run check test test-fresh soak bench bench-books bench-lists bench-written bench-bloat bench-proxy page-times pictures accept install package test-packages \
	test-containers release release-check fmt clean

help:
	@echo "sendgate asks before it sends. Start here:"
	@echo
	@echo "  make run       see it work: builds the extension, starts a private PostgreSQL 18"
	@echo "                 on 127.0.0.1 and plays a demo; nothing is installed on your system"
	@echo "  make run PARTITIONS=4   the same with the accounts split over partitions behind a proxy;"
	@echo "                 needs PL/Proxy, which is unpacked from Debian 12's packages"
	@echo "  make test      everything, on PostgreSQL 15, 16 and 18, and on 17 in short; ends with 'N passed, M failed'"
	@echo
	@echo "  make check     in less than a minute, without a server: formats, lints, the rules' tests, the house"
	@echo "  make test PG=18 ONLY=regress/   only some versions, only some tests"
	@echo "  make test-fresh   make run and a test in bare Debian 12 and 13 roots; needs root and debootstrap"
	@echo "  make accept ONLY=regress/10     take what a test prints now as what it should print"
	@echo "  make soak      the long form of the chaos test: 200 kills over 1,000,000 operations, half an hour or"
	@echo "                 so; SOAK=--help shows its options"
	@echo "  make bench     the benchmark; BENCH=--help shows its options"
	@echo "  make bench AGAINST=HEAD~1   that commit and the present files, measured in turn: what a change costs"
	@echo "  make bench AGAINST=v1 AFTER=v2   two commits, measured in turn: what a past change cost"
	@echo "  make bench-books   sweeps, midnight and the daemon's memory at a million accounts"
	@echo "  make bench-lists, make bench-written   campaign work in numbers; WAL and row widths beside 0.2.0"
	@echo "  make bench-bloat   what an hour of full load leaves behind"
	@echo "  make bench-proxy   reserve and dispatch through a proxy beside direct calls"
	@echo "  make page-times, make pictures   how fast the console's pages are, and how they look"
	@echo "  make install PG_CONFIG=/path/to/pg_config   build for your own server, install there"
	@echo "  make package PG=18   .deb and .rpm for these versions (all without PG), and a source zip, in dist/"
	@echo "  make test-packages, make test-containers   install and use them in bare Debian roots, and images"
	@echo "  make release-check   what is still missing for a release, each with what to do"
	@echo "  make release NEXT=0.4.0   freeze this version and begin the next (CONTRIBUTING.md)"
	@echo "  make fmt       format the Rust and the Python code"
	@echo "  make clean     remove .run/, target/, dist/ and test results"
	@echo
	@echo "Needed: Rust (rustup), a C compiler, Python 3.11 or newer with pip. The rest is fetched"
	@echo "into .run/. Variables: PG_CONFIG= uses a copy of that PostgreSQL instead of the private"
	@echo "one, DEMO_SECONDS=30 sets how long the demo sends, PYTHON= names the interpreter."

# Python tells all the rest that is missing; only its own absence has to be told here.
python:
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no Python: $(PYTHON) is not in PATH; 3.11 or newer is needed"; \
		echo "      sudo apt-get install --no-install-recommends python3 python3-pip   (or name yours: make PYTHON=…)"; exit 2; } >&2

run: python
	@$(PYTHON) examples/demo.py

check: python
	@$(PYTHON) tests/harness/run.py --check

test: python
	@$(harness)

test-fresh: python
	@$(PYTHON) tests/fresh/main.py $(FRESH)

soak:
	@$(PYTHON) tests/chaos/soak.py $(SOAK)

bench:
	@$(PYTHON) tests/bench/bench.py $(if $(AGAINST),--against $(AGAINST)) $(if $(AFTER),--after $(AFTER)) $(BENCH)

bench-books:
	@$(PYTHON) tests/bench/books $(BENCH)

bench-lists:
	@$(PYTHON) tests/bench/lists.py $(BENCH)

bench-written:
	@$(PYTHON) tests/bench/written.py $(BENCH)

bench-proxy:
	@$(PYTHON) tests/bench/proxy.py $(BENCH)

bench-bloat:
	@$(PYTHON) tests/bench/bloat.py $(BENCH)

page-times:
	@$(PYTHON) tests/pages/times.py

pictures:
	@$(PYTHON) tests/pages/pictures.py

accept:
	@$(harness) --accept

install: python
	@$(PYTHON) tests/harness/build.py

package: python
	@$(PYTHON) tests/packages/package.py $(if $(PG),--pg $(PG)) $(PACKAGE)

test-packages: python
	@$(PYTHON) tests/packages/main.py $(PACKAGES)

test-containers: python
	@$(PYTHON) tests/packages/containers.py $(CONTAINERS)

release-check: python
	@$(PYTHON) tests/upgrade/checklist.py

release:
	@$(PYTHON) tests/upgrade/release.py $(NEXT)

fmt:
	cargo fmt --all
	@$(PYTHON) tests/harness/python.py

clean:
	@$(PYTHON) tests/harness/run.py --clean
