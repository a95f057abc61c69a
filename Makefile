# `make` alone prints this menu.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help serve test test-long test-faults fuzz coverage matrix check bench growth screenshots lock clean

help:  ## this menu
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

serve: $(VENV)/.runtime  ## build the environment and serve on http://127.0.0.1:5000 from ./tarkeep-data
	@echo 'To call tarkeep by its name in another shell:  export PATH="$(abspath $(BIN)):$$PATH"'
	@echo 'Archives are kept in the directory that the line with "opened store=" names.'
	$(BIN)/tarkeep serve

test: check  ## set up, check and run the whole suite
	$(BIN)/python -m pytest -n auto --dist worksteal

test-long: $(VENV)/.development  ## 2,000 histories of directories, each point restored in every way; load in full size; fuzzing
	LOAD=full $(BIN)/python -m pytest tests/journeys/test_load.py tests/entrypoints/http/requests/test_hostile_multipart.py tests/entrypoints/http/edge/test_method_override.py tests/entrypoints/http/routes/test_openapi.py
	$(BIN)/python -m pytest -m hostile tests/journeys/test_hostile_archives.py tests/journeys/test_hostile_chains.py
	TARKEEP_TEST_HISTORIES=$${TARKEEP_TEST_HISTORIES:-2000} $(BIN)/python -m pytest -n auto tests/journeys/test_restores.py tests/journeys/test_real_people.py tests/journeys/test_pruned_histories.py tests/documents/test_brake_table.py
	FUZZ_SECONDS=600 $(BIN)/python -m pytest -n auto tests/fuzz

test-faults: $(VENV)/.development  ## what survives power cuts, kills and failing disks, see tests/faults/README.md
	$(BIN)/python -m pytest -n auto -m faults -o faulthandler_timeout=400 -o faulthandler_exit_on_timeout=true tests/faults

fuzz: $(VENV)/.development  ## a minute of fuzzing for each target of tests/fuzz
	FUZZ_SECONDS=60 $(BIN)/python -m pytest -n auto tests/fuzz

coverage: $(VENV)/.development  ## which lines the tests run, in the programs that they start, too; twice as long as make test
	$(BIN)/coverage erase
	TARKEEP_TEST_EXEC=1 $(BIN)/coverage run -m pytest -n auto; tested=$$?; $(BIN)/coverage combine -q && $(BIN)/coverage report && exit $$tested

matrix:  ## the tests on each Python from 3.11 to 3.13 that this machine has
	scripts/matrix

check: $(VENV)/.development  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.development  ## measure against yardsticks and peers, see benchmarks/README.md
	$(BIN)/python -m benchmarks $(filter growth,$(MAKECMDGOALS))

growth: bench  ## with bench or alone: only how costs grow with what lies in the server, each at three sizes
	@:

screenshots: $(VENV)/.development  ## pictures of every page in screenshots/, to be looked at
	$(BIN)/python -m tests.browser.screenshots screenshots

lock: $(VENV)/.development  ## renew the hashed locks from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header pyproject.toml --group build --extra s3 --extra postgres -c requirements-dev.lock -o requirements-servers.lock

clean:  ## remove the environment and what builds leave behind
	rm -rf $(VENV) .matrix .coverage* dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tarkeep needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no venv module: apt install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: requirements.lock pyproject.toml src/__init__.py | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(VENV)/.runtime
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
