"""Texts of a definition as people are shown them: nobody knows what stands in a name."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Text on one line, whatever stands in it."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
