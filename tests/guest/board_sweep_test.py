#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/board-sweep, with the guest as the board: what it says of its decoder is what scripts/hash-sweep says.

BUILD names the build folder (default: build)."""

import html.parser
import json
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BUILD = os.path.realpath(os.environ.get('BUILD', os.path.join(ROOT, 'build')))
DAEDALUS = os.environ.get('DAEDALUS_BUILD', os.path.join(BUILD, 'daedalus'))
FILTERS = ('main-b.h264', 'ipb.m2v', '^weighted.h265', 'plain.ivf', 'high422.h264')
RESULTS = ('codec', 'file', 'frames', 'libva', 'kdirect', 'sw', 'verdict', 'expect', 'notes', 'counts')
LAVA = os.path.join(ROOT, 'boards/lava/report.py')


class Page(html.parser.HTMLParser):
    """What is in a page, and which elements were not closed."""

    VOID = ('meta', 'link', 'img')

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.links, self.text = [], [], [], ''

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name == 'src']
        self.links += [value for name, value in attrs if name == 'href' and tag == 'a']

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f'</{tag}> does not close what is open')

    def handle_data(self, data):
        self.text += data


class BoardSweep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for needed in ('src/v4l2-request-info', 'src/v4l2_request_drv_video.so'):
            if not os.path.exists(os.path.join(BUILD, needed)):
                raise unittest.SkipTest(f'{needed} is not built')
        if not os.path.exists(os.path.join(DAEDALUS, 'kernel/daedalus_v4l2.ko')):
            raise unittest.SkipTest('the kernel module of daedalus is not built')
        cls.folder = tempfile.mkdtemp(prefix='board_sweep.')
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def sweep(self, *options, filters=FILTERS, device='daedalus', module=()):
        """Runs board-sweep in the guest. Returns how it ended, and its JSON, if it wrote some."""
        path = os.path.join(self.folder, 'board.json')
        if os.path.exists(path):
            os.unlink(path)
        words = [word for name in filters for word in ('--filter', name)]
        done = subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', device, '--daedalus', DAEDALUS,
             *(word for each in module for word in ('--module-arg', each)), '--mem', '3G', '--share', BUILD, '--share',
             self.folder, '--env', 'V4L2_REQUEST_CACHE=/tmp/cache', '--', os.path.join(ROOT, 'scripts/board-sweep'),
             '--build', BUILD, '--json', path, '--html', os.path.join(self.folder, 'board.html'), *words, *options],
            capture_output=True, text=True, check=False, timeout=900)
        if not os.path.exists(path):
            return done, None
        with open(path, encoding='utf-8') as file:
            return done, json.load(file)

    def test_the_same_as_the_sweep(self):
        done, board = self.sweep()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        path = os.path.join(self.folder, 'guest.json')
        subprocess.run([os.path.join(ROOT, 'scripts/hash-sweep'), '--build', BUILD, '--json', path,
                        *(word for name in FILTERS for word in ('--filter', name))], check=True, stdout=subprocess.DEVNULL)
        with open(path, encoding='utf-8') as file:
            guest = json.load(file)
        self.assertEqual(len(guest), 8)  # some names are there for several codecs
        self.assertEqual([{name: row[name] for name in RESULTS} for row in board['streams']],
                         [{name: row[name] for name in RESULTS} for row in guest])
        self.assertRegex(board['machine']['kernel'], r'^Linux \d+\.\d+')
        self.assertRegex(board['driver'], r'^v4l2_request \d')
        self.assertIn('VAProfileH264Main: offered yes, by /dev/video', board['info_text'])
        self.assertEqual(len(board['clients']), 2)
        self.assertEqual(board['left_out'], {})

        # The same for people: one file, with a picture of each stream that is decoded.
        page = Page()
        with open(os.path.join(self.folder, 'board.html'), encoding='utf-8') as file:
            page.feed(file.read())
        self.assertEqual(page.open, [])
        self.assertEqual(len(page.sources), 7)
        self.assertTrue(all(source.startswith('data:image/jpeg;base64,') for source in page.sources))
        self.assertIn('8 of 8 streams are as they should be.', page.text)
        self.assertIn('VAProfileH264Main: offered yes', page.text)
        self.assertRegex(page.text, r'/dev/video\d+ \(daedalus\w*\): \d\.\d\d of the speed of ordinary memory from /dev/dma_heap/system')
        # And joined with others.
        shutil.copy(os.path.join(self.folder, 'guest.json'), os.path.join(self.folder, 'rows.json'))
        joined = subprocess.run([os.path.join(ROOT, 'scripts/sweep-report'), self.folder], capture_output=True, text=True, check=True)
        self.assertIn('rows.json is not of board-sweep', joined.stderr)
        page = Page()
        with open(os.path.join(self.folder, 'index.html'), encoding='utf-8') as file:
            page.feed(file.read())
        self.assertEqual((page.open, page.links), ([], ['board.html']))
        self.assertIn('2 of 2', page.text)

        # A forge: nothing is worse than what was accepted, and what is, fails.
        results, baseline = (os.path.join(self.folder, name) for name in ('board.json', 'baselines/guest.json'))
        junit = [os.path.join(ROOT, 'contrib/ci/junit.py'), results, '--baseline', baseline]
        subprocess.run([*junit, '--accept'], check=True)
        subprocess.run([*junit, '--junit', os.path.join(self.folder, 'junit.xml')], check=True)
        board['streams'][0]['verdict'] = 'libva: signal 11'
        with open(results, 'w', encoding='utf-8') as file:
            json.dump(board, file)
        worse = subprocess.run(junit, capture_output=True, text=True, check=False)
        self.assertEqual((worse.returncode, worse.stdout.count('signal 11')), (1, 1))
        board['streams'][0]['verdict'] = 'match'
        with open(results, 'w', encoding='utf-8') as file:
            json.dump(board, file)

        # What a lab is told of it, by a lava-test-case of our own.
        said = os.path.join(self.folder, 'said')
        with open(os.path.join(self.folder, 'lava-test-case'), 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\necho "$@" >> {said}\n')
        os.chmod(file.name, 0o755)
        subprocess.run([LAVA, os.path.join(self.folder, 'board.json')], check=True,
                       env=dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}"))
        with open(said, encoding='utf-8') as file:
            cases = file.read().splitlines()
        self.assertEqual(len(cases), 8)
        self.assertIn('h264-main-b.h264 --result pass --measurement 12 --units frames', cases)

    def test_what_the_board_does_not_have(self):
        done, board = self.sweep(filters=('plain.ivf', 'ipb.m2v'), module=('codecs=vp9',))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual([row['codec'] for row in board['streams']], ['vp9'])
        self.assertEqual(board['left_out'], {'no node of this board serves av1': ['av1/plain.ivf', 'av1/grain-plain.ivf'],
                                             'no node of this board serves mpeg2': ['mpeg2/ipb.m2v'],
                                             'no node of this board serves vp8': ['vp8/plain.ivf']})

    def test_no_decoder(self):
        done, board = self.sweep(device='none')
        self.assertEqual((done.returncode, board), (1, None))
        self.assertIn('there is no /dev/media* on this machine', done.stdout)
        self.assertIn('board-sweep: the driver offers nothing on this machine', done.stderr)

    def test_frames_that_are_not_the_stream(self):
        """A table that says something else of the stream than what comes out, of any column."""
        path = os.path.join(self.folder, 'h264')
        os.makedirs(path)
        shutil.copy(os.path.join(ROOT, 'fixtures/h264/main-b.h264'), path)
        with open(os.path.join(self.folder, 'vectors.tsv'), 'w', encoding='utf-8') as file:
            file.write('codec\tfile\texpect\tframes\tmd5_nv12\nh264\tmain-b.h264\tdecode\t11\t' + '0' * 32 + '\n')
        done, board = self.sweep('--vectors', self.folder, filters=())
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn('sw: not the hash that the table has', board['streams'][0]['notes'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
