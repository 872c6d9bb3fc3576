# certmail: every target sets up what it needs. `make` lists them.
#
# PYTHON=python3.13   take this interpreter instead of the newest one found
# ARGS='-k pin'       words for pytest (make test) or for the rehearsal (make rehearse)

SHELL := /bin/sh
.DEFAULT_GOAL := help

ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3; do \
	if $$python -c '$(ENOUGH)' >/dev/null 2>&1; then echo $$python; break; fi; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet install

# A stamp carries the sum of the files it was made from: another lock, another stamp.
sum = $(shell cat $(1) 2>/dev/null | cksum | cut -d ' ' -f 1)
RUNTIME := $(VENV)/.runtime-$(call sum,requirements/runtime.txt)
BENCH := $(VENV)/.bench-$(call sum,requirements/bench.txt pyproject.toml)
DEV := $(VENV)/.dev-$(call sum,requirements/dev.txt pyproject.toml)
READER := tests/readers/openpgpjs
AUDIT := $(VENV)/.audit-$(call sum,requirements/audit.txt)
NPM := $(VENV)/.npm-$(call sum,$(READER)/package-lock.json)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1@\2/p' Makefile | column -t -s @ 2>/dev/null \
	|| sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1: \2/p' Makefile

.PHONY: rehearse
rehearse: $(RUNTIME) | gpg ## walk the whole way with throw-away keys and a relay on this machine
	$(BIN)/python -m certmail rehearse $(ARGS)

.PHONY: test
test: $(DEV) $(AUDIT) $(if $(shell command -v npm),$(NPM)) | gpg ## run every test
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

.PHONY: readers
readers: $(DEV) $(NPM) | gpg ## have every reader open every message, and write docs/readers.md
	$(BIN)/python -m tests.readers $(ARGS)

.PHONY: fuzz
fuzz: $(DEV) ## fuzz the readers, led by coverage; ARGS='pem --seconds 300' picks
	$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: mutate
mutate: $(DEV) | gpg ## change the rooms that refuse, and list what no test notices; ARGS=seal picks
	$(BIN)/python -m tests.mutation $(ARGS)

.PHONY: check
check: $(DEV) ## formatting, lint, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin
	$(BIN)/python -m pytest -q tests/test_house.py

.PHONY: format
format: $(DEV) ## format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: wheel
wheel: $(DEV) ## build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

.PHONY: dist
dist: $(DEV) ## build the sdist, and the wheel from it, into dist/
	$(BIN)/python -m build --no-isolation --outdir dist

.PHONY: sbom
sbom: $(AUDIT) ## write the bill of materials, CycloneDX, into dist/
	$(VENV)/audit/bin/python -m release.sbom dist

.PHONY: audit
audit: $(AUDIT) ## ask what is known against the locked releases; ARGS=--go-on where nobody answers
	$(VENV)/audit/bin/python -m release.audit $(ARGS) requirements/runtime.txt

.PHONY: bench
bench: $(BENCH) | gpg ## measure against what people use today; tables and charts in benchmarks/results
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: man
man: $(RUNTIME) ## write the man pages into build/man
	$(BIN)/python -m certmail.cli.write_manual build/man

.PHONY: docs
docs: $(DEV) ## build the documents as a site into build/site; a warning is an error
	rm -rf build/site build/doctrees
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-0} PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 \
	$(BIN)/python -m sphinx -q -W --keep-going -n -b html -d build/doctrees docs build/site

.PHONY: lock
lock: $(VENV)/.lock-$(call sum,requirements/lock.txt) ## resolve the locks anew; UPGRADE=--upgrade takes newer releases
	$(LOCK) -o requirements/runtime.txt
	$(LOCK) --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) --group dev --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(LOCK_ONLY) --group audit -c requirements/dev.txt -o requirements/audit.txt
	$(LOCK_ONLY) --group lock -o requirements/lock.txt
	@if grep -nE '://|^-|file:' requirements/*.txt; then \
	echo "make: a lock names a place; it must hold names, versions and hashes only" >&2; exit 1; fi

LOCK_ONLY = $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --annotation-style line $(UPGRADE)
LOCK = $(LOCK_ONLY) pyproject.toml

.PHONY: clean
clean: ## remove everything that make has made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# What the machine must bring. A missing thing is named with the line that installs it.

.PHONY: python
python:
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(ENOUGH)' 2>/dev/null; then \
	echo "make: Python 3.11 or newer is missing" >&2; \
	echo "make: apt install python3 python3-venv | dnf install python3 | brew install python" >&2; \
	exit 1; fi
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	echo "make: $(PYTHON) cannot make virtual environments" >&2; \
	echo "make: apt install python3-venv" >&2; \
	exit 1; }

.PHONY: gpg
gpg:
	@command -v gpg >/dev/null || { \
	echo "make: gpg is missing" >&2; \
	echo "make: apt install gnupg | dnf install gnupg2 | brew install gnupg" >&2; \
	exit 1; }

# Environments. Everything comes from the locks, by hash; nothing else is resolved or built.

$(BIN)/python: | python
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): | $(BIN)/python
	$(PIP) --require-hashes -r requirements/runtime.txt
	@rm -f $(VENV)/.runtime-* && touch $@

$(DEV): | $(BIN)/python
	$(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.dev-* $(VENV)/.runtime-* && touch $@ $(RUNTIME)

$(BENCH): | $(BIN)/python
	$(PIP) --require-hashes -r requirements/bench.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.bench-* $(VENV)/.dev-* $(VENV)/.runtime-* && touch $@ $(DEV) $(RUNTIME)

# What looks at the locks, apart from what is looked at.
$(AUDIT): | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip --disable-pip-version-check --quiet --quiet install \
	--require-hashes -r requirements/audit.txt
	@rm -f $(VENV)/.audit-* && touch $@

# OpenPGP.js, which only the tests use.
$(NPM): | $(BIN)/python
	@command -v npm >/dev/null || { \
	echo "make: npm is missing" >&2; \
	echo "make: apt install npm | dnf install npm | brew install node" >&2; \
	exit 1; }
	@mkdir -p $(VENV)/openpgpjs
	@cp $(READER)/package.json $(READER)/package-lock.json $(VENV)/openpgpjs
	@cd $(VENV)/openpgpjs && npm ci --silent --ignore-scripts --no-audit --no-fund
	@rm -f $(VENV)/.npm-* && touch $@

$(VENV)/.lock-%: | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip --disable-pip-version-check --quiet --quiet install \
	--require-hashes -r requirements/lock.txt
	@rm -f $(VENV)/.lock-* && touch $@
