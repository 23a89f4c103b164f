# SPDX-License-Identifier: MIT
"""Facts of MPEG-2 pictures (the package facts). Clauses are those of Rec. ITU-T H.262."""

import re

from facts.picture import Picture

PICTURE, SEQUENCE, EXTENSION, GROUP, FIRST_SLICE, LAST_SLICE = 0x00, 0xB3, 0xB5, 0xB8, 0x01, 0xAF
SEQUENCE_EXTENSION, CODING_EXTENSION = 1, 8
KINDS = {1: 'i', 2: 'p', 3: 'b'}
FRAME = 3


def read(stream):
    """The pictures, fields each for itself, in the order of the stream."""
    pictures, slices = [], None
    size, chroma, first_size = None, 1, None
    references, first_field, seen_fields, changed = 0, None, False, False

    def end():
        nonlocal references, first_field, seen_fields, changed
        if not slices or not size:
            return  # nothing, or nothing that can be decoded: its sequence header is not there
        second = structure != FRAME and first_field is not None and first_field != structure
        facts = {kind, '4:2:0'} if chroma == 1 else {kind}
        missing = {'i': 0, 'p': 1, 'b': 2}[kind] - references
        if second and kind == 'p' and missing > 0:
            facts.add('p-field-of-first-i')  # its reference is the first field of its own frame (7.6.3.5)
        elif missing > 0:
            facts.add('lacks-reference')
        facts |= {'second-field'} if second else set()
        seen_fields |= structure != FRAME
        facts |= {'field'} if structure != FRAME else set()
        facts |= {'fields-so-far'} if seen_fields else set()
        changed |= size != first_size
        facts |= {'size-changed'} if changed else set()
        facts |= {'small'} if min(size) < 48 else set()
        first_field = structure if structure != FRAME and not second else None
        if kind != 'b' and first_field is None:
            references += 1
        pictures.append(Picture(facts, b''.join(slices)))

    kind, structure = 'i', FRAME
    for unit in re.split(rb'(?=\x00\x00\x01)', stream)[1:]:
        code, body = unit[3] if len(unit) > 3 else None, unit[4:]
        if code is None:
            continue
        if FIRST_SLICE <= code <= LAST_SLICE:
            if slices is not None:
                slices.append(unit)
            continue
        if code in (PICTURE, SEQUENCE, GROUP):
            end()
            slices = [] if code == PICTURE else None
        if code == PICTURE and len(body) > 1:
            kind, structure = KINDS.get(body[1] >> 3 & 7, 'i'), FRAME
        elif code == SEQUENCE and len(body) > 2:
            size, chroma = (body[0] << 4 | body[1] >> 4, (body[1] & 15) << 8 | body[2]), 1
            first_size = first_size or size
        elif code == EXTENSION and len(body) > 2 and body[0] >> 4 == SEQUENCE_EXTENSION:
            chroma = body[1] >> 1 & 3
        elif code == EXTENSION and len(body) > 2 and body[0] >> 4 == CODING_EXTENSION:
            structure = body[2] & 3
    end()
    return pictures
