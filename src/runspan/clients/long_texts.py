"""JSON that is too large to keep whole. Its longest texts, nearly always images, are left out, and the rest is kept."""

from __future__ import annotations

LONG = 100_000  # bytes of a text between two quotes
MANY = 100_000  # quotes: a body with more of them is not large because of long texts
_GAP = b"\0"  # never part of JSON


def left_out(body: bytes) -> bytes:
    """The beginning of a body, with a mark in place of each long text. The last text may go on in the next piece."""
    if body.count(b'"') > MANY:
        return body
    first, *pieces = body.split(b'"')
    return b'"'.join([first, *(p if len(p) < LONG and p[:1] != _GAP else _short(p) for p in pieces)])


def finished(body: bytes) -> bytes:
    """The whole body as JSON again, with null in place of each text that was left out."""
    if _GAP not in body:
        return body
    return left_out(body).replace(b'"' + _GAP + b'"', b"null").replace(_GAP, b"...")


def _short(piece: bytes) -> bytes:
    if piece.lstrip().startswith((b":", b",", b"]", b"}")):  # what stands between two texts
        return piece
    escapes = len(piece) - len(piece.rstrip(b"\\"))  # an odd one belongs to the quote behind it
    return _GAP + b"\\" * (escapes % 2)
