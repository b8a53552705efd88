# Each target sets up what it needs. Another Python: `make PYTHON=/path/to/python3.12 demo`.

VENV ?= .venv
BIN := $(VENV)/bin
# Otherwise every program that a test starts would compile all modules again.
export PYTHONDONTWRITEBYTECODE =

# Most tests wait for servers and processes most of the time; some chosen ones run one by one.
PROCESSES ?= $(if $(ARGS),0,$(shell expr 5 '*' $$(getconf _NPROCESSORS_ONLN) / 2))
TESTING = --durations=25 -n $(PROCESSES) --dist loadscope --no-loadscope-reorder $(if $(filter 0,$(LIVE)),--no-live)
CODE := core components adapters tests examples bench

# Run each candidate before trusting it: a pyenv shim is on the path and still may not work.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
	>/dev/null 2>&1 && echo $$python && break; done)

.PHONY: help install demo test test-long simulate chaos check fix bench servers proto support docs lock

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

install: $(VENV)/.development ## Set up .venv for development

demo: $(VENV)/.demo ## Process an order; kill it half-way and run it again
	@$(BIN)/python examples/order_processing.py

test: $(VENV)/.development ## Run the tests; ARGS='-k name' for some, LIVE=0 for no servers
	$(BIN)/python -m pytest $(TESTING) $(ARGS)

test-long: $(VENV)/.development ## Run the tests that take longer: more variants, more of others' programs
	$(BIN)/python -m pytest $(TESTING) --long -m long $(ARGS)

simulate: $(VENV)/.development ## Kill a simulated engine, and check what it acknowledged; ARGS='--seeds 1000 --from 1'
	@PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

chaos: $(VENV)/.development ## Kill real processes, and check what they acknowledged; ARGS='kills --backend temporal', 'workers', …
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

check: $(VENV)/.development ## Check format, lint, types and the direction of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo

fix: $(VENV)/.development ## Format the code, and fix what the linter can fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.development $(VENV)/dbos/.made ## Measure the figures of docs/benchmarks.md; ARGS='chain' or 'temporal'
	$(BIN)/python -m bench --dbos $(VENV)/dbos/bin/python $(ARGS)

servers: $(VENV)/.made ## Get the servers of the live tests, once, and print where they are
	@PYTHONPATH=tests $(BIN)/python -m servers

proto: $(VENV)/proto/.made ## Generate the code of core/flowyard/wire from its .proto files
	$(VENV)/proto/bin/python -m grpc_tools.protoc --proto_path=core --python_out=core \
		--pyi_out=core core/flowyard/wire/v1/*.proto

support: $(VENV)/.development ## Write docs/support.md from runs of the conformance suite
	$(BIN)/python -m pytest $(TESTING) --long --write-support $(ARGS) tests/wire/grpc/test_remote_conformance.py \
		$(wildcard tests/*/test*conformance.py tests/conformance/test_engine.py)

docs: $(VENV)/docs/.made ## Build the documentation's site in build/docs; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/python -m mkdocs build --strict $(ARGS)

lock: ## Pin in constraints.txt what a clean installation gets now
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet -r requirements-dev.txt
	build/lock/bin/python -m pip freeze --exclude-editable > constraints.txt

$(VENV)/.made:
	@test -n "$(PYTHON)" || { \
		echo 'Flowyard needs Python 3.11 or newer with its venv module; none is on the path.' >&2; \
		echo 'Install one (on Debian and Ubuntu: apt install python3-venv), or name one:' >&2; \
		echo '  make PYTHON=/path/to/python3 $(or $(MAKECMDGOALS),install)' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.development: $(VENV)/.made $(wildcard adapters/*/pyproject.toml) \
		pyproject.toml requirements-dev.txt constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -r requirements-dev.txt
	@touch $(VENV)/.demo $@

# In an environment of its own, because its dependencies are not ours.
$(VENV)/dbos/.made: $(VENV)/.made bench/requirements.txt
	$(BIN)/python -m venv $(VENV)/dbos
	$(VENV)/dbos/bin/python -m pip install --quiet -r bench/requirements.txt
	@touch $@

# In an environment of its own, too, because no test needs it.
$(VENV)/docs/.made: $(VENV)/.made docs/requirements.txt
	$(BIN)/python -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet -r docs/requirements.txt
	@touch $@

# An old generator on purpose: its code runs with every version of protobuf that we allow.
$(VENV)/proto/.made: $(VENV)/.made
	$(BIN)/python -m venv $(VENV)/proto
	$(VENV)/proto/bin/python -m pip install --quiet grpcio-tools==1.75.1
	@touch $@
