# `make` builds an environment and makes everything in it; `make test` runs the tests. Nothing else is needed.
# `make fig2`, `make tableS1`, `make manifests`: one target of the workflow; `make own CONFIG=own/own.yaml`: your stacks.

PYTHON ?= python3
CORES ?= all
CONFIG ?=
VENV := .venv
CONDA_VENV := .venv-conda
RUN := $(VENV)/bin/python workflow/run.py --cores $(CORES) $(if $(CONFIG),--configfile "$$CONFIG")
# The shell reads the config's name from the environment, where it is not looked at for commands.
export CONFIG

.DEFAULT_GOAL := all
.PHONY: all report plan own test test-conda test-slurm test-faults lint benchmark clean environment figures manifests

all figures manifests own: environment
	$(RUN) -- $@

report: environment
	$(RUN) -- results/report.html

# What the paper's scale, or another CONFIG, would cost, from what the demonstration measured here.
plan: environment
	$(VENV)/bin/python workflow/plan.py --configfile $(if $(CONFIG),"$$CONFIG",config/paper.yaml)

fig% table% results/%: environment
	$(RUN) -- $@

environment: $(VENV)/complete

# pip reads the lock's hashes; the stamp is written last, so that a cut installation is made again.
$(VENV)/complete: requirements.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f'Python {v[0]}.{v[1]} found, 3.11 to 3.13 wanted: make PYTHON=python3.12')"
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

test: environment lint
	$(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile

# See docs/conda.md. By hand: it needs Linux on x86-64, 4 GB of disk, and minutes.
test-conda: environment $(CONDA_VENV)/complete
	CONDA_STANDIN_PYTHON="$(abspath $(CONDA_VENV))/bin/python" $(VENV)/bin/python -m pytest -m conda -o tmp_path_retention_policy=failed tests/conda

# The channel holds the Python that makes it, so this has to be the one of the environments.
$(CONDA_VENV)/complete: tests/conda/requirements.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if v == (3, 11) else f'Python {v[0]}.{v[1]} found, 3.11 wanted: make test-conda PYTHON=python3.11')"
	$(PYTHON) -m venv --clear $(CONDA_VENV)
	$(CONDA_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/conda/requirements.txt
	touch $@

# Files that are there, whatever pattern their names fit.
$(wildcard envs/*.yaml): ;

# Snakemake asks for a `conda` before it writes; the stand-in of the tests is enough.
Dockerfile: $(wildcard envs/*.yaml) | environment
	PATH="$(CURDIR)/tests/conda/bin:$$PATH" CONDA_STANDIN_PYTHON="$(abspath $(VENV))/bin/python" \
		$(VENV)/bin/python -m snakemake --cores 1 --containerize > $(VENV)/$@
	mv $(VENV)/$@ $@

# Debian, as root: a Slurm of one node, installed by apt and stopped at the end.
test-slurm: environment
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-slurm.txt
	$(VENV)/bin/python -m pytest --log-cli-level=INFO tests/slurm/figures_through_slurm.py

# By hand, five to ten minutes: the tiny Figure 2, killed at more than thirty moments, must come out the same.
test-faults: environment
	$(VENV)/bin/python tests/faults/run.py

lint: environment
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow
	$(VENV)/bin/snakemake --lint

# The peers lie beside the environment, not in it: what is measured is what is tested.
$(VENV)/peers/complete: benchmarks/requirements.txt $(VENV)/complete
	rm -rf $(VENV)/peers
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target $(VENV)/peers -r $<
	touch $@

# Fair only while nothing else runs; the data come first.
benchmark: $(VENV)/peers/complete
	$(RUN) -- results/ovary/manifest.tsv
	PYTHONPATH=workflow:$(VENV)/peers $(VENV)/bin/python benchmarks/peers.py $(if $(CONFIG),--config "$$CONFIG")

clean:
	rm -rf $(VENV) .snakemake
