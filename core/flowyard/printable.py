"""Text of strangers, made harmless for terminals and logs."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """Return the text with its control characters escaped, except for those in `keep`.

    An escape sequence that reaches a terminal can move the cursor, set the title and hide lines; a
    line break in a log can forge an entry.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
