#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The sweep's own logic: what must fail does fail, and what is read is read right. Needs no guest."""

import collections
import contextlib
import hashlib
import io
import json
import os
import re
import struct
import sys
import tempfile
import threading
import types
import unittest
import zlib

sys.dont_write_bytecode = True
SCRIPTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../../scripts')
sys.path.insert(0, os.path.join(SCRIPTS, 'lib'))
import bits  # pylint: disable=wrong-import-position
import facts  # pylint: disable=wrong-import-position
import streams as library  # pylint: disable=wrong-import-position
from facts import h264 as facts_h264  # pylint: disable=wrong-import-position
from facts import hevc as facts_hevc  # pylint: disable=wrong-import-position
from facts import vpx as facts_vpx  # pylint: disable=wrong-import-position
from facts.picture import Picture  # pylint: disable=wrong-import-position
from rewrite import h264 as h264_rewrite  # pylint: disable=wrong-import-position
from rewrite import mpeg2 as mpeg2_rewrite  # pylint: disable=wrong-import-position
from sweep import board as boards  # pylint: disable=wrong-import-position
from sweep import differences, payload, places, runner, sweep  # pylint: disable=wrong-import-position
from sweep import verdict as judge  # pylint: disable=wrong-import-position

FIXTURES = os.path.realpath(os.path.join(SCRIPTS, '../fixtures'))


GOOD_FRAMES = ['6:aa', '6:bb', '6:cc']


def result(frames=None, error=None, **more):
    return {
        'frames': GOOD_FRAMES if frames is None else frames,
        'error': error,
        'status': 0,
        'log': '',
        'seconds': 1,
        **more,
    }


def stream(expect='decode', **results):
    made = library.Stream('h264', '/nowhere/a.h264', {'expect': expect, 'frames': '3', 'md5_nv12': 'whole'})
    made.results = {'sw': {'frames': GOOD_FRAMES, 'md5': 'whole', 'log': ''}, **results}
    return made


def row(client, when, differs, codec='*'):
    return {'codec': codec, 'client': client, 'when': when, 'differs': differs, 'why': 'clause 1.2.3'}


def known(*words, pictures=(), said=()):
    """Facts of a stream that is nowhere."""
    made = facts.Facts(library.Stream('none', '/nowhere/a.none', {}))
    made.words, made.pictures, made.said = set(words), list(pictures), set(said)
    return made


def made_difference(frames, expected):
    return judge.difference('libva', frames, 'sw', expected, True)


def damage_of(shown, packets, pictures=()):
    saved, facts.read_damage = facts.read_damage, lambda path: (shown, packets)
    try:
        return facts.Damage(stream(), known(pictures=pictures)).of_frames
    finally:
        facts.read_damage = saved


class Verdict(unittest.TestCase):
    def verdict_of(self, made, pixels=True, rows=(), facts_of=(), client='ffmpeg'):
        return judge.Judge(rows, client).verdict(made, pixels, lambda: known(*facts_of))[0]

    def check(self, made, expected, pixels=True, **options):
        self.assertIn(expected, self.verdict_of(made, pixels, **options))

    def is_good(self, made, **options):
        return self.verdict_of(made, **options) in judge.GOOD

    def test_all_equal(self):
        self.check(stream(libva=result(), kdirect=result()), 'match')

    def test_one_wrong_frame_fails_in_each_column(self):
        wrong = result(['6:aa', '6:xx', '6:cc'])
        self.check(stream(libva=wrong, kdirect=result()), 'libva != sw: 1 of 3 frames, first 1')
        self.check(stream(libva=result(), kdirect=wrong), 'kdirect != sw: 1 of 3 frames, first 1')

    def test_a_frame_of_another_size_with_the_same_hash_fails(self):
        self.assertFalse(self.is_good(stream(libva=result(['7:aa', '6:bb', '6:cc']))))

    def test_a_missing_frame_fails(self):
        self.check(stream(libva=result(['6:aa', '6:bb'])), 'libva has 2 frames, sw 3')
        self.check(stream(libva=result(['6:aa', '6:bb'])), 'libva has 2 frames, sw 3', pixels=False)

    def test_a_wrong_hash_in_the_table_fails(self):
        made = stream(libva=result(), kdirect=result())
        made.md5 = 'corrupted'
        self.check(made, 'not the hash that the table has')

    def test_software_fallback_fails_even_with_the_right_frames(self):
        self.check(stream(libva=result(error='software fallback'), kdirect=result()), 'software fallback')

    def test_the_error_flag_fails_even_with_the_right_frames(self):
        self.check(stream(libva=result(flagged=2), kdirect=result()), 'libva: 2 buffers with the error flag')
        self.check(stream(libva=result(), kdirect=result(flagged=1)), 'kdirect: 1 buffers with the error flag')
        self.check(stream(libva=result(flagged=0), kdirect=result(flagged=0)), 'match')

    def test_crash_hang_and_death_fail(self):
        for error in ('signal 11', 'timeout', 'guest died'):
            self.check(stream(libva=result(error=error)), error)
            self.check(stream(libva=result(), sw=result([], error=error)), f'sw: {error}')

    def test_no_frames_anywhere_fail(self):
        made = stream(libva=result([]), kdirect=result([]))
        made.results['sw']['frames'], made.count = [], 0
        self.check(made, 'no frame at all')

    def test_without_software_the_kernel_decides(self):
        made = stream(libva=result(['6:xx', '6:bb', '6:cc']), kdirect=result())
        del made.results['sw']
        self.check(made, 'libva != kdirect')
        rule = {'rows': [row('kdirect', 'size-changed', 'anything')], 'facts_of': ['size-changed']}
        self.check(made, 'match (but for GStreamer)', **rule)
        made.results['libva'] = result(error='signal 11')
        self.check(made, 'signal 11', **rule)

    def test_only_a_stream_of_10_bits_may_be_declined_by_all(self):
        made = stream(libva=result([], error='software fallback'), kdirect=result([]))
        del made.results['sw']
        self.assertFalse(judge.declined_by_all(made))
        made.format = 'p010le'
        self.assertTrue(judge.declined_by_all(made))
        made.results['kdirect'] = result()
        self.assertFalse(judge.declined_by_all(made))

    def test_on_visl_pixels_do_not_count(self):
        self.check(stream(libva=result(['1:x'] * 3), kdirect=result(['1:y'] * 3)), 'match', pixels=False)

    def test_refusal(self):
        self.check(stream('refuse', libva=result([], error='software fallback')), 'match (declined)')
        self.check(stream('refuse', libva=result([])), 'match (declined)')
        self.check(stream('refuse', libva=result()), 'not declined: 3 frames')
        self.check(stream('refuse', libva=result([], error='signal 6')), 'signal 6')
        self.check(stream('refuse', libva=result([], error='timeout')), 'timeout')
        self.check(stream('any', libva=result([])), 'match (declined)')
        self.check(stream('any', libva=result()), 'match')
        self.check(stream('any', libva=result(['6:xx'] * 3)), 'libva != sw')

    def test_rules_excuse_their_client_only(self):
        rule = {'rows': [row('kdirect', 'size-changed', 'anything')], 'facts_of': ['size-changed']}
        self.check(stream(libva=result(), kdirect=result([])), 'match (but for GStreamer)', **rule)
        self.assertFalse(self.is_good(stream(libva=result([]), kdirect=result([])), **rule))
        self.assertFalse(self.is_good(stream(libva=result([]), kdirect=result()), **rule))

    def test_a_rule_needs_its_condition(self):
        rows = [row('kdirect', 'size-changed', 'anything')]
        self.assertFalse(self.is_good(stream(libva=result(), kdirect=result([])), rows=rows, facts_of=['field']))

    def test_what_may_be_wrong(self):
        long = [f'6:{number:02x}' for number in range(20)]
        for differs, frames, expected, good in (
            ('missing', GOOD_FRAMES[:2], GOOD_FRAMES, True),
            ('missing', [GOOD_FRAMES[0], '6:xx'], GOOD_FRAMES, False),
            ('missing', GOOD_FRAMES + ['6:dd'], GOOD_FRAMES, False),
            ('all', [], GOOD_FRAMES, True),
            ('all', GOOD_FRAMES[:1], GOOD_FRAMES, False),
            ('last', long[:-1] + ['6:xx'], long, True),
            ('last', ['6:xx'] + long[1:], long, False),
            ('last', long[:-1], long, False),
        ):
            with self.subTest(differs, frames=frames):
                made = stream(libva=result(frames))
                made.count, made.results['sw']['frames'] = len(expected), expected
                rule = {'rows': [row('ffmpeg', 'field', differs)], 'facts_of': ['field']}
                self.assertEqual(self.verdict_of(made, **rule), judge.KNOWN if good else made_difference(frames, expected))

    def test_a_rule_may_excuse_what_comes_from_its_first_picture_on(self):
        pictures = [Picture(set()), Picture({'second-field'}), Picture({'hidden'}), Picture(set()), Picture({'container-parameters'})]
        facts_of = lambda: known('container-parameters', pictures=pictures)
        rules = judge.Judge([row('kdirect', 'container-parameters', 'from-there')], 'ffmpeg')
        for frames, good in ((GOOD_FRAMES[:2], True), (GOOD_FRAMES[:2] + ['6:xx'], True), (GOOD_FRAMES[:1], False),
                             (['6:xx', *GOOD_FRAMES[1:]], False)):
            with self.subTest(frames=frames):
                made = stream(libva=result(), kdirect=result(frames))
                self.assertEqual(rules.verdict(made, True, facts_of)[0] in judge.GOOD, good)
        pictures.pop()
        self.assertNotIn(rules.verdict(made, True, facts_of)[0], judge.GOOD)

    def test_only_what_is_damaged_may_differ(self):
        expected = [f'6:{name}' for name in 'abcdefgh']
        damage = types.SimpleNamespace(of_frames=[False, False, True, True, False, False, True, True], not_shown=0)
        for frames, good in (
            ('abcdefgh', True),
            ('abxxefxx', True),
            ('abefxx', True),
            ('abxxefx', True),
            ('abef', True),
            ('axcdefgh', False),  # a frame before
            ('abcdxfgh', False),  # one between
            ('abxxef' + 'xxx', False),  # too many
            ('abxx', False),  # frames that are not damaged are missing
            ('abxxxefgh', False),
        ):
            with self.subTest(frames):
                made = [f'6:{name}' for name in frames]
                self.assertEqual(judge.only_damaged_differ(made, expected, damage), good)
        self.assertFalse(judge.only_damaged_differ(made, expected, types.SimpleNamespace(of_frames=[True], not_shown=9)))
        damage.not_shown = 1
        self.assertTrue(judge.only_damaged_differ([f'6:{name}' for name in 'abxxxefgh'], expected, damage))

    def test_what_software_says_of_damage_and_what_follows_from_it(self):
        """Frames as they are shown, of packets I0 P1 B2 P3(damaged) B4 I5 B6 P7: what is behind it up to the next I picture,
        and the B picture that is decoded after that but shown before it."""
        shown = [(0, False, True), (2, False, False), (1, False, False), (4, False, False), (3, True, False),
                 (6, False, False), (5, False, True), (7, False, False)]
        self.assertEqual(damage_of(shown, 8), [False, False, False, True, True, True, False, False])
        shown[6] = (5, True, True)  # the I picture itself is damaged
        self.assertEqual(damage_of(shown, 8)[6:], [True, True])

    def test_a_loss_that_software_does_not_tell(self):
        """A gap in frame_num that the SPS does not allow, at the third of four frames; the facts of each."""
        shown = [(number, False, number == 0) for number in range(4)]
        pictures = [Picture({'idr'}), Picture(set()), Picture({'gap', 'lost'}), Picture({'lost'})]
        self.assertEqual(damage_of(shown, 4, pictures), [False, False, True, True])

    def test_a_container_may_tell_more_than_the_stream_in_it(self):
        made = stream(libva=result(), kdirect=result(['6:xx', '6:bb', '6:cc']))
        made.given = {'kdirect': '/nowhere/elementary'}
        saved = library.software_of, library.ffmpeg_version
        library.ffmpeg_version = lambda: '5'
        try:
            for frames, good in ((['6:xx', '6:bb', '6:cc'], True), (GOOD_FRAMES, False)):
                library.software_of = lambda path, form, version, frames=frames: {'frames': frames}
                self.assertEqual(self.is_good(made), good)
        finally:
            library.software_of, library.ffmpeg_version = saved


    def test_a_limit_of_the_clients_own_is_no_verdict_once_it_ran_alone(self):
        limited = result(GOOD_FRAMES[:2], limit='a second')
        self.check(stream(libva=result(), kdirect=limited), 'kdirect has 2 frames, sw 3')
        self.check(stream(libva=result(), kdirect=dict(limited, again='a second')), 'match (but for GStreamer)')
        self.check(stream(libva=result(), kdirect=dict(limited, again='a second', frames=['6:xx'])), 'kdirect has 1 frames')
        self.check(stream(libva=result(), kdirect=dict(limited, again='a second', frames=GOOD_FRAMES[1:])), 'kdirect has 2 frames')
        self.check(stream(libva=result(), kdirect=result([], error='timeout', again='its time was up')), 'kdirect: timeout')
        self.check(stream(libva=result([]), kdirect=dict(limited, again='a second')), 'libva has 0 frames')
        self.check(stream(libva=dict(limited, again='a second'), kdirect=result()), 'libva has 2 frames, sw 3')


class Limits(unittest.TestCase):
    """What ends by a limit runs again, alone and for longer, when all else has ended."""

    def test_all_that_was_late_runs_again(self):
        runs, rows = [], {}

        def run(tasks, done):
            runs.append([(task['id'], task.get('timeout')) for task in tasks])
            for task in tasks:
                slow = {'slow': {'error': 'timeout'}, 'gst': {'limit': 'a second'}}.get(task['id'], {})
                done(task, result(**({} if task['id'] == 'slow' and 'timeout' in task else slow)))

        place = types.SimpleNamespace(run=run, options=types.SimpleNamespace(timeout=20))
        tasks = [{'id': name} for name in ('slow', 'good', 'gst')]
        sweep.run_all(place, tasks, lambda task, end: rows.setdefault(task['id'], end), lambda: runs.append('idle'))
        self.assertEqual(runs, [[('slow', None), ('good', None), ('gst', None)], 'idle', [('slow', 100)], [('gst', 100)]])
        self.assertEqual({name: (end['error'], end.get('limit'), end.get('again')) for name, end in rows.items()},
                         {'good': (None, None, None), 'slow': (None, None, 'its time was up'),
                          'gst': (None, 'a second', 'a second')})


class Clients(unittest.TestCase):
    """What the clients print, and how it is read."""

    def test_fallback_is_seen_in_what_ffmpeg_says(self):
        for line in (
            '[h264 @ 0x1] Failed setup for format vaapi: hwaccel initialisation returned error.',
            "Impossible to convert between the formats supported by the filter 'a' and the filter 'b'",
        ):
            self.assertTrue(runner.FALLBACK.search(line))
        self.assertFalse(runner.FALLBACK.search('[h264 @ 0x1] Reinit context to 176x144, pix_fmt: yuv420p'))

    def test_what_counts_as_fallback_is_kept_of_the_log(self):
        lines = [
            b'Failed setup for format vaapi: hwaccel initialisation returned error.\n',
            b'Stream mapping:\n',
            b'No support for codec h264 profile 110.\n',
            b'Impossible to convert between the formats supported by the filter\n',
        ]
        kept, stranded = [], threading.Timer(60, self.fail)
        runner.listen(lines, kept, stranded)
        self.assertEqual(len(kept), 3)
        self.assertFalse(stranded.is_alive())

    def test_a_client_that_may_wait_for_ever_is_seen(self):
        stranded = threading.Timer(60, self.fail)
        runner.listen([b"ERROR: pipeline doesn't want to preroll.\n"] * 2, [], stranded)
        self.assertTrue(stranded.is_alive())
        stranded.cancel()

    def test_framemd5(self):
        text = [
            b'#format: frame checksums\n',
            b'#stream#, dts, pts, duration, size, hash\n',
            b'0,          0,          0,        1,    38016, 0123\n',
            b'0,          1,          1,        1,      600, abcd\n',
        ]
        self.assertEqual(runner.read_framemd5(text), ['38016:0123', '600:abcd'])

    @staticmethod
    def packet(kind, body):
        return bytes(4) + struct.pack('>HI', kind, len(body)) + bytes(52) + body

    def test_gdp_with_a_change_of_size(self):
        def caps(width, height):
            return self.packet(
                2, f'video/x-raw, format=(string)NV12, width=(int){width}, height=(int){height}\0'.encode()
            )

        plain = bytes(range(24))  # 4x4: rows of 4, nothing to strip
        padded = b'abXX' b'cdXX' b'uvXX'  # 2x2: rows of 2 in strides of 4
        data = self.packet(64, b'event') + caps(4, 4) + self.packet(1, plain) + caps(2, 2) + self.packet(1, padded)
        frames = runner.read_gdp(io.BytesIO(data + self.packet(1, padded)[:40]))  # the last is cut off
        self.assertEqual(frames, [f'24:{hashlib.md5(plain).hexdigest()}', f'6:{hashlib.md5(b"abcduv").hexdigest()}'])

    def test_gdp_without_the_memory_of_a_damaged_picture(self):
        caps = self.packet(2, b'video/x-raw, format=(string)NV12, width=(int)64, height=(int)64\0')
        # What gdppay says of a frame of 6144 bytes, byte for byte.
        header = bytes.fromhex(
            '0100010000010000180000000000000000000000000001fca055000000000000'
            '000000000000000000010040ffffffffffffffff000000000000d1180000'
        )
        frame = bytes(6144)
        frames = runner.read_gdp(io.BytesIO(caps + header + header + frame + header))
        self.assertEqual(frames, [f'6144:{hashlib.md5(frame).hexdigest()}'])

    def test_gdp_of_p010_with_bits_that_are_none(self):
        caps = self.packet(2, b'video/x-raw, format=(string)P010_10LE, width=(int)2, height=(int)2\0')
        frame = struct.pack('<6H', 0x0041, 0xFFFF, 0x8080, 0x003F, 0x1240, 0xFFC0)
        cleared = struct.pack('<6H', 0x0040, 0xFFC0, 0x8080, 0, 0x1240, 0xFFC0)
        for only_high_bits, wanted in ((False, frame), (True, cleared)):
            frames = runner.read_gdp(io.BytesIO(caps + self.packet(1, frame)), only_high_bits)
            self.assertEqual(frames, [f'12:{hashlib.md5(wanted).hexdigest()}'])

    def test_gdp_odd_height_is_padded_to_two_rows(self):
        padded = b'abcd' b'efgh' b'ijkl' b'....' b'uvuv' b'wxwx'
        self.assertEqual(runner.tight(padded, 4, 3, 1), b'abcdefghijkluvuvwxwx')

    def run_client(self, command, **settings):
        saved, runner.libva_command = runner.libva_command, lambda task, display: command
        try:
            return runner.decode(
                {'column': 'libva', 'codec': 'h264', 'path': '', 'format': 'nv12'},
                {'driver': '', 'display': '', 'timeout': 20, **settings},
            )
        finally:
            runner.libva_command = saved

    def test_a_client_that_crashes(self):
        self.assertEqual(self.run_client(['sh', '-c', 'echo 0,0,0,1,6,aa; kill -SEGV $$'])['error'], 'signal 11')

    def test_the_error_flag_in_the_trace_is_of_a_process(self):
        line = '  h264parse0:sink-71      (     50) [000] ..... 12: v4l2_dqbuf: minor = 0, index = 1, flags = DONE|ERROR\n'
        self.assertEqual(runner.FLAGGED.match(line)[1], '50')
        self.assertIsNone(runner.FLAGGED.match('# tracer: nop\n'))
        self.assertIsNone(runner.FLAGGED.match(line.replace('dqbuf', 'qbuf')))

    def test_a_client_that_gives_up(self):
        for words in ('Decoding frame 7 took too long', 'Request 3 took too long.', 'Decoding frame took too long'):
            self.assertIn('a second', self.run_client(['sh', '-c', f'echo "error: {words}" >&2'])['limit'])
        self.assertIsNone(self.run_client(['sh', '-c', 'echo "error: too long" >&2'])['limit'])

    def test_a_client_that_hangs(self):
        self.assertEqual(self.run_client(['sleep', '60'], timeout=0.2)['error'], 'timeout')

    def test_a_client_that_falls_back(self):
        found = self.run_client(['sh', '-c', 'echo 0,0,0,1,6,aa; echo Failed setup for format vaapi >&2'])
        self.assertEqual((found['frames'], found['error']), (['6:aa'], 'software fallback'))


def trace_of(stamps, picture='', quant='0x8'):
    """What visl says of one MPEG-2 picture after another: (timestamp, type, forward, backward)."""
    text = '# tracer: nop\n#\n'
    for stamp, kind, forward, backward in stamps:
        start = f' gst-launch-1.0-50  [000] .....  {stamp}: '
        text += f'''{start}v4l2_qbuf: minor = 0, type = VIDEO_OUTPUT_MPLANE, timestamp = {stamp}, sequence = 0
{start}v4l2_qbuf: minor = 0, index = 0, type = VIDEO_CAPTURE_MPLANE, flags = X, timestamp = 0, sequence = 0
{start}v4l2_ctrl_mpeg2_sequence: \nhorizontal_size 176\nflags PROGRESSIVE\n
{start}v4l2_ctrl_mpeg2_picture: \nbackward_ref_ts {backward}\nforward_ref_ts {forward}\nflags {picture}\nf_code {{
0f 0f 0f 0f
}}\npicture_coding_type: {kind}
{start}v4l2_ctrl_mpeg2_quantisation: \nintra_quantiser_matrix {{{quant},0x10}}\n'''
    return text.splitlines()


H264_TRACE = '''
 ffmpeg-50 [000] ..... 1: v4l2_qbuf: minor = 0, type = VIDEO_OUTPUT_MPLANE, timestamp = 7000, sequence = 0
 ffmpeg-50 [000] ..... 2: v4l2_ctrl_h264_sps:
profile_idc 77
flags FRAME_MBS_ONLY
 ffmpeg-50 [000] ..... 3: v4l2_ctrl_h264_pps:
weighted_bipred_idc 0
flags ENTROPY_CODING_MODE
 ffmpeg-50 [000] ..... 4: v4l2_ctrl_h264_slice_params:
slice_type I
num_ref_idx_l0_active_minus1 0
num_ref_idx_l1_active_minus1 0
flags
 ffmpeg-50 [000] ..... 5: v4l2_h264_ref_pic_list0: [0]: fields TOP_FIELD_REF|0xfc index 255
 ffmpeg-50 [000] ..... 6: v4l2_ctrl_h264_pred_weights:
luma_log2_weight_denom 0
 ffmpeg-50 [000] ..... 7: v4l2_qbuf: minor = 0, type = VIDEO_OUTPUT_MPLANE, timestamp = 9000, sequence = 0
 ffmpeg-50 [000] ..... 8: v4l2_ctrl_h264_sps:
profile_idc 77
flags FRAME_MBS_ONLY
 ffmpeg-50 [000] ..... 9: v4l2_ctrl_h264_pps:
weighted_bipred_idc 0
flags ENTROPY_CODING_MODE|WEIGHTED_PRED
 ffmpeg-50 [000] ..... 10: v4l2_ctrl_h264_slice_params:
slice_type P
num_ref_idx_l0_active_minus1 0
num_ref_idx_l1_active_minus1 0
flags
 ffmpeg-50 [000] ..... 11: v4l2_h264_ref_pic_list0: [0]: fields TOP_FIELD_REF|BOTTOM_FIELD_REF index 1
 ffmpeg-50 [000] ..... 12: v4l2_h264_ref_pic_list0: [1]: fields TOP_FIELD_REF|0xfc index 255
 ffmpeg-50 [000] ..... 13: v4l2_h264_dpb_entry: [0]: reference_ts 0, pic_num 0 frame_num 0 fields  \
top_field_order_cnt 0 bottom_field_order_cnt 0 flags
 ffmpeg-50 [000] ..... 14: v4l2_h264_dpb_entry: [1]: reference_ts 7000, pic_num 3 frame_num 3 \
fields TOP_FIELD_REF|BOTTOM_FIELD_REF top_field_order_cnt -2 bottom_field_order_cnt -1 flags VALID|ACTIVE
 ffmpeg-50 [000] ..... 15: v4l2_ctrl_h264_pred_weights:
luma_log2_weight_denom 5
# payload 0 12 aaaa
# payload 1 34 bbbb
'''


class Payload(unittest.TestCase):
    IPB = ((1000, 1, 0, 0), (2000, 2, 1000, 0), (3000, 3, 1000, 2000))

    def test_fields_and_references(self):
        jobs = payload.parse(trace_of(self.IPB), 'mpeg2')
        self.assertEqual([job.picture for job in jobs], [0, 1, 2])
        self.assertEqual(jobs[0].fields['mpeg2_sequence.horizontal_size'], '176')
        self.assertEqual(jobs[0].fields['mpeg2_picture.f_code'], '0f 0f 0f 0f')
        self.assertEqual([job.fields['mpeg2_picture.forward_ref_ts'] for job in jobs], ['unused', '#0', '#0'])
        self.assertEqual([job.fields['mpeg2_picture.backward_ref_ts'] for job in jobs], ['unused', 'unused', '#1'])

    def test_other_timestamps_are_the_same_payload(self):
        other = ((0, 1, 5, 5), (77, 2, 0, 5), (33, 3, 0, 77))
        ours, theirs = (payload.parse(trace_of(stamps), 'mpeg2') for stamps in (self.IPB, other))
        self.assertEqual([job.fields for job in ours], [job.fields for job in theirs])

    def test_slices_of_a_picture_share_its_number(self):
        jobs = payload.parse(trace_of(((5, 1, 0, 0), (5, 1, 0, 0), (6, 2, 5, 0))), 'mpeg2')
        self.assertEqual([job.picture for job in jobs], [0, 0, 1])

    def test_h264(self):
        first, second = payload.parse(H264_TRACE.splitlines(), 'h264')
        self.assertEqual(first.fields['h264_slice_params.flags'], '')
        self.assertEqual(first.fields['h264_ref_pic_list0.index'], '')
        self.assertEqual(first.fields['h264_pred_weights.luma_log2_weight_denom'], payload.UNUSED)
        self.assertEqual(second.fields['h264_pred_weights.luma_log2_weight_denom'], '5')
        self.assertEqual(second.fields['h264_ref_pic_list0.index'], '#0')
        self.assertEqual(second.fields['h264_dpb_entry.reference_ts'], '#0')
        self.assertEqual(second.fields['h264_dpb_entry.top_field_order_cnt'], '-2')
        self.assertEqual((first.payload, second.payload), ((12, 'aaaa'), (34, 'bbbb')))

    def compare(self, ours, theirs, exceptions=(), facts_of=None):
        summary = payload.Summary(exceptions)
        words = summary.add(stream(), *(payload.parse(trace, 'mpeg2') for trace in (ours, theirs)), facts_of or known())
        with contextlib.redirect_stdout(io.StringIO()) as output:
            good = summary.print_table()
        return words, good, output.getvalue()

    def test_equal(self):
        words, good, output = self.compare(trace_of(self.IPB), trace_of(self.IPB))
        self.assertIsNone(words)
        self.assertTrue(good)
        self.assertIn('h264: payloads equal in 10 / 10 fields, 0 explained, 0 not; in 30 / 30 values', output)

    def test_a_difference_fails_and_is_shown(self):
        words, good, output = self.compare(trace_of(self.IPB, quant='0x8'), trace_of(self.IPB, quant='0x9'))
        self.assertEqual(words, '3 values differ')
        self.assertFalse(good)
        self.assertIn(
            "intra_quantiser_matrix: 3 times in 1 streams; h264/a.h264 picture 0: libva '0x8,0x10', kdirect '0x9,0x10'",
            output,
        )

    def test_an_explained_difference_is_shown_and_does_not_fail(self):
        rule = differences.Rule(codec='h264', field='other mpeg2_quantisation.intra*', libva='0x8*', kdirect='*', why='clause 1.2.3')
        words, good, output = self.compare(trace_of(self.IPB, quant='0x8'), trace_of(self.IPB, quant='0x9'), [rule])
        self.assertIsNone(words)
        self.assertTrue(good)
        self.assertIn('explained: clause 1.2.3', output)
        self.assertIn('1 explained, 0 not', output)

    def test_the_same_difference_with_other_values_is_not_explained(self):
        rule = differences.Rule(codec='h264', field='mpeg2_quantisation.intra*', libva='0x7*', kdirect='*', why='clause 1.2.3')
        self.assertFalse(self.compare(trace_of(self.IPB, quant='0x8'), trace_of(self.IPB, quant='0x9'), [rule])[1])

    def test_a_missing_job_fails(self):
        words, good, _ = self.compare(trace_of(self.IPB), trace_of(self.IPB[:2]))
        self.assertEqual(words, 'libva sent 3 jobs, kdirect 2')
        self.assertFalse(good)

    def test_jobs_that_only_one_client_sent_leave_the_others_comparable(self):
        def trace(stamps, payloads, quant):
            return trace_of(stamps, quant=quant) + [
                f'# payload {at} 9 {payload}' for at, payload in enumerate(payloads)
            ]

        ours = trace(((1, 1, 0, 0), (2, 2, 1, 0)), 'ip', '0x8')
        rule = differences.Rule(codec='h264', field='job', libva='not sent', kdirect='sent', why='without its reference')
        theirs = ((1, 1, 0, 0), (2, 3, 1, 1), (3, 2, 1, 0))
        self.assertIsNone(self.compare(ours, trace(theirs, 'ibp', '0x8'), [rule])[0])
        self.assertEqual(self.compare(ours, trace(theirs, 'ibp', '0x9'), [rule])[0], '2 values differ')
        theirs = ((1, 1, 0, 0), (2, 3, 1, 1), (3, 2, 2, 0))
        words, _, output = self.compare(ours, trace(theirs, 'ibp', '0x8'), [rule])
        self.assertEqual(words, '1 values differ')
        self.assertIn("forward_ref_ts: 1 times in 1 streams; h264/a.h264 picture 1: libva '#0', kdirect '#other'", output)

    def test_an_empty_trace_fails(self):
        self.assertFalse(self.compare([], [])[1])

    def test_a_rule_asks_for_a_fact_of_the_picture(self):
        """The second of three pictures has it; the first and the third differ as well."""
        def trace(quants):
            lines = [line for stamps, quant in zip(self.IPB, quants) for line in trace_of([stamps], quant=quant)]
            return lines + [f'# payload {at} 1 {hashlib.md5(name).hexdigest()}' for at, name in enumerate(NAMES)]

        NAMES = (b'i', b'p', b'b')
        facts_of = known(pictures=[Picture({'one'}, b'i'), Picture({'one', 'two'}, b'p'), Picture(set(), b'b')])
        for when, different in (('two', 2), ('one', 1), ('one !two', 2), ('*', 0), ('two|one', 1), ('!one|two', 1),
                                ('file:a.h264', 0), ('file:b.*', 3), ('three', 3)):
            with self.subTest(when):
                rule = differences.Rule(codec='*', field='*quant*', libva='*', kdirect='*', when=when, why='clause 1.2.3')
                words, good, _ = self.compare(trace(['0x8'] * 3), trace(['0x9'] * 3), [rule], facts_of)
                self.assertEqual((words, good), (f'{different} values differ' if different else None, not different))

    def test_tables_of_exceptions_are_well_formed(self):
        folder = os.path.dirname(os.path.realpath(__file__))
        names = 0
        for name, columns in (
            ('payload_exceptions.tsv', ['codec', 'field', 'libva', 'kdirect', 'when', 'why']),
            ('board_exceptions.tsv',
             ['board', 'engine', 'codec', 'field', 'bits', 'libva', 'kdirect', 'when', 'why']),
            (judge.EXCEPTIONS, ['codec', 'client', 'when', 'differs', 'why']),
        ):
            for cells in library.read_table(os.path.join(folder, name)):
                self.assertEqual(list(cells), columns)
                self.assertGreater(len(cells['why']), 20)
                self.assertRegex(cells.get('bits', '*'), r'^(\*|[0-9a-f]{8})$')
                self.assertIn(cells.get('differs', 'last'), judge.DIFFERS)
                words = [each.removeprefix('!') for word in cells['when'].split() for each in word.split('|')]
                names += any(word.startswith('file:') for word in words)
                words = {word for word in words if word != '*' and not word.startswith('file:')}
                self.assertLessEqual(words, set(facts.WORDS), name)
        self.assertEqual(names, 0)  # a file name is the last resort, and counted


class FactsOfStreams(unittest.TestCase):
    """What is read from streams, against what their makers were told to write (scripts/make-fixtures)."""

    def of(self, codec, name):
        path = os.path.join(FIXTURES, codec, name)
        return facts.Facts(library.Stream(codec, path, {})).pictures

    def numbers(self, codec, name, word):
        return [number for number, picture in enumerate(self.of(codec, name)) if word in picture.facts]

    def test_every_fact_is_in_the_list_and_every_picture_is_found(self):
        seen = set()
        for each in library.find(FIXTURES, library.DEFAULT_CODECS):
            made = facts.Facts(each)
            seen |= made.words
            self.assertGreaterEqual(len(made.pictures), each.count or 1, each.key())
        self.assertLessEqual(seen, set(facts.WORDS))

    def test_h264(self):
        self.assertEqual(self.numbers('h264', 'frame-num-gaps.h264', 'lost'), [])  # the SPS allows them
        self.assertEqual(len(self.numbers('h264', 'frame-num-gaps.h264', 'gap')), 8)
        self.assertEqual(self.numbers('h264', 'recovery-start.h264', 'lost'), list(range(16)))
        self.assertEqual(len(self.numbers('h264', 'long-term-mmco.h264', 'reset')), 1)
        self.assertEqual(self.numbers('h264', 'long-term-mmco.h264', 'after-reset'), list(range(27, 40)))
        self.assertEqual(self.numbers('h264', 'scaling-pps-4x4.h264', 'no-8x8'), list(range(8)))
        self.assertEqual(self.numbers('h264', 'scaling-pps.h264', 'no-8x8'), [])
        self.assertEqual(self.numbers('h264', 'size-change.h264', 'size-changed'), list(range(7, 21)))
        self.assertEqual(self.numbers('h264', 'baseline-refs.h264', 'baseline-only'), [])

    def test_h264_baseline_without_the_constraint(self):
        with open(os.path.join(FIXTURES, 'h264/baseline.h264'), 'rb') as file:
            nals = bits.split(file.read())
        sps = next(at for at, nal in enumerate(nals) if bits.nal_type(nal) == 7)
        nals[sps] = nals[sps][:2] + bytes([nals[sps][2] & ~0x40]) + nals[sps][3:]
        self.assertTrue(all('baseline-only' in picture.facts for picture in facts_h264.read(bits.join(nals))))

    def test_h264_damage_is_survived(self):
        with open(os.path.join(FIXTURES, 'h264/main-b.h264'), 'rb') as file:
            data = file.read()
        for cut in range(0, len(data), 997):
            facts_h264.read(data[:cut] + data[cut + 5 :])
        self.assertTrue(facts_h264.read(data[: len(data) // 2] + b'\0\0\1'))

    def test_other_streams_that_are_cut_are_survived(self):
        for codec, name in (('hevc', 'p.h265'), ('mpeg2', 'i.m2v'), ('vp8', 'plain.ivf'), ('vp9', 'altref.ivf')):
            with open(os.path.join(FIXTURES, codec, name), 'rb') as file:
                data = file.read()
            for cut in range(40, len(data), 1511):
                facts.READERS[codec](data[:cut])
                facts.READERS[codec](data[:cut] + data[cut + 3 :])

    def test_mpeg2(self):
        self.assertEqual(self.numbers('mpeg2', 'open-gop-start.m2v', 'lacks-reference'), [1, 2])
        self.assertEqual(self.numbers('mpeg2', 'ipb.m2v', 'lacks-reference'), [])
        self.assertEqual(set(self.numbers('mpeg2', 'ipb.m2v', 'i')) & set(self.numbers('mpeg2', 'ipb.m2v', 'b')), set())

    @staticmethod
    def ivf(*frames):
        head = b'DKIF' + struct.pack('<HH4sHHIIII', 0, 32, b'VP80', 16, 16, 30, 1, len(frames), 0)
        return head + b''.join(struct.pack('<IQ', len(frame), at) + frame for at, frame in enumerate(frames))

    def test_vp8(self):
        """RFC 6386 9.1: key frame is bit 0 clear, show_frame bit 4; scales are the upper two bits of the sizes."""
        key = bytes([0x10, 0, 0, 0x9D, 1, 0x2A]) + struct.pack('<HH', 64, 1 << 14 | 48) + b'data'
        hidden = bytes([0x01]) + bytes(20)
        larger = bytes([0x10, 0, 0, 0x9D, 1, 0x2A]) + struct.pack('<HH', 128, 48) + b'data'
        one, two, three = facts_vpx.read_vp8(self.ivf(key, hidden, larger))
        self.assertEqual([one.facts, two.facts], [{'key', 'scaled'}, {'inter', 'hidden'}])
        self.assertEqual(three.facts, {'key', 'grown', 'size-changed'})
        self.assertEqual(two.remade, bytes([0x11]) + bytes(20))
        self.assertEqual(one.remade[6:10], struct.pack('<HH', 64, 48))

    def test_a_payload_made_again_is_that_and_nothing_else(self):
        hidden = bytes([0x01]) + bytes(20)
        made = known(pictures=facts_vpx.read_vp8(self.ivf(hidden)))
        for data, good in ((bytes([0x11]) + bytes(20), True), (bytes([0x11]) + bytes(19) + b'x', False), (hidden, False)):
            ours, theirs = differences.Job(), differences.Job()
            ours.payload = len(data), hashlib.md5(data).hexdigest()
            theirs.payload = len(hidden), hashlib.md5(hidden).hexdigest()
            made.find_origins([ours], [theirs])
            self.assertEqual('made-again' in made.of_pair(ours, theirs), good)

    def test_vp9(self):
        self.assertEqual(self.numbers('vp9', 'plain.ivf', 'intra'), [0])
        intra_only = bits.to_bytes('10000' '1' '0' '0' '1' '00' + f'{0x498342:024b}' + f'{3:08b}' + f'{63:016b}{47:016b}'
                                           + '0' * 40)
        self.assertLessEqual({'intra', 'hidden'}, facts_vpx.Vp9().facts(intra_only))

    def test_hevc(self):
        self.assertEqual(self.numbers('hevc', 'open-gop.h265', 'before-irap'), [])
        with open(os.path.join(FIXTURES, 'hevc/open-gop.h265'), 'rb') as file:
            data = file.read()
        # Without its first picture it begins elsewhere, up to the next IRAP picture.
        first, second = [at.start() for at in re.finditer(rb'\x00\x00\x01[\x00-\x3f]', data)][:2]
        pictures = facts_hevc.read(data[:first] + data[second:])
        self.assertTrue(all('starts-without-irap' in picture.facts for picture in pictures))
        before = ['before-irap' in picture.facts for picture in pictures]
        self.assertEqual(before, sorted(before, reverse=True))
        self.assertTrue(before[0] and not before[-1])

    def test_jobs_find_their_pictures_in_order(self):
        """Of equal payloads the next one; of one that is not in the stream none; of the head of one, that."""
        made = known(pictures=[Picture(set(), data) for data in (b'aa', b'bb', b'aa', b'cccc')])
        jobs = []
        for data in (b'aa', b'xx', b'aa', b'ccc'):
            job = differences.Job()
            job.payload = len(data), f'{zlib.crc32(data):08x}'
            jobs.append(job)
        made.find_origins(jobs)
        self.assertEqual([made.pictures.index(job.origin) if job.origin else None for job in jobs], [0, None, 0, 3])


class Guests(unittest.TestCase):
    """A guest that dies costs the stream that killed it, and no other."""

    def run_tasks(self, deadly, together=2):
        class Mortal(places.Guest):
            boots_of = []

            def boot(self, tasks, done):
                self.boots_of.append([task['id'] for task in tasks])
                started, ended = set(), set()
                for at in range(0, len(tasks), together):
                    now = tasks[at : at + together]
                    started |= {task['id'] for task in now}
                    if any(task['id'] in deadly for task in now):
                        return started, ended
                    for task in now:
                        ended.add(task['id'])
                        done(task, result())
                return started, ended

        guest, seen = Mortal(types.SimpleNamespace(), ''), {}
        guest.boots_of = []

        def done(task, outcome):
            self.assertNotIn(task['id'], seen)
            seen[task['id']] = outcome['error']

        guest.run([{'id': number} for number in range(6)], done)
        return seen, guest.boots_of

    def test_all_live(self):
        seen, boots = self.run_tasks(())
        self.assertEqual((seen, len(boots)), ({number: None for number in range(6)}, 1))

    def test_one_dies(self):
        seen, boots = self.run_tasks((2,))
        self.assertEqual([number for number, error in seen.items() if error], [2])
        self.assertEqual((len(seen), boots[1:]), (6, [[2], [3], [4, 5]]))

    def test_all_die(self):
        seen, _ = self.run_tasks(range(6))
        self.assertEqual(set(seen.values()), {'guest died'})

    def test_lines_end_with_silence(self):
        reading, writing = os.pipe()
        os.write(writing, b'one\ntwo\nhal')
        with os.fdopen(reading, 'rb', 0) as pipe:
            self.assertEqual(list(places.lines_of(pipe, 0.05)), [b'one', b'two'])
        os.close(writing)


JOB_LOG = """\
rkvdec 1 job done
rkvdec 1 stream 7 11111111
rkvdec 1 reg 0x00c/picpar 00000001
rkvdec 1 reg 0x0a8/pps table@0x018+0x20
rkvdec 1 table 0x018 64 {first}
rkvdec 1 row 0x018 0x00000 {zeros}
rkvdec 1 row 0x018 0x00020 01020304{rest}
rkvdec 2 job done
rkvdec 2 stream 9 22222222
rkvdec 2 reg 0x028/ref0 frame1+0xe
rkvdec 2 table 0x018 64 {second}
rkvdec 2 row 0x018 0x00020 {words}{rest}
"""


def job_log(words='05060708', tail=''):
    """Two jobs: a register and a table that stay for the second, but for the first word behind the PPS pointer."""
    rest = '00' * 28
    tables = [bytes.fromhex('00' * 32 + word + rest) for word in ('01020304', words)]
    first, second = (f'{zlib.crc32(table):08x}' for table in tables)
    text = JOB_LOG.format(first=first, second=second, zeros='00' * 32, rest=rest, words=words)
    return (text + tail).splitlines()


class JobLog(unittest.TestCase):
    def compare(self, ours, theirs, *exceptions, facts_of=None):
        summary = boards.Summary(exceptions, 'rk3399')
        words = summary.add(stream(), boards.parse(ours), boards.parse(theirs), facts_of or known())
        with contextlib.redirect_stdout(io.StringIO()) as output:
            good = summary.print_table()
        return words, good, output.getvalue()

    def rule(self, field, bits):
        return differences.Rule(board='rk*', engine='rkvdec', codec='h264', field=field, bits=bits, libva='*', kdirect='*',
                                why='clause 1.2.3')

    def test_a_job_is_all_that_the_hardware_has(self):
        jobs = boards.parse(job_log())
        self.assertEqual([job.picture for job in jobs], [1, 2])
        self.assertEqual(jobs[1].payload, (9, '22222222'))
        self.assertEqual(jobs[1].fields['0x00c/picpar'], '00000001')  # written before the first job only
        self.assertEqual(jobs[1].fields['0x028/ref0'], '#1+0xe')
        self.assertEqual([job.tables['0x018'][32:37].hex() for job in jobs], ['0102030400', '0506070800'])

    def test_rows_that_are_not_the_table_are_noticed(self):
        lines = [line.replace('05060708', '05060709') for line in job_log()]
        self.assertRaises(ValueError, boards.parse, lines)

    def test_equal(self):
        words, good, output = self.compare(job_log(), job_log())
        self.assertTrue(words is None and good)
        self.assertTrue(output.endswith('rk3399 all: jobs equal 2 / 2; streams equal 1, explained 0, different 0\n'))

    def test_a_difference_is_shown_by_the_register_that_points_at_it(self):
        words, good, output = self.compare(job_log(), job_log('05060f08'))
        self.assertEqual((words, good), ('1 of 2 jobs differ', False))
        self.assertIn("rk3399 rkvdec h264 0x0a8/pps[0]+0x0: 1 times in 1 streams; h264/a.h264 picture 2: libva '05060708', "
                      "kdirect '05060f08'", output)
        self.assertIn('jobs equal 1 / 2; streams equal 0, explained 0, different 1', output)

    def test_an_exception_explains_the_bits_that_it_names(self):
        for mask, good in (('00000800', True), ('00000f00', True), ('*', True), ('fffff7ff', False)):
            with self.subTest(mask):
                self.assertEqual(self.compare(job_log(), job_log('05060f08'), self.rule('*/pps?0?+0x0', mask))[1], good)
        self.assertFalse(self.compare(job_log(), job_log('05060f08'), self.rule('*/pps?0?+0x4', '*'))[1])
        both = self.rule('*', '00000800'), self.rule('*', '0000000f')
        self.assertTrue(self.compare(job_log(), job_log('05060f00'), *both)[1])
        self.assertFalse(self.compare(job_log(), job_log('05060f00'), *both[:1])[1])

    def test_a_record_that_the_picture_needs_is_explained_apart(self):
        for needed, words in ((set(), None), ({'[0]'}, '1 of 2 jobs differ')):
            ours, theirs = boards.parse(job_log()), boards.parse(job_log('05060f08'))
            for job, data in zip(ours + theirs, (b'one', b'two') * 2):
                job.payload = len(data), f'{zlib.crc32(data):08x}'
            facts_of = known(pictures=[Picture(set(), b'one'), Picture(set(), b'two', needed=needed)])
            summary = boards.Summary([self.rule('*/pps[[]*', '*')], 'rk3399')
            self.assertEqual(summary.add(stream(), ours, theirs, facts_of), words)

    def test_reference_sets_that_pictures_need(self):
        """The fixture has two candidates of long-term pictures, named as hevc_rewrite.long_term was told; and another the
        sets that its encoder used again and again, one slice predicted from them, and others by their slices alone."""
        for name, wanted in (('long-term-b', {'': 18, '.long_term[0]': 10}),
                             ('short-term-sets', {'': 11, '.short_term[0]': 4, '.short_term[1]': 4, '.short_term[2]': 4,
                                                  '.short_term[3]': 3, '.short_term[4]': 4})):
            with open(os.path.join(FIXTURES, f'hevc/{name}.h265'), 'rb') as file:
                pictures = facts_hevc.read(file.read())
            seen = collections.Counter(name for picture in pictures for name in picture.needed or [''])
            self.assertEqual(seen, wanted)

    def test_a_register_that_is_not_written_any_more_keeps_its_value(self):
        other = [line.replace('picpar 00000001', 'picpar 00000002') for line in job_log()]
        self.assertEqual(self.compare(job_log(), other)[0], '2 of 2 jobs differ')

    def test_a_missing_job_fails(self):
        words, good, output = self.compare(job_log(), job_log()[:7])
        self.assertEqual((words, good), ('libva caused 2 jobs, kdirect 1', False))
        self.assertIn('jobs equal 1 / 2', output)

    def test_no_job_fails(self):
        self.assertFalse(self.compare([], [])[1])


class Table(unittest.TestCase):
    """The report, its JSON, and its exit status."""

    def report(self, libva, device='daedalus'):
        with tempfile.TemporaryDirectory() as folder:
            options = types.SimpleNamespace(board=None,
                device=device, payloads=False, columns=['libva', 'kdirect', 'sw'], logs=0, keep=None, libva='ffmpeg'
            )
            made = stream()
            results, made.results = {'sw': made.results['sw'], 'kdirect': result(), 'libva': libva}, {}
            with contextlib.redirect_stdout(io.StringIO()) as output:
                report = sweep.Report(options, [made], folder)
                for column, outcome in results.items():
                    report.add(made, column, outcome)
                status = report.end()
            return status, json.loads(json.dumps(report.rows)), output.getvalue()

    def test_good(self):
        status, rows, output = self.report(result())
        self.assertEqual(status, 0)
        row = rows[0]
        self.assertEqual(
            {key: row[key] for key in ('codec', 'file', 'frames', 'verdict')},
            {'codec': 'h264', 'file': 'a.h264', 'frames': 3, 'verdict': 'match'},
        )
        self.assertEqual(row['libva'], row['sw'])
        self.assertEqual(row['kdirect'], row['sw'])
        self.assertRegex(row['sw'], '^[0-9a-f]{32}$')
        self.assertIn('h264: 1 of 1 streams', output)
        self.assertEqual(output.split().count(row['sw'][:8]), 3)

    def test_one_wrong_hash_makes_the_sweep_fail(self):
        status, rows, _ = self.report(result(['6:aa', '6:bb', '6:cd']))
        self.assertEqual(status, 1)
        self.assertNotEqual(rows[0]['libva'], rows[0]['sw'])

    def test_no_frames_have_no_hash(self):
        status, rows, output = self.report(result([]))
        self.assertEqual((status, rows[0]['libva']), (1, None))
        self.assertIn(' none ', output)


class Streams(unittest.TestCase):
    def test_fixtures(self):
        found = library.find(FIXTURES, ['h264'], ['size-*', 'crop.*22'])
        self.assertEqual(
            sorted(each.name for each in found),
            ['crop-322x242.h264', 'size-1280x720.h264', 'size-16x16.h264', 'size-64x64.h264', 'size-change.h264'],
        )
        self.assertTrue(all(each.count and each.md5 and each.expect == 'decode' for each in found))

    def test_a_folder_without_a_table(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, 'vp8'))
            with open(os.path.join(folder, 'vp8/b.ivf'), 'wb'):
                pass
            found = library.find(folder)
            self.assertEqual([(each.codec, each.name, each.expect) for each in found], [('vp8', 'b.ivf', 'decode')])

    def test_scope(self):
        def cells(**more):
            return {'codec': 'h264', 'expect': 'decode', 'pix_fmt': 'yuv420p', 'features': 'CABAC, B', **more}

        self.assertTrue(library.in_scope(cells()))
        self.assertFalse(library.in_scope(cells(features='CABAC, interlaced, MBAFF')))
        self.assertFalse(library.in_scope(cells(pix_fmt='yuv420p10le')))
        self.assertFalse(library.in_scope(cells(codec='vp9')))
        self.assertTrue(library.in_scope(cells(codec='mpeg2', features='interlaced-seq, field-mc/dct')))
        self.assertFalse(library.in_scope(cells(codec='mpeg2', features='interlaced-seq, field-pictures')))

    def test_fixtures_match_their_table(self):
        with open(os.path.join(FIXTURES, 'fixtures.tsv'), encoding='utf-8') as file:
            named = {tuple(line.split('\t')[:2]) for line in file.readlines()[1:]}
        there = {(codec, name) for codec in library.DEFAULT_CODECS for name in os.listdir(os.path.join(FIXTURES, codec))}
        self.assertEqual(named, there)


class Rewriting(unittest.TestCase):
    """Headers that are read and written unchanged are the same bits."""

    def test_h264_headers_survive(self):
        for name in (
            'main-b',
            'high-all',
            'weighted-p-cavlc',
            'scaling-pps',
            'long-term-mmco',
            'slices-mbs',
            'deblock-offsets',
            'idr-often',
        ):
            with open(os.path.join(FIXTURES, f'h264/{name}.h264'), 'rb') as file:
                data = file.read()
            again = h264_rewrite.rewrite(data, h264_rewrite.keep)
            self.assertEqual(bits.split(again), bits.split(data), name)

    def test_emulation_prevention(self):
        for nal in (b'\x65\x00\x00\x00\x00\x01', b'\x65\x00\x00\x03\x01', b'\x65\x00\x00\x02\x80'):
            self.assertEqual(bits.split(bits.join([nal])), [nal])

    def test_mpeg2_parts_survive(self):
        with open(os.path.join(FIXTURES, 'mpeg2/matrices.m2v'), 'rb') as file:
            data = file.read()
        self.assertEqual(b''.join(mpeg2_rewrite.split(data)), data)
        self.assertEqual(mpeg2_rewrite.matrices_in_extension(data, ()), data)


if __name__ == '__main__':
    unittest.main()
