# All that a person does with this tree, by name. `make` alone prints the list.

PYTHON ?= python3
DEMO ?= 1
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KAFKA := build/kafka/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

PIP_TOOLS := pip-tools==7.6.2
PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $$dir/bin/pip-compile --quiet --generate-hashes --allow-unsafe \
	--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test check bench faults law-docs access-docs mutate second lock secrets clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) $(KAFKA) ## make .venv from the hashed lock, with the command .venv/bin/amtsbruecke; Kafka's jars for the tests

$(STAMP): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) is not on this machine; install Python 3.11 or newer, or name it: make install PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make install PYTHON=python3.11" >&2; \
		exit 1; }
	@echo "installing the locked dependencies into $(VENV); again only after the lock or pyproject.toml changes"
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu the package python3-venv is missing" >&2; \
		exit 1; }
	@$(PIP) install --require-hashes --requirement requirements-dev.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

# The tests start Apache Kafka from these jars; without Java or Maven everything else works, and `make test` says so.
$(KAFKA): pom.xml
	@rm -rf $(@D) && mkdir -p $(@D)
	@if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then \
		echo "no Java 17 or no Maven here: the tests with Apache Kafka will be skipped (install openjdk-17-jre-headless and maven)"; \
	elif mvn --quiet --batch-mode -Dstyle.color=never dependency:copy-dependencies; then touch $@; \
	else echo "Maven did not bring Apache Kafka's jars: the tests with Apache Kafka will be skipped"; \
	fi

run: $(STAMP) ## the gateway with the demonstration; DEMO=0 starts it empty
	$(BIN)/amtsbruecke run $(if $(filter 0 no false,$(DEMO)),--no-demo,--demo) $(ARGS)

test: install ## the tests, on all cores; ARGS="-k consent" picks some
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(STAMP) ## lint, format, types, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install ## the measurements of bench/
	$(BIN)/python -m bench $(ARGS)

faults: install ## break things on purpose under load, and see what holds; ARGS=--quick in five minutes
	$(BIN)/python -m faults $(ARGS)

law-docs: $(STAMP) ## write docs/law/ anew, from the rows of consent/rules/ and from decided cases
	$(BIN)/python -m consent.book docs/law
	$(BIN)/python -m tests.consent.explanation.page docs/law/explanations.md

access-docs: $(STAMP) ## write docs/access.md anew, from what is declared at routes and commands
	$(BIN)/python -m broker.access_page docs/access.md

mutate: install ## flip every condition of the law's engine and see that a test notices; ONLY=gates/mode picks some, ARGS=--changed changed lines
	$(BIN)/python -m tests.consent.mutate $(ARGS)

second: install ## the law's tables a second time, in Cedar: 100,000 requests answered alike; ARGS=1000000 asks more
	$(BIN)/python -m tests.consent.second $(ARGS)

lock: ## compile the hashed locks from pyproject.toml; ARGS=--upgrade takes newer versions
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT \
	&& $(PYTHON) -m venv "$$dir" \
	&& "$$dir/bin/python" -m pip --disable-pip-version-check --quiet install $(PIP_TOOLS) \
	&& $(PIP_COMPILE) --output-file requirements.txt pyproject.toml \
	&& $(PIP_COMPILE) --extra dev --build-deps-for editable --constraint requirements.txt \
		--output-file requirements-dev.txt pyproject.toml

# Readable by all inside a folder that is the owner's alone: in a container they are read under another name.
SECRETS := postgres-password $(addprefix amtsbruecke_login_,serve relay deliver seal cleanup admin replay)

secrets: $(SECRETS:%=secrets/%) ## passwords for compose.yaml under secrets/, made once, never kept by git
	@echo "secrets/ has a password for the owner of the database, and one for the login of each process"

secrets/%:
	@mkdir -p secrets && chmod 700 secrets
	@$(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(32))' > $@

clean: ## take away .venv, caches and builds; what the service wrote under var/ stays
	rm -rf $(VENV) build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
