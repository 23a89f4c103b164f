# SPDX-License-Identifier: MIT
"""Facts of HEVC pictures (facts.py). Clauses are those of Rec. ITU-T H.265."""

import re

import hevc_sets
from h264_rewrite import BitReader
from picture import Picture


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

    def for_slices(self):
        """What hevc_sets needs of it."""
        return self.sps, self.output_flag, self.extra_bits


def read(stream):
    """The pictures of the base layer, in the order of the stream."""
    sps_of, pps_of, groups = {}, {}, []
    first, irap_seen = None, False
    for nal in re.split(rb'\x00*\x00\x00\x01', stream)[1:]:
        if len(nal) < 3 or (nal[0] & 1) << 5 | nal[1] >> 3:
            continue
        kind = nal[0] >> 1 & 63
        start = nal[: hevc_sets.HEADER if kind <= hevc_sets.LAST_SLICE else None].replace(b'\x00\x00\x03', b'\x00\x00')
        try:
            if kind == hevc_sets.SPS:
                sps = hevc_sets.Sps(BitReader(start[2:]))
                sps_of[sps.id] = sps
            elif kind == hevc_sets.PPS:
                pps = Pps(BitReader(start[2:]))
                pps_of[pps.id] = pps
            elif kind <= hevc_sets.LAST_SLICE:
                if start[2] >> 7:
                    irap = hevc_sets.FIRST_IRAP <= kind <= hevc_sets.LAST_IRAP
                    irap_seen |= irap
                    needed = hevc_sets.sets_of_slice(start, kind, {key: each.for_slices() for key, each in pps_of.items()},
                                                     sps_of)
                    reader = BitReader(start[2:])
                    reader.u(2 if irap else 1)
                    pps = pps_of[reader.ue()]
                    sps = sps_of[pps.sps]
                    first = first or sps
                    groups.append((facts(sps, pps, first, irap_seen, irap), needed, []))
                groups[-1][2].append(nal)
        except (ValueError, KeyError, IndexError):
            continue  # damaged: what belongs to it is not found, and so not explained
    starts_elsewhere = bool(groups) and 'before-irap' in groups[0][0]
    return [
        Picture(words | ({'starts-without-irap'} if starts_elsewhere else set()),
                b''.join(b'\x00\x00\x01' + nal for nal in nals), *nals, needed=needed)
        for words, needed, nals in groups
    ]


def facts(sps, pps, first, irap_seen, irap):
    return (
        ({'irap'} if irap else set())
        | (set() if irap_seen else {'before-irap'})
        | ({'deblocking-as-inferred'} if pps.deblocking_as_inferred else set())
        | ({'size-changed'} if sps.size != first.size else set())
        | ({'small'} if min(sps.size) < 48 else set())
    )
