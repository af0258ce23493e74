# SPDX-License-Identifier: Apache-2.0
# One command each; the environment (.venv, or where CLIPSEG_VENV says) is made on first use.
# CLIPSEG_ROS_DISTRO=kilted takes that distribution of ROS 2 instead of jazzy, in .venv-kilted.

PYTHON ?= $(shell command -v python3 || command -v python)
IN_ENVIRONMENT = @test -n "$(PYTHON)" || { echo "clipseg_ros: a Python 3.10 to 3.13 is needed, and there is none." >&2; exit 1; }; \
	"$(PYTHON)" scripts/bootstrap.py
export WEIGHTS

.DEFAULT_GOAL := help
.PHONY: help demo play test oldest build demo-model clean distclean

help:
	@echo "make demo [WEIGHTS=published|PATH]  start the node, play recorded scenes to it, prompt it; writes demo.png"
	@echo "make play [WEIGHTS=...] [ARGS=...]  the simulated camera, the node and a page in the browser on which to try prompts"
	@echo "make test [ARGS=...]                every test; ARGS goes to pytest, e.g. ARGS='-k regions -x'"
	@echo "make oldest [ARGS=...]              the tests that need no ROS, with the oldest versions that setup.cfg allows"
	@echo "make build                          only the environment and the package in it"
	@echo "make demo-model                     render the simulated home and train the demo weights anew (hours on a CPU)"
	@echo "make clean                          remove what builds, tests and the demo wrote"
	@echo "make distclean                      also remove the environment"
	@echo
	@echo "Needs Python 3.10 to 3.13 and a C++ compiler; a ROS installation is not needed and not touched."
	@echo "CLIPSEG_VENV=DIR puts the environment elsewhere, CLIPSEG_PYTHON=PATH names the Python it is made with,"
	@echo "CLIPSEG_ROS_DISTRO=kilted takes ROS 2 Kilted instead of Jazzy."

demo:
	$(IN_ENVIRONMENT) python -m clipseg_ros.demo.run $${WEIGHTS:+--weights "$$WEIGHTS"}

play:
	$(IN_ENVIRONMENT) python -m clipseg_ros.demo.play $${WEIGHTS:+--weights "$$WEIGHTS"} $(ARGS)

test:
	$(IN_ENVIRONMENT) python -m pytest $(ARGS)

oldest:
	$(IN_ENVIRONMENT) python scripts/oldest.py $(ARGS)

build:
	$(IN_ENVIRONMENT)

# It goes on where it was interrupted.
demo-model:
	$(IN_ENVIRONMENT) python -m clipseg_ros.cli train --config config/training/demo.yaml -o .cache/demo-model

clean:
	for folder in "$${CLIPSEG_VENV:-.venv}" .venv-*; do rm -rf "$$folder/colcon"; done
	rm -rf build install log dist *.egg-info .pytest_cache .coverage demo.png
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean
	@for folder in "$${CLIPSEG_VENV:-.venv}" .venv-*; do \
	  if [ -f "$$folder/clipseg_environment.json" ]; then rm -rf "$$folder"; fi; \
	done
