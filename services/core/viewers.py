"""Distinct viewers: keyed hashes of who looked, and HyperLogLog sketches that count them.

A sketch (Apache DataSketches HLL, lg k = 11, at most about 1.1 kB) never leaves its own slot; a
discussion's number is the estimate of the union of its slots. Exact to a few hundred viewers' worth
of coupons, then a relative standard error of 2.3 % (1.04/√2048): two thirds of the estimates are
that near, 95 % within 4.6 %.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
from datasketches import hll_sketch, hll_union, tgt_hll_type

LG_K = 11
RELATIVE_STANDARD_ERROR = 0.023
KEY_BYTES = 16

_FORM = tgt_hll_type.HLL_4
_REGISTERS = 10
"""A sketch's first byte, the length of its preamble in fours, tells which form it has: two small
ones, which list what they know, or registers."""
_ENTRIES = {2: 8, 3: 12, _REGISTERS: 40 + 2**LG_K // 2}
"""Where entries of four bytes begin in each form."""


def viewer_key(secret: bytes) -> Callable[[str, str], bytes]:
    """(site, viewer) to 16 bytes: without the secret nobody can tell whose views were counted."""
    keyed = hashlib.blake2b(key=secret[:64], digest_size=KEY_BYTES)

    def key(site: str, viewer: str) -> bytes:
        mac = keyed.copy()
        mac.update(f"{site}\0{viewer}".encode())
        return mac.digest()

    return key


def add(sketch: bytes | None, viewers: Iterable[bytes]) -> bytes:
    """The sketch with these viewers' keys in it; None is the sketch of nobody.

    Equal viewers give equal bytes, in whatever order they came: a rebuild compares them.
    """
    grown = hll_sketch(LG_K, _FORM) if sketch is None else hll_sketch.deserialize(sketch)
    for viewer in viewers:
        grown.update(int.from_bytes(viewer[:8], signed=True))
    compact = bytes(grown.serialize_compact())
    if compact[0] == _REGISTERS and (sketch is None or sketch[0] != _REGISTERS):
        compact = bytes(_forget_order(grown).serialize_compact())
    return _in_order(compact)


def estimate(sketches: Iterable[bytes]) -> int:
    """Distinct viewers over all sketches (the slots of one discussion); 0 where there are none."""
    union = hll_union(LG_K)
    for sketch in sketches:
        union.update(hll_sketch.deserialize(sketch))
    distinct: float = union.get_estimate()
    return round(distinct)


def _in_order(compact: bytes) -> bytes:
    """Entries of four bytes lie as they came to in a hash table: in a small sketch all that it
    knows, in a large one the few registers that do not fit into four bits."""
    begin = _ENTRIES.get(compact[0])
    if begin is None or len(compact) <= begin + 4:
        return compact
    entries = np.frombuffer(compact, "<u4", offset=begin).copy()
    entries.sort()
    return compact[:begin] + entries.tobytes()


def _forget_order(sketch: hll_sketch) -> hll_sketch:
    """The library's running estimate depends on the order in which viewers came.

    A union of two sketches drops it, and what grows out of that never has one again: its estimate
    comes from the registers alone.
    """
    union = hll_union(LG_K)
    union.update(sketch)
    union.update(sketch)
    return union.get_result(_FORM)
