# The engines' Python environments, built where Snakemake runs.


rule environment:
    """Build one environment from its hashed lock."""
    input:
        lock=f"envs/{{environment}}-{CONFIG.accelerator}.lock",
        local=lambda wildcards: (
            ["envs/torchaudio/__init__.py"]
            if wildcards.environment == "sft" and CONFIG.accelerator == "cpu"
            else []
        ),
    output:
        stamp=f".envs/{{environment}}-{CONFIG.accelerator}/built.sha256",
    log:
        f"logs/environments/{{environment}}-{CONFIG.accelerator}.log",
    localrule: True
    params:
        local=lambda wildcards, input: " ".join(
            f"--local {Path(path).parent}" for path in input.local
        ),
    message:
        "Environment {wildcards.environment}: building from {input.lock}"
    shell:
        "{PYTHON} scripts/build_environment.py --lock {input.lock} {params.local}"
        " --environment $(dirname {output.stamp}) --stamp {output.stamp} --log {log}"
