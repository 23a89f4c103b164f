#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The boards in the guest: each has its decoders, each decoder its jobs, and the job log is the same every time."""

import collections
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
LIST_NODES = r'''
for node in /dev/video*; do
    driver=$(v4l2-ctl -d $node --info | sed -n 's/.*Driver name *: //p' | head -1)
    echo $driver: $(v4l2-ctl -d $node --list-formats-out | grep -o "'[A-Z0-9]*'" | tr -d "'" | sort)
done'''


def guest(board, *command, options=(), timeout=200):
    arguments = [os.path.join(ROOT, 'scripts/guest'), 'run', '--board', board, '--timeout', str(timeout), *options, '--',
                 *command]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT, timeout=timeout + 900)


def decode(board, *codecs, client='kernel', runs=1, options=()):
    """What a client makes the board do: a list of the objects of board_streams.py."""
    result = guest(board, 'python3', 'tests/guest/board_streams.py', client, str(runs),
                   *(STREAMS[codec] for codec in codecs), options=options)
    if result.returncode:
        raise AssertionError(f'{board}: the guest ended with {result.returncode}:\n{result.stderr}')
    return [json.loads(line) for line in result.stdout.splitlines()]


def probe(stream, *what):
    command = ['ffprobe', '-v', 'error', '-select_streams', 'v', '-of', 'json', *what, os.path.join(ROOT, 'fixtures', stream)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def packets(stream):
    """Each packet of a stream: its CRC-32, and its place in the file."""
    rows = probe(stream, '-show_packets', '-show_data_hash', 'CRC32')['packets']
    return [(int(row['data_hash'].split(':')[1], 16), row.get('pos')) for row in rows]


def display_order(stream):
    """The number of the job that each picture comes from, in the order of display, as the software decoder has it."""
    places = [place for _, place in packets(stream)]
    frames = probe(stream, '-show_frames', '-show_entries', 'frame=pkt_pos')['frames']
    return [places.index(frame['pkt_pos']) + 1 for frame in frames]


class Boards(unittest.TestCase):
    def test_nodes(self):
        for board, nodes in NODES.items():
            with self.subTest(board):
                found = collections.defaultdict(list)
                for line in guest(board, 'sh', '-c', LIST_NODES).stdout.splitlines():
                    driver, formats = line.split(':')
                    if set(formats.split()) & set('MG2S S264 S265 VP8F VP9F AV1F'.split()):
                        found[driver].append(formats.strip())
                self.assertEqual({driver: ' / '.join(formats) for driver, formats in found.items()}, nodes)

    def test_streams(self):
        """Each codec twice: every picture is a job of the right engine, in the right order, and the logs are equal."""
        order = {codec: display_order(stream) for codec, stream in STREAMS.items()}
        for board, engines in ENGINES.items():
            results = decode(board, *engines, runs=2)
            self.assertEqual(len(results), 2 * len(engines))
            for codec, first, second in zip(engines, results[::2], results[1::2]):
                with self.subTest(board=board, codec=codec):
                    count = len(order[codec])
                    self.assertEqual((first['status'], first['jobs'], first['outcomes'], first['pictures']),
                                     (0, {engines[codec]: count}, {'done': count}, count))
                    self.assertEqual([job for job, _, _ in first['stamps']], order[codec])
                    self.assertEqual(first, second)

    def test_bitstream(self):
        """VP8 and VP9 go to the hardware as they are: what it was pointed at is what is in the file."""
        for board, codec in (('rk3399', 'vp8'), ('rk3399', 'vp9'), ('imx8mq', 'vp8'), ('h3', 'vp8')):
            with self.subTest(board=board, codec=codec):
                seen = [crc for _, _, crc in decode(board, codec)[0]['stamps']]
                self.assertEqual(seen, [crc for crc, _ in packets(STREAMS[codec])])

    def test_log_file(self):
        """Another boot gives the same log, as a file, and with addresses that say what they are of."""
        logs = []
        with tempfile.TemporaryDirectory(prefix='board_test.') as folder:
            for name in ('first', 'second'):
                path = os.path.join(folder, name)
                decode('rk3399', 'h264', options=('--job-log', path))
                with open(path, encoding='ascii') as file:
                    logs.append(file.read())
        self.assertEqual(logs[0], logs[1])
        for line in ('rkvdec 1 reg 0x01c/out out+0x0', 'rkvdec 2 reg 0x028/ref0 frame1+0xe',
                     'rkvdec 12 reg 0x010/stream stream+0x0', 'rkvdec 1 reg 0x0a8/pps table@0x018+0x1160'):
            self.assertIn(line + '\n', logs[0])

    def test_pattern(self):
        results = decode('rk3399', 'vp8', options=('--module-arg', 'pattern=1'))
        self.assertEqual((results[0]['pictures'], results[0]['patterned']), (12, 12))
        self.assertEqual(decode('rk3399', 'vp8')[0]['patterned'], 0)


class Faults(unittest.TestCase):
    BOARDS = {'rk3399': ('h264', 'vp8'), 'rk3588': ('hevc',), 'rk3576': ('h264',), 'imx8mq': ('h264', 'vp9'),
              'rk3288': ('mpeg2',), 'h3': ('h264', 'hevc', 'mpeg2')}

    def test_failing_jobs(self):
        for board, codecs in self.BOARDS.items():
            for codec, result in zip(codecs, decode(board, *codecs, options=('--module-arg', 'fail_every=5'))):
                with self.subTest(board=board, codec=codec):
                    self.assertEqual(result['outcomes'], {'done': 10, 'failed': 2})

    def watchdog(self, knob, value, cases):
        """The driver's watchdog ends the job, and the next stream decodes. Returns what became of the first one."""
        for board, codec in cases:
            with self.subTest(board=board, codec=codec), tempfile.NamedTemporaryFile('r') as dmesg:
                path = '/sys/module/fakeboard/parameters/' + knob
                decode_once = f'python3 tests/guest/board_streams.py kernel 1 {STREAMS[codec]}'
                result = guest(board, 'sh', '-c', f'echo {value} >{path}; {decode_once}; echo 0 >{path}; {decode_once}',
                               options=('--dmesg', dmesg.name))
                stopped, after = [json.loads(line) for line in result.stdout.splitlines()]
                self.assertRegex(dmesg.read(), '(?i)timed out|timeout')
                self.assertEqual((after['status'], after['outcomes']), (0, {'done': 12}))
                yield stopped

    def test_hanging_jobs(self):
        cases = (('rk3399', 'h264'), ('rk3588', 'hevc'), ('imx8mq', 'vp8'), ('imx8mq', 'vp9'), ('h3', 'mpeg2'))
        for stopped in self.watchdog('hang_every', 7, cases):
            self.assertEqual(stopped['outcomes']['hung'], 1)

    def test_late_jobs(self):
        """Nothing comes from a decoder that the watchdog has switched off, not even late."""
        for stopped in self.watchdog('delay_ms', 2500, (('rk3399', 'h264'), ('imx8mq', 'vp9'), ('h3', 'mpeg2'))):
            self.assertEqual(stopped['stamps'], [])


class WithTheDriver(unittest.TestCase):
    """The same through libva: FFmpeg, which ends at the first picture that is reported as damaged."""

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(DRIVER):
            raise unittest.SkipTest(f'{DRIVER} is not built')
        cls.folder = tempfile.mkdtemp(prefix='board_test.')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        shutil.copy(DRIVER, cls.folder)

    def decode(self, board, *codecs, options=()):
        return decode(board, *codecs, client='libva',
                      options=('--share', self.folder, '--env', f'LIBVA_DRIVERS_PATH={self.folder}', '--env',
                               'LIBVA_DRIVER_NAME=v4l2_request', *options))

    def test_streams(self):
        """Every picture is a job of the right engine, in the right order. RK3588 has H.264 twice: the larger is taken."""
        for board, engines in ENGINES.items():
            for codec, result in zip(engines, self.decode(board, *engines)):
                with self.subTest(board=board, codec=codec):
                    order = display_order(STREAMS[codec])
                    engine = 'vdpu381' if (board, codec) == ('rk3588', 'h264') else engines[codec]
                    self.assertEqual((result['status'], result['jobs'], result['outcomes'], result['pictures']),
                                     (0, {engine: len(order)}, {'done': len(order)}, len(order)), result['errors'])
                    self.assertEqual([job for job, _, _ in result['stamps']], order)

    def faulty(self, knob, outcome):
        """Where every 5th job goes wrong, all pictures before the first of them in display are good, and it is not."""
        for board, codec in (('rk3399', 'h264'), ('rk3399', 'vp8'), ('rk3576', 'hevc'), ('imx8mq', 'vp9'), ('h3', 'mpeg2')):
            with self.subTest(board=board, codec=codec):
                order = display_order(STREAMS[codec])
                faulty, = self.decode(board, codec, options=('--module-arg', f'{knob}=5'))
                self.assertGreaterEqual(faulty['outcomes'][outcome], 1)
                self.assertNotEqual(faulty['status'], 0)
                first = min(at for at, job in enumerate(order) if job % 5 == 0)
                self.assertEqual([job for job, _, _ in faulty['stamps']], order[:first])

    def test_failing_jobs(self):
        self.faulty('fail_every', 'failed')

    def test_hanging_jobs(self):
        self.faulty('hang_every', 'hung')


if __name__ == '__main__':
    if not os.access(os.path.join(ROOT, 'scripts/guest'), os.X_OK):
        sys.exit('scripts/guest is missing')
    unittest.main()
