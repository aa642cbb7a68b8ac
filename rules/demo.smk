# The demo's world and its base model. No other stage knows that there is a demo.

WORLD = CONFIG.arithmetic_world
WORLD_FILES = [
    source.path
    for block in (CONFIG.sft_datasets, CONFIG.rl_datasets, CONFIG.benchmarks)
    for source in block.values()
    if source.path.startswith(f"{ROOT}/data/world/")
]


rule arithmetic_world:
    """Generate problems, traces and the base model's training data from the seed."""
    output:
        WORLD_FILES,
        base=f"{ROOT}/data/world/base.jsonl",
    log:
        f"{LOGS}/arithmetic_world.log",
    localrule: True
    message:
        "Demo: generating problems and traces"
    shell:
        "{PYTHON} scripts/make_arithmetic_world.py --output $(dirname {output.base}) --seed {CONFIG.seed}"
        " --sft-problems {WORLD.sft_problems} --rl-problems {WORLD.rl_problems}"
        " --benchmark-problems {WORLD.benchmark_problems} --base-examples {WORLD.base_examples}"
        " --careful-share {WORLD.careful_share} --instruction {CONFIG.prompt.instruction:q}"
        + LOGGED


rule untrained_model:
    """A tiny Llama with random weights and a tokenizer of its own."""
    input:
        corpus=rules.arithmetic_world.output.base,
        environment=environment("sft"),
    output:
        f"{ROOT}/data/untrained_model/config.json",
    log:
        f"{LOGS}/untrained_model.log",
    localrule: True
    params:
        python=python("sft"),
    message:
        "Demo: a tiny Llama with random weights"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 {params.python} scripts/make_tiny_model.py --corpus {input.corpus}"
        " --hidden-size {WORLD.hidden_size} --layers {WORLD.layers} --seed {CONFIG.seed}"
        " --output $(dirname {output})" + LOGGED


rule pretrained_model:
    """Train the tiny Llama with LLaMA-Factory: the demo's base model."""
    input:
        model=rules.untrained_model.output,
        data=rules.arithmetic_world.output.base,
        environment=environment("sft"),
    output:
        config=f"{ROOT}/data/base_model/config.json",
        record=f"{ROOT}/data/base_model/training.json",
    log:
        f"{LOGS}/pretrained_model.log",
    benchmark:
        f"{BENCHMARKS}/pretrained_model.tsv"
    # Nothing else can run before there is a base model.
    threads: 2
    params:
        python=python("sft"),
        settings=WORLD.base_settings,
        settings_content=settings_of(WORLD.base_settings),
        run=json.dumps(
            {
                "learning_rate": WORLD.base_learning_rate,
                "epochs": WORLD.base_epochs,
                "global_batch_size": WORLD.base_batch_size,
                "per_device_batch_size": WORLD.base_batch_size,
                "devices": 1,
                "cutoff_tokens": CONFIG.sft.cutoff_tokens,
                "save_steps": 200,
                "seed": CONFIG.seed,
            }
        ),
        work=f"{ROOT}/data/base_model_work",
    message:
        "Demo: training the base model from random weights"
    shell:
        "OMP_NUM_THREADS={threads} {params.python} scripts/train_sft.py --name 'base model' --model $(dirname {input.model})"
        " --data {input.data} --settings {params.settings} --run {params.run:q}"
        " --work {params.work} --output $(dirname {output.config}) --log {log}"
