"""From the text of an answer in mathematics to a verdict; nothing else in the library knows LaTeX.

`extraction` finds the answer, `equivalence` compares it with the reference. `numbers`, `closed_form`, `structures` and
`symbolic` are fast paths: each settles a kind of answer without starting computer algebra, which takes a hundred times
as long.
"""
