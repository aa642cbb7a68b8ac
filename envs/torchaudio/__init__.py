"""Stands in for torchaudio, which LLaMA-Factory 0.9.5 imports at start (`data/mm_plugin.py`) but uses for audio only.

PyTorch publishes no CPU build of torchaudio for the pinned torch. Importing works; any use is an error.
"""


def __getattr__(name: str):
    if name.startswith("__"):
        raise AttributeError(name)
    raise NotImplementedError(f"torchaudio.{name}: this environment has no torchaudio; audio data needs one with CUDA")
