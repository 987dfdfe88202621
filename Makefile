# demo: the main job on embedded servers.  test: every test.  check: lint, types, layers.
# bench: the figures.  Each prepares .venv when it is missing or a lock changed.
PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check --quiet
SOURCES := pyproject.toml sdk/pyproject.toml

.PHONY: demo test check bench chaos guarantees walks lock format test-neo4j test-deploy test-image sbom licences clean
.DEFAULT_GOAL := help
.PHONY: help
help:
	@sed -n '1,2s/^# //p' Makefile

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "imbi-worker needs Python 3.11 or newer; choose one with make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

# Two steps, because pip takes no editable install in a hashed run.
$(VENV)/.runtime: requirements/runtime.txt $(SOURCES) | $(PY)
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-build-isolation --no-deps -e sdk -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.runtime
	$(VENV)/bin/imbi-worker demo $(ARGS)

# Two processes with servers of their own, unless it is told which servers to use; JOBS=0 is one.
test: $(VENV)/.dev
	$(PY) -m pytest -n $(if $(REDIS_URL)$(VALKEY_URL)$(NEO4J_URL),0,$(or $(JOBS),2)) --dist worksteal $(ARGS)

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	MYPYPATH=tests:tests/integration/queue $(VENV)/bin/mypy -p chaos
	MYPYPATH=deploy $(VENV)/bin/mypy -p supply_chain
	$(VENV)/bin/mypy -p bench
	$(VENV)/bin/basedpyright
	PYTHONPATH=sdk $(VENV)/bin/basedpyright --verifytypes imbi_sdk --ignoreexternal
	$(VENV)/bin/lint-imports

# The Bolt suites on a real Neo4j from Maven Central; needs Java 17 and mvn.
test-neo4j: $(VENV)/.dev
	PYTHON=$(abspath $(PY)) tests/neo4j/run $(ARGS)

# Chart, alerts and dashboards, with the validators that are no Python packages.
test-deploy: $(VENV)/.dev
	PYTHON=$(abspath $(PY)) tests/deploy/run $(ARGS)

bench: $(VENV)/.dev
	$(PY) -m bench $(ARGS)

guarantees: $(VENV)/.dev
	FULL=1 $(PY) -m pytest tests/integration/guarantees tests/acceptance/test_fencing.py tests/acceptance/test_drain.py $(ARGS)

# Workers killed, Redis restarted, connections cut: nothing is lost and order is kept.
# SEED plays the same storm again; SECONDS and WORKERS say how long and how many; FSYNC=everysec
# loses what a Redis may lose then.
chaos: $(VENV)/.dev
	PYTHONPATH=tests:tests/integration/queue $(PY) -m chaos \
		--seconds $(or $(SECONDS),120) --workers $(or $(WORKERS),8) $(if $(SEED),--seed $(SEED)) \
		$(if $(FSYNC),--fsync $(FSYNC)) $(ARGS)

# Hypothesis walks through the scripts, each time elsewhere.
walks: $(VENV)/.dev
	WALKS=$(or $(WALKS),2000) $(PY) -m pytest tests/integration/queue/test_any_order.py $(ARGS)

# The image, built by buildah on a base of Debian's packages, and a job's life in it; as root.
test-image: $(VENV)/.dev
	PYTHON=$(abspath $(PY)) tests/image/run $(ARGS)

# What the image is made of: bills of materials into build/, and the page of licences.
sbom: $(VENV)/.dev
	PYTHONPATH=deploy $(PY) -m supply_chain sbom build

licences: $(VENV)/.dev
	PYTHONPATH=deploy $(PY) -m supply_chain licences

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

lock:
	requirements/compile

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
