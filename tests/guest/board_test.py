#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The boards in the guest: each has its decoders, each decoder its jobs, and the job log is the same every time.

Each board is started once, and decodes all that is asked of it one after the other; the tests look at what came out."""

import collections
import concurrent.futures
import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BUILD = os.path.realpath(os.environ.get('BUILD', os.path.join(ROOT, 'build')))
DRIVER = os.environ.get('V4L2_REQUEST_DRIVER', os.path.join(BUILD, 'src/v4l2_request_drv_video.so'))
STREAMS = {'mpeg2': 'mpeg2/ipb.m2v', 'h264': 'h264/main-b.h264', 'hevc': 'hevc/p.h265', 'vp8': 'vp8/plain.ivf',
           'vp9': 'vp9/plain.ivf'}
# What the kernel's drivers say of their hardware: node, and what it decodes. Encoders are left out.
NODES = {
    'rk3399': {'hantro-vpu': 'MG2S VP8F', 'rkvdec': 'S264 S265 VP9F'},
    'rk3568': {'hantro-vpu': 'MG2S S264 VP8F'},
    'rk3588': {'hantro-vpu': 'MG2S S264 VP8F / AV1F', 'rkvdec': 'S264 S265'},
    'rk3576': {'rkvdec': 'S264 S265'},
    'rk3288': {'hantro-vpu': 'MG2S S264 VP8F', 'rkvdec': 'S265'},
    'imx8mq': {'hantro-vpu': 'MG2S S264 VP8F / S265 VP9F'},
    'h3': {'cedrus': 'MG2S S264 S265 VP8F'},
}
# Which engine of the board has which codec; where two have it, the one that GStreamer takes.
ENGINES = {
    'rk3399': {'h264': 'rkvdec', 'hevc': 'rkvdec', 'vp9': 'rkvdec', 'mpeg2': 'vdpu2', 'vp8': 'vdpu2'},
    'rk3568': {'h264': 'vdpu2', 'mpeg2': 'vdpu2', 'vp8': 'vdpu2'},
    'rk3588': {'h264': 'vdpu2', 'hevc': 'vdpu381', 'mpeg2': 'vdpu2', 'vp8': 'vdpu2'},
    'rk3576': {'h264': 'vdpu383', 'hevc': 'vdpu383'},
    'rk3288': {'hevc': 'rkvdec', 'h264': 'vdpu1', 'mpeg2': 'vdpu1', 'vp8': 'vdpu1'},
    'imx8mq': {'h264': 'g1', 'mpeg2': 'g1', 'vp8': 'g1', 'hevc': 'g2', 'vp9': 'g2'},
    'h3': {'mpeg2': 'cedrus-mpeg2', 'h264': 'cedrus-h264', 'hevc': 'cedrus-h265', 'vp8': 'cedrus-vp8'},
}
# Jobs that the watchdog has to end, or that end with an error: board, codecs.
FAILING = {'rk3399': ('h264', 'vp8'), 'rk3588': ('hevc',), 'rk3576': ('h264',), 'imx8mq': ('h264', 'vp9'),
           'rk3288': ('mpeg2',), 'h3': ('h264', 'hevc', 'mpeg2')}
HANGING = {'rk3399': ('h264',), 'rk3588': ('hevc',), 'imx8mq': ('vp8', 'vp9'), 'h3': ('mpeg2',)}
LATE = {'rk3399': ('h264',), 'imx8mq': ('vp9',), 'h3': ('mpeg2',)}
WITH_THE_DRIVER = {'rk3399': ('h264', 'vp8'), 'rk3576': ('hevc',), 'imx8mq': ('vp9',), 'h3': ('mpeg2',)}
# A job that takes longer once, less than GStreamer's patience; memory that is short; one job of each picture that fails.
PAUSING, PAUSE = {'rk3399': ('h264', 'mpeg2'), 'h3': ('mpeg2',)}, (('pause_ms', 700), ('pause_after', 4))
SHORT = {'h3': ('h264',)}
SLICED, SLICES, SLICES_OF_A_PICTURE = 'h3', 'h264/slices-mbs.h264', 15
PATTERN = {'rk3399': ('vp8',)}
BOARDS_AT_A_TIME = 2
LIST_NODES = r'''
for node in /dev/video*; do
    driver=$(v4l2-ctl -d $node --info | sed -n 's/.*Driver name *: //p' | head -1)
    echo node $driver: $(v4l2-ctl -d $node --list-formats-out | grep -o "'[A-Z0-9]*'" | tr -d "'" | sort)
done'''


@dataclasses.dataclass(frozen=True)
class Case:
    """A stream that a board decodes; knobs of the board: pairs of name and value."""

    codec: str
    client: str = 'kernel'
    knobs: tuple = ()
    stream: str = ''  # another than that of the codec
    note: str = ''  # tells cases apart that are the same but for their place


def cases_of(board):
    """All that is asked of a board, in this order: what is without knobs follows what has gone wrong."""
    for codecs, client, knobs in ((FAILING, 'kernel', (('fail_every', 5),)), (HANGING, 'kernel', (('hang_every', 7),)),
                                  (LATE, 'kernel', (('delay_ms', 2500),)), (PATTERN, 'kernel', (('pattern', 1),)),
                                  (WITH_THE_DRIVER, 'libva', (('fail_every', 5),)),
                                  (WITH_THE_DRIVER, 'libva', (('hang_every', 5),))):
        for codec in codecs.get(board, ()):
            yield Case(codec, client, knobs)
            yield Case(codec, client, note=f'after {knobs}')
    for codecs, knobs in ((PAUSING, PAUSE), (SHORT, (('memory_mb', 1),))):
        for codec in codecs.get(board, ()):
            yield Case(codec, knobs=knobs)
            yield Case(codec, note=f'after {knobs}')
    if board == SLICED:
        yield from (Case('h264', knobs=(('fail_job', number),), stream=SLICES) for number in (1, 3, 16))
    for codec in sorted(ENGINES[board], key='h264'.__eq__):  # H.264 last: its log stays
        yield Case(codec, 'libva')
        yield Case(codec)
        yield Case(codec, note='again')


class Boards:
    """What came out: by board, nodes, and results by case."""

    nodes, results, logs = {}, {}, []


def setUpModule():  # pylint: disable=invalid-name  # as unittest wants it
    folder = tempfile.mkdtemp(prefix='board_test.')
    unittest.addModuleCleanup(shutil.rmtree, folder)
    if not os.path.exists(DRIVER):
        raise unittest.SkipTest(f'{DRIVER} is not built')
    shutil.copy(DRIVER, folder)  # alone: a guest shares whole folders
    with concurrent.futures.ThreadPoolExecutor(BOARDS_AT_A_TIME) as pool:
        again = pool.submit(run, 'rk3399', [Case('h264')], folder, 'again')
        for board, (nodes, results) in zip(NODES, pool.map(lambda board: run(board, [*cases_of(board)], folder), NODES)):
            Boards.nodes[board], Boards.results[board] = nodes, results
        again.result()
    for name in 'rk3399', 'rk3399again':
        with open(os.path.join(folder, f'{name}.log'), encoding='ascii') as file:
            Boards.logs.append(file.read())


def run(board, cases, folder, name=''):
    """Starts a board. Returns its nodes as lines, and results by case."""
    path = os.path.join(folder, f'{board}{name}')
    with open(path + '.json', 'w', encoding='utf-8') as file:
        json.dump({'driver': folder, 'cases': [
            {'client': case.client, 'codec': case.codec, 'stream': f'fixtures/{case.stream or STREAMS[case.codec]}',
             'knobs': dict(case.knobs)} for case in cases]}, file)
    done = subprocess.run(
        [os.path.join(ROOT, 'scripts/guest'), 'run', '--board', board, '--timeout', '600', '--share', folder, '--job-log',
         path + '.log', '--', 'sh', '-c', f'{LIST_NODES}; exec python3 tests/guest/board_streams.py {path}.json'],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=1500)
    if done.returncode:
        raise AssertionError(f'{board}: the guest ended with {done.returncode}:\n{done.stdout}{done.stderr}')
    lines = done.stdout.splitlines()
    nodes = [line.removeprefix('node ') for line in lines if line.startswith('node ')]
    return nodes, dict(zip(cases, (json.loads(line) for line in lines[len(nodes):]), strict=True))


def probe(stream, *what):
    command = ['ffprobe', '-v', 'error', '-select_streams', 'v', '-of', 'json', *what, os.path.join(ROOT, 'fixtures', stream)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@functools.cache
def packets(stream):
    """Each packet of a stream: its CRC-32, and its place in the file."""
    rows = probe(stream, '-show_packets', '-show_data_hash', 'CRC32')['packets']
    return [(int(row['data_hash'].split(':')[1], 16), row.get('pos')) for row in rows]


@functools.cache
def display_order(stream):
    """The number of the job that each picture comes from, in the order of display, as the software decoder has it."""
    places = [place for _, place in packets(stream)]
    frames = probe(stream, '-show_frames', '-show_entries', 'frame=pkt_pos')['frames']
    return [places.index(frame['pkt_pos']) + 1 for frame in frames]


class Outcomes(unittest.TestCase):
    """What became of the streams."""

    def each(self, codecs_of, client='kernel', knobs=(), note=''):
        """Results of all boards that the table has."""
        for board, codecs in codecs_of.items():
            for codec in codecs:
                yield board, codec, Boards.results[board][Case(codec, client, knobs, note=note)]

    def check_good(self, board, codec, result, engine=None):
        """Every picture is a job of the right engine, in the right order."""
        order = display_order(STREAMS[codec])
        self.assertEqual((result['status'], result['jobs'], result['outcomes'], result['pictures']),
                         (0, {engine or ENGINES[board][codec]: len(order)}, {'done': len(order)}, len(order)),
                         result['errors'])
        self.assertEqual([job for job, _, _ in result['stamps']], order)

    def check_faulty(self, codecs_of, knob, check, client='kernel'):
        """check(codec, result) of each stream with the knob; the one after it is good."""
        for board, codec, result in self.each(codecs_of, client, (knob,)):
            with self.subTest(board=board, codec=codec):
                check(codec, result)
                self.check_good(board, codec, Boards.results[board][Case(codec, client, note=f'after {(knob,)}')])


class Kernel(Outcomes):
    """GStreamer, straight on the kernel."""

    def test_nodes(self):
        for board, lines in Boards.nodes.items():
            with self.subTest(board):
                found = collections.defaultdict(list)
                for driver, formats in (line.split(':') for line in lines):
                    if set(formats.split()) & set('MG2S S264 S265 VP8F VP9F AV1F'.split()):
                        found[driver].append(formats.strip())
                self.assertEqual({driver: ' / '.join(formats) for driver, formats in found.items()}, NODES[board])

    def test_streams(self):
        """Each codec twice, and the logs are equal."""
        for board, codec, result in self.each(ENGINES):
            with self.subTest(board=board, codec=codec):
                self.check_good(board, codec, result)
                again = Boards.results[board][Case(codec, note='again')]
                self.assertEqual({**again, 'seconds': None}, {**result, 'seconds': None})

    def test_bitstream(self):
        """VP8 and VP9 go to the hardware as they are: what it was pointed at is what is in the file."""
        for board, codec, result in self.each({'rk3399': ('vp8', 'vp9'), 'imx8mq': ('vp8',), 'h3': ('vp8',)}):
            with self.subTest(board=board, codec=codec):
                self.assertEqual([crc for _, _, crc in result['stamps']], [crc for crc, _ in packets(STREAMS[codec])])

    def test_log_file(self):
        """Another boot, in which nothing went wrong before, gives the same log, with addresses that say what they are of."""
        self.assertEqual(*Boards.logs)
        for line in ('rkvdec 1 reg 0x01c/out out+0x0', 'rkvdec 2 reg 0x028/ref0 frame1+0xe',
                     'rkvdec 12 reg 0x010/stream stream+0x0', 'rkvdec 1 reg 0x0a8/pps table@0x018+0x1160'):
            self.assertIn(line + '\n', Boards.logs[0])

    def test_pattern(self):
        for knobs, patterned in ((('pattern', 1),), 12), ((), 0):
            for _, _, result in self.each(PATTERN, knobs=knobs):
                self.assertEqual((result['pictures'], result['patterned']), (12, patterned))

    def test_failing_jobs(self):
        self.check_faulty(FAILING, ('fail_every', 5), lambda _, result: self.assertEqual(
            result['outcomes'], {'done': 10, 'failed': 2}))

    def test_one_job_of_each_picture_fails(self):
        for number, failing in ((1, 1), (3, 1), (SLICES_OF_A_PICTURE + 1, 0)):
            result = Boards.results[SLICED][Case('h264', knobs=(('fail_job', number),), stream=SLICES)]
            jobs = sum(result['outcomes'].values())
            self.assertGreaterEqual(jobs, 8 * SLICES_OF_A_PICTURE)
            self.assertEqual(result['outcomes'].get('failed', 0) * SLICES_OF_A_PICTURE, failing * jobs)

    def test_a_pause(self):
        for board, codec, result in self.each(PAUSING, knobs=PAUSE):
            self.check_good(board, codec, result)
            other = Boards.results[board][Case(codec, note=f'after {PAUSE}')]
            self.check_good(board, codec, other)
            self.assertGreaterEqual(result['seconds'], dict(PAUSE)['pause_ms'] / 1000)  # no other time: machines differ

    def test_little_memory(self):
        def check(_, result):
            self.assertEqual((result['jobs'], result['pictures']), ({}, 0))
        self.check_faulty(SHORT, ('memory_mb', 1), check)

    def check_stopped(self, result):
        self.assertRegex(result['kernel'], '(?i)timed out|timeout')

    def test_hanging_jobs(self):
        def check(_, result):
            self.assertEqual(result['outcomes']['hung'], 1)
            self.check_stopped(result)
        self.check_faulty(HANGING, ('hang_every', 7), check)

    def test_late_jobs(self):
        """Nothing comes from a decoder that the watchdog has switched off, not even late."""
        def check(_, result):
            self.assertGreaterEqual(sum(result['jobs'].values()), 1)
            self.assertEqual(result['stamps'], [])
            self.check_stopped(result)
        self.check_faulty(LATE, ('delay_ms', 2500), check)


class WithTheDriver(Outcomes):
    """The same through libva: FFmpeg, which is shown damaged pictures as well."""

    def test_streams(self):
        """RK3588 has H.264 twice: the larger is taken."""
        for board, codec, result in self.each(ENGINES, 'libva'):
            with self.subTest(board=board, codec=codec):
                self.check_good(board, codec, result, 'vdpu381' if (board, codec) == ('rk3588', 'h264') else None)

    def check_shown(self, knob, outcome):
        """Where every 5th job goes wrong, every picture is shown, and the others are those of their jobs."""
        def check(codec, result):
            order = display_order(STREAMS[codec])
            self.assertGreaterEqual(result['outcomes'][outcome], 1)
            self.assertEqual((result['status'], result['pictures']), (0, len(order)))
            # A job that failed has written nothing: its picture is what its memory held before.
            good = dict.fromkeys(job for job, _, _ in result['stamps'] if job % 5)
            self.assertEqual(list(good), [job for job in order if job % 5])
        self.check_faulty(WITH_THE_DRIVER, (knob, 5), check, 'libva')

    def test_failing_jobs(self):
        self.check_shown('fail_every', 'failed')

    def test_hanging_jobs(self):
        self.check_shown('hang_every', 'hung')


if __name__ == '__main__':
    if not os.access(os.path.join(ROOT, 'scripts/guest'), os.X_OK):
        sys.exit('scripts/guest is missing')
    unittest.main()
