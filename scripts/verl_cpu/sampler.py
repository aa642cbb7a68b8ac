"""Batched sampling from a small causal language model on CPU. Imports neither verl nor Ray: its process starts fast.

transformers' `generate` would draw from the process's one generator, and keep rows that are finished in the batch.
"""

import torch


@torch.inference_mode()
def sample_batch(
    model, prompts: list[list[int]], max_new_tokens: int, temperature: float, end: int, generator: torch.Generator
) -> list[tuple[list[int], list[float]]]:
    """Sample one response per prompt.

    Returns the token ids (the end token included) and their log-probabilities under softmax(logits / temperature).
    Prompts are padded on the left; finished rows leave the batch.
    """
    from transformers import DynamicCache

    count, width = len(prompts), max(map(len, prompts))
    tokens = torch.full((count, width), end)
    mask = torch.ones(count, width + max_new_tokens, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, : width - len(prompt)] = 0
    positions = (mask[:, :width].cumsum(-1) - 1).clamp(min=0)
    out = torch.full((count, max_new_tokens), end)
    logprobs = torch.zeros(count, max_new_tokens)
    lengths = torch.zeros(count, dtype=torch.long)
    rows = torch.arange(count)
    done = torch.zeros(count, dtype=torch.bool)
    cache = DynamicCache()
    for step in range(max_new_tokens):
        logits = model(
            input_ids=tokens,
            attention_mask=mask[:, : width + step],
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        distribution = torch.log_softmax(logits.float() / temperature, -1)
        tokens = torch.multinomial(distribution.exp(), 1, generator=generator)
        running = rows[~done]
        out[running, step] = tokens[~done, 0]
        logprobs[running, step] = distribution.gather(1, tokens)[~done, 0]
        lengths[running] = step + 1
        done = done | (tokens[:, 0] == end)
        positions = positions[:, -1:] + 1
        if done.all():
            break
        # Dropping finished rows costs a copy of the cache: worth it once a quarter is done.
        if done.float().mean() > 0.25:
            keep = (~done).nonzero()[:, 0]
            tokens, positions, mask, rows, done = tokens[keep], positions[keep], mask[keep], rows[keep], done[keep]
            cache.batch_select_indices(keep)
    return [(out[i, :n].tolist(), logprobs[i, :n].tolist()) for i, n in enumerate(lengths.tolist())]


class Sampler:
    """The rollout's copy of the model; the body of a Ray actor."""

    MAX_BATCH = 512

    def __init__(self, model_path: str, seed: int):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.model = AutoModelForCausalLM.from_pretrained(
            model_path, dtype=torch.float32, attn_implementation="sdpa", trust_remote_code=False
        ).eval()
        self.end = AutoTokenizer.from_pretrained(model_path, trust_remote_code=False).eos_token_id
        self.seed = seed
        self.step = 0

    def ready(self) -> bool:
        return True

    def load(self, weights: dict[str, torch.Tensor], step: int | None) -> None:
        """Take over new weights. Tied output embeddings may be absent; any other missing tensor is an error."""
        missing, unexpected = self.model.load_state_dict(weights, strict=False)
        if unexpected or set(missing) - {"lm_head.weight"}:
            raise ValueError(f"the actor's weights do not fit the rollout model: {missing[:3]} {unexpected[:3]}")
        self.step = self.step if step is None else step

    def sample(self, prompts: list[list[int]], max_new_tokens: int, temperature: float):
        """Responses to `prompts`, in order, and the step whose weights drew them.

        The seed depends on the step alone, so that a resumed run draws what an uninterrupted one would have drawn.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        drawn = []
        for first in range(0, len(prompts), self.MAX_BATCH):
            part = prompts[first : first + self.MAX_BATCH]
            drawn += sample_batch(self.model, part, max_new_tokens, temperature, self.end, generator)
        return drawn, self.step

    def nothing(self, *_, **__) -> None:
        """What verl asks of an engine that sleeps, wakes and caches; this one does none of it."""

    sleep = wake_up = clear_kv_cache = release_kv_cache = resume_kv_cache = nothing
    abort_all_requests = resume_generation = start_profile = stop_profile = nothing
