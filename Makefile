# Two commands do everything on a new machine:  make demo  (the main job)  and  make test  (the tests).
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
VENV4 ?= .venv-transformer-lens-4
BIN4 := $(VENV4)/bin
READY4 := $(VENV4)/.ready
# Everything that runs a model; under TransformerLens 4 tests/conftest.py names what is left out of it, and why.
IDENTITY := tests/numbers tests/models tests/runs tests/analysis \
  'tests/test_docs.py::test_the_code_of_the_page_runs[transformer_lens_4.md]'
NUMERIC := tests/numbers tests/models tests/effects tests/comparison tests/speech/encoders
ROUNDED := tests/models/blocks tests/models/test_precision.py tests/speech/encoders
TWO_THREADS := OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
PACKAGES := 'import sysconfig; print(sysconfig.get_path("purelib"))'
BENEATH := 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))'
# An older processor's instructions, for every library that chooses by itself.
OLDER := ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 OPENBLAS_CORETYPE=Haswell \
  NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"

.PHONY: demo test test-slow test-numeric test-other-processor test-slow-browser \
  test-transformer-lens-4 lint docs debian python clean
.DEFAULT_GOAL := demo

demo: $(READY)
	@$(BIN)/python experiments/demo.py --out runs/demo

# Each process begins at its own half, so that what a file needs (a page, a browser) is made once, and what is left at
# the end is shared.
test: python debian $(READY) lint
	@env -u ONEDNN_MAX_CPU_ISA OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

# Only files that mark such tests are collected.
test-slow: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m "slow or browser" \
	  $$(grep -rlE --include='test_*.py' 'mark\.(slow|browser)\b' tests | sort)

# The numbers under older instructions and at two threads: no assertion may depend on the processor. All instructions of
# this processor, at one thread, are what `make test` runs; what of the numbers is the same under TransformerLens 4 is run
# so by `make test-transformer-lens-4`. AVX-512 without AMX differs from all instructions where numbers are bfloat16.
# Threads that wait sleep, so that two processes of two threads do not spin on two cores.
test-numeric: $(READY)
	@echo "numeric tests: instructions up to AVX2"
	@$(OLDER) $(TWO_THREADS) $(BIN)/python -m pytest -q -n 2 --dist worksteal $(NUMERIC)
	@echo "numeric tests of bfloat16: oneDNN up to AVX-512"
	@ONEDNN_MAX_CPU_ISA=AVX512_CORE $(TWO_THREADS) $(BIN)/python -m pytest -q -n 2 --dist worksteal $(ROUNDED)

# The same on a processor that no two shapes add alike on (tests/other_processor.py): twice as slow, by hand.
test-other-processor: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -p other_processor $(NUMERIC) tests/runs tests/analysis

# The tests of the browser where all that may come late does come late (tests/slow_browser.py): by hand, LATE=--late-seed=1.
test-slow-browser: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -p slow_browser $(LATE) -m "browser and not slow" \
	  $$(grep -rlE --include='test_*.py' 'mark\.browser\b' tests | sort)

# The identity suite under TransformerLens 4, in an environment of its own: every method's known numbers, the protocol
# against full passes and Hugging Face's hooks, the sweep and every method against plain loops. It runs under older
# instructions and at two threads, as `make test-numeric` does.
test-transformer-lens-4: $(READY4)
	@$(OLDER) $(TWO_THREADS) $(BIN4)/python -m pytest -q -n 2 --dist worksteal $(IDENTITY)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: $(READY)
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

# Debian's packages widen what the tests cover; nothing here fails without them (`.ci/run` does).
debian:
	@sh .ci/debian

# Before anything is made: a Python that is too old is told in one sentence.
python:
	@$(PYTHON) -c $(NEW_ENOUGH) || { \
	  echo "spiritlens needs Python 3.11 or newer, and $(PYTHON) is not; name one: make PYTHON=python3.11"; exit 1; }

$(READY): pyproject.toml constraints.txt | python
	@echo "Setting up $(VENV): this takes a few minutes the first time."
	@$(BIN)/python -c $(NEW_ENOUGH) 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --timeout 60 --retries 10 -c constraints.txt -e ".[test,docs]"
	@touch $@

# All packages of $(VENV), under another TransformerLens: `pip check` tells what of them it could not do with.
$(READY4): $(READY) constraints-transformer-lens-4.txt
	@echo "Setting up $(VENV4): what $(VENV) has, with another TransformerLens."
	@$(BIN)/python -m venv --clear $(VENV4)
	@$(BIN)/python -c $(BENEATH) > "$$($(BIN4)/python -c $(PACKAGES))/beneath.pth"
	@$(BIN4)/python -m pip install -qq --disable-pip-version-check --timeout 60 --retries 10 -c constraints-transformer-lens-4.txt "transformer-lens>=4"
	@$(BIN4)/python -m pip check
	@touch $@

clean:
	rm -rf $(VENV) $(VENV4) docs/_build runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
