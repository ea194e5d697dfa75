"""JSON that is too large to be kept whole: without its longest texts, which are nearly always an image, all else of it can be."""

from __future__ import annotations

LONG = 100_000  # bytes of a text between two quotes
MANY = 100_000  # quotes: with so many, it is not long texts that make it large
_GAP = b"\0"  # stands in no JSON


def left_out(body: bytes) -> bytes:
    """What came of a body until now, a mark in place of each long text; the last one may go on."""
    if body.count(b'"') > MANY:
        return body
    first, *pieces = body.split(b'"')
    return b'"'.join([first, *(p if len(p) < LONG and p[:1] != _GAP else _short(p) for p in pieces)])


def finished(body: bytes) -> bytes:
    """The whole, as JSON again: null in place of a text that was left out."""
    if _GAP not in body:
        return body
    return left_out(body).replace(b'"' + _GAP + b'"', b"null").replace(_GAP, b"...")


def _short(piece: bytes) -> bytes:
    if piece.lstrip().startswith((b":", b",", b"]", b"}")):  # what stands between two texts
        return piece
    escapes = len(piece) - len(piece.rstrip(b"\\"))  # an odd one belongs to the quote behind it
    return _GAP + b"\\" * (escapes % 2)
