"""From the text of an answer in mathematics to a verdict; nothing else in the library knows LaTeX.

`task` is what the rest of the library asks. `extraction` finds the answer, `equivalence` compares it with the gold.
`numbers`, `closed_form` and `structures` are fast paths: each settles a kind of answer without starting computer
algebra, which takes a hundred times as long. `verification` and `symbolic` are computer algebra, for worker processes.
"""
