"""How a running vLLM engine takes the next checkpoint's weights: the only place that knows vLLM's worker.

vLLM loads it in each of its workers, by name (`worker_extension_cls`).
"""

from typing import Any


class CheckpointLoading:
    """Mixed into vLLM's worker."""

    model_runner: Any
    reload_weights: Any

    def load_checkpoint(self) -> None:
        """Load the weights that the engine's model path leads to now, with vLLM's own `reload_weights`.

        On a CPU vLLM computes with repacked copies of matrices. It makes those anew of what a checkpoint holds; an
        output layer that shares the embedding's matrix is not in a checkpoint, and would go on with the old copy
        (vLLM 0.32).
        """
        from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding
        from vllm.platforms import current_platform

        self.reload_weights()
        if current_platform.is_cpu():
            for layer in self.model_runner.get_model().modules():
                if isinstance(layer, VocabParallelEmbedding):
                    layer.quant_method.process_weights_after_loading(layer)
