"""verl without a GPU, through verl's own extension points: a CPU platform and a batched rollout.

verl imports this package in every process when VERL_USE_EXTERNAL_MODULES names it. GPU runs never do. It stands beside
the library because config/grpo_cpu.yaml names its classes: the content of that file identifies runs, so another path
would repeat finished ones.
"""

import os

# scripts/train_rl.py reads the settings of this package without loading verl.
if os.environ.get("VERL_PLATFORM") == "cpu":
    from verl_cpu import platform, registration  # noqa: F401
