#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""v4l2-request-info in the guest: what it says of each device, and that nothing a device does makes it crash.

BUILD names the build folder (default: build). What it says is compared with what vainfo lists through the driver."""

import json
import os
import re
import subprocess
import unittest

from in_guest import BUILD, InTheGuest

TOOL = os.path.join(BUILD, 'src/v4l2-request-info')
SHIM = os.path.join(BUILD, 'tests/guest/ioctl_faults.so')
SECTIONS = ['driver', 'built_for_libva', 'codecs_of_this_build', 'machine', 'profiles', 'notes', 'media_devices',
            'decoders', 'other_video_nodes', 'drm_nodes']
VAINFO = 'vainfo --display drm --device /dev/dri/renderD128'
# What each board decodes with which of the kernel's drivers, by the boards' documentation; a codec that is not here has
# to be declined by each node of the board.
PROFILES = {'MPEG-2': ('MPEG2Simple', 'MPEG2Main'), 'H.264': ('H264ConstrainedBaseline', 'H264Main', 'H264High'),
            'HEVC': ('HEVCMain',), 'VP8': ('VP8Version0_3',), 'VP9': ('VP9Profile0',),
            'H.264 10': ('H264High10',), 'HEVC 10': ('HEVCMain10',), 'VP9 10': ('VP9Profile2',)}
BOARDS = {
    'h3': {'MPEG-2': 'cedrus', 'H.264': 'cedrus', 'HEVC': 'cedrus', 'VP8': 'cedrus'},
    'imx8mq': {'MPEG-2': 'hantro-vpu', 'H.264': 'hantro-vpu', 'VP8': 'hantro-vpu', 'HEVC': 'hantro-vpu',
               'VP9': 'hantro-vpu', 'HEVC 10': 'hantro-vpu', 'VP9 10': 'hantro-vpu'},
    'rk3288': {'MPEG-2': 'hantro-vpu', 'H.264': 'hantro-vpu', 'VP8': 'hantro-vpu', 'HEVC': 'rkvdec', 'HEVC 10': 'rkvdec'},
    'rk3399': {'MPEG-2': 'hantro-vpu', 'VP8': 'hantro-vpu', 'H.264': 'rkvdec', 'HEVC': 'rkvdec', 'VP9': 'rkvdec',
               'H.264 10': 'rkvdec', 'HEVC 10': 'rkvdec'},
    'rk3568': {'MPEG-2': 'hantro-vpu', 'H.264': 'hantro-vpu', 'VP8': 'hantro-vpu'},
    'rk3576': {'H.264': 'rkvdec', 'HEVC': 'rkvdec', 'H.264 10': 'rkvdec', 'HEVC 10': 'rkvdec'},
    'rk3588': {'MPEG-2': 'hantro-vpu', 'VP8': 'hantro-vpu', 'H.264': 'rkvdec', 'HEVC': 'rkvdec', 'H.264 10': 'rkvdec',
               'HEVC 10': 'rkvdec'},
}
UNPRIVILEGED = '''
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
os.execv(sys.argv[1], sys.argv[1:])
'''
# Ioctls of a run are made to fail, or to claim success without having done anything: one alone, or all after it too.
STRANGE = '''
import errno, json, os, subprocess, sys
tool, shim = sys.argv[1:]
def run(error, first, last):
    return subprocess.run([tool, '--json'], capture_output=True, timeout=30,
                          env=dict(os.environ, LD_PRELOAD=shim, IOCTL_FAULTS=f'{error} {first} {last}'))
total = int(run(0, 0, -1).stderr.split()[-2])
runs, faults, statuses = 0, [], set()
for error in (errno.EIO, errno.ENOMEM, 0):
    for first in sorted({*range(1, 12), *range(1, total + 1, total // 20)}):
        for last in (first, 10**9):
            done = run(error, first, last)
            runs += 1
            statuses.add(done.returncode)
            where = f'{os.strerror(error)} from {first} to {last}'
            if done.returncode not in (0, 1):
                faults.append(f'{where}: status {done.returncode}')
            try:
                profiles = json.loads(done.stdout)['profiles']
            except ValueError:
                faults.append(f'{where}: no report: {done.stderr[-200:]}')
                continue
            silent = [name for name, row in profiles.items() if not row['offered'] and not row['because']]
            if silent:
                faults.append(f'{where}: no reason for {silent}')
print(json.dumps({'total': total, 'runs': runs, 'faults': faults, 'statuses': sorted(statuses)}))
'''


class Info(InTheGuest):
    copied = (TOOL, SHIM)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tool = os.path.join(cls.folder, os.path.basename(TOOL))

    def guest(self, device, *command, options=(), timeout=120):
        return super().guest(device, *command, kind='--board' if device in BOARDS else '--device', options=options,
                             timeout=timeout)

    def report(self, device, **settings):
        """The report as a tree and as text, and the profiles that vainfo lists in the same guest."""
        result = self.guest(device, 'sh', '-c', f'{self.tool} --json; echo "status $?"; {self.tool}; echo "status $?";'
                            f'{VAINFO} 2>/dev/null | grep -o "VAProfile[A-Za-z0-9_]*"', **settings)
        as_json, status, text, again, listed = re.split(r'^status (\d)\n', result.stdout, flags=re.MULTILINE)
        self.assertEqual(status, again, result.stdout + result.stderr)
        report = json.loads(as_json)
        self.assertEqual(list(report), SECTIONS)
        self.assertEqual(re.findall(r'^(\w+):', text, re.MULTILINE), SECTIONS)
        offered = [name for name, row in report['profiles'].items() if row['offered']]
        self.assertEqual(int(status), 0 if offered else 1)
        self.assertEqual(sorted(offered), sorted(listed.split()), 'the tool and the driver say different things')
        for name, row in report['profiles'].items():
            self.assertTrue(row['by'] if row['offered'] else row['because'], name)
            self.assertIn(f'  {name}:', text)
        return report, text

    def check_decoder(self, report, driver):
        self.assertEqual([row['driver'] for row in report['decoders'].values()], [driver])
        (node,) = report['decoders'].values()
        for name, codec in node['codecs'].items():
            if not codec['offered']:
                continue
            self.assertIn('offered', codec['profiles'].values(), name)
            self.assertRegex(codec['sizes'], r'^\d+x\d+ to \d+x\d+, step \d+x\d+$')
            self.assertTrue([each for each in codec['capture_formats'] if each.startswith('NV12 (DRM NV12:0')], name)
            self.assertIn('requests', codec['output_buffers'])
            self.assertIn('dmabuf', codec['capture_buffers'])
            self.assertEqual(codec['missing_required_controls'], [])
            self.assertTrue(codec['buffers'])
        return node

    def test_visl(self):
        report, _ = self.report('visl')
        node = self.check_decoder(report, 'visl')
        self.assertIn('video decoder', [each['function'] for each in report['media_devices']['/dev/media0']['entities']])
        (menu,) = [value for name, value in node['controls'].items() if name.endswith('H264 Decode Mode')]
        self.assertRegex(menu, r'Slice-Based\*? \| Frame-Based\*?')
        self.assertTrue(any('SFWH (not known to this driver)' == each for each in node['output_formats']))

    def test_daedalus(self):
        report, _ = self.report('daedalus')
        self.check_decoder(report, 'daedalus')

    def test_daedalus_with_one_codec(self):
        report, text = self.report('daedalus', options=('--module-arg', 'codecs=vp9'))
        node = self.check_decoder(report, 'daedalus')
        self.assertEqual([name for name, codec in node['codecs'].items() if codec['offered']], ['VP9'])
        for name, row in report['profiles'].items():
            if name.startswith('VAProfileVP9'):
                continue
            (reason,) = row['because']
            self.assertRegex(reason, r'^/dev/video\d+ \(daedalus\): does not decode ')
        self.assertIn('VAProfileMPEG2Main: offered no, because /dev/video0 (daedalus): does not decode MPEG-2', text)

    def test_vicodec(self):
        """Stateful, and a stateless one of a codec that VA-API does not have."""
        report, _ = self.report('vicodec')
        self.assertTrue(report['decoders'] or report['other_video_nodes'])
        for row in report['profiles'].values():
            self.assertTrue(row['because'])

    def test_boards(self):
        """The profiles of each board with the node that serves them, and a reason of each node for the others."""
        for board, drivers in BOARDS.items():
            with self.subTest(board):
                self.check_board(board, drivers)

    def check_board(self, board, drivers):
        report, _ = self.report(board)
        self.assertIn(f'fakeboard {board}', report['machine']['model'])
        for codec, names in PROFILES.items():
            for name in names:
                row = report['profiles']['VAProfile' + name]
                if codec in drivers:
                    self.assertRegex(row.get('by', str(row)), rf'^/dev/video\d+ \({drivers[codec]}\)$', name)
                elif codec.endswith(' 10'):
                    self.assertFalse(row['offered'], name)
                    self.assertEqual(len(row['because']), len(report['decoders']), row)
                else:
                    self.assertEqual(row['because'], [f'{path} ({node["driver"]}): does not decode {codec}'
                                                      for path, node in report['decoders'].items()], name)
        # No buffers of a size that is offered are smaller than it.
        for path, node in report['decoders'].items():
            for codec in node['codecs'].values():
                for size, answer in codec.get('buffers', {}).items():
                    picture = re.search(r'CAPTURE \w+ (\d+x\d+)', answer)
                    self.assertTrue(picture, f'{path} {size}: {answer}')
                    for asked, given in zip(size.split('x'), picture[1].split('x')):
                        self.assertGreaterEqual(int(given), int(asked), f'{path} {size}: {answer}')

    def test_no_device(self):
        report, text = self.report('none')
        self.assertEqual(report['notes'], ['there is no /dev/media* on this machine'])
        self.assertEqual(report['profiles']['VAProfileMPEG2Main']['because'], report['notes'])
        self.assertIn('notes: there is no /dev/media* on this machine', text)
        self.assertIn('vgem', report['drm_nodes']['/dev/dri/renderD128']['driver'])

    def test_no_permission(self):
        result = self.guest('visl', 'python3', '-c', UNPRIVILEGED, self.tool, '--json')
        report = json.loads(result.stdout)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(report['notes'], ['/dev/media0: cannot be opened: Permission denied'])
        self.assertEqual(report['media_devices']['/dev/media0']['access'], 'root:root 0600: Permission denied')
        self.assertEqual(report['profiles']['VAProfileH264Main']['because'], report['notes'])
        self.assertFalse(report['machine']['root'])

    def test_no_permission_for_the_video_node(self):
        result = self.guest('visl', 'sh', '-c', 'chmod 666 /dev/media0 && exec "$@"', 'sh', 'python3', '-c', UNPRIVILEGED,
                            self.tool, '--json')
        report = json.loads(result.stdout)
        self.assertEqual(report['notes'], ['/dev/video0 (visl): open(/dev/video0): Permission denied'])
        self.assertEqual(report['profiles']['VAProfileVP9Profile0']['because'], report['notes'])
        self.assertEqual(report['decoders']['/dev/video0']['access'], 'root:root 0600: Permission denied')

    def test_strange_devices(self):
        result = self.guest('visl', 'python3', '-c', STRANGE, self.tool, os.path.join(self.folder, 'ioctl_faults.so'),
                            timeout=600)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        seen = json.loads(result.stdout)
        print(f"{seen['total']} ioctls, {seen['runs']} runs with faults, exit statuses {seen['statuses']}", flush=True)
        self.assertEqual(seen['faults'], [])
        self.assertEqual(seen['statuses'], [0, 1])

    def test_options(self):
        help_text = subprocess.run([self.tool, '--help'], capture_output=True, text=True, check=True).stdout
        self.assertIn('--json', help_text)
        wrong = subprocess.run([self.tool, '--wrong'], capture_output=True, text=True, check=False)
        self.assertEqual((wrong.returncode, wrong.stdout), (2, ''))


if __name__ == '__main__':
    unittest.main(verbosity=2)
