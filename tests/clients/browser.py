# SPDX-License-Identifier: MIT
"""What the drivers of all browsers have in common."""


class Failure(Exception):
    """A browser did not do what it was asked, or not in time."""
