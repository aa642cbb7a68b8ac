"""The verdicts on an answer, and which of them mean that it is right."""

EXACT, VERIFIED, DIFFERENT, NO_ANSWER, TIMEOUT, UNPARSABLE = (
    "exact",
    "verified",
    "different",
    "no_answer",
    "timeout",
    "unparsable",
)
REASONS = (EXACT, VERIFIED, DIFFERENT, NO_ANSWER, TIMEOUT, UNPARSABLE)
RIGHT = (EXACT, VERIFIED)
