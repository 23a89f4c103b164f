# SPDX-License-Identifier: MIT
"""What the jobs of VPU981, RK3588's decoder of AV1, mean: the same for clients that differ in what is theirs to choose.

- **Where tiles are.** Clients hand over headers before the tiles, or sizes between them, or neither. The hardware is told where the
  tiles are; the log has the bytes of these alone. So a job has the size of each tile, whether the stream reaches to the end of
  the last one, and not their places.
- **Slots.** The kernel's driver keeps the probabilities of a picture by the number of its slot, and clients may number slots as
  they like. The hardware gets a copy of the probabilities, which are marked with the job that left them: the field
  'probabilities' has that picture.
- **What is decoded twice.** The driver has a picture decoded again where it could not know its slot. Such a job is the one before it
  once more, and what refers to it refers to that picture."""

import re
import struct

ENGINE = 'vpu981'
TILES, ADAPTED, PROBABILITIES = '0x29c', '0x2ac', '0x2b4'  # what the registers point at
START, LENGTH, BUFFER, STREAM, COUNTS = '0x014', '0x018', '0x408', '0x2a4', '0x028'
START_BIT, COLUMNS, ROWS = 25, 17, 10  # 7 bits each, the first of START, the others of COUNTS
TILE = struct.Struct('<4I')  # width and height in superblocks; begin and end, counted from the first tile
STAMP = struct.Struct('<4s3I')  # mark, job, bytes, CRC (docs/fakeboard.md)
MARK = b'FBRD'


def bits(job, register, shift):
    return int(job.fields[register], 16) >> shift & 0x7F


def settle_stream(job):
    """The sizes of the tiles instead of their places."""
    count = bits(job, COUNTS, COLUMNS) * bits(job, COUNTS, ROWS)
    first = int(job.fields[STREAM].removeprefix('stream+'), 16) + bits(job, START, START_BIT) // 8
    length, table = int(job.fields[LENGTH], 16), bytearray(job.tables[TILES])
    last = 0
    for at in range(0, count * TILE.size, TILE.size):
        width, height, begin, end = TILE.unpack_from(table, at)
        TILE.pack_into(table, at, width, height, 0, end - begin)
        last = max(last, end)
    job.tables[TILES] = bytes(table)
    job.fields[STREAM] = 'the first tile'
    job.fields[START] = f'{int(job.fields[START], 16) & (1 << START_BIT) - 1:08x}'
    job.fields[BUFFER] = 'holds it' if int(job.fields[BUFFER], 16) >= length else job.fields[BUFFER]
    job.fields[LENGTH] = f'{length - first - last} behind the last tile'


def settle_probabilities(job):
    job.tables.pop(ADAPTED, None)  # what the hardware writes
    table = job.tables[PROBABILITIES]
    mark, number, _, _ = STAMP.unpack_from(table)
    job.fields['probabilities'] = f'#{number}' if mark == MARK else 'a table'
    if mark == MARK:
        job.tables[PROBABILITIES] = bytes(STAMP.size) + table[STAMP.size :]


def settle(jobs):
    """The jobs of this engine, without those that are decoded again, and pictures counted so."""
    kept, numbers = [], {}
    for job in jobs:
        if job.fields['outcome'] != 'fault':
            settle_stream(job)
            settle_probabilities(job)
        for field, value in job.fields.items():
            job.fields[field] = re.sub(r'^#(\d+)', lambda found: f'#{numbers.get(int(found[1]), "other")}', value)
        again = kept and (job.payload, job.fields, job.tables) == (kept[-1].payload, kept[-1].fields, kept[-1].tables)
        if again:
            kept[-1].again = True
        else:
            kept.append(job)
        numbers[job.picture] = len(kept)
        job.picture = len(kept)
    return kept
