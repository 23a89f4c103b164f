# SPDX-License-Identifier: MIT
"""Changes headers of H.264 streams bit by bit, for features that no encoder at hand writes.

Clauses are those of ITU-T H.264. Knows what x264 writes for progressive 4:2:0 8 bit, and no more. Slice data is never
touched: a changed header only shifts it (CAVLC) or aligns it anew (CABAC). Pictures may look odd afterwards, because
they are predicted from other references than the encoder had in mind, but the stream is a valid one.
"""

from bits import BitReader, BitWriter, join, nal_type, read_scaling, split, to_bytes, trailing, without_trailing


class Sps:
    """7.3.2.1.1. What follows max_num_ref_frames' neighbours is kept as bits."""

    def __init__(self, nal):
        reader = BitReader(nal[1:])
        self.head = nal[0]
        self.profile, self.constraints, self.level = reader.u(8), reader.u(8), reader.u(8)
        self.id = reader.ue()
        self.high = self.profile == 100
        self.scaling = ''  # the bits after seq_scaling_matrix_present_flag, or nothing
        if self.high:
            chroma = (reader.ue(), reader.ue(), reader.ue(), reader.u(1))
            assert chroma == (1, 0, 0, 0), chroma
            if reader.u(1):
                self.scaling = read_scaling(reader, 8)
        self.log2_frame_num = reader.ue() + 4
        self.poc_type = reader.ue()
        assert self.poc_type in (0, 2)
        self.log2_poc_lsb = reader.ue() + 4 if self.poc_type == 0 else 0
        self.ref_frames = reader.ue()
        self.gaps = reader.u(1)
        self.rest = reader.rest()

    def nal(self):
        writer = BitWriter()
        writer.u(8, self.profile)
        writer.u(8, self.constraints)
        writer.u(8, self.level)
        writer.ue(self.id)
        if self.high:
            for value in (1, 0, 0):
                writer.ue(value)
            writer.u(1, 0)
            writer.u(1, 1 if self.scaling else 0)
            writer.bits += self.scaling
        writer.ue(self.log2_frame_num - 4)
        writer.ue(self.poc_type)
        if self.poc_type == 0:
            writer.ue(self.log2_poc_lsb - 4)
        elif self.poc_type == 1:  # a cycle of one reference frame, two counts each: the order that type 2 has
            writer.u(1, 1)  # delta_pic_order_always_zero_flag: nothing in slice headers
            writer.se(-1)  # offset_for_non_ref_pic
            writer.se(0)  # offset_for_top_to_bottom_field
            writer.ue(1)  # num_ref_frames_in_pic_order_cnt_cycle
            writer.se(2)  # offset_for_ref_frame
        writer.ue(self.ref_frames)
        writer.u(1, self.gaps)
        return bytes([self.head]) + to_bytes(trailing(writer.bits + without_trailing(self.rest)))


class Pps:
    """7.3.2.2, one slice group."""

    def __init__(self, nal):
        reader = BitReader(nal[1:])
        self.head = nal[0]
        self.id, self.sps = reader.ue(), reader.ue()
        self.cabac, self.bottom_poc = reader.u(1), reader.u(1)
        assert reader.ue() == 0
        self.ref_idx = [reader.ue() + 1, reader.ue() + 1]
        self.weighted_pred, self.weighted_bipred = reader.u(1), reader.u(2)
        self.qp, self.qs, self.chroma_qp = reader.se(), reader.se(), reader.se()
        self.deblocking, self.constrained_intra, self.redundant = reader.u(1), reader.u(1), reader.u(1)
        self.extended = len(without_trailing(reader.bits)) > reader.at
        self.transform8x8, self.scaling, self.chroma_qp2 = 0, '', self.chroma_qp
        if self.extended:
            self.transform8x8 = reader.u(1)
            if reader.u(1):
                self.scaling = read_scaling(reader, 6 + 2 * self.transform8x8)
            self.chroma_qp2 = reader.se()

    def nal(self):
        writer = BitWriter()
        writer.ue(self.id)
        writer.ue(self.sps)
        writer.u(1, self.cabac)
        writer.u(1, self.bottom_poc)
        writer.ue(0)
        writer.ue(self.ref_idx[0] - 1)
        writer.ue(self.ref_idx[1] - 1)
        writer.u(1, self.weighted_pred)
        writer.u(2, self.weighted_bipred)
        for value in (self.qp, self.qs, self.chroma_qp):
            writer.se(value)
        for value in (self.deblocking, self.constrained_intra, self.redundant):
            writer.u(1, value)
        if self.extended:
            writer.u(1, self.transform8x8)
            writer.u(1, 1 if self.scaling else 0)
            writer.bits += self.scaling
            writer.se(self.chroma_qp2)
        return bytes([self.head]) + to_bytes(trailing(writer.bits))


class Slice:
    """7.3.3. Weights are read only to be written again; slice data stays a string of bits."""

    def __init__(self, nal, sps, pps):
        reader = BitReader(nal[1:])
        self.ref_idc, self.idr = nal[0] >> 5 & 3, nal_type(nal) == 5
        self.first_mb, self.type, self.pps_id = reader.ue(), reader.ue(), reader.ue()
        self.frame_num = reader.u(sps.log2_frame_num)
        self.idr_pic_id = reader.ue() if self.idr else None
        self.poc_lsb = reader.u(sps.log2_poc_lsb) if sps.poc_type == 0 else None
        assert not pps.bottom_poc and not pps.redundant
        kind = self.kind()
        self.direct_spatial = reader.u(1) if kind == 'B' else None
        self.override, self.ref_idx = 0, list(pps.ref_idx)
        if kind != 'I':
            self.override = reader.u(1)
            if self.override:
                self.ref_idx[0] = reader.ue() + 1
                if kind == 'B':
                    self.ref_idx[1] = reader.ue() + 1
        self.modifications = [self.read_modifications(reader) for _ in range('IPB'.index(kind))]
        self.weights = None
        if pps.weighted_pred and kind == 'P' or pps.weighted_bipred == 1 and kind == 'B':
            self.weights = self.read_weights(reader)
        self.marking = self.read_marking(reader) if self.ref_idc else None
        self.cabac_init = reader.ue() if pps.cabac and kind != 'I' else None
        self.qp_delta = reader.se()
        self.deblocking = None
        if pps.deblocking:
            off = reader.ue()
            self.deblocking = (off, 0, 0) if off == 1 else (off, reader.se(), reader.se())
        if pps.cabac:
            reader.at += -reader.at % 8
        self.data = reader.rest()

    def kind(self):
        return 'PBI'[self.type % 5]

    def read_modifications(self, reader):
        found = []
        if reader.u(1):
            while (operation := reader.ue()) != 3:
                found.append((operation, reader.ue()))
        return found

    def read_weights(self, reader):
        start = reader.at
        reader.ue()
        reader.ue()
        for count in self.ref_idx[: 'IPB'.index(self.kind())]:
            for _ in range(count):
                for values in (2, 4):
                    if reader.u(1):
                        for _ in range(values):
                            reader.se()
        return reader.bits[start : reader.at]

    def read_marking(self, reader):
        """(no_output_of_prior_pics_flag, long_term_reference_flag), or operations: none is the sliding window."""
        if self.idr:
            return (reader.u(1), reader.u(1))
        found = []
        if reader.u(1):
            while (operation := reader.ue()) != 0:
                operands = {1: 1, 2: 1, 3: 2, 4: 1, 5: 0, 6: 1}[operation]
                found.append((operation, *(reader.ue() for _ in range(operands))))
        return found

    def nal(self, sps, pps):
        writer = BitWriter()
        for value in (self.first_mb, self.type, self.pps_id):
            writer.ue(value)
        writer.u(sps.log2_frame_num, self.frame_num % (1 << sps.log2_frame_num))
        if self.idr:
            writer.ue(self.idr_pic_id)
        if sps.poc_type == 0:
            writer.u(sps.log2_poc_lsb, self.poc_lsb)
        kind = self.kind()
        if kind == 'B':
            writer.u(1, self.direct_spatial)
        if kind != 'I':
            writer.u(1, self.override)
            if self.override:
                for count in self.ref_idx[: 'IPB'.index(kind)]:
                    writer.ue(count - 1)
        for commands in self.modifications:
            writer.u(1, 1 if commands else 0)
            for operation, operand in commands:
                writer.ue(operation)
                writer.ue(operand)
            if commands:
                writer.ue(3)
        writer.bits += self.weights or ''
        if self.ref_idc:
            self.write_marking(writer)
        if self.cabac_init is not None:
            writer.ue(self.cabac_init)
        writer.se(self.qp_delta)
        if self.deblocking:
            writer.ue(self.deblocking[0])
            for offset in self.deblocking[1:] if self.deblocking[0] != 1 else ():
                writer.se(offset)
        if pps.cabac:
            writer.bits += '1' * (-len(writer.bits) % 8)
            bits = writer.bits + self.data
        else:
            bits = trailing(writer.bits + without_trailing(self.data))
        return bytes([self.ref_idc << 5 | (5 if self.idr else 1)]) + to_bytes(bits)

    def write_marking(self, writer):
        if self.idr:
            for flag in self.marking:
                writer.u(1, flag)
            return
        writer.u(1, 1 if self.marking else 0)
        for command in self.marking:
            for value in command:
                writer.ue(value)
        if self.marking:
            writer.ue(0)


def rewrite(stream, edit, edit_sps=lambda sps: None, edit_pps=lambda pps, sps: None):
    """Parses all headers, lets the caller change them, and writes the stream anew.

    edit(slice, picture number in decode order) may change the slice; when it returns False the slice is dropped."""
    nals, picture = [], -1
    sps = pps = old_sps = old_pps = None
    for nal in split(stream):
        kind = nal_type(nal)
        if kind == 7:
            old_sps, sps = Sps(nal), Sps(nal)
            edit_sps(sps)
            nal = sps.nal()
        elif kind == 8:
            old_pps, pps = Pps(nal), Pps(nal)
            edit_pps(pps, sps)
            nals[[nal_type(each) for each in nals].index(7)] = sps.nal()  # edit_pps may move things to the SPS
            nal = pps.nal()
        elif kind in (1, 5):
            header = Slice(nal, old_sps, old_pps)
            picture += header.first_mb == 0
            if edit(header, picture) is False:
                continue
            nal = header.nal(sps, pps)
        nals.append(nal)
    return join(nals)


def keep(_slice, _picture):
    return True


def long_term(stream, plan=None, ref_frames=0):
    """Long-term references (8.2.5.4). plan: picture number -> (list modifications of P slices, marking commands).

    The IDR picture becomes long-term reference 0. Where an adaptive marking would leave the DPB too full, the oldest
    short-term reference is unmarked too, since the sliding window does not work on such pictures."""
    plan = plan or {}
    state = {'short': [], 'long': {}, 'number': 0, 'max': 0}

    def edit(header, picture):
        if not header.ref_idc or header.first_mb:
            return
        if header.idr:
            header.marking = (0, 1)
            state.update(short=[], long={0: picture}, number=0)
            return
        state['number'] += 1
        header.frame_num = number = state['number']
        modifications, commands = plan.get(picture, ([], []))
        if modifications:
            header.modifications[0] = modifications
        header.marking = mark(state, number, list(commands))

    def edit_sps(sps):
        sps.ref_frames = ref_frames or sps.ref_frames
        state['max'] = sps.ref_frames

    return rewrite(stream, edit, edit_sps)


def mark(state, number, commands):
    """Follows 8.2.5 for one reference picture, and returns its commands, with one more if the DPB would run over."""
    short, long, current = state['short'], state['long'], 'short'
    for command in commands:
        if command[0] == 1:
            short.remove(number - command[1] - 1)
        elif command[0] == 2:
            del long[command[1]]
        elif command[0] == 3:
            short.remove(number - command[1] - 1)
            long[command[2]] = number
        elif command[0] == 4:
            for index in [index for index in long if index >= command[1]]:
                del long[index]
        elif command[0] == 5:
            short.clear()
            long.clear()
            state['number'] = number = 0  # frame_num counts from this picture on (7.4.3)
        elif command[0] == 6:
            long[command[1]], current = number, 'long'
    total = len(short) + len(long) + (current == 'short')
    if total > state['max']:
        oldest = short.pop(0)
        if commands:
            commands.insert(0, (1, number - oldest - 1))
    if current == 'short':
        short.append(number)
    return commands


def drop_pictures(stream, dropped):
    """Leaves out P pictures (frame_num gaps, 8.2.5.2); the next picture is predicted from the one before the gap."""

    def edit(header, picture):
        if picture in dropped:
            return False
        gap = next(count for count in range(len(dropped) + 1) if picture - 1 - count not in dropped)
        if gap and header.kind() == 'P':
            header.modifications[0] = [(0, gap)]
        return True

    def edit_sps(sps):
        sps.gaps, sps.ref_frames = 1, 4

    return rewrite(stream, edit, edit_sps)


def poc_type_1(stream):
    def edit_sps(sps):
        assert sps.poc_type == 2
        sps.poc_type = 1

    return rewrite(stream, keep, edit_sps)


def explicit_bipred(stream):
    """Weights in B slices (8.4.2.3.2) where the encoder had implicit ones."""

    def edit_pps(pps, _sps):
        assert pps.weighted_bipred == 2
        pps.weighted_bipred = 1

    def edit(header, picture):
        if header.kind() != 'B':
            return
        writer = BitWriter()
        writer.ue(5)  # luma_log2_weight_denom
        writer.ue(4)  # chroma_log2_weight_denom
        for number, count in enumerate(header.ref_idx):
            for entry in range(count):
                weighted = (entry + number + picture) % 3 != 2  # some entries keep the default
                writer.u(1, weighted)
                if weighted:
                    writer.se(32 + (4 - entry if number else entry - 4))
                    writer.se(3 - 2 * entry if number else entry - 3)
                weighted = (entry + picture) % 2
                writer.u(1, weighted)
                if weighted:
                    for value in (17, -2, 15, 2):
                        writer.se(value)
        header.weights = writer.bits

    return rewrite(stream, edit, edit_pps=edit_pps)


def deblock_within_slices(stream):
    """disable_deblocking_filter_idc 2 in every slice."""

    def edit(header, _picture):
        assert header.deblocking, 'encode with deblock other than 0:0, so that the fields are there'
        header.deblocking = (2, *header.deblocking[1:])

    return rewrite(stream, edit)


def scaling_in_sps(stream):
    """Moves the scaling lists from the PPS to the SPS."""

    def edit_pps(pps, sps):
        assert pps.scaling and pps.transform8x8
        sps.scaling, pps.scaling = pps.scaling, ''

    return rewrite(stream, keep, edit_pps=edit_pps)


def scaling_in_both(stream):
    """Lists in the SPS; the PPS has some of its own and falls back for the others (fall-back rule B, table 7-2)."""

    def edit_pps(pps, sps):
        assert pps.scaling and pps.transform8x8
        sps.scaling = pps.scaling
        writer = BitWriter()
        writer.u(1, 0)  # intra Y: from the SPS
        writer.u(1, 1)  # intra Cb: 20 throughout
        writer.se(12)
        for _ in range(15):
            writer.se(0)
        writer.u(1, 0)  # intra Cr: as intra Cb
        writer.u(1, 1)  # inter Y: rising
        writer.se(4)
        for _ in range(15):
            writer.se(2)
        writer.u(2, 0)  # inter Cb, Cr: as inter Y
        writer.u(1, 1)  # 8x8 intra: the default (delta -8 at once gives nextScale 0)
        writer.se(-8)
        writer.u(1, 0)  # 8x8 inter: from the SPS
        pps.scaling = writer.bits

    return rewrite(stream, keep, edit_pps=edit_pps)


def start_at_recovery_point(stream):
    """Leaves out what comes before the first I picture that is no IDR picture, but for the parameter sets, and the B
    pictures that follow it and need what came before."""
    nals = split(stream)

    def kind(nal):
        reader = BitReader(nal[1:8])
        return 'PBI'[(reader.ue(), reader.ue())[1] % 5] if nal_type(nal) == 1 else ''

    first = next(at for at, nal in enumerate(nals) if kind(nal) == 'I')
    following = next(at for at, nal in enumerate(nals) if at > first and kind(nal) == 'P')
    start = first
    while nal_type(nals[start - 1]) in (6, 9):
        start -= 1
    return join(
        [nal for nal in nals[:start] if nal_type(nal) in (7, 8)]
        + [nal for nal in nals[start:following] if kind(nal) != 'B']
        + nals[following:]
    )
