# make demo: the conveyor on a simulated belt and its page. make test: the tests, those of the device
# in a venv without the workstation's packages. make wheel: the device's part as one file to install,
# in dist/. make test-device: all tests of the device but the slow ones. make test-e2e: the tests that
# run whole programs. make test-slow: the slow tests. make coverage: make test, and which lines it
# ran. All need only make and python3 with venv. make locks: the exact wheels of a device, in
# edge/deploy/locks. make sbom: what a release is made of, in dist/, one CycloneDX file for each of
# them. make bench: the short set of benchmarks, and a page of them, in bench/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEVICE := .venv-device
PORT ?= 7860
SLOW ?= slow
TESTS ?= tests
BENCH ?= bench
LOCKS := 3.11:1.24.2 3.13:2.2.4

.PHONY: demo test test-e2e coverage test-slow test-device lint bench wheel locks sbom clean

demo: $(VENV)/.edge
	@$(BIN)/ewaste-edge demo --port $(PORT) $(if $(PHOTOS),--photos "$(PHOTOS)")

# Both parts run, also if a test of the first one fails.
define run_tests
	@status=0; \
	$(BIN)/python -m pytest -m "$(1)" --durations 15 --ignore tests/edge || status=$$?; \
	$(DEVICE)/bin/python -m pytest -m "$(1)" --durations 15 tests/edge || status=$$?; \
	exit $$status
endef

test: $(VENV)/.dev $(DEVICE)/.installed
	$(call run_tests,not slow and not e2e)

test-e2e: $(VENV)/.dev $(DEVICE)/.installed
	$(call run_tests,e2e and not slow)

coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow and not e2e" --cov=edge --cov=train --cov=convert \
		--cov-report=term:skip-covered

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m "$(SLOW)" --timeout 1200 $(TESTS)

test-device: $(DEVICE)/.installed
	$(DEVICE)/bin/python -m pytest -m "not slow" tests/edge

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(VENV)/.dev
	@mkdir -p $(BENCH)
	$(BIN)/python benchmarks/latency.py --json >$(BENCH)/latency.json
	$(BIN)/python benchmarks/accuracy.py --baseline benchmarks/baseline.json --json >$(BENCH)/accuracy.json
	$(BIN)/python benchmarks/roofline.py --json >$(BENCH)/roofline.json
	$(BIN)/python benchmarks/belt.py --json >$(BENCH)/belt.json
	$(BIN)/python benchmarks/line.py --no-limit --items 8 --json >$(BENCH)/line.json
	$(BIN)/python benchmarks/growth.py --json >$(BENCH)/growth.json
	@$(BIN)/python benchmarks/report.py $(BENCH)

wheel: $(VENV)/bin/python
	rm -rf build
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl

# One lock file for each Python of Debian, with the numpy that apt has there: picamera2, which apt
# brings, is loaded into the same process. The hashes are those of all wheels, so that one file serves
# aarch64 and x86-64; it is written for both, and they must be the same, so the limit of OpenCV on
# ARM (setup.py) holds for both. uv does not see that backports-strenum 1.3 is for Python below 3.11.
locks: wheel
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@set -e; for pair in $(LOCKS); do \
		python=$${pair%%:*}; numpy=$${pair##*:}; lock=edge/deploy/locks/python$$python.txt; \
		for platform in x86_64 aarch64; do \
			printf '%s\n' "ewaste-edge[panel,gpio,mqtt,modbus,update] @ file://$$(ls $$PWD/dist/ewaste_edge-*.whl)" \
				pip setuptools 'backports-strenum<1.3' 'opencv-python-headless<4.14' "numpy==$$numpy" | $(BIN)/uv pip compile - --quiet --no-config \
				--no-python-downloads --python-version $$python \
				--python-platform $$platform-manylinux_2_36 --only-binary :all: --generate-hashes \
				--no-emit-package ewaste-edge --no-annotate --no-header --upgrade \
				--output-file build/$$platform.txt >/dev/null; \
		done; \
		cmp build/x86_64.txt build/aarch64.txt; \
		{ echo "# Written by make locks: Python $$python, numpy $$numpy as apt has it."; cat build/aarch64.txt; } >$$lock; \
		echo "$$lock"; \
	done

sbom: $(VENV)/.edge
	@mkdir -p dist
	@set -e; for lock in edge/deploy/locks/*.txt; do \
		made=dist/ewaste_edge-$$($(BIN)/ewaste-edge --version | cut -d ' ' -f 2)-$$(basename $$lock .txt).cdx.json; \
		$(BIN)/ewaste-edge sbom --lock $$lock --out $$made; echo "$$made"; \
	done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
		|| { echo "error: python3 3.10 or newer is needed (set PYTHON=... to choose one)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "error: python3 lacks venv; on Debian: apt install python3-venv"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.edge: $(VENV)/bin/python setup.py
	@echo "installing the device side into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[panel]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python setup.py
	@echo "installing everything into $(VENV) (once; TensorFlow is large)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.edge

$(DEVICE)/.installed: setup.py
	@$(PYTHON) -m venv $(DEVICE)
	@$(DEVICE)/bin/python -m pip install --quiet --disable-pip-version-check --editable \
		'.[panel,mqtt,modbus,update]' gpiozero pytest pytest-timeout hypothesis psutil playwright
	@touch $@

clean:
	rm -rf $(VENV) $(DEVICE) build dist *.egg-info .coverage .pytest_cache .ruff_cache .hypothesis
