# SPDX-License-Identifier: MIT
"""Facts of HEVC pictures (the package facts). Clauses are those of Rec. ITU-T H.265."""

import contextlib
import re

from facts import hevc_sets
from bits import BitReader
from facts.picture import Picture

RASL = (8, 9)


class Pps:
    """7.3.2.3.1, up to the deblocking."""

    def __init__(self, reader):
        self.id, self.sps = reader.ue(), reader.ue()
        reader.u(1)
        self.output_flag, self.extra_bits = reader.u(1), reader.u(3)
        reader.u(2)
        reader.ue(), reader.ue()
        reader.se()
        reader.u(2)
        if reader.u(1):
            reader.ue()
        reader.se(), reader.se()
        reader.u(4)
        tiles = reader.u(1)
        reader.u(1)
        if tiles:
            columns, rows = reader.ue(), reader.ue()
            if not reader.u(1):
                hevc_sets.skip(reader.ue, columns + rows)
            reader.u(1)
        reader.u(1)
        present = reader.u(1)
        override, disabled, offsets = 0, 0, (0, 0)
        if present:
            override, disabled = reader.u(1), reader.u(1)
            offsets = (0, 0) if disabled else (reader.se(), reader.se())
        # Whether each element that the flag guards is what it is inferred to be without it (7.4.3.3.1).
        self.deblocking_as_inferred = not (override or disabled or any(offsets))


def read(stream):
    """The pictures of the base layer, in the order of the stream.

    Pictures before the first parameter sets have those: FFmpeg's demuxers look ahead for them."""
    units = [unit for unit in re.split(rb'\x00*\x00\x00\x01', stream)[1:] if len(unit) > 2 and not layer_of(unit)]
    state = State()
    for unit in units[::-1]:
        state.parameters(unit)
    for unit in units:
        state.parameters(unit)
        state.slice(unit)
    return state.pictures()


def layer_of(unit):
    return (unit[0] & 1) << 5 | unit[1] >> 3


class State:
    """Parameter sets, and what is known of the pictures so far. What is damaged is not found, and so not explained."""

    def __init__(self):
        self.sps_of, self.pps_of, self.groups = {}, {}, []
        self.first, self.iraps, self.changes = None, 0, set()

    def parameters(self, unit):
        kind = unit[0] >> 1 & 63
        if kind in (hevc_sets.SPS, hevc_sets.PPS):
            with contextlib.suppress(ValueError, KeyError, IndexError):
                made = (hevc_sets.Sps if kind == hevc_sets.SPS else Pps)(BitReader(unescaped(unit)))
                (self.sps_of if kind == hevc_sets.SPS else self.pps_of)[made.id] = made

    def slice(self, unit):
        kind = unit[0] >> 1 & 63
        if kind > hevc_sets.LAST_SLICE:
            return
        with contextlib.suppress(ValueError, KeyError, IndexError):
            if unit[2] >> 7:
                self.begin(unescaped(unit[: hevc_sets.HEADER]), kind)
            self.groups[-1][2].append(unit)

    def begin(self, body, kind):
        """A picture, by its first slice segment."""
        irap = hevc_sets.FIRST_IRAP <= kind <= hevc_sets.LAST_IRAP
        self.iraps += irap
        reader = BitReader(body)
        reader.u(2 if irap else 1)
        pps = self.pps_of[reader.ue()]
        sps = self.sps_of[pps.sps]
        self.first = self.first or sps
        self.changes |= {'size-changed'} if sps.size != self.first.size else set()
        needed = hevc_sets.sets_of_slice(body, kind, pps, sps)
        words = facts(sps, pps, irap) | self.changes | (set() if self.iraps else {'before-irap'})
        words |= {'first-rasl'} if kind in RASL and self.iraps < 2 else set()
        self.groups.append((words, needed, []))

    def pictures(self):
        whole = {'starts-without-irap'} if self.groups and 'before-irap' in self.groups[0][0] else set()
        return [Picture(words | whole, b''.join(b'\x00\x00\x01' + unit for unit in units), *units, needed=needed)
                for words, needed, units in self.groups]


def unescaped(unit):
    """Without the header, and without emulation prevention."""
    return unit[2:].replace(b'\x00\x00\x03', b'\x00\x00')


def facts(sps, pps, irap):
    return (
        ({'irap'} if irap else set())
        | ({'deblocking-as-inferred'} if pps.deblocking_as_inferred else set())
        | ({'small'} if min(sps.size) < 48 else set())
    )
