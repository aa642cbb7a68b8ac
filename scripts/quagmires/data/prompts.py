"""The one prompt of the project: a user turn with the problem and the instruction, in the model's own chat template."""

from typing import Any


def user_message(problem: str, instruction: str) -> str:
    """The user turn (paper, Appendix B.3; verl's own math preprocessing writes the same)."""
    return f"{problem} {instruction}"


def conversation(problem: str, instruction: str) -> list[dict[str, str]]:
    """The messages of a prompt: one user turn, no system message."""
    return [{"role": "user", "content": user_message(problem, instruction)}]


def prompt_ids(tokenizer: Any, problem: str, instruction: str) -> list[int]:
    """The prompt's token ids by the chat template of a transformers tokenizer."""
    return tokenizer.apply_chat_template(
        conversation(problem, instruction), add_generation_prompt=True, tokenize=True, return_dict=False
    )


def response_ids(tokenizer: Any, response: str) -> list[int]:
    """The token ids a model is trained to answer with: the response and the end-of-turn token."""
    return [*tokenizer.encode(response, add_special_tokens=False), tokenizer.eos_token_id]


def load_tokenizer(directory: str) -> Any:
    """A model directory's tokenizer; code in the directory is never run."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory, trust_remote_code=False, local_files_only=True)
