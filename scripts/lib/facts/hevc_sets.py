# SPDX-License-Identifier: MIT
"""Which reference picture sets of the SPS each picture of an HEVC stream needs: those that its slice header names, as the
picture's own or as what its own is predicted from. A decoder that is told the sets reads these and no others.

Clauses are those of Rec. ITU-T H.265."""

from bits import BitReader

SPS, PPS, FIRST_IRAP, LAST_IRAP, IDR, LAST_SLICE = 33, 34, 16, 23, (19, 20), 31
ALL = {f'.short_term[{index}]' for index in range(64)} | {f'.long_term[{index}]' for index in range(32)}
HEADER = 400  # bytes, in which the sets of a slice segment header surely are


class Sps:
    """7.3.2.2.1, up to the sets, of the base layer."""

    def __init__(self, reader):
        reader.u(4)
        sub_layers = reader.u(3)  # sps_max_sub_layers_minus1
        reader.u(1)
        profile_tier_level(reader, sub_layers)
        self.id = reader.ue()
        chroma = reader.ue()
        self.separate_planes = reader.u(1) if chroma == 3 else 0
        self.size = reader.ue(), reader.ue()
        if reader.u(1):
            skip(reader.ue, 4)
        skip(reader.ue, 2)
        self.log2_poc_lsb = reader.ue() + 4
        skip(reader.ue, 3 * (sub_layers + 1 if reader.u(1) else 1))
        skip(reader.ue, 6)
        if reader.u(1) and reader.u(1):
            scaling_list_data(reader)
        reader.u(2)
        if reader.u(1):
            reader.u(8), reader.ue(), reader.ue(), reader.u(1)
        self.short_term = []  # NumDeltaPocs of each set
        for index in range(reader.ue()):
            self.short_term.append(set_size(reader, index, self.short_term)[0])
        self.long_term = 0
        self.long_term_present = reader.u(1)
        if self.long_term_present:
            self.long_term = reader.ue()


def skip(element, count):
    for _ in range(count):
        element()


def profile_tier_level(reader, sub_layers):
    """7.3.3"""
    reader.u(96)
    present = [(reader.u(1), reader.u(1)) for _ in range(sub_layers)]
    reader.u(2 * (8 - sub_layers) if sub_layers else 0)
    for profile, level in present:
        reader.u(88 * profile + 8 * level)


def scaling_list_data(reader):
    """7.3.4"""
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not reader.u(1):
                reader.ue()
                continue
            if size > 1:
                reader.se()
            skip(reader.se, min(64, 1 << 4 + 2 * size))


def set_size(reader, index, sizes, in_slice=False):
    """st_ref_pic_set (7.3.7): how many pictures it has, and the index of the set that it is predicted from, or None."""
    if index and reader.u(1):
        other = index - 1 - (reader.ue() if in_slice else 0)  # 7-59
        reader.u(1), reader.ue()
        kept = 0
        for _ in range(sizes[other] + 1):
            kept += 1 if reader.u(1) else reader.u(1)
        return kept, other  # but for a distance of 0, which no valid stream has
    count = reader.ue() + reader.ue()
    for _ in range(count):
        reader.ue(), reader.u(1)
    return count, None


def sets_of_slice(body, kind, pps, sps):
    """Of the first slice segment of a picture (7.3.6.1): names of the sets as in a job log's table, or none."""
    reader = BitReader(body)
    reader.u(1)
    if FIRST_IRAP <= kind <= LAST_IRAP:
        reader.u(1)
    reader.ue()
    reader.u(pps.extra_bits), reader.ue()
    reader.u(pps.output_flag + 2 * sps.separate_planes)
    if kind in IDR:
        return set()
    reader.u(sps.log2_poc_lsb)
    if reader.u(1):
        names = {f'.short_term[{reader.u(length_of(len(sps.short_term)))}]'}
    else:
        _, other = set_size(reader, len(sps.short_term), sps.short_term, in_slice=True)
        names = set() if other is None else {f'.short_term[{other}]'}
    if sps.long_term:
        count = reader.ue()
        reader.ue()
        for _ in range(count):
            names.add(f'.long_term[{reader.u(length_of(sps.long_term))}]')
            if reader.u(1):
                reader.ue()
    return names


def length_of(count):
    return (count - 1).bit_length()
