"""Write RL problems as verl reads them, without prompts longer than a model's limit: verl would end at the first."""

import argparse
from pathlib import Path

import pandas as pd

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import whole_file
from quagmires.config.task_names import MATH, TASK_NAMES
from quagmires.data.prompts import conversation, load_tokenizer, prompt_ids
from quagmires.grading.reward import source_name

# With more, the limit is wrong rather than the problems.
MAX_SHARE_LEFT_OUT = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=Path, required=True, help="parquet of id, problem, answer")
    parser.add_argument("--name", required=True, help="name of the RL set")
    parser.add_argument("--model", required=True, help="model directory, for its tokenizer")
    parser.add_argument("--max-tokens", type=int, required=True, help="the longest prompt that verl may be given")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--task", choices=TASK_NAMES, default=MATH, help="the kind of problems (default: math)")
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    options = parser.parse_args()

    problems = pd.read_parquet(options.problems)
    tokenizer = load_tokenizer(options.model)
    lengths = problems["problem"].map(lambda problem: len(prompt_ids(tokenizer, problem, options.instruction)))
    kept = problems[lengths <= options.max_tokens]
    left_out = len(problems) - len(kept)
    if left_out > MAX_SHARE_LEFT_OUT * len(problems):
        raise UserError(
            f"{options.problems}: {left_out} of {len(problems)} prompts are longer than rl.max_prompt_tokens"
            f" ({options.max_tokens}; the longest has {lengths.max()}); raise it"
        )
    with whole_file(options.output) as temporary:
        verl_rows(kept, options.name, options.instruction, options.task).to_parquet(temporary, index=False)
    print(f"{options.name}: {len(kept)} prompts, {left_out} left out as longer than {options.max_tokens} tokens")


def verl_rows(problems: pd.DataFrame, name: str, instruction: str, task: str) -> pd.DataFrame:
    """The columns that verl's RLHFDataset reads; `data_source` tells the reward the task."""
    return pd.DataFrame(
        [
            {
                "data_source": source_name(name, task),
                "prompt": conversation(row.problem, instruction),
                "ability": task,
                "reward_model": {"style": "rule", "ground_truth": row.answer},
                "extra_info": {"index": index, "id": row.id},
            }
            for index, row in enumerate(problems.itertuples(index=False))
        ]
    )


if __name__ == "__main__":
    command_line(main)
