# make demo   the main job on a phantom: opens napari, or writes files without a display
# make test   everything that a change must pass
#
# Both make .venv and install into it; a second run finds that done. Needs Python 3.11 or
# newer with pip, nothing else.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTEST := $(BIN)/python -m pytest
DEMO_OUT ?= demo-output
# Other tests import TensorFlow, which must not be in a process that draws with OpenGL.
GUI_TESTS := tests/viewer

export PIP_ROOT_USER_ACTION := ignore
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check system test-pyside6 benchmark screenshots clean

demo: $(VENV)/.installed system
	$(BIN)/covidseg demo --out $(DEMO_OUT)

test: $(VENV)/.installed-test system check
	QT_QPA_PLATFORM=offscreen $(PYTEST) -m "not gui" -n 2 --dist loadfile
	$(call on_a_screen,$(PYTEST) -m gui $(GUI_TESTS))

# Style and types; the walls between the rooms are tested with the rest.
check: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The same windows on the other Qt binding, in an environment beside the first.
test-pyside6: $(VENV)-pyside6/.installed system
	$(call on_a_screen,QT_API=pyside6 PYTEST_QT_API=pyside6 $(VENV)-pyside6/bin/python -m pytest -m gui $(GUI_TESTS))

benchmark: $(VENV)/.installed-test
	$(BIN)/python benchmarks/run.py

screenshots: $(VENV)/.installed system
	$(call on_a_screen,$(BIN)/python docs/make_screenshots.py)

system:
	@.ci/debian-packages

clean:
	rm -rf $(VENV) $(VENV)-pyside6 $(DEMO_OUT) dist build

# A new environment needs no ensurepip: the pip that is there installs into it.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python." >&2; exit 2; }
	$(PYTHON) -m venv --without-pip $(VENV)
	$(PYTHON) -m pip --python $(BIN)/python install --quiet pip

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV); the first time this takes some minutes."
	$(BIN)/python -m pip install --quiet -e ".[pyqt6]"
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV); the first time this takes some minutes."
	$(BIN)/python -m pip install --quiet -e ".[test]"
	@touch $@ $(VENV)/.installed

# Shares what the first environment holds; only the binding is its own.
$(VENV)-pyside6/.installed: $(VENV)/.installed-test
	$(PYTHON) -m venv --without-pip $(VENV)-pyside6
	realpath $(VENV)/lib/python*/site-packages > $$(echo $(VENV)-pyside6/lib/python*/site-packages)/shared.pth
	$(BIN)/python -m pip --python $(VENV)-pyside6/bin/python install --quiet --no-deps PySide6-Essentials shiboken6
	@touch $@

# Run on the screen that is there, or on one of Xvfb; without either say so and fail.
define on_a_screen
@if command -v xvfb-run >/dev/null; then set -x; xvfb-run -a env $(1); \
elif [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then set -x; env $(1); \
else echo "No display and no xvfb-run: install the packages named above for the window tests." >&2; exit 2; fi
endef
