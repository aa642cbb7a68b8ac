# make setup | demo | test | test-fast | locks | lint
PYTHON ?= python3.11
CORES ?= 2
BIN := .envs/workflow/bin
SNAKEMAKE := $(BIN)/snakemake --profile profiles/local --cores $(CORES)
SETUP := .envs/workflow/setup.sha256

.PHONY: setup demo report test test-fast lint locks

setup: $(SETUP)

# pip brings uv, uv brings the rest; the stamp is written last, so an interrupted setup starts anew.
$(SETUP): envs/uv.lock envs/workflow.lock
	@echo "Building the workflow environment in .envs/workflow"
	@$(PYTHON) -m venv --clear .envs/bootstrap
	@.envs/bootstrap/bin/pip install --quiet --disable-pip-version-check --require-hashes -r envs/uv.lock
	@PYTHONPATH=scripts .envs/bootstrap/bin/python scripts/build_environment.py --lock envs/workflow.lock \
		--environment .envs/workflow --stamp $@ --log logs/setup.log
	@rm -rf .envs/bootstrap

demo: setup
	@$(SNAKEMAKE)
	@$(MAKE) --no-print-directory report
	@echo "The demo is done. Open results/demo/report.html"

# Snakemake makes its report after a run; only anew if results, captions or the config changed since.
REPORTED := results/demo/metrics.parquet $(wildcard results/demo/figures/* results/demo/tables/* rules/report/*)

report: results/demo/report.html

results/demo/report.html: $(REPORTED) config/base.yaml config/demo.yaml
	@echo "Writing the report"
	@$(SNAKEMAKE) --report $@ > logs/report.log 2>&1 || { tail -5 logs/report.log; exit 1; }

results/demo/metrics.parquet:
	@echo "error: there are no results to report yet; run make demo" >&2; exit 1

test: setup
	@$(BIN)/python -m pytest tests

test-fast: setup
	@$(BIN)/python -m pytest tests/unit tests/workflow -n 2

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/snakefmt --check Snakefile rules

locks: setup
	@$(BIN)/python scripts/compile_locks.py
