#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the kernel's headers and writes control_fields.cpp: the table of all fields of all controls of stateless decoders.

    control_fields.py OUTPUT COMPILER...    the compiler with the options that find the headers

What a header lacks is left out. A struct that this program does not understand to the last byte, or a flags member whose flags it
cannot find, is an error: nobody can leave a field out by mistake.
"""
import re
import subprocess
import sys

HEADERS = ('linux/v4l2-controls.h', 'codec/av1_uapi.h', 'codec/hevc_uapi.h')

# Each control by its name without V4L2_CID_STATELESS_, and its struct; none: a number of 32 bits.
CONTROLS = {
    'mpeg2': {'MPEG2_SEQUENCE': 'v4l2_ctrl_mpeg2_sequence', 'MPEG2_PICTURE': 'v4l2_ctrl_mpeg2_picture',
              'MPEG2_QUANTISATION': 'v4l2_ctrl_mpeg2_quantisation'},
    'h264': {'H264_SPS': 'v4l2_ctrl_h264_sps', 'H264_PPS': 'v4l2_ctrl_h264_pps', 'H264_SCALING_MATRIX': 'v4l2_ctrl_h264_scaling_matrix',
             'H264_DECODE_PARAMS': 'v4l2_ctrl_h264_decode_params', 'H264_SLICE_PARAMS': 'v4l2_ctrl_h264_slice_params',
             'H264_PRED_WEIGHTS': 'v4l2_ctrl_h264_pred_weights', 'H264_DECODE_MODE': None, 'H264_START_CODE': None},
    'hevc': {'HEVC_SPS': 'v4l2_ctrl_hevc_sps', 'HEVC_PPS': 'v4l2_ctrl_hevc_pps', 'HEVC_SCALING_MATRIX': 'v4l2_ctrl_hevc_scaling_matrix',
             'HEVC_DECODE_PARAMS': 'v4l2_ctrl_hevc_decode_params', 'HEVC_SLICE_PARAMS': 'v4l2_ctrl_hevc_slice_params',
             'HEVC_ENTRY_POINT_OFFSETS': None, 'HEVC_DECODE_MODE': None, 'HEVC_START_CODE': None},
    'vp8': {'VP8_FRAME': 'v4l2_ctrl_vp8_frame'},
    'vp9': {'VP9_FRAME': 'v4l2_ctrl_vp9_frame', 'VP9_COMPRESSED_HDR': 'v4l2_ctrl_vp9_compressed_hdr'},
    'av1': {'AV1_SEQUENCE': 'v4l2_ctrl_av1_sequence', 'AV1_FRAME': 'v4l2_ctrl_av1_frame',
            'AV1_TILE_GROUP_ENTRY': 'v4l2_ctrl_av1_tile_group_entry', 'AV1_FILM_GRAIN': 'v4l2_ctrl_av1_film_grain'},
}

# The names of the flags of a member; what the group matches is the flag's name here.
FLAGS = {
    'v4l2_ctrl_mpeg2_sequence.flags': r'V4L2_MPEG2_SEQ_FLAG_(\w+)',
    'v4l2_ctrl_mpeg2_picture.flags': r'V4L2_MPEG2_PIC_FLAG_(\w+)',
    'v4l2_ctrl_h264_sps.constraint_set_flags': r'V4L2_H264_SPS_CONSTRAINT_(SET\d)_FLAG',
    'v4l2_ctrl_h264_sps.flags': r'V4L2_H264_SPS_FLAG_(\w+)',
    'v4l2_ctrl_h264_pps.flags': r'V4L2_H264_PPS_FLAG_(\w+)',
    'v4l2_h264_dpb_entry.flags': r'V4L2_H264_DPB_ENTRY_FLAG_(\w+)',
    'v4l2_ctrl_h264_decode_params.flags': r'V4L2_H264_DECODE_PARAM_FLAG_(\w+)',
    'v4l2_ctrl_h264_slice_params.flags': r'V4L2_H264_SLICE_FLAG_(\w+)',
    'v4l2_ctrl_hevc_sps.flags': r'V4L2_HEVC_SPS_FLAG_(\w+)',
    'v4l2_ctrl_hevc_pps.flags': r'V4L2_HEVC_PPS_FLAG_(\w+)',
    'v4l2_hevc_dpb_entry.flags': r'V4L2_HEVC_DPB_ENTRY_(LONG_TERM_REFERENCE)',
    'v4l2_ctrl_hevc_decode_params.flags': r'V4L2_HEVC_DECODE_PARAM_FLAG_(\w+)',
    'v4l2_ctrl_hevc_slice_params.flags': r'V4L2_HEVC_SLICE_PARAMS_FLAG_(\w+)',
    'v4l2_vp8_segment.flags': r'V4L2_VP8_SEGMENT_FLAG_(\w+)',
    'v4l2_vp8_loop_filter.flags': r'V4L2_VP8_LF_(\w+)',
    'v4l2_ctrl_vp8_frame.flags': r'V4L2_VP8_FRAME_FLAG_(\w+)',
    'v4l2_vp9_loop_filter.flags': r'V4L2_VP9_LOOP_FILTER_FLAG_(\w+)',
    'v4l2_vp9_segmentation.flags': r'V4L2_VP9_SEGMENTATION_FLAG_(\w+)',
    'v4l2_ctrl_vp9_frame.flags': r'V4L2_VP9_FRAME_FLAG_(\w+)',
    'v4l2_ctrl_vp9_frame.ref_frame_sign_bias': r'V4L2_VP9_SIGN_BIAS_(\w+)',
    'v4l2_av1_tile_info.flags': r'V4L2_AV1_TILE_INFO_FLAG_(\w+)',
    'v4l2_av1_quantization.flags': r'V4L2_AV1_QUANTIZATION_FLAG_(\w+)',
    'v4l2_av1_segmentation.flags': r'V4L2_AV1_SEGMENTATION_FLAG_(\w+)',
    'v4l2_av1_loop_filter.flags': r'V4L2_AV1_LOOP_FILTER_FLAG_(\w+)',
    'v4l2_av1_loop_restoration.flags': r'V4L2_AV1_LOOP_RESTORATION_FLAG_(\w+)',
    'v4l2_ctrl_av1_sequence.flags': r'V4L2_AV1_SEQUENCE_FLAG_(\w+)',
    'v4l2_ctrl_av1_frame.flags': r'V4L2_AV1_FRAME_FLAG_(\w+)',
    'v4l2_ctrl_av1_film_grain.flags': r'V4L2_AV1_FILM_GRAIN_FLAG_(\w+)',
}

# How many of an array's dimensions have a field for each index, where these are not all but the last: weights of one list, and
# probabilities that one procedure reads and one check compares, are one field.
SPLIT = {
    'v4l2_h264_weight_factors.chroma_weight': 0, 'v4l2_h264_weight_factors.chroma_offset': 0,
    'v4l2_hevc_pred_weight_table.*': 0, 'v4l2_vp8_entropy.coeff_probs': 1,
    'v4l2_ctrl_vp9_compressed_hdr.coef': 1, 'v4l2_ctrl_vp9_compressed_hdr.*': 0, 'v4l2_vp9_mv_probs.*': 0,
    'v4l2_av1_segmentation.feature_data': 0, 'v4l2_av1_global_motion.params': 0,
}
# Structs that follow one another are pictures or references of the same kind, and one field with repeats; but not these.
EACH = {'v4l2_ctrl_h264_pred_weights.weight_factors'}
# Called flags, but numbers here: an array, and a mask of slots.
NUMBERS = {'v4l2_av1_global_motion.flags', 'v4l2_ctrl_av1_frame.refresh_frame_flags'}


def fail(why):
    sys.exit(f'control_fields.py: {why}')


class Headers:
    """What the compiler makes of the kernel's headers: {struct: its members}, {macro: its text}, {enumerator: its text}."""

    def __init__(self, compiler):
        source = ''.join(f'#include "{header}"\n' for header in HEADERS)
        text = subprocess.run([*compiler, '-x', 'c++', '-E', '-dD', '-'], input=source, check=True, capture_output=True, text=True).stdout
        self.macros = dict(re.findall(r'^#define (\w+) (.+)$', text, re.MULTILINE))
        code = re.sub(r'^#.*$', '', text, flags=re.MULTILINE)
        enumerations = re.findall(r'enum \w+ \{([^{}]*)\}', code)
        self.enumerators = {name: value for body in enumerations for name, value in re.findall(r'(\w+)\s*=\s*([^,]+)', body)}
        self.structs = {name: self.members(body) for name, body in re.findall(r'struct (v4l2_\w+) \{([^{}]*)\}', code)}
        params = self.structs.get('v4l2_ctrl_hevc_decode_params', [])
        if ('__u8', 'reserved', [4]) in params:  # older headers: src/codec/hevc_uapi.h
            at = params.index(('__u8', 'reserved', [4]))
            params[at:at + 1] = [('__u8', 'num_delta_pocs_of_ref_rps_idx', []), ('__u8', 'reserved', [3])]

    def members(self, body):
        """[type, name, dimensions] of each."""
        found = []
        for declaration in filter(None, (' '.join(part.split()) for part in body.split(';'))):
            match = re.fullmatch(r'((?:struct |enum )?\w+) (\w+)((?: ?\[[^]]+\])*)', declaration)
            if match:
                found.append((match[1], match[2], [self.number(size) for size in re.findall(r'\[([^]]+)\]', match[3])]))
            else:
                found.append((declaration, None, []))
        return found

    def number(self, expression):
        """The value of a constant expression of macros and enumerators."""
        seen, known = expression, self.macros | self.enumerators
        for _ in range(20):
            expression = re.sub(r'[A-Za-z_]\w*', lambda name: f'({known[name[0]]})' if name[0] in known else name[0], expression)
        expression = re.sub(r'\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b', r'\1', expression)
        if not re.fullmatch(r'[\s0-9a-fA-Fx()+*<>|~-]+', expression):
            fail(f'{seen} is no number')
        return eval(expression)  # pylint: disable=eval-used  # digits and operators only


class Control:
    """The fields of one control, in the order of its struct."""

    def __init__(self, headers, codec, name, struct):
        self.headers, self.codec, self.name, self.rows = headers, codec, name, []
        if struct:
            self.size, self.check = self.struct(struct, 0, ''), f'static_assert(sizeof({struct}) == {{}});'
        else:
            self.number('', 0, 4, 1, name != 'HEVC_ENTRY_POINT_OFFSETS')
            self.size, self.check = 4, ''

    def struct(self, struct, base, prefix):
        """Adds the members of a struct at `base`; its size."""
        at, largest = 0, 1
        for kind, name, dimensions in self.headers.structs[struct]:
            path = f'{struct}.{name}'
            count = 1
            for size in dimensions:
                count *= size
            if kind.startswith('struct '):
                inner, first = kind[7:], len(self.rows)
                once = bool(dimensions) and path not in EACH
                for index in range(1 if once else count):
                    label = f'{name}[{index}]' if dimensions else name
                    size = self.struct(inner, base + at + index * self.sizes(inner)[0], f'{prefix}{label}.')
                if once:
                    for row in self.rows[first:]:
                        row.update(repeats=count, stride=size)
                unit, size = self.sizes(inner)[1], count * size
            else:
                unit, signed = scalar(kind, path)
                size = unit * count
                self.member(path, prefix + name, base + at, unit, dimensions, signed)
            if at % unit:
                fail(f'{path}: what is before it is not described')
            at, largest = at + size, max(largest, unit)
        if at % largest:
            fail(f'{struct}: its end is not described')
        return at

    def sizes(self, struct):
        """Size and alignment."""
        quiet = Control.__new__(Control)
        quiet.headers, quiet.codec, quiet.name, quiet.rows = self.headers, self.codec, self.name, []
        size = quiet.struct(struct, 0, '')
        units = [self.sizes(kind[7:])[1] if kind.startswith('struct ') else scalar(kind, struct)[0]
                 for kind, _, _ in self.headers.structs[struct]]
        return size, max(units)

    def member(self, path, name, at, unit, dimensions, signed):
        struct, _, plain = path.partition('.')
        count = 1
        for size in dimensions:
            count *= size
        if re.match('reserved|padding', plain):
            self.add(name, at, unit * count, 1, False, 'Reserved', 0)
        elif path in FLAGS:
            self.flags(name, at, unit, FLAGS[path])
        elif plain.endswith('flags') and path not in NUMBERS:
            fail(f'{path}: the names of its flags are not known')
        else:
            split = SPLIT.get(path, SPLIT.get(f'{struct}.*', max(len(dimensions) - 1, 0)))
            rows = ['']
            for size in dimensions[:split]:
                rows = [f'{row}[{index}]' for row in rows for index in range(size)]
            for index, row in enumerate(rows):
                self.number(name + row, at + index * unit * count // len(rows), unit, count // len(rows), signed)

    def flags(self, name, at, unit, pattern):
        unnamed, some = (1 << 8 * unit) - 1, False
        for macro, text in self.headers.macros.items():
            flag = re.fullmatch(pattern, macro)
            if flag:
                bit = self.headers.number(text)
                self.add(f'{name} {flag[1]}', at, unit, 1, False, 'Flag', bit)
                unnamed, some = unnamed & ~bit, True
        if not some:
            fail(f'{name}: no macro is like {pattern}')
        if unnamed:
            self.add(f'{name} (other bits)', at, unit, 1, False, 'Reserved', unnamed)

    def number(self, name, at, unit, count, signed):
        self.add(name, at, unit, count, signed, 'Value', 0)

    def add(self, name, at, size, count, signed, kind, mask):
        self.rows.append({'name': f'{self.name}.{name}' if name else self.name, 'at': at, 'size': size, 'count': count,
                          'signed': str(signed).lower(), 'kind': kind, 'mask': mask, 'repeats': 1, 'stride': 0})

    def lines(self):
        for row in self.rows:
            yield (f'    {{"{self.codec}", "{self.name}", V4L2_CID_STATELESS_{self.name}, {self.size}, "{row["name"]}", {row["at"]}, '
                   f'{row["size"]}, {row["count"]}, {row["signed"]}, Kind::{row["kind"]}, {row["mask"]:#x}, {row["repeats"]}, {row["stride"]}}},')


def scalar(kind, path):
    """Size and sign of a number; enumerations are as wide as in the kernel."""
    match = re.fullmatch(r'__([us])(8|16|32|64)', kind)
    if match:
        return int(match[2]) // 8, match[1] == 's'
    if kind.startswith('enum '):
        return 4, False
    return fail(f'{path}: {kind} is not understood')


def main(output, *compiler):
    headers = Headers(compiler)
    controls = [Control(headers, codec, name, struct) for codec, known in CONTROLS.items() for name, struct in known.items()
                if f'V4L2_CID_STATELESS_{name}' in headers.macros]
    with open(output, 'w', encoding='utf-8') as file:
        print('// Made by control_fields.py from the kernel\'s headers.', '#include "record/control_fields.h"', '',
              *(f'#include "{header}"' for header in HEADERS), '', 'namespace v4l2_request::record {', 'namespace {', '',
              *(control.check.format(control.size) for control in controls if control.check), '',
              'using Kind = ControlField::Kind;', 'constexpr ControlField table[] = {',
              *(line for control in controls for line in control.lines()), '};', '', '} // namespace', '',
              'std::span<const ControlField> controlFields() { return table; }', '', '} // namespace v4l2_request::record',
              sep='\n', file=file)


main(*sys.argv[1:])
