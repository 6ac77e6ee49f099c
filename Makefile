# The two commands of the README. Both make .venv with pinned versions of what matters.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: demo test lint clean

demo: $(STAMP)
	$(VENV)/bin/nmc demo -o build/demo

test: $(STAMP)
	$(VENV)/bin/python -m pytest

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	mkdir -p build/types && ln -sfn ../../backends build/types/nmcompile_backends
	MYPYPATH=build/types $(VENV)/bin/mypy nmcompile build/types/nmcompile_backends

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt torch
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[examples,test]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build
