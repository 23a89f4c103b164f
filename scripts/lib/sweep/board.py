# SPDX-License-Identifier: MIT
"""Reads the job log of a board (docs/fakeboard.md), and compares what two clients make the kernel tell the hardware.

A job is what the hardware has at its start: all registers that were written so far, and the whole of every table. In
a table, a field is a word of 4 bytes, named by the register that points at or before it."""

import collections
import re
import zlib

from facts import hevc_sets
from sweep import board_av1
from sweep.differences import Differences, Job, pairs

EXCEPTIONS = 'board_exceptions.tsv'
# What each board decodes of what the driver has.
BOARDS = {
    'rk3399': ('mpeg2', 'h264', 'hevc', 'vp8', 'vp9'),
    'rk3568': ('mpeg2', 'h264', 'vp8'),
    'rk3588': ('mpeg2', 'h264', 'hevc', 'vp8', 'av1'),
    'rk3576': ('h264', 'hevc'),
    'rk3288': ('mpeg2', 'h264', 'hevc', 'vp8'),
    'imx8mq': ('mpeg2', 'h264', 'hevc', 'vp8', 'vp9'),
    'h3': ('mpeg2', 'h264', 'hevc', 'vp8'),
}
# What it decodes of 10 bits as well.
TEN_BITS = {'rk3399': ('h264', 'hevc'), 'rk3588': ('h264', 'hevc', 'av1'), 'rk3576': ('h264', 'hevc'), 'rk3288': ('hevc',),
            'imx8mq': ('hevc', 'vp9')}
# Boards whose decoders of these codecs write P010 themselves, which the driver takes: GStreamer is to take it too, not what is
# tiled. The pattern has bits where a decoder writes zeros, 6 of each sample; GStreamer clears them where it copies: they do not
# count.
WRITE_P010 = {'imx8mq': ('hevc', 'vp9'), 'rk3588': ('av1',)}
# Boards whose HEVC wants the reference sets of the SPS: GStreamer has them since 1.28.
USERLANDS = {'rk3588': 'forky', 'rk3576': 'forky'}
ROWS_SHOWN = 60  # of differences
LARGEST_TABLE = 1 << 20  # bytes, of which the log has rows
TABLE_AT = re.compile(r'table@(\S+?)\+0x([0-9a-f]+)$')


class Records:
    """An array in a table: what is compared is a unit of each record."""

    def __init__(self, size, count, name='', start=0, unit=4):
        self.size, self.count, self.name, self.start, self.unit = size, count, name, start, unit


# By engine, codec and register: parameter sets by their id; the reference sets of HEVC, whole ones; matrices of MPEG-2.
HEVC_SETS = (
    Records(4, 32, '.long_term'),
    Records(48, 64, '.short_term', start=128, unit=48),
)
TOLD_SETS = ('vdpu381', 'vdpu383')
QUANTISERS = (Records(64, 2, '.luma'), Records(64, 2, '.chroma', start=128))
SCALING_LISTS = (Records(96, 1, '.scaling_4x4'), Records(384, 1, '.scaling_8x8', start=96))
HANTRO_H264 = (
    Records(4, 34, '.poc', start=3680),
    Records(96, 1, '.scaling_4x4', start=3816),
    Records(384, 1, '.scaling_8x8', start=3912),
)
RECORDS = {
    ('vdpu1', 'h264', '0x4a0'): HANTRO_H264,
    ('vdpu2', 'h264', '0x4f4'): HANTRO_H264,
    ('g1', 'h264', '0x0a0'): HANTRO_H264,
    ('rkvdec', 'h264', 'cabac_table'): (
        Records(96, 1, '.scaling_4x4', start=3712),
        Records(384, 1, '.scaling_8x8', start=3808),
    ),
    ('vdpu1', 'mpeg2', '0x4a0'): QUANTISERS,
    ('vdpu2', 'mpeg2', '0x4f4'): QUANTISERS,
    ('g1', 'mpeg2', '0x0a0'): QUANTISERS,
    ('rkvdec', 'h264', 'pps'): (Records(32, 256),),
    ('vdpu381', 'h264', 'function+0x2d0'): SCALING_LISTS,
    ('vdpu383', 'h264', 'scaling_list'): SCALING_LISTS,
    ('vdpu381', 'h264', 'pps'): (Records(48, 256),),
    ('vdpu383', 'h264', 'pps'): (Records(176, 256),),
    ('rkvdec', 'hevc', 'pps'): (Records(80, 64),),
    ('rkvdec', 'hevc', 'rps'): (Records(32, 600),),
    ('vdpu381', 'hevc', 'pps'): (Records(112, 64),),
    ('vdpu381', 'hevc', 'rps'): HEVC_SETS,
    ('vdpu383', 'hevc', 'rps'): HEVC_SETS,
}


class BoardJob(Job):
    """tables: PLACE -> bytes, of those that the log has rows of."""

    def __init__(self, engine, picture, before):
        super().__init__()
        self.engine, self.picture = engine, picture
        self.fields = dict(before.fields) if before else {}
        self.tables = dict(before.tables) if before else {}
        self.digests = {}
        self.needed = set()  # names of records that its picture surely needs
        self.again = False  # it came twice, which is counted as once


def parse(lines):
    """The jobs of a log, in order."""
    jobs, last = [], {}
    for line in lines:
        engine, number, kind, *words = line.split()
        if kind == 'job':
            if jobs:
                complete(jobs[-1])
            last[engine] = BoardJob(engine, int(number), last.get(engine))
            jobs.append(last[engine])
            jobs[-1].fields['outcome'] = words[0]
        else:
            READERS[kind](jobs[-1], *words)
    if jobs:
        complete(jobs[-1])
    av1 = [job for job in jobs if job.engine == board_av1.ENGINE]
    return [job for job in jobs if job.engine != board_av1.ENGINE] + board_av1.settle(av1)


def read_stream(job, size, digest):
    job.payload = (int(size), digest)
    job.fields['stream'] = f'{size} bytes {digest}'


def read_head(job, size, digest):
    """Without what is behind the stream: the payload of the client, as far as it is surely that."""
    job.payload = (int(size), digest)
    job.fields['head'] = f'{size} bytes {digest}'


def read_register(job, place, value):
    job.fields[place] = picture_number(value)


def read_port(job, place, *values):
    for field in [field for field in job.fields if field.startswith(place + '[')]:
        del job.fields[field]
    job.fields.update({f'{place}[{at}]': value for at, value in enumerate(values[:-2])})
    job.fields[place] = ' '.join(values[-2:])


def read_sram(job, offset, *values):
    for at, value in enumerate(values):
        if value != '-':
            job.fields[f'sram+{int(offset, 16) + 4 * at:#05x}'] = picture_number(value)


def read_table(job, place, size, digest):
    if int(size) > LARGEST_TABLE:
        job.fields[f'table@{place}'] = f'{size} bytes {digest}'
        return
    job.fields[f'table@{place}'] = f'{size} bytes'
    job.digests[place] = int(digest, 16)
    if len(job.tables.get(place, b'')) != int(size):
        job.tables[place] = bytes(int(size))


def read_row(job, place, offset, data):
    at, table = int(offset, 16), job.tables[place]
    if isinstance(table, bytes):  # jobs share what does not change
        table = job.tables[place] = bytearray(table)
    table[at : at + len(data) // 2] = bytes.fromhex(data)


def complete(job):
    """The log is read right if each table has the digest that the log says it has."""
    for place, digest in job.digests.items():
        job.tables[place] = bytes(job.tables[place])
        if zlib.crc32(job.tables[place]) != digest:
            raise ValueError(f'{job.engine} {job.picture}: the rows of table {place} are not its digest')


READERS = {
    'stream': read_stream,
    'head': read_head,
    'reg': read_register,
    'port': read_port,
    'sram': read_sram,
    'table': read_table,
    'row': read_row,
}


def picture_number(value):
    return re.sub(r'^frame(\d+)', r'#\1', value)


def read(path, _codec=None):
    with open(path, encoding='ascii') as file:
        return parse(file)


def differing(ours, theirs, codec):
    """(field, value of ours, of theirs) of all that is not equal in two jobs, of which there may be only one."""
    if not ours or not theirs:
        yield 'job', 'sent' if ours else 'not sent', 'sent' if theirs else 'not sent'
        return
    if ours.engine != theirs.engine:
        yield 'engine', ours.engine, theirs.engine
        return
    for field in sorted(set(ours.fields) | set(theirs.fields)):
        values = ours.fields.get(field, 'absent'), theirs.fields.get(field, 'absent')
        if values[0] != values[1]:
            yield field, *values
    for place in sorted(set(ours.tables) & set(theirs.tables)):
        yield from differing_in_table(ours, place, ours.tables[place], theirs.tables[place], codec)


def differing_in_table(job, place, one, other, codec):
    if one == other:
        return
    pointers, end = pointers_into(job, place), 0
    for at in range(0, min(len(one), len(other)), 4):
        if at >= end and one[at : at + 4] != other[at : at + 4]:
            field, start, end = table_field(job, codec, pointers, place, at)
            yield field, one[start:end].hex(), other[start:end].hex()


def pointers_into(job, place):
    """(offset, register) of all registers that point into a table, the last first."""
    found = []
    for field, value in job.fields.items():
        match = TABLE_AT.match(value)
        if match and match[1] == place:
            found.append((int(match[2], 16), field))
    return sorted(found, reverse=True)


def table_field(job, codec, pointers, place, at):
    """Name, start and end of the field at an offset of a table: by the register that points at or before it.

    A record that the picture needs has a name of its own, so that it is not explained with the others."""
    start, name = next(((start, name) for start, name in pointers if start <= at), (0, f'table@{place}'))
    offset = at - start
    for records in RECORDS.get((job.engine, codec, name.rsplit('/')[-1]), ()):
        if records.start <= offset < records.start + records.size * records.count:
            index, inside = divmod(offset - records.start, records.size)
            part = '' if records.unit == records.size else f'+{inside:#x}'
            record = f'{records.name}[{index}]'
            at -= inside % records.unit
            return f'{name}{".needed" if record in job.needed else ""}{record}{part}', at, at + records.unit
    return f'{name}+{offset:#x}', at, at + 4


class BitDifferences(Differences):
    """Of a number, a rule explains some bits; a difference is explained if each of its bits is."""

    GROUP = ('board', 'engine', 'codec')

    def reason(self, difference, facts, name):
        try:
            left = int(difference['libva'], 16) ^ int(difference['kdirect'], 16)
        except ValueError:
            left = None
        reasons = []
        for rule in self.exceptions:
            if rule.bits != '*' and not (left and left & int(rule.bits, 16)) or not rule.explains(difference, facts, name):
                continue
            reasons += [rule.why] if rule.why not in reasons else []
            left = 0 if rule.bits == '*' else left & ~int(rule.bits, 16)
            if not left:
                return ' '.join(reasons)
        return None


class Summary:
    """Comparison of all streams of a board: jobs and streams that are equal, explained, different."""

    def __init__(self, exceptions, board):
        self.board, self.differences = board, BitDifferences(exceptions)
        self.jobs = collections.defaultdict(collections.Counter)  # codec -> equal, explained, different, all
        self.streams = collections.defaultdict(collections.Counter)  # codec -> equal, explained, different
        self.jobs_with_sets = 0  # pictures that need reference sets of the SPS
        self.jobs_again = collections.Counter()  # codec -> pictures that the driver had decoded twice
        self.excused = set()  # streams of which it is explained that one client had more jobs: frames tell their job

    def add(self, stream, libva, kdirect, known):
        """Counts one stream, of which the facts are known. Returns what is wrong with it in words, or None."""
        counts = collections.Counter()
        known.find_origins(libva, kdirect)
        self.mark_needed(stream.codec, libva)
        for ours, theirs in pairs(libva, kdirect):
            job, facts = ours or theirs, known.of_pair(ours, theirs)
            group = (self.board, job.engine, stream.codec)
            found = [self.differences.differ(group, stream, facts, job.picture, *values)
                     for values in differing(ours, theirs, stream.codec)]
            counts['equal' if not found else 'explained' if all(found) else 'different'] += 1
            counts['lone'] += bool(found and not (ours and theirs) and not all(found))
            counts['again'] += bool(ours and ours.again)
        if not libva and not kdirect:
            counts['different'] += 1
        lone, again = counts.pop('lone', 0), counts.pop('again', 0)
        if (len(libva) != len(kdirect) or again) and not lone:
            self.excused.add(stream.key())
        self.jobs_again[stream.codec] += again
        self.jobs[stream.codec] += counts
        self.jobs[stream.codec]['all'] += sum(counts.values())
        outcome = 'different' if counts['different'] else 'explained' if counts['explained'] else 'equal'
        self.streams[stream.codec][outcome] += 1
        if lone:
            return f'libva caused {len(libva)} jobs, kdirect {len(kdirect)}'
        return f'{counts["different"]} of {sum(counts.values())} jobs differ' if counts['different'] else None

    def mark_needed(self, codec, jobs):
        """Records that a picture reads must be there: of the reference sets of HEVC's SPS the driver may not know others,
        and of H.264's PPSs not the default number of references."""
        for job in jobs:
            if codec == 'h264':
                job.needed = job.origin.needed if job.origin else set()
            elif codec == 'hevc' and job.engine in TOLD_SETS:
                job.needed = job.origin.needed if job.origin else hevc_sets.ALL  # no picture's: all have to be right
                self.jobs_with_sets += bool(job.needed)

    def print_table(self):
        """Returns whether all is equal or explained."""
        good = self.differences.print_rows(ROWS_SHOWN, together=True)
        for codec in sorted(self.jobs):
            self.print_counts(codec, self.jobs[codec], self.streams[codec])
        for codec, count in self.jobs_again.items():
            if count:
                print(f'{self.board} {codec}: {count} pictures were decoded twice')
        if self.jobs_with_sets:
            print(f'{self.board} hevc: {self.jobs_with_sets} jobs need reference sets of the SPS')
        self.print_counts('all', sum(self.jobs.values(), collections.Counter()),
                          sum(self.streams.values(), collections.Counter()))
        return good and bool(self.jobs) and not sum(jobs['different'] for jobs in self.jobs.values())

    def print_counts(self, what, jobs, streams):
        print(f'{self.board} {what}: jobs equal {jobs["equal"]} / {jobs["all"]}; streams equal {streams["equal"]}, '
              f'explained {streams["explained"]}, different {streams["different"]}')
