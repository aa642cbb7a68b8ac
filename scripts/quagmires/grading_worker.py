"""A process that compares answers with math-verify; it may be killed at any moment, and often deserves it.

One JSON line in, `{"gold": ..., "answer": ...}`; one JSON line out, `{"correct": bool}` or `{"unparsable": true}`.
"""

import json
import os
import resource
import sys

MEMORY_BYTES = 4 << 30


def main() -> None:
    # An answer such as a tower of powers must not take the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Libraries that print must not disturb the protocol.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    from math_verify import parse, verify
    from math_verify.parser import LatexExtractionConfig

    # Only what is in the box, never a number picked from the text around it, and no plain Python expressions.
    extraction = [LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False)]

    def parsed(text: str):
        # The parent owns the time limit; math-verify's own uses signals and does not always fire.
        return parse(f"\\boxed{{{text}}}", extraction, parsing_timeout=None)

    def reply(value: dict) -> None:
        replies.write(json.dumps(value) + "\n")
        replies.flush()

    reply({"ready": True})
    for line in sys.stdin:
        pair = json.loads(line)
        try:
            gold, answer = parsed(pair["gold"]), parsed(pair["answer"])
            if gold and answer:
                reply({"correct": bool(verify(gold, answer, timeout_seconds=None))})
            else:
                reply({"unparsable": True})
        # Whatever the answer does to the parser, it is one wrong answer and not the end of the run.
        except (Exception, RecursionError, MemoryError):
            reply({"unparsable": True})


if __name__ == "__main__":
    main()
