# SPDX-License-Identifier: MIT
"""Facts of H.264 pictures, fields each for itself (the package facts). Clauses are those of Rec. ITU-T H.264."""

import contextlib
import re

from bits import BitReader, read_scaling, without_trailing
from facts.picture import Picture

SLICE, IDR, SPS, PPS = 1, 5, 7, 8
HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
DAMAGED = ValueError, KeyError, IndexError  # what is damaged is not found, and so not explained
HEADER = 200  # bytes, in which a slice header is read up to its marking
BASELINE, CONSTRAINED = 66, 0x40
KINDS = 'pbipi'  # of slice_type modulo 5: SP counts as P, SI as I


class Sps:
    """7.3.2.1.1"""

    def __init__(self, reader):
        self.profile, self.constraints, _ = reader.u(8), reader.u(8), reader.u(8)
        self.id = reader.ue()
        self.chroma, self.separate, self.depths = 1, 0, (0, 0)
        if self.profile in HIGH:
            self.chroma = reader.ue()
            self.separate = reader.u(1) if self.chroma == 3 else 0
            self.depths = reader.ue(), reader.ue()
            reader.u(1)
            if reader.u(1):
                read_scaling(reader, 12 if self.chroma == 3 else 8)
        self.log2_frame_num = reader.ue() + 4
        self.poc_type, self.log2_poc_lsb, self.delta_always_zero = reader.ue(), 0, 1
        if self.poc_type == 0:
            self.log2_poc_lsb = reader.ue() + 4
        elif self.poc_type == 1:
            self.delta_always_zero = reader.u(1)
            reader.se(), reader.se()
            for _ in range(reader.ue()):
                reader.se()
        self.ref_frames, self.gaps = reader.ue(), reader.u(1)
        width, height = reader.ue() + 1, reader.ue() + 1
        self.frames_only = reader.u(1)
        self.size = 16 * width, 16 * height * (2 - self.frames_only)

    def format(self):
        """What a device's buffers depend on."""
        return self.size, self.chroma, self.depths, self.profile, self.ref_frames


class Pps:
    """7.3.2.2"""

    def __init__(self, reader):
        self.id, self.sps = reader.ue(), reader.ue()
        reader.u(1)
        self.bottom_poc = reader.u(1)
        self.groups = reader.ue()
        self.transform8x8, self.redundant, self.weighted = 0, 0, (0, 0)
        if self.groups:
            return  # which the driver refuses
        self.counts = reader.ue() + 1, reader.ue() + 1
        self.weighted = reader.u(1), reader.u(2)
        reader.se(), reader.se(), reader.se()
        reader.u(2)
        self.redundant = reader.u(1)
        if len(without_trailing(reader.bits)) > reader.at:
            self.transform8x8 = reader.u(1)


class Slice:
    """7.3.3, up to the marking."""

    def __init__(self, nal, pps_of, sps_of):
        reader = BitReader(nal[1:])
        self.ref, self.idr = nal[0] >> 5 & 3, nal[0] & 31 == IDR
        self.first_mb, kind = reader.ue(), reader.ue() % 5
        self.kind, self.pps = KINDS[kind], pps_of[reader.ue()]
        self.sps = sps = sps_of[self.pps.sps]
        reader.u(2 * sps.separate)
        self.frame_num = reader.u(sps.log2_frame_num)
        self.field = '' if sps.frames_only or not reader.u(1) else 'bottom' if reader.u(1) else 'top'
        self.idr_pic_id = reader.ue() if self.idr else None
        self.poc = None
        if sps.poc_type == 0:
            self.poc = reader.u(sps.log2_poc_lsb), reader.se() if self.pps.bottom_poc and not self.field else 0
        elif not sps.delta_always_zero:
            self.poc = reader.se(), reader.se() if self.pps.bottom_poc and not self.field else 0
        if self.pps.redundant:
            reader.ue()
        self.temporal = self.kind == 'b' and not reader.u(1)
        self.defaults = set() if self.kind == 'i' else {'l0', 'l1'} if self.kind == 'b' else {'l0'}
        self.operations = ()
        if self.pps.groups:
            return
        counts = list(self.pps.counts)
        if self.kind != 'i' and reader.u(1):
            self.defaults = set()
            counts = [reader.ue() + 1 for _ in range(1 + (self.kind == 'b'))]
        for _ in range('ipb'.index(self.kind)):
            if reader.u(1):
                while reader.ue() != 3:
                    reader.ue()
        if self.pps.weighted[0] and self.kind == 'p' or self.pps.weighted[1] == 1 and self.kind == 'b':
            self.skip_weights(reader, counts)
        if self.ref and not self.idr and reader.u(1):
            self.operations = tuple(operations(reader))

    def skip_weights(self, reader, counts):
        """7.3.3.2"""
        reader.ue()
        planes = (1, 2) if self.sps.chroma and not self.sps.separate else (1,)
        reader.ue() if len(planes) > 1 else 0
        for count in counts[: 'ipb'.index(self.kind)]:
            for plane in planes * count:
                if reader.u(1):
                    for _ in range(2 * plane):
                        reader.se()

    def begins_picture(self, last):
        """7.4.1.2.4"""
        return (
            last is None
            or (self.frame_num, self.pps.id, self.field, self.idr, self.idr_pic_id, self.poc)
            != (last.frame_num, last.pps.id, last.field, last.idr, last.idr_pic_id, last.poc)
            or bool(self.ref) != bool(last.ref)
        )


def operations(reader):
    """memory_management_control_operation (7.3.3.3)"""
    while operation := reader.ue():
        yield operation
        for _ in range({1: 1, 2: 1, 3: 2, 4: 1, 6: 1}.get(operation, 0)):
            reader.ue()


class Sequence:
    """What a picture's facts depend on of the pictures before it."""

    def __init__(self):
        self.first, self.last_ref_num, self.gap, self.reset, self.idr_seen = None, None, 0, False, False
        self.last, self.fields, self.lost, self.after_gap, self.changes = None, False, False, False, set()
        self.lost_once = False

    def facts(self, slices):
        """Of a picture with these slices."""
        one, sps = slices[0], slices[0].sps
        self.first = self.first or sps
        second = bool(one.field and self.last and self.last.field and self.last.field != one.field
                      and self.last.frame_num == one.frame_num and not (one.idr and not self.last.idr))
        if not second:
            self.begin(one, sps)
        self.fields |= bool(one.field)
        facts = ({'idr'} if one.idr else set()) | ({'second-field'} if second else set())
        facts |= {'i'} if all(each.kind == 'i' for each in slices) else set()
        facts |= {'b'} if any(each.kind == 'b' for each in slices) else set()
        facts |= {'overrides-l0', 'overrides-l1'} - {f'overrides-{name}' for each in slices for name in each.defaults}
        facts |= {'no-8x8'} if not any(each.pps.transform8x8 for each in slices) else set()
        facts |= {'baseline-only'} if sps.profile == BASELINE and not sps.constraints & CONSTRAINED else set()
        facts |= {'baseline'} if sps.profile == BASELINE else set()
        facts |= ({'field'} if one.field else set()) | ({'fields-so-far'} if self.fields else set())
        facts |= {'10-bit'} if max(sps.depths) else set()
        facts |= {'small'} if min(sps.size) < 48 else set()
        self.changes |= {'size-changed'} if sps.size != self.first.size else set()
        self.changes |= {'format-changed'} if sps.format() != self.first.format() else set()
        facts |= self.changes
        if min(each.first_mb for each in slices):
            facts.add('incomplete')
            self.lost = True
        self.lost_once |= self.lost
        facts |= {'after-loss'} if self.lost_once else set()
        facts |= ({'gap'} if self.gap > 0 else set()) | ({'lost'} if self.lost else set())
        facts |= {'after-gap'} if self.after_gap else set()
        facts |= {'after-reset'} if self.reset else set()
        if any(5 in each.operations for each in slices):
            facts.add('reset')
            self.reset, self.last_ref_num, self.gap, self.lost, self.after_gap = True, 0, 0, False, False
        elif one.ref:
            self.last_ref_num = one.frame_num
        self.last = None if second else one
        return facts

    def begin(self, one, sps):
        """Frames that a gap in frame_num stands for (7.4.3, 8.2.5.2) are references until as many others came, by the
        sliding window; marking may keep them until the next IDR picture: this is not looked at."""
        if one.idr:
            self.gap, self.lost, self.reset, self.after_gap, self.last_ref_num = 0, False, False, False, 0
        else:
            following = {0} if self.last_ref_num is None else {
                self.last_ref_num, (self.last_ref_num + 1) % (1 << sps.log2_frame_num)}
            if one.frame_num not in following:
                self.gap, self.after_gap = sps.ref_frames + 1, True
                self.lost |= not sps.gaps or self.last_ref_num is None
            elif one.ref:
                self.gap -= 1


def read(stream):
    """The pictures, in the order of the stream. Pictures before the first parameter sets have those: demuxers look ahead."""
    units = [unit for unit in re.split(rb'\x00*\x00\x00\x01', stream)[1:] if unit]
    sps_of, pps_of, groups, last = {}, {}, [], None

    def parameters(unit):
        kind = unit[0] & 31
        if kind in (SPS, PPS):
            made = (Sps if kind == SPS else Pps)(BitReader(unescaped(unit)[1:]))
            (sps_of if kind == SPS else pps_of)[made.id] = made

    for unit in units[::-1]:
        with contextlib.suppress(*DAMAGED):
            parameters(unit)
    for unit in units:
        with contextlib.suppress(*DAMAGED):
            parameters(unit)
            if unit[0] & 31 in (SLICE, IDR):
                header = Slice(unescaped(unit[:HEADER]), pps_of, sps_of)
                if header.begins_picture(last):
                    groups.append(([], []))
                groups[-1][0].append(header)
                groups[-1][1].append(unit)
                last = header
    sequence = Sequence()
    return [make_picture(sequence.facts(slices), slices, nals) for slices, nals in groups]


def unescaped(unit):
    return unit.replace(b'\x00\x00\x03', b'\x00\x00')


def make_picture(facts, slices, nals):
    needed = {f'[{each.pps.id}]' for each in slices}
    return Picture(facts, b''.join(b'\x00\x00\x01' + nal for nal in nals), *nals, needed=needed)
