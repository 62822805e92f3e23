# Everything runs in .venv, which the first target that needs it makes. `make help` lists the targets.
PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help run test lint types check bench table-dynex clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, " + sys.executable + " is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	@touch $@

# A stamp is written only after pip has succeeded, so an interrupted install is taken up again.
.venv/installed: .venv/made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[dev]'
	@touch $@

run: .venv/installed ## install what is needed, train and test the QRBM on MNIST (ARGS="seed=1 ..." for more)
	$(BIN)/neurobench run model=qrbm backend=sim $(ARGS)

test: .venv/installed-dev ## install what is needed, run the tests (ARGS="-k name" for some)
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: .venv/installed-dev ## ruff: errors and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev ## mypy
	$(BIN)/mypy

check: lint types test ## all of the above

bench: .venv/installed-dev ## speed, as ratios measured side by side in one run
	$(BIN)/python tests/bench/bench_qrbm.py
	$(BIN)/python tests/bench/bench_yin_yang.py
	$(BIN)/python tests/bench/bench_cli.py

table-dynex: .venv/installed ## run the Dynex tutorial and our best recipe, print published | measured | band | verdict
	$(BIN)/neurobench run experiment=dynex_qrbm --resume
	$(BIN)/neurobench run experiment=dynex_qrbm_best --resume
	$(BIN)/neurobench table dynex

clean: ## remove the environment and caches; runs in outputs/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build *.egg-info
