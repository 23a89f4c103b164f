# SPDX-License-Identifier: MIT
"""Moves headers of MPEG-2 streams, for features that no encoder at hand writes. Clauses are those of ITU-T H.262."""

SEQUENCE, EXTENSION, GROUP, PICTURE, SLICE = 0xB3, 0xB5, 0xB8, 0x00, 0x01
CODING, QUANT_MATRIX = 8, 3  # extension_start_code_identifier


def split(stream):
    """The stream from each start code to the next."""
    parts = stream.split(b'\x00\x00\x01')[1:]
    return [b'\x00\x00\x01' + part for part in parts]


def code(part):
    return part[3]


def bits(data):
    return ''.join(f'{byte:08b}' for byte in data)


def to_bytes(text):
    text += '0' * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def take_matrices(header, names):
    """A sequence header (6.2.2.1) without the matrices of these names, and the matrices, as bits."""
    text, at = bits(header[4:]), 62
    kept, taken = text[:at], {}
    for name in ('intra', 'inter'):
        present = text[at] == '1'
        matrix = text[at + 1 : at + 1 + 512 * present]
        at += 1 + 512 * present
        if present and name in names:
            taken[name] = matrix
            kept += '0'
        else:
            kept += '01'[present] + matrix
    return header[:4] + to_bytes(kept), taken


def extension(matrices):
    """quant_matrix_extension (6.2.3.2), without chroma matrices."""
    text = f'{QUANT_MATRIX:04b}'
    for name in ('intra', 'inter'):
        text += '1' + matrices[name] if name in matrices else '0'
    return bytes((0, 0, 1, EXTENSION)) + to_bytes(text + '00')


def matrices_in_extension(stream, names=('intra', 'inter')):
    """Takes matrices out of each sequence header, and puts them behind the next picture coding extension."""
    result, pending = [], {}
    for part in split(stream):
        if code(part) == SEQUENCE:
            part, pending = take_matrices(part, names)
        result.append(part)
        if code(part) == EXTENSION and part[4] >> 4 == CODING and pending:
            result.append(extension(pending))
            pending = {}
    return b''.join(result)


def start_in_open_group(stream):
    """Leaves out the first group: the B pictures after the next I picture lack a reference (broken_link, 6.3.8)."""
    parts = split(stream)
    starts = [at for at, part in enumerate(parts) if code(part) == SEQUENCE]
    parts = parts[starts[1] :]
    at = next(at for at, part in enumerate(parts) if code(part) == GROUP)
    group = bytearray(parts[at])
    group[7] = group[7] & ~0x40 & 0xFF | 0x20  # closed_gop 0, broken_link 1: bits 25 and 26 of the header
    parts[at] = bytes(group)
    return b''.join(parts)
