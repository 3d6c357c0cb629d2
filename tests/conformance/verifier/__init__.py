"""A second implementation of offline verification, to cross-check the first.

Written from the schema in `proto/` and what it says. It shares no code with the first and needs
nothing but Python 3.9 and its standard library. Verdicts, codes and field paths must be the same.
"""
