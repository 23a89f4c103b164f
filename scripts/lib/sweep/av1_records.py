# SPDX-License-Identifier: MIT
"""The AV1 frame control as visl's trace has it in binary (its text leaves out half of the fields), and slots resolved.

Two clients number the slots of reference frames as they like: a permuted numbering is the same stream. So a reference
counts as the picture that it means, and a list of slots by whether it is what the masks of the frames before it left (AV1
specification, 7.20)."""

import struct

# Name, type (of struct), dimensions; in the order of the kernel's struct, whose alignment is that of C.
SCALARS = 'BbHhIiQ'
FRAME = (
    ('tile_info.flags', 'B'),
    ('tile_info.context_update_tile_id', 'B'),
    ('tile_info.tile_cols', 'B'),
    ('tile_info.tile_rows', 'B'),
    ('tile_info.mi_col_starts', '65I'),
    ('tile_info.mi_row_starts', '65I'),
    ('tile_info.width_in_sbs_minus_1', '64I'),
    ('tile_info.height_in_sbs_minus_1', '64I'),
    ('tile_info.tile_size_bytes', 'B'),
    ('tile_info.reserved', '3B'),
    ('quantization.flags', 'B'),
    ('quantization.base_q_idx', 'B'),
    ('quantization.delta_q', '5b'),
    ('quantization.qm', '3B'),
    ('quantization.delta_q_res', 'B'),
    ('superres_denom', 'B'),
    ('segmentation.flags', 'B'),
    ('segmentation.last_active_seg_id', 'B'),
    ('segmentation.feature_enabled', '8B'),
    ('segmentation.feature_data', '64h'),
    ('loop_filter.flags', 'B'),
    ('loop_filter.level', '4B'),
    ('loop_filter.sharpness', 'B'),
    ('loop_filter.ref_deltas', '8b'),
    ('loop_filter.mode_deltas', '2b'),
    ('loop_filter.delta_lf_res', 'B'),
    ('cdef.damping_minus_3', 'B'),
    ('cdef.bits', 'B'),
    ('cdef.y_pri_strength', '8B'),
    ('cdef.y_sec_strength', '8B'),
    ('cdef.uv_pri_strength', '8B'),
    ('cdef.uv_sec_strength', '8B'),
    ('skip_mode_frame', '2B'),
    ('primary_ref_frame', 'B'),
    ('loop_restoration.flags', 'B'),
    ('loop_restoration.lr_unit_shift', 'B'),
    ('loop_restoration.lr_uv_shift', 'B'),
    ('loop_restoration.reserved', 'B'),
    ('loop_restoration.frame_restoration_type', '3I'),
    ('loop_restoration.loop_restoration_size', '3I'),
    ('global_motion.flags', '8B'),
    ('global_motion.type', '8I'),
    ('global_motion.params', '48i'),
    ('global_motion.invalid', 'B'),
    ('global_motion.reserved', '3B'),
    ('flags', 'I'),
    ('frame_type', 'I'),
    ('order_hint', 'I'),
    ('upscaled_width', 'I'),
    ('interpolation_filter', 'I'),
    ('tx_mode', 'I'),
    ('frame_width_minus_1', 'I'),
    ('frame_height_minus_1', 'I'),
    ('render_width_minus_1', 'H'),
    ('render_height_minus_1', 'H'),
    ('current_frame_id', 'I'),
    ('buffer_removal_time', '32I'),
    ('reserved', '4B'),
    ('order_hints', '8I'),
    ('reference_frame_ts', '8Q'),
    ('ref_frame_idx', '7b'),
    ('refresh_frame_flags', 'B'),
)
# Of the flags of a frame: how its header was coded (frame_size_override_flag, buffer_removal_time_present_flag,
# frame_refs_short_signaling; 5.9.2).
HEADER_FLAGS = 0xE0000
# Tools that only decide what a frame header may contain (5.9.2, 5.9.8, 5.9.12, 5.9.20).
HEADER_TOOLS = ('ENABLE_WARPED_MOTION', 'ENABLE_REF_FRAME_MVS', 'ENABLE_SUPERRES', 'ENABLE_RESTORATION', 'SEPARATE_UV_DELTA_Q')
SLOTS = ('reference_frame_ts', 'ref_frame_idx', 'refresh_frame_flags')
INTRA = (0, 2)  # frame types: key, intra only


def read_frame(record):
    """Name -> tuple of numbers."""
    values, at = {}, 0
    for name, kind in FRAME:
        size = struct.calcsize(kind[-1])
        at = (at + size - 1) // size * size
        values[name] = struct.unpack_from('<' + kind, record, at)
        at += struct.calcsize('<' + kind)
    return values


def without_replays(frames, stamps):
    """Which jobs decode a picture once more, because its slot was not known the first time: job -> the first one."""
    replays = {}
    for at in range(1, min(len(frames), len(stamps))):
        before, frame = frames[at - 1], frames[at]
        same = all(before[name] == frame[name] for name, _ in FRAME if name != 'refresh_frame_flags')
        if same and before['refresh_frame_flags'] == (0,) and frame['refresh_frame_flags'] != (0,):
            replays[at] = at - 1
    return replays


class Slots:
    """What the masks of a client left in the eight slots."""

    def __init__(self):
        self.stored = [None] * 8

    def check(self, frame):
        """Words for what the client lists."""
        wrong = [
            str(slot)
            for slot, (stored, listed) in enumerate(zip(self.stored, frame['reference_frame_ts']))
            if stored is not None and stored != listed
        ]
        return 'not what was stored: ' + ' '.join(wrong) if wrong else 'what was stored'

    def store(self, frame, stamp):
        for slot in range(8):
            if frame['refresh_frame_flags'][0] >> slot & 1:
                self.stored[slot] = stamp


def fields(frame, slots, name):
    """The fields that are compared; name() gives the picture of a timestamp."""
    out = {f'av1_frame.{key}': ' '.join(map(str, frame[key])) for key, _ in FRAME if key not in SLOTS}
    flags = frame['flags'][0]
    out['av1_frame.flags'], out['av1_frame.header_flags'] = hex(flags & ~HEADER_FLAGS), hex(flags & HEADER_FLAGS)
    intra = frame['frame_type'][0] in INTRA
    out['av1_frame.reference_frame_ts'] = slots.check(frame)
    out['av1_frame.ref_frame_idx'] = (
        'unused'
        if intra
        else ' '.join(name(frame['reference_frame_ts'][slot]) if 0 <= slot < 8 else 'none' for slot in frame['ref_frame_idx'])
    )
    return out


def split_tools(flags):
    """The flags of a sequence, and those of them that are about headers only."""
    words = flags.split('|')
    return (
        '|'.join(word for word in words if word not in HEADER_TOOLS),
        '|'.join(word for word in words if word in HEADER_TOOLS),
    )
