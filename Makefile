# Two commands do everything on a new machine:  make demo  (the main job)  and  make test  (the tests).
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow lint docs debian clean
.DEFAULT_GOAL := demo

demo: $(READY)
	$(BIN)/python experiments/demo.py --out runs/demo

test: debian $(READY) lint
	$(BIN)/python -m pytest

test-slow: $(READY)
	$(BIN)/python -m pytest -m "slow or browser"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

# Debian's packages widen what the tests cover; nothing here fails without them.
debian:
	@sh .ci/debian

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,docs]"
	@touch $@

clean:
	rm -rf $(VENV) docs/_build runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
