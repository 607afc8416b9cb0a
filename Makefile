# Two commands matter: `make demo` and `make test`. Everything sets itself up the first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO_ARGS ?=
BENCH ?=
MODEL_ARGS ?=

# PIP_CONSTRAINT, not -c: it holds for the build backend's own environment too.
PIP := PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
	$(BIN)/python -m pip --quiet --retries 5 --timeout 30

# Tests and demos start hundreds of processes: none shall compile again what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test simulate bench model check format reference pins clean

help: ## List these targets.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(READY) ## Run the whole way of a change on real data; DATABASE=postgresql runs it on that.
	@$(BIN)/python -m tidings demo $(if $(DATABASE),--database '$(DATABASE)') $(DEMO_ARGS)

# Side by side, a module on one worker, for its tests share servers; in the order of tests/conftest.py.
test: $(READY) ## Run every test.
	@$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder

simulate: $(READY) ## Play months of a simulated world: SEED=7 plays that one, SEEDS=200 so many.
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS))

bench: $(READY) ## Measure each hot path beside its bare ceiling; BENCH=publish measures one.
	@BENCH='$(BENCH)' $(BIN)/python -m bench

model: $(READY) ## Play the model of growth with what the newest results measured; MODEL_ARGS=--keep keeps it.
	@$(BIN)/python -m bench.model $(MODEL_ARGS)

check: $(READY) ## Check format, lint, types, imports between rooms, and tidiness.
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest tests/test_tidy.py

format: $(READY) ## Format the code, and mend what the linter can mend.
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

reference: $(READY) ## Write the generated tables of docs/reference from the code.
	@$(BIN)/python docs/tables.py

pins: ## Resolve all dependencies anew and write constraints.txt.
	@rm -rf build/pins
	@$(PYTHON) -m venv build/pins
	@build/pins/bin/python -m pip --quiet --disable-pip-version-check install '.[dev]' \
		"$$(sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml)" 'editables~=0.3'
	@{ sed -n '/^#/p' constraints.txt; \
		build/pins/bin/python -m pip --disable-pip-version-check freeze --exclude tidings; \
	} > build/constraints.txt
	@mv build/constraints.txt constraints.txt

clean: ## Remove the virtual environment and everything that was made.
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# A virtual environment that was left half made (Debian without python3-venv) is made again.
$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || { echo 'Setting up $(VENV) (once) ...'; $(PYTHON) -m venv --clear $(VENV); } \
		|| { echo 'No virtual environment could be made. On Debian: apt-get install python3-venv'; exit 1; }
	@$(PIP) install --editable '.[dev]'
	@touch $(READY)
