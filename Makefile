# The two commands of the README, the site of the documents, and what CI does besides. All make .venv
# with pinned versions of what matters.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt
DEMO := $(VENV)/.demo
TEST := $(VENV)/.test

RUN_TESTS := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n auto --dist worksteal

.PHONY: demo test slow lint site clean

demo: $(DEMO)
	$(VENV)/bin/nmc demo -o build/demo

test: $(TEST)
	$(RUN_TESTS) -m "not slow"

# Tests that take long. With LIMIT, those that so many seconds allow: timeout ends with 124 then.
slow: $(TEST)
	$(if $(LIMIT),timeout --kill-after=20 $(LIMIT) env) $(RUN_TESTS) -m slow -v \
	--maxfail=1 || [ $$? = $(if $(LIMIT),124,0) ]

lint: $(TEST)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	mkdir -p build/types && ln -sfn ../../backends build/types/nmcompile_backends
	for d in examples/plugins/*/nmc_*; do ln -sfn ../../$$d build/types/; done
	MYPYPATH=build/types $(VENV)/bin/mypy nmcompile build/types/nmcompile_backends build/types/nmc_*

# The variable leaves out Material's notice that its last mending is in May 2027.
site: $(TEST)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

$(DEMO): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) -e '.[examples]'
	touch $(DEMO)

# Sinabs asks for samna, which is not needed here, and for a nir older than its own files; lava-dl
# for Python 3.10, its torch and libraries of vision.
$(TEST): $(DEMO)
	$(PIP) -e '.[docs,examples,test]'
	$(PIP) --no-deps sinabs
	$(PIP) --no-deps --ignore-requires-python lava-dl
	touch $(TEST)

clean:
	rm -rf $(VENV) build
