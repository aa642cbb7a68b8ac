"""Mean negative log-likelihood per token of held-out traces (paper, Section 3): responses only, one example per row.

Computed apart from training and without packing: LLaMA-Factory's own eval loss is a mean over batches and depends on
the batch size. Weights are bfloat16 on a GPU and float32 on a CPU, logits float32. A GPU of 80 GB holds 12B parameters
(24 GB) and a batch. Runs in the sft environment.
"""

import argparse
import math
import time
from pathlib import Path

from quagmires.common import provenance
from quagmires.common.errors import UserError, command_line
from quagmires.common.files import whole_file, write_json
from quagmires.common.processes import REPORT_EVERY_SECONDS
from quagmires.common.tabular import iterate
from quagmires.common.terminal import Progress, say
from quagmires.data.prompts import load_tokenizer, response_ids
from quagmires.evaluation.pass_at_k import ratio_with_error

# Of a batch, padding included; a longer example is a batch of its own.
BATCH_TOKENS = 8_192
# Logits of so many positions are in memory at once: a 150k vocabulary in float32 is 0.6 MB a position.
CHUNK = 1_024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="JSON lines of id, prompt, response")
    parser.add_argument("--output", type=Path, required=True, help="JSON summary")
    parser.add_argument("--examples", type=Path, required=True, help="parquet of id, tokens, nll")
    options = parser.parse_args()

    import pandas as pd
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(str(options.model))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if torch.version.cuda and device == "cpu":
        raise UserError(
            "no GPU is visible to this environment for GPUs; request one, or use the CPU environment for a tiny model"
        )
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype, trust_remote_code=False).eval().to(device)
    rows = list(iterate(options.data))
    if not rows:
        raise UserError(f"{options.data}: no held-out traces; raise sft.validation_examples")
    encoded = [encode(tokenizer, row["prompt"], row["response"]) for row in rows]
    nll = negative_log_likelihoods(model, encoded)
    tokens = [len(response) for _, response in encoded]
    table = pd.DataFrame({"id": [row["id"] for row in rows], "tokens": tokens, "nll": nll})
    # A validation set of several pools says which each example is from.
    of_pools = "pool" in rows[0]
    if of_pools:
        table["pool"] = [row["pool"] for row in rows]
    with whole_file(options.examples) as temporary:
        table.to_parquet(temporary, index=False)
    summary = {
        **mean_loss(table),
        **({"pools": {pool: mean_loss(own) for pool, own in table.groupby("pool")}} if of_pools else {}),
        "model": provenance.model_fingerprint(options.model),
        "versions": provenance.versions("torch", "transformers"),
    }
    write_json(options.output, summary)


def mean_loss(table) -> dict[str, float | int | None]:
    """The mean loss per token of examples (columns `tokens` and `nll`), with its standard error."""
    # Examples are the independent units.
    per_token, error = ratio_with_error(table["nll"].to_numpy(float), table["tokens"].to_numpy(float))
    return {
        "generalization_loss": per_token,
        "standard_error": None if math.isnan(error) else error,
        "mean_of_examples": float((table["nll"] / table["tokens"]).mean()),
        "examples": len(table),
        "tokens": int(table["tokens"].sum()),
    }


def encode(tokenizer, prompt: str, response: str) -> tuple[list[int], list[int]]:
    """Token ids of the prompt, by the chat template, and of the response with its end token."""
    messages = [{"role": "user", "content": prompt}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
    return list(ids), response_ids(tokenizer, response)


def negative_log_likelihoods(model, encoded: list[tuple[list[int], list[int]]]) -> list[float]:
    """Summed negative log-likelihood of each response given its prompt, in nats.

    Examples of similar length share a batch, so that little is padding; padding does not change a value.
    """
    order = sorted(range(len(encoded)), key=lambda i: sum(map(len, encoded[i])))
    result = [0.0] * len(encoded)
    batch: list[int] = []
    started = reported = time.monotonic()
    for done, index in enumerate(order):
        if time.monotonic() - reported > REPORT_EVERY_SECONDS:
            reported = time.monotonic()
            say("generalization loss", Progress(done, len(order)), reported - started)
        width = sum(map(len, encoded[index]))
        if batch and width * (len(batch) + 1) > BATCH_TOKENS:
            _score(model, encoded, batch, result)
            batch = []
        batch.append(index)
    _score(model, encoded, batch, result)
    return result


def _score(model, encoded, batch: list[int], result: list[float]) -> None:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    device = model.device
    rows = [torch.tensor(prompt + response) for prompt, response in (encoded[index] for index in batch)]
    ids = pad_sequence(rows, batch_first=True)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    with torch.inference_mode():
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "use_cache": False}
        hidden = model.model(**inputs).last_hidden_state
        for row, index in enumerate(batch):
            prompt, response = encoded[index]
            start = len(prompt) - 1
            total = 0.0
            for first in range(0, len(response), CHUNK):
                targets = torch.tensor(response[first : first + CHUNK], device=device)
                states = hidden[row, start + first : start + first + len(targets)]
                logits = model.lm_head(states).float()
                total += torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
            result[index] = total


if __name__ == "__main__":
    command_line(main)
