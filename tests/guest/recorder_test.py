#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver's recorder and v4l2-request-replay, in the guest: what unmodified clients decode on one device is played on another.

BUILD names the build folder (default: build)."""

import os
import re
import shutil
import subprocess
import unittest

from in_guest import BUILD, ROOT, InTheGuest

TOOL = os.path.join(BUILD, 'src/v4l2-request-replay')
STREAMS = {'mpeg2': 'ipb.m2v', 'h264': 'main-b.h264', 'hevc': 'tiles-entry.h265', 'vp8': 'altref.ivf', 'vp9': 'golden-late.ivf',
           'av1': 'plain.ivf'}
RK3399 = ('mpeg2', 'h264', 'hevc', 'vp8', 'vp9')
GSTREAMER = {'mpeg2': 'mpegvideoparse ! vampeg2dec', 'h264': 'h264parse ! vah264dec', 'hevc': 'h265parse ! vah265dec',
             'vp8': 'ivfparse ! vavp8dec', 'vp9': 'ivfparse ! vp9parse ! vavp9dec', 'av1': 'ivfparse ! av1parse ! vaav1dec'}
CLIENTS = {
    'ffmpeg': 'ffmpeg -nostdin -v error -threads 1 -hwaccel vaapi -hwaccel_output_format vaapi -vaapi_device /dev/dri/renderD128 '
              '-i {stream} -f null -',
    'gstreamer': 'gst-launch-1.0 -q --no-fault filesrc location={stream} ! {pipeline} ! fakesink sync=false',
    'mpv': 'mpv --no-config --vo=null --ao=null --hwdec=vaapi-copy --hwdec-codecs=all --msg-level=all=error '
           '--vaapi-device=/dev/dri/renderD128 {stream}',
}
LOG = '/sys/kernel/debug/fakeboard/log'


def command(client, codec):
    stream = os.path.join(ROOT, 'fixtures', codec, STREAMS[codec])
    return f'timeout 120 {CLIENTS[client].format(stream=stream, pipeline=GSTREAMER[codec])}'


class Recorder(InTheGuest):
    copied = (TOOL,)

    def setUp(self):
        self.tool = os.path.join(self.folder, os.path.basename(TOOL))
        self.out = os.path.join(self.folder, self.id().rsplit('.', maxsplit=1)[-1])
        os.makedirs(self.out)
        self.addCleanup(shutil.rmtree, self.out)

    def run_in(self, device, lines, options='wait', **settings):
        done = self.guest(device, 'sh', '-c', '\n'.join(lines),
                          env={'V4L2_REQUEST_RECORD_OPTIONS': options, 'GST_VA_ALL_DRIVERS': '1'}, timeout=900, **settings)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def record(self, client, codec):
        return f'V4L2_REQUEST_RECORD={self.out}/{client}-{codec}.rec {command(client, codec)}'

    def replay(self, *words):
        return subprocess.run([self.tool, *words], capture_output=True, text=True, check=False)

    def assert_all_equal(self, said, recordings):
        last = re.findall(r'^(\d+) pictures of \d+ jobs: (\d+) equal, 0 different, 0 without a checksum, 0 not taken$', said, re.MULTILINE)
        self.assertEqual(len(last), recordings, said)
        for pictures, equal in last:
            self.assertEqual(pictures, equal, said)
            self.assertGreater(int(pictures), 0)

    def test_clients(self):
        """All clients, all codecs; played on the device that it was recorded on."""
        lines = [self.record(client, codec) for client in CLIENTS for codec in STREAMS]
        said = self.run_in('daedalus', [*lines, f'for each in {self.out}/*.rec; do {self.tool} $each || exit 1; done'])
        self.assert_all_equal(said, len(lines))

    def test_from_rk3399_to_daedalus(self):
        """What clients made rkvdec and hantro do: daedalus' pictures of it are those that it makes of the clients' own jobs."""
        lines = [self.record(client, codec) for client in CLIENTS for codec in RK3399]
        self.run_in('rk3399', lines, kind='--board')
        pairs = [(f'{client}-{codec}.rec', f'own-{codec}.rec') for client in CLIENTS for codec in RK3399]
        self.run_in('daedalus', [f'V4L2_REQUEST_RECORD={self.out}/own-{codec}.rec {command("ffmpeg", codec)}' for codec in RK3399]
                    + [f'{self.tool} --no-compare --record {self.out}/played-{name} {self.out}/{name}' for name, _ in pairs])
        for name, own in pairs:
            with self.subTest(name):
                done = self.replay('--diff', f'{self.out}/{own}', f'{self.out}/played-{name}')
                self.assertRegex(done.stdout, r'(?m)^(\d+) pictures of \d+ jobs: \1 equal, 0 different; \1 checksums compared$')
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_from_daedalus_to_rk3399(self):
        """The hardware is told the same, register by register, as by the client itself."""
        self.run_in('daedalus', [self.record('ffmpeg', codec) for codec in RK3399])
        lines = []
        for codec in RK3399:
            lines += [f'echo >{LOG}; {command("ffmpeg", codec)} && cat {LOG} >{self.out}/{codec}.client',
                      f'echo >{LOG}; {self.tool} --no-compare {self.out}/ffmpeg-{codec}.rec && cat {LOG} >{self.out}/{codec}.played']
        self.run_in('rk3399', lines, kind='--board')
        for codec in RK3399:
            with self.subTest(codec), open(f'{self.out}/{codec}.client', encoding='ascii') as client, \
                    open(f'{self.out}/{codec}.played', encoding='ascii') as played:
                lines = client.readlines()
                self.assertGreater(len(lines), 50)
                self.assertEqual(lines, played.readlines())

    def test_a_damaged_field_is_found(self):
        """The job is named, the picture marked; without the damage, the same recording is equal."""
        name = f'{self.out}/ffmpeg-h264.rec'
        said = self.run_in('daedalus', [
            self.record('ffmpeg', 'h264'), f'mkdir {self.out}/png', f'{self.tool} {name}',
            f'{self.tool} --pictures {self.out}/png --mutate 5:H264_PPS.chroma_qp_index_offset=3 {name}; echo status $?'], options='pictures,wait')
        before, after = said.split('session 1:')[1:]
        self.assert_all_equal(before, 1)
        self.assertIn('status 1', after)
        first = re.search(r'^picture (\d+), session 1, job (\d+).*, other pixels, (\d+) of 99 blocks, from .*, (\S+[.]png)$', after, re.MULTILINE)
        self.assertTrue(first, after)
        self.assertEqual(first[2], '5')
        self.assertGreater(int(first[3]), 0)
        with open(first[4], 'rb') as file:
            self.assertEqual(file.read(8), b'\x89PNG\r\n\x1a\n')
        # Both pictures, and the gap between them.
        size = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', first[4]],
                              capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(size, f'{2 * 176 + 8},144')
        shown = self.replay('--show', '5', name).stdout
        self.assertIn('H264_PPS.chroma_qp_index_offset = -2', shown)
        done = self.replay('--extract', f'0={self.out}/first', name)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(f'{self.out}/first', 'rb') as bitstream, open(os.path.join(ROOT, 'fixtures/h264/main-b.h264'), 'rb') as stream:
            self.assertIn(bitstream.read(), stream.read())

    def test_pictures_are_the_same_while_recording(self):
        md5 = 'ffmpeg -nostdin -v error -hwaccel vaapi -hwaccel_output_format vaapi -vaapi_device /dev/dri/renderD128 -i {} -vf ' \
              'hwdownload,format=nv12 -f framemd5 -'
        lines = []
        for codec in STREAMS:
            stream = os.path.join(ROOT, 'fixtures', codec, STREAMS[codec])
            lines += [f'{md5.format(stream)} >{self.out}/{codec}.off', f'V4L2_REQUEST_RECORD={self.out}/{codec}.rec {md5.format(stream)} >{self.out}/{codec}.on']
        self.run_in('daedalus', lines, options='')
        for codec in STREAMS:
            with open(f'{self.out}/{codec}.off', encoding='ascii') as off, open(f'{self.out}/{codec}.on', encoding='ascii') as on:
                self.assertEqual(off.read(), on.read(), codec)

    def test_a_full_disk_ends_the_recording(self):
        """And nothing else: every picture is there, and what was written is whole."""
        disk = '/tmp/disk'
        frames = command('ffmpeg', 'vp9').replace('-f null', '-vf hwdownload,format=nv12 -f framemd5')
        said = self.run_in('daedalus', [
            f'mkdir {disk} && mount -t tmpfs -o size=100k none {disk}',
            f'{frames} | md5sum',
            f'V4L2_REQUEST_LOG={self.out}/log V4L2_REQUEST_RECORD={disk}/x.rec {frames} | md5sum',
            f'cp {disk}/x.rec {self.out}; cat {self.out}/log'], options='pictures')
        without, recording = said.splitlines()[:2]
        self.assertEqual(without, recording)
        self.assertIn('the recording ends: No space left on device', said)
        info = self.replay('--info', f'{self.out}/x.rec')
        self.assertEqual(info.returncode, 0, info.stderr)
        self.assertIn('end: the process ended before', info.stdout)
        self.assertGreater(len(self.replay('--list', f'{self.out}/x.rec').stdout.splitlines()), 0)

    def test_nothing_personal(self):
        """No name of a file, user, program or host; no file where nothing was decoded; nothing is overwritten."""
        name = f'{self.out}/somebody.rec'
        self.run_in('daedalus', [f'export V4L2_REQUEST_RECORD={name}; hostname somehost; export USER=someone',
                                 'vainfo --display drm --device /dev/dri/renderD128 >/dev/null 2>&1', f'test ! -e {name}',
                                 command('ffmpeg', 'h264'), command('ffmpeg', 'h264'), f'test -s {name}.1'])
        with open(name, 'rb') as file:
            content = file.read().lower()
        for word in (b'somebody', b'somehost', b'someone', b'ffmpeg', b'main-b', b'fixtures', b'root', b'/tmp', b'/home'):
            self.assertNotIn(word, content)

    def test_wrong_options(self):
        self.assertEqual(self.replay().returncode, 2)
        self.assertEqual(self.replay('--nothing', 'x').returncode, 2)
        self.assertEqual(self.replay('/dev/null').returncode, 2)
        self.assertIn('is no recording', self.replay('/dev/null').stderr)
        self.assertIn('--mutate', self.replay('--help').stdout)


if __name__ == '__main__':
    unittest.main(verbosity=2)
