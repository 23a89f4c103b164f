# SPDX-License-Identifier: MIT
"""Changes headers of HEVC streams bit by bit, for features that no encoder at hand writes.

Clauses are those of Rec. ITU-T H.265. Knows what x265 writes for 4:2:0 8 bit without wavefronts, weighted prediction
and scaling lists, and no more. Slice data is copied byte for byte; only where slices become one, the last bits of what
is no longer the end of a slice change, and pcm() writes its own. Pictures may look odd afterwards, because they are
predicted from other references than the encoder had in mind, but the stream is a valid one.
"""

from bits import BitReader, BitWriter, join, split, to_bytes, trailing, without_trailing

VPS, SPS, PPS = 32, 33, 34
B, P = 0, 1  # slice_type (table 7-7)
LEVEL_31 = 93  # the first level with three tile columns and three tile rows (table A.8)


def nal_type(nal):
    return nal[0] >> 1 & 63


def is_slice(nal):
    return nal_type(nal) < VPS


def is_idr(nal):
    return nal_type(nal) in (19, 20)


def vps_level(nal, level):
    """general_level_idc of a VPS (7.3.2.1, 7.3.3): behind 4 bytes and the 11 of the profile."""
    return nal[:17] + bytes([level]) + nal[18:]


class Sps:
    """7.3.2.2.1. What follows long_term_ref_pics_present_flag is kept as bits."""

    def __init__(self, nal):
        reader = BitReader(nal[2:])
        self.head = nal[:2]
        self.ids = reader.u(8)
        assert self.ids >> 1 & 7 == 0, 'temporal sub-layers'
        self.profile, self.level = reader.u(88), reader.u(8)
        self.id, self.chroma = reader.ue(), reader.ue()
        assert self.chroma == 1
        self.width, self.height = reader.ue(), reader.ue()
        self.window = [reader.ue() for _ in range(4)] if reader.u(1) else []
        self.depths = reader.ue(), reader.ue()
        self.log2_poc_lsb = reader.ue() + 4
        self.ordering = reader.u(1)
        self.buffering = [reader.ue() for _ in range(3)]  # sps_max_dec_pic_buffering_minus1 and its neighbours
        self.blocks = [reader.ue() for _ in range(6)]
        self.ctb = 1 << self.blocks[0] + 3 + self.blocks[1]
        assert reader.u(1) == 0, 'scaling lists'
        self.amp, self.sao = reader.u(1), reader.u(1)
        assert reader.u(1) == 0, 'pcm'
        self.pcm = ''  # the bits after pcm_enabled_flag
        assert reader.ue() == 0, 'sets of reference pictures in the SPS'
        self.short_term = []  # the bits of each
        assert reader.u(1) == 0, 'long-term reference pictures'
        self.long_term = None  # or pairs of lt_ref_pic_poc_lsb_sps, used_by_curr_pic_lt_sps_flag
        self.tmvp = reader.u(1)
        self.rest = reader.rest()

    def size_in_ctbs(self):
        return -(-self.width // self.ctb), -(-self.height // self.ctb)

    def nal(self):
        writer = BitWriter()
        writer.u(8, self.ids)
        writer.u(88, self.profile)
        writer.u(8, self.level)
        for value in (self.id, self.chroma, self.width, self.height):
            writer.ue(value)
        writer.u(1, 1 if self.window else 0)
        for value in (*self.window, *self.depths, self.log2_poc_lsb - 4):
            writer.ue(value)
        writer.u(1, self.ordering)
        for value in self.buffering + self.blocks:
            writer.ue(value)
        for flag in (0, self.amp, self.sao, 1 if self.pcm else 0):
            writer.u(1, flag)
        writer.bits += self.pcm
        writer.ue(len(self.short_term))
        writer.bits += ''.join(self.short_term)
        writer.u(1, 0 if self.long_term is None else 1)
        if self.long_term is not None:
            writer.ue(len(self.long_term))
            for lsb, used in self.long_term:
                writer.u(self.log2_poc_lsb, lsb)
                writer.u(1, used)
        writer.u(1, self.tmvp)
        return self.head + to_bytes(trailing(writer.bits + without_trailing(self.rest)))


class Pps:
    """7.3.2.3.1. What precedes tiles_enabled_flag is kept as bits."""

    def __init__(self, nal):
        reader = BitReader(nal[2:])
        self.head = nal[:2]
        assert (reader.ue(), reader.ue()) == (0, 0), 'ids'
        assert reader.u(1) == 0, 'dependent slice segments'
        assert reader.u(1) == 0, 'output_flag_present_flag'
        assert reader.u(3) == 0, 'num_extra_slice_header_bits'
        reader.u(1)
        self.cabac_init = reader.u(1)
        self.references = reader.ue(), reader.ue()  # num_ref_idx_lX_default_active_minus1
        reader.se()
        reader.u(2)
        if reader.u(1):
            reader.ue()
        reader.se(), reader.se()
        self.chroma_offsets = reader.u(1)
        assert reader.u(2) == 0, 'weighted prediction'
        reader.u(1)
        self.start = reader.bits[: reader.at]
        assert reader.u(2) == 0, 'tiles or wavefronts'
        self.tiles = None  # or: widths and heights in CTBs, uniform_spacing_flag, loop_filter_across_tiles_enabled_flag
        rest = reader.at
        self.across_slices = reader.u(1)
        self.deblocking_override = self.deblocking_off = 0
        if reader.u(1):
            self.deblocking_override, self.deblocking_off = reader.u(1), reader.u(1)
            if not self.deblocking_off:
                reader.se(), reader.se()
        assert reader.u(1) == 0, 'scaling lists'
        assert reader.u(1) == 0, 'lists_modification_present_flag'
        reader.ue()
        assert reader.u(1) == 0, 'slice header extension'
        self.rest = reader.bits[rest:]

    def nal(self):
        writer = BitWriter()
        writer.bits = self.start
        writer.u(1, 1 if self.tiles else 0)
        writer.u(1, 0)
        if self.tiles:
            widths, heights, uniform, across = self.tiles
            writer.ue(len(widths) - 1)
            writer.ue(len(heights) - 1)
            writer.u(1, uniform)
            if not uniform:
                for size in widths[:-1] + heights[:-1]:
                    writer.ue(size - 1)
            writer.u(1, across)
        return self.head + to_bytes(trailing(writer.bits + without_trailing(self.rest)))


class Slice:
    """slice_segment_header (7.3.6.1). What follows the sets of reference pictures is kept as bits."""

    def __init__(self, nal, sps, pps):
        reader = BitReader(nal[2:])
        self.head, self.sps, self.pps = nal[:2], sps, pps
        self.first = reader.u(1)
        self.irap = 16 <= nal_type(nal) <= 23
        self.no_output = reader.u(1) if self.irap else 0
        assert reader.ue() == 0
        self.address = 0 if self.first else reader.u(self.address_bits())
        self.type = reader.ue()
        self.poc_lsb, self.before, self.after = 0, [], []
        if not is_idr(nal):
            self.poc_lsb = reader.u(sps.log2_poc_lsb)
            assert reader.u(1) == 0, 'a set of the SPS'
            counts = reader.ue(), reader.ue()  # st_ref_pic_set (7.3.7): pairs of delta_poc_sX_minus1 and used
            self.before, self.after = ([(reader.ue(), reader.u(1)) for _ in range(count)] for count in counts)
        self.idr = is_idr(nal)
        self.coded_set = None  # or the bits of short_term_ref_pic_set_sps_flag and of what says the set
        self.long_term_sps = []  # lt_idx_sps and delta_poc_msb_cycle_lt, or None
        self.long_term = []  # poc_lsb_lt, used_by_curr_pic_lt_flag, and delta_poc_msb_cycle_lt, or None
        self.entries = []  # sizes of all substreams but the last
        start = reader.at
        self.skip_rest(reader)
        self.rest = reader.bits[start : reader.at]
        assert reader.u(1) == 1, 'byte_alignment'
        self.data = nal[2 + (reader.at + 7) // 8 :]

    def skip_rest(self, reader):
        tmvp = reader.u(1) if self.sps.tmvp and not self.idr else 0
        sao = reader.u(1) + reader.u(1) if self.sps.sao else 0
        if self.type in (B, P):
            counts = self.pps.references
            if reader.u(1):
                counts = [reader.ue() for _ in range(2 if self.type == B else 1)]
            from_l0 = 1
            if self.type == B:
                reader.u(1)
            if self.pps.cabac_init:
                reader.u(1)
            if tmvp:
                if self.type == B:
                    from_l0 = reader.u(1)
                if counts[0 if from_l0 else 1]:
                    reader.ue()
            reader.ue()
        reader.se()
        if self.pps.chroma_offsets:
            reader.se(), reader.se()
        off = self.pps.deblocking_off
        if self.pps.deblocking_override and reader.u(1):
            off = reader.u(1)
            if not off:
                reader.se(), reader.se()
        if self.pps.across_slices and (sao or not off):
            reader.u(1)

    def sets(self):
        return self.poc_lsb, self.before, self.after

    def address_bits(self):
        width, height = self.sps.size_in_ctbs()
        return (width * height - 1).bit_length()

    def write_short_term(self, writer):
        writer.u(1, 0)
        writer.ue(len(self.before))
        writer.ue(len(self.after))
        for delta, used in self.before + self.after:
            writer.ue(delta)
            writer.u(1, used)

    def write_long_term(self, writer):
        candidates = len(self.sps.long_term)
        if candidates:
            writer.ue(len(self.long_term_sps))
        writer.ue(len(self.long_term))
        for index, cycle in self.long_term_sps:
            writer.u((candidates - 1).bit_length(), index)
            write_cycle(writer, cycle)
        for lsb, used, cycle in self.long_term:
            writer.u(self.sps.log2_poc_lsb, lsb)
            writer.u(1, used)
            write_cycle(writer, cycle)

    def nal(self):
        writer = BitWriter()
        writer.u(1, self.first)
        if self.irap:
            writer.u(1, self.no_output)
        writer.ue(0)
        if not self.first:
            writer.u(self.address_bits(), self.address)
        writer.ue(self.type)
        if not self.idr:
            writer.u(self.sps.log2_poc_lsb, self.poc_lsb)
            if self.coded_set is None:
                self.write_short_term(writer)
            else:
                writer.bits += self.coded_set
            if self.sps.long_term is not None:
                self.write_long_term(writer)
        writer.bits += self.rest
        if self.pps.tiles:
            writer.ue(len(self.entries))  # num_entry_point_offsets
            if self.entries:
                length = max((size - 1).bit_length() for size in self.entries)
                writer.ue(length - 1)
                for size in self.entries:
                    writer.u(length, size - 1)
        return self.head + to_bytes(trailing(writer.bits)) + self.data


def write_cycle(writer, cycle):
    """delta_poc_msb_present_flag, delta_poc_msb_cycle_lt."""
    writer.u(1, 0 if cycle is None else 1)
    if cycle is not None:
        writer.ue(cycle)


class Stream:
    """What x265 wrote for one picture size: parameter sets first, then slices."""

    def __init__(self, nals):
        self.vps, sps, pps = nals[:3]
        assert [nal_type(nal) for nal in nals[:3]] == [VPS, SPS, PPS]
        self.sps, self.pps = Sps(sps), Pps(pps)
        assert self.sps.nal() == sps and self.pps.nal() == pps, 'written as read'
        self.pictures = []
        for nal in filter(is_slice, nals[3:]):
            piece = Slice(nal, self.sps, self.pps)
            assert piece.nal() == nal, 'written as read'
            if piece.first:
                self.pictures.append([])
            self.pictures[-1].append(piece)

    def join(self):
        """The byte stream (B.2.2), with zero_byte where it has to be and nowhere else."""
        slices = [(piece.nal(), piece.first) for picture in self.pictures for piece in picture]
        return join([self.vps, self.sps.nal(), self.pps.nal()]) + b''.join(
            join([nal])[0 if first else 1 :] for nal, first in slices)


def streams(data):
    """The encodings that follow each other in data."""
    nals = split(data)
    starts = [at for at, nal in enumerate(nals) if nal_type(nal) == VPS] + [len(nals)]
    return [Stream(nals[start:end]) for start, end in zip(starts, starts[1:])]


def spacing(count, whole):
    """Sizes of uniformly spaced tiles (6-3, 6-4)."""
    return [(at + 1) * whole // count - at * whole // count for at in range(count)]


def tiles(data, columns, uniform=0, across=1, one_slice=False):
    """Encodings of one slice per picture become tiles of one picture, row by row.

    Over the border of a tile nothing is predicted or inherited that would not be over the edge of a picture (6.4.1),
    except by motion vectors and temporal candidates, whose values no parsing depends on. So the data of each stays
    valid, if all but the last of a row or column are whole CTBs (split_cu_flag is inferred at the edge of a picture).
    """
    parts = streams(data)
    sizes = [part.sps.size_in_ctbs() for part in parts]
    rows = len(parts) // columns
    widths = [width for width, _ in sizes[:columns]]
    heights = [height for _, height in sizes[::columns]]
    assert sizes == [(width, height) for height in heights for width in widths], 'a grid'
    whole = parts[0]
    for number, part in enumerate(parts):
        row, column = divmod(number, columns)
        assert column == columns - 1 or part.sps.width % part.sps.ctb == 0
        assert row == rows - 1 or part.sps.height % part.sps.ctb == 0
        assert part.pps.nal() == whole.pps.nal() and not part.sps.window
        for picture, first in zip(part.pictures, whole.pictures, strict=True):
            (piece,) = picture
            assert (piece.head, piece.sets()) == (first[0].head, first[0].sets())
            piece.first = int(number == 0)
            piece.address = sum(heights[:row]) * sum(widths) + sum(widths[:column])
            piece.sps, piece.pps = whole.sps, whole.pps
    if uniform:
        assert widths == spacing(columns, sum(widths)) and heights == spacing(rows, sum(heights))
    whole.pictures = [[piece for (piece,) in same] for same in zip(*(part.pictures for part in parts))]
    if one_slice:
        whole.pictures = [[one_of(picture)] for picture in whole.pictures]
    whole.sps.width = sum(part.sps.width for part in parts[:columns])
    whole.sps.height = sum(part.sps.height for part in parts[::columns])
    whole.sps.level = max(whole.sps.level, LEVEL_31)
    whole.vps = vps_level(whole.vps, whole.sps.level)
    whole.pps.tiles = widths, heights, uniform, across
    return whole.join()


def one_of(pieces):
    """One slice of several tiles (7.3.8.1), with entry points, instead of a slice for each."""
    whole = pieces[0]
    assert all((piece.type, piece.rest) == (whole.type, whole.rest) for piece in pieces)
    parts = [not_last(piece.data) for piece in pieces[:-1]] + [pieces[-1].data]
    # Sizes count emulation prevention bytes (7.4.7.1). Neither a header nor a substream ends with a zero byte.
    whole.entries = [len(join([part])) - 4 for part in parts[:-1]]
    whole.data = b''.join(parts)
    return whole


def not_last(data):
    """Slice data whose end_of_slice_segment_flag 1 becomes 0, followed by end_of_subset_one_bit 1.

    The encoder ends with the bits of ivlLow + ivlCurrRange - 2, the last one replaced by the stop bit (9.3.5,
    EncodeFlush). A terminating bin 0 before takes 2 from ivlCurrRange, that is 1 from the bits before the stop bit. Not
    so if ivlCurrRange falls below 256 (one case in 128): the bins are wrong then, which tiles(one_slice=False) shows.
    """
    bits = without_trailing(''.join(f'{byte:08b}' for byte in data))
    return to_bytes(trailing(f'{int(bits, 2) - 1:0{len(bits)}b}'))


def long_term(data, plan, candidates):
    """Reference pictures become long-term ones (7.3.6.1, 8.3.2), and POC LSBs have 4 bits only.

    candidates: POCs and used_by_curr_pic_lt_sps_flag of the SPS. plan: from which picture on (in decoding order),
    how many short-term pictures of each direction stay, which candidates apply (lt_idx_sps), and POCs and
    used_by_curr_pic_lt_flag of others. Without B pictures, numbers in decoding order are POCs.
    """
    (stream,) = streams(data)
    sps = stream.sps
    decoded, there, long = {0}, {0}, set()  # POCs: all so far, those in the picture buffer, those marked as long-term
    wraps = 1 << sps.log2_poc_lsb
    for at, (piece,) in enumerate(stream.pictures[1:], start=1):
        poc = piece.poc_lsb
        assert max(decoded) < wraps and not piece.idr, 'POCs are those of the encoder'
        kept, indices, others = plan[max(start for start in plan if start <= at)]
        listed = [candidates[index] for index in indices]
        long |= {number for number, _ in listed + others}
        short = set()
        for name, sign in (('before', -1), ('after', 1)):
            pictures, number = [], poc
            for delta, used in getattr(piece, name):
                number += sign * (delta + 1)
                if number in there - long and len(pictures) < kept:
                    pictures.append((number, used))
            numbers = [poc] + [number for number, _ in pictures]
            setattr(piece, name, [(abs(after - before) - 1, used) for before, after, (_, used)
                                  in zip(numbers, numbers[1:], pictures)])
            short |= set(numbers[1:])
        kept_long = {number for number, _ in listed + others}
        assert kept_long <= there and len(short | kept_long) <= sps.buffering[0], (poc, there)
        decoded.add(poc)  # here already: FFmpeg 5 takes the current picture for the reference if LSBs are the same
        cycles = msb_cycles(poc, listed, decoded), msb_cycles(poc, others, decoded)
        piece.long_term_sps = list(zip(indices, cycles[0]))
        piece.long_term = [(number & 15, used, cycle) for (number, used), cycle in zip(others, cycles[1])]
        piece.poc_lsb = poc & 15
        there = short | kept_long | {poc}
    sps.log2_poc_lsb = 4
    sps.long_term = [(number & 15, used) for number, used in candidates]
    return stream.join()


def msb_cycles(poc, pictures, decoded):
    """delta_poc_msb_cycle_lt for each where LSBs do not tell it from all other pictures: they add up (7-52)."""
    total = 0
    for number, _ in pictures:
        if any(number != other and number & 15 == other & 15 for other in decoded):
            cycle = (poc >> 4) - (number >> 4) - total
            assert cycle >= 0
            total += cycle
            yield cycle
        else:
            yield None


# rangeTabLps (table 9-52) of the first states, for qRangeIdx 3
RANGE_LPS = 240, 227, 216, 205, 195, 185, 175, 166, 158, 150, 142, 135, 128, 122, 116, 110
MAIN = bytes([1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0])  # profile_tier_level (7.3.3) up to general_level_idc
PCM_DEPTHS = 6, 5  # of luma and chroma


def pcm(data):
    """All coding units of intra pictures become PCM samples, written here: nothing of the encoder's slice data stays.

    A coding unit is a CTB of 16 x 16, so that nothing precedes pcm_flag but part_mode. Its context begins with
    valMps 1 and pStateIdx 0 at SliceQpY 26 (9.3.2.2, initValue 184): part_mode 1 is always the more probable symbol,
    ivlLow stays 0, and of ivlCurrRange it takes the LPS's share.
    """
    out = b''
    for number, stream in enumerate(streams(data)):  # parameter sets come with each picture
        sps, writer = stream.sps, BitWriter()
        assert sps.blocks[:2] == [1, 0] and not sps.sao
        for depth in PCM_DEPTHS:
            writer.u(4, depth - 1)
        writer.ue(1)  # log2_min_pcm_luma_coding_block_size_minus3
        writer.ue(0)
        writer.u(1, 0)  # pcm_loop_filter_disabled_flag
        sps.pcm = writer.bits
        sps.profile = int.from_bytes(MAIN, 'big')  # x265 says that of all-intra range extensions
        stream.vps = stream.vps[:6] + MAIN + stream.vps[17:]
        columns, rows = sps.size_in_ctbs()
        ((piece,),) = stream.pictures
        piece.data = b''
        for at in range(columns * rows):
            start = 508 if at else 510  # end_of_slice_segment_flag 0 precedes all but the first
            piece.data += flush(start - RANGE_LPS[at]) + pcm_samples(number, *divmod(at, columns))
        piece.data += flush(510)
        out += stream.join()
    return out


def flush(ivl_range):
    """A terminating bin 1 (pcm_flag, end_of_slice_segment_flag) with ivlLow 0 (9.3.5, EncodeFlush), aligned."""
    return bytes([(ivl_range - 2) >> 1, 0x80])


def pcm_samples(number, row, column):
    """pcm_sample (7.3.8.7): slopes and steps that go on over the picture."""
    writer = BitWriter()
    for component, size in enumerate((16, 8, 8)):
        depth = PCM_DEPTHS[min(component, 1)]
        for at in range(size * size):
            y, x = at // size + row * size, at % size + column * size
            writer.u(depth, (x * (1 + component) + y // 3 * (3 - component) + 5 * number + 7 * row) % (1 << depth))
    return to_bytes(writer.bits)
