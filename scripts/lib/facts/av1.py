# SPDX-License-Identifier: MIT
"""Facts of AV1 frames (the package facts), by the headers as FFmpeg's trace_headers tells them. Clauses are those of the AV1
specification, version 1.0.0 with errata 1."""

import os
import re
import subprocess
import tempfile

from facts.picture import Picture

KEY, INTER, INTRA_ONLY, SWITCH = range(4)
LAST_MATRIX = 14  # MC_ICTCP; the rest is reserved (6.4.2)
LINE = re.compile(r'\[trace_headers[^]]*\] (?:\d+ +(\S+) .*= (-?\d+)$|(\w[\w ]*)$)')


def is_frame(header):
    """A reduced still picture header has no show_existing_frame."""
    return header and ('show_existing_frame' in header or 'disable_cdf_update' in header)


def sections(told):
    """Each syntax structure that trace_headers tells of: its name, and its syntax elements."""
    section, elements = None, {}
    for name, value, begins in (match.groups() for match in map(LINE.match, told.splitlines()) if match):
        if begins:
            if section:
                yield section, elements
            section, elements = begins, {}
        else:
            elements[name] = int(value)
    if section:
        yield section, elements


def headers_of(ivf):
    """Each frame header as a dictionary of its syntax elements, with what the sequence header before it says, and with 'groups':
    of each tile group behind it that says so, how many of its tiles have their size in front of them."""
    with tempfile.NamedTemporaryFile(suffix='.ivf') as file:
        file.write(ivf)
        file.flush()
        told = subprocess.run(
            ['ffmpeg', '-hide_banner', '-nostdin', '-i', file.name, '-c', 'copy', '-bsf:v', 'trace_headers', '-f', 'null', os.devnull],
            capture_output=True, text=True, errors='replace', check=False).stderr
    sequence, frame = {}, None
    for section, elements in sections(told):
        if section == 'Sequence Header':
            sequence = elements
        elif is_frame(elements):
            if frame:
                yield frame
            frame = sequence | elements | {'sequence': sequence, 'groups': []}
        elif frame and 'tg_end' in elements:
            frame['groups'].append(elements['tg_end'] - elements['tg_start'])  # all but the last (5.11.1)
    if frame:
        yield frame


class Av1:
    """The state that the facts need: types and sizes of what the slots hold."""

    def __init__(self):
        self.types, self.sizes, self.first, self.shown_again = [None] * 8, [(0, 0)] * 8, None, False
        self.sequence, self.goes_on = None, False

    def size(self, header):
        """frame_size(), frame_size_with_refs() (5.9.5, 5.9.7), of the upscaled frame"""
        for at in range(7):
            if header.get(f'found_ref[{at}]'):  # which slot that is, short signaling does not tell (7.8): any will do here
                return self.sizes[header.get(f'ref_frame_idx[{at}]', 0)]
        return (header.get('frame_width_minus_1', header['max_frame_width_minus_1']) + 1,
                header.get('frame_height_minus_1', header['max_frame_height_minus_1']) + 1)

    def facts(self, header):
        """None of a header that shows another frame."""
        if header.get('show_existing_frame'):
            slot = header['frame_to_show_map_idx']
            if self.types[slot] == KEY:  # 7.21: it comes into all slots
                self.shown_again = True
                self.types, self.sizes = [KEY] * 8, [self.sizes[slot]] * 8
            return None
        kind, shown = header.get('frame_type', KEY), header.get('show_frame', 1)
        size = self.size(header)
        self.first = self.first or size
        all_slots = kind == SWITCH or kind == KEY and shown
        if kind == KEY and shown:
            self.shown_again = False
        self.goes_on = kind != KEY and (self.goes_on or self.sequence not in (None, header['sequence']))
        self.sequence = header['sequence']
        refresh = 0xFF if all_slots else header['refresh_frame_flags']
        self.types = [kind if refresh >> slot & 1 else old for slot, old in enumerate(self.types)]
        self.sizes = [size if refresh >> slot & 1 else old for slot, old in enumerate(self.sizes)]
        facts = {'key'} if kind == KEY else set()
        facts |= {'intra'} if kind in (KEY, INTRA_ONLY) else {'inter'}
        facts |= set() if shown else {'hidden'}
        facts |= {'intra-block-copy'} if header.get('allow_intrabc') else set()
        facts |= {'cr-restored-alone'} if header.get('lr_type[2]') and not header.get('lr_type[1]') else set()
        facts |= {'reserved-matrix'} if header.get('matrix_coefficients', 0) > LAST_MATRIX else set()
        facts |= set() if 'loop_filter_sharpness' in header else {'filter-not-coded'}
        facts |= {'sequence-goes-on'} if self.goes_on else set()
        facts |= {'tiles-without-sizes'} if header['groups'] and not any(header['groups']) else set()
        facts |= {'key-shown-again'} if self.shown_again else set()
        facts |= {'size-changed'} if size != self.first else set()
        facts |= {'grown'} if size[0] > self.first[0] or size[1] > self.first[1] else set()
        return facts | ({'small'} if min(size) < 48 else set())


def read(ivf):
    state = Av1()
    found = [state.facts(header) for header in headers_of(ivf)]
    return [Picture(facts) for facts in found if facts is not None]
