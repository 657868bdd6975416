# make demo: the conveyor on a simulated belt and its page. make test: everything, tested.
# Both need only make and python3 with venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 7860

.PHONY: demo test lint clean

demo: $(VENV)/.edge
	@$(BIN)/ewaste-edge demo --port $(PORT) $(if $(PHOTOS),--photos "$(PHOTOS)")

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
		|| { echo "error: python3 3.10 or newer is needed (set PYTHON=... to choose one)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "error: python3 lacks venv; on Debian: apt install python3-venv"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.edge: $(VENV)/bin/python setup.py
	@echo "installing the device side into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[edge]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python setup.py
	@echo "installing everything into $(VENV) (once; TensorFlow is large)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.edge

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
