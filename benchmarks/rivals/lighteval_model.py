"""vLLM as a lighteval model. lighteval 0.13.0's own vLLM class refuses every vLLM but 0.10.0 to 0.10.1.

It does what that class does, in the calls of today's vLLM: one `LLM.generate` for each of lighteval's splits of the
task, with `n` samples a prompt. Read by `lighteval custom`; settings.json lies beside the copy of this file.
"""

import json
from pathlib import Path

from lighteval.data import GenerativeTaskDataset
from lighteval.models.abstract_model import LightevalModel
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.prompt_manager import PromptManager
from lighteval.utils.cache_management import SampleCache
from vllm import LLM, SamplingParams

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))


class CurrentVLLM(LightevalModel):
    """A vLLM engine with the settings of the comparison."""

    def __init__(self, config) -> None:
        self.config = config
        self.engine = LLM(model=config.model_name, **SETTINGS["engine"])
        self._tokenizer = self.engine.get_tokenizer()
        self.prompts = PromptManager(use_chat_template=True, tokenizer=self._tokenizer)
        self._cache = SampleCache(config)

    @property
    def tokenizer(self):
        return self._tokenizer

    @property
    def add_special_tokens(self) -> bool:
        return False

    @property
    def max_length(self) -> int:
        return SETTINGS["engine"]["max_model_len"]

    def greedy_until(self, docs) -> list[ModelResponse]:
        """Responses to `docs`, sampled in spite of lighteval's name for it."""
        dataset = GenerativeTaskDataset(requests=docs, num_dataset_splits=self.DATASET_SPLITS)
        responses = []
        for split in dataset.splits_iterator():
            sampling = SamplingParams(
                n=split[0].num_samples, max_tokens=split[0].generation_size, **SETTINGS["sampling"]
            )
            texts = [self.prompts.prepare_prompt(doc) for doc in split]
            ids = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
            outputs = self.engine.generate([{"prompt_token_ids": row} for row in ids], sampling, use_tqdm=True)
            responses += [
                ModelResponse(
                    input=text,
                    input_tokens=output.prompt_token_ids,
                    text=[completion.text for completion in output.outputs],
                    output_tokens=[list(completion.token_ids) for completion in output.outputs],
                )
                for text, output in zip(texts, outputs, strict=True)
            ]
        return dataset.get_original_order(responses)

    def loglikelihood(self, docs) -> list[ModelResponse]:
        raise NotImplementedError("the comparison has no log-likelihood tasks")

    def loglikelihood_rolling(self, docs) -> list[ModelResponse]:
        raise NotImplementedError("the comparison has no log-likelihood tasks")
