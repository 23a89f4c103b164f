# SPDX-License-Identifier: MIT
"""One picture of a stream, as the facts about it are read (the package facts)."""


class Picture:
    """facts: words. payloads: what clients hand over for it, whole and in parts. remade: what the driver hands over where
    the client keeps bytes back. needed: names of records that a decoder reads for it (board.py)."""

    def __init__(self, facts, *payloads, remade=None, needed=()):
        self.facts, self.payloads, self.remade, self.needed = set(facts), list(payloads), remade, set(needed)
        if remade is not None:
            self.payloads.append(remade)
