# make setup | demo | study | study-report | example | arena | test | test-fast | evaluate-smollm2 | locks | lint | docs
#      benchmark-{grading,grading-memory,sampling,contamination,curation,dag,prediction,browse,coverage}
#      backtest-{demo,simulation}
PYTHON ?= python3.11
CORES ?= 2
BIN := .envs/workflow/bin
SNAKEMAKE := $(BIN)/snakemake --profile profiles/local --cores $(CORES)
SETUP := .envs/workflow/setup.sha256

.PHONY: docs setup demo study study-report example arena example-metrics test test-fast lint locks evaluate-smollm2 benchmark-grading \
	benchmark-grading-memory benchmark-sampling benchmark-contamination benchmark-curation benchmark-dag \
	benchmark-prediction benchmark-browse benchmark-coverage backtest-simulation backtest-demo

setup: $(SETUP)

# pip brings uv, uv brings the rest; the stamp is written last, so an interrupted setup starts anew.
$(SETUP): envs/uv.lock envs/workflow.lock pyproject.toml
	@echo "Building the workflow environment in .envs/workflow"
	@$(PYTHON) -m venv --clear .envs/bootstrap
	@.envs/bootstrap/bin/pip install --quiet --disable-pip-version-check --require-hashes -r envs/uv.lock
	@PYTHONPATH=scripts .envs/bootstrap/bin/python scripts/build_environment.py --lock envs/workflow.lock \
		--environment .envs/workflow --stamp $@.locked --log logs/setup.log
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@mv $@.locked $@
	@rm -rf .envs/bootstrap

demo: setup
	@$(SNAKEMAKE)
	@echo "The demo is done. Open results/demo/report.html"

# The measured study (docs/study.md): a night or two on two cores, which may be stopped at any time. The folder of its data
# says that it is run here: where there are stored metrics alone, they would be drawn.
STUDY := $(SNAKEMAKE) --configfile config/study.yaml

study: setup
	@mkdir -p results/study/data
	@$(STUDY)
	@echo "The study is done. Open results/study/report.html"

# Its tables, figures, decisions and report from the metrics in results/study, as they are committed or were left by
# `make study`: in a folder of their own, so that nothing is trained for them however far a run of the study is.
STORED := metrics.parquet pass_at_k.parquet grpo_training.parquet throughput.yaml

study-report: setup
	@mkdir -p results/study-report
	@for file in $(STORED); do test ! -e results/study/$$file || \
		cmp --quiet results/study/$$file results/study-report/$$file || cp results/study/$$file results/study-report/; done
	@$(STUDY) config/study_report.yaml
	@echo "Open results/study-report/report.html"

# The paper's tables and figures, and both decisions, from simulated metrics: seconds.
EXAMPLE := $(SNAKEMAKE) --configfile config/paper.yaml config/example.yaml

example: setup
	@$(EXAMPLE)
	@$(EXAMPLE) --quiet all -- rank predict
	@echo "All of it is simulated. Open results/example/report.html"

# Every registered predictor on every study that has outcomes (docs/arena.md): seconds.
arena: setup
	@$(BIN)/quagmires arena > /dev/null
	@echo "Open results/arena/arena.md and results/arena/arena.png"

# The simulated metrics themselves, as they are committed (docs/example.md).
example-metrics: setup
	@$(EXAMPLE) -- results/example/analysis.json results/example/run_sheet.tsv
	@$(BIN)/python scripts/simulate_metrics.py --analysis results/example/analysis.json \
		--sheet results/example/run_sheet.tsv --seed 42 --output results/example/metrics.parquet

test: lint
	@$(BIN)/python -m pytest tests

test-fast: setup
	@$(BIN)/python -m pytest tests/unit tests/workflow -n 2 --dist worksteal

lint: setup
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@$(BIN)/snakefmt --check Snakefile rules profiles tests/integration/slurm_faults
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/vulture
	@$(BIN)/codespell
	@$(BIN)/mypy --no-error-summary

# The documentation as a site in site/, its links checked.
docs: setup
	@$(BIN)/python scripts/build_environment.py --lock envs/docs.lock --environment .envs/docs \
		--stamp .envs/docs/built.sha256 --log logs/environments/docs.log
	@NO_MKDOCS_2_WARNING=1 .envs/docs/bin/mkdocs build --quiet --strict --site-dir site
	@echo "Open site/index.html"

locks: setup
	@$(BIN)/python scripts/compile_locks.py

# A real model on a few real problems, on two CPU cores: about ten minutes. Needs the hub, or BENCHMARKS=a YAML of local files.
N ?= 2
MAX_TOKENS ?= 512
LIMIT ?= 2
BENCHMARKS ?=
SMOLLM2 := results/smollm2/model/config.json

evaluate-smollm2: $(SMOLLM2)
	@$(BIN)/python scripts/evaluate.py --model $(dir $(SMOLLM2)) --benchmarks all --n $(N) --limit $(LIMIT) \
		--max-tokens $(MAX_TOKENS) --accelerator cpu --threads $(CORES) --output results/smollm2/evaluation \
		$(if $(BENCHMARKS),--config $(BENCHMARKS))

$(SMOLLM2): envs/smollm2-cpu.lock | setup
	@echo "Converting SmolLM2 from its GGUF"
	@$(BIN)/python scripts/build_environment.py --lock $< --environment .envs/smollm2-cpu \
		--stamp .envs/smollm2-cpu/built.sha256 --log logs/environments/smollm2-cpu.log
	@.envs/smollm2-cpu/bin/python scripts/convert_smollm2.py --output $(dir $(SMOLLM2))

# GRADED: a directory of real graded responses (.jsonl.gz with gold, response, recorded_correct); templates without it.
GRADED ?=

benchmark-grading: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/grading.py $(if $(GRADED),--data $(GRADED))

# One file of GIGABYTES; AGAINST: the folder `scripts` of another checkout, for comparison.
GIGABYTES ?= 1
AGAINST ?=

benchmark-grading-memory: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/grading_memory.py --gigabytes $(GIGABYTES) $(if $(AGAINST),--against $(AGAINST))

SMALL := results/demo-small
benchmark-sampling: setup
	@$(SNAKEMAKE) --configfile config/demo_small.yaml -- $(SMALL)/toy/base/sft/model/training.json \
		$(SMALL)/toy/arithmetic.shortest-64.ep1.lr1e-3/sft/model/training.json $(SMALL)/data/benchmarks/hard.parquet \
		.envs/evaluate-cpu/built.sha256 > logs/benchmark-sampling.log 2>&1 || { tail -5 logs/benchmark-sampling.log; exit 1; }
	@$(BIN)/python benchmarks/sampling.py --model $(SMALL)/toy/base/sft/model --problems $(SMALL)/data/benchmarks/hard.parquet --n 1024
	@$(BIN)/python benchmarks/checkpoints.py --models $(SMALL)/toy/*/sft/model --problems $(SMALL)/data/benchmarks/hard.parquet --n 256
	@$(BIN)/python benchmarks/rivals.py --model $(SMALL)/toy/base/sft/model --samples 16 128

benchmark-contamination: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/contamination.py

# A million traces: minutes, and a few GB of disk.
benchmark-curation: setup
	@$(BIN)/python benchmarks/curation.py

# The plan of the paper, and of three and ten times its grid, against a trivial workflow.
benchmark-dag: setup
	@$(BIN)/python benchmarks/dag.py

# 10,000 splits by all predictors against a loop of statsmodels.
benchmark-prediction: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/prediction.py

# The page of 10,000 responses in headless Chromium, against pandas' DataFrame.to_html.
benchmark-browse: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/browse.py

# How often 90 % intervals hold the truth in simulated worlds.
benchmark-coverage: setup
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/coverage.py

# Pass@64 and Pass@256 predicted from 16 and 32 samples: worlds whose truth is known (20 minutes), and the demo's models.
backtest-simulation: setup
	@$(BIN)/python scripts/backtest_pass_at_k.py --simulate --from 16 32 --output results/backtest_simulation.csv

backtest-demo: setup
	@$(BIN)/python scripts/backtest_pass_at_k.py --grades results/demo/*/*/sft/eval/*/grades.parquet --from 16 32 --to 64 \
		--output results/demo/backtest.csv
