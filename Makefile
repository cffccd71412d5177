# The same few commands everywhere. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps

# The parts of the tree that exist; mypy and pytest stop at a path that does not.
SOURCES := $(wildcard hub consumers channels templates loadtest deploy/local tests)

# uv does not read pip's settings: a certificate authority named to pip is meant for uv too.
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

# Bytecode lies inside this tree, and saves half of every start and of every collection of tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------------------------------- set up

.PHONY: setup
setup: env web ## Create .venv from the lock files and build the web bundle

# Python only: what the checks and the unit tests need.
.PHONY: env
env: $(STAMPS)/project

$(STAMPS)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Doorbell needs Python 3.11 or newer: make PYTHON=/path/to/python3")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dependencies: requirements-dev.lock $(STAMPS)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

# No build isolation: the build backend is in the lock file as well.
$(STAMPS)/project: pyproject.toml $(STAMPS)/dependencies
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: web
web: env ## Build the web bundle (skipped while its sources are unchanged)
	@if [ -f hub/web/build.sh ]; then PATH="$(CURDIR)/$(BIN):$$PATH" bash hub/web/build.sh; fi

.PHONY: proto
proto: env ## Compile hub/protocol/messages.proto again
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. hub/protocol/messages.proto

.PHONY: lock
lock: $(STAMPS)/uv ## Resolve the dependencies again and write the lock files
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev --group load -c requirements.lock -o requirements-dev.lock

# `make lock UPGRADE=--upgrade` moves to the newest versions that pyproject.toml allows.
UPGRADE ?=
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)

# ---------------------------------------------------------------------------------------------------------------- run

.PHONY: demo
demo: setup ## Run the whole of Doorbell on this machine; needs no broker and no root
	$(BIN)/doorbell demo

.PHONY: services-up
services-up: env ## Start a private Redis, RabbitMQ and Kafka on loopback (data in .local/)
	$(BIN)/python -m deploy.local up

.PHONY: services-down
services-down: ## Stop them
	$(BIN)/python -m deploy.local down

.PHONY: load
load: setup ## Run every scenario of the load test with 2,000 clients, in about a minute
	$(BIN)/python -m loadtest swarm

.PHONY: load-parts
load-parts: setup ## Measure what a connection costs, and how fast events pass from Kafka to sockets
	$(BIN)/python -m loadtest connections pipeline

.PHONY: load-100k
load-100k: setup ## Run the load test with 100,000 clients on this machine
	$(BIN)/python -m loadtest pipeline swarm --plan whole

.PHONY: load-delivery
load-delivery: setup ## Measure what a delivery worker sends, and what a campaign does to urgent texts
	$(BIN)/python -m loadtest delivery

.PHONY: load-crashes
load-crashes: setup ## Kill delivery workers at random during 20,000 jobs, and hold every record against what came
	$(BIN)/python -m loadtest crashes

# -------------------------------------------------------------------------------------------------------------- check

.PHONY: fmt
fmt: env ## Format the code and apply the linter's safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: check
check: env ## Lint the code and the Dockerfile, check formatting, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

# Tests of services wait for most of their time. Each process has services of its own, and takes one file after another.
# The browser's follow alone: they keep all cores busy, and a page that comes late fails them.
TEST_PROCESSES ?= 2

.PHONY: test
test: setup ensure check ## Check everything, then run every test but the faults
	$(BIN)/pytest -q -n auto tests/unit tests/property
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder \
		tests --ignore=tests/faults --ignore=tests/unit --ignore=tests/property --ignore=tests/browser
	$(BIN)/pytest tests/browser

.PHONY: test-unit
test-unit: env ## Run the tests that need no service
	$(BIN)/pytest -q -n auto --hypothesis-profile=quick tests/unit tests/property

.PHONY: test-faults
test-faults: setup ensure ## Kill, pause and cut off the services under load, and check that nothing is lost
	$(BIN)/pytest tests/faults

.PHONY: conformance
conformance: env ## Run the Autobahn test suite's cases against the socket and write the table of the docs
	$(BIN)/python -m tests.conformance

.PHONY: ensure
ensure: env ## Install the Debian packages that the tests' services need (root only; says what to do otherwise)
	$(BIN)/python -m deploy.local ensure

.PHONY: clean
clean: ## Remove what was built, the caches, the environment and the data of the local services
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.local down || true; fi
	rm -rf $(VENV) .local build dist hub/web/static/js hub/web/node_modules .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
