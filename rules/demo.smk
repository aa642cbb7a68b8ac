# The demo's world and its base model. No other stage knows that there is a demo.

WORLD = CONFIG.walk_world
WORLD_FILES = [
    f"{ROOT}/data/world/{name}"
    for name in walks.file_rows(
        WORLD.sft_problems, WORLD.rl_problems, WORLD.benchmark_problems
    )
]


rule walk_world:
    """Generate problems, traces and the base model's training data from the seed."""
    output:
        WORLD_FILES,
        base=f"{ROOT}/data/world/base.jsonl",
    log:
        f"{LOGS}/walk_world.log",
    localrule: True
    params:
        seed=CONFIG.seed,
        moves=WORLD.moves,
        sft_problems=WORLD.sft_problems,
        rl_problems=WORLD.rl_problems,
        benchmark_problems=WORLD.benchmark_problems,
        base_examples=WORLD.base_examples,
        careful_share=WORLD.careful_share,
        instruction=CONFIG.prompt.instruction,
    message:
        "Demo: generating problems and traces"
    shell:
        "{PYTHON} scripts/make_walk_world.py --output $(dirname {output.base}) --seed {params.seed}"
        " --moves {params.moves} --sft-problems {params.sft_problems} --rl-problems {params.rl_problems}"
        " --benchmark-problems {params.benchmark_problems} --base-examples {params.base_examples}"
        " --careful-share {params.careful_share} --instruction {params.instruction:q}"
        + LOGGED


rule untrained_model:
    """A tiny Llama with random weights and a tokenizer of its own."""
    input:
        corpus=rules.walk_world.output.base,
        environment=environment(BASE_ENVIRONMENT),
    output:
        f"{ROOT}/data/untrained_model/config.json",
    log:
        f"{LOGS}/untrained_model.log",
    localrule: True
    params:
        hidden_size=WORLD.hidden_size,
        layers=WORLD.layers,
        seed=CONFIG.seed,
        python=python(BASE_ENVIRONMENT),
    message:
        "Demo: a tiny Llama with random weights"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 {params.python} scripts/make_tiny_model.py --corpus {input.corpus}"
        " --hidden-size {params.hidden_size} --layers {params.layers} --seed {params.seed}"
        " --output $(dirname {output})" + LOGGED


rule pretrained_model:
    """Train the tiny Llama with LLaMA-Factory: the demo's base model."""
    input:
        model=rules.untrained_model.output,
        data=rules.walk_world.output.base,
        environment=environment(BASE_ENVIRONMENT),
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
        python=python(BASE_ENVIRONMENT),
        settings=WORLD.base_settings,
        settings_content=engine_files.settings_content(WORLD.base_settings),
        run=json.dumps(
            {
                "learning_rate": WORLD.base_learning_rate,
                "epochs": WORLD.base_epochs,
                "global_batch_size": WORLD.base_batch_size,
                "per_device_batch_size": WORLD.base_batch_size,
                "devices": 1,
                "cutoff_tokens": CONFIG.sft.cutoff_tokens,
                "seed": CONFIG.seed,
            }
        ),
        work=f"{ROOT}/data/base_model_work",
    message:
        "Demo: training the base model from random weights"
    shell:
        "OMP_NUM_THREADS={threads} {params.python} scripts/train_sft.py --name 'base model' --model $(dirname {input.model})"
        " --data {input.data} --settings {params.settings} --run {params.run:q}"
        " --save-steps 200 --work {params.work} --output $(dirname {output.config}) --log {log}"
