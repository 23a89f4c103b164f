# SPDX-License-Identifier: MIT
"""What a stream itself says of each of its pictures, in words that the rules of the exception tables ask for.

A rule's condition is words of which all must hold: a fact, !fact, one|other; file:GLOB names a file, where no rule could be
found. A picture is found by what a client hands over for it: the bytes of its slices, or of its frame."""

import bisect
import fnmatch
import hashlib
import json
import os
import re
import subprocess
import sys
import zlib

import streams as library
from facts import av1, h264, hevc, mpeg2, vpx

READERS = {
    'mpeg2': mpeg2.read,
    'h264': h264.read,
    'hevc': hevc.read,
    'vp8': vpx.read_vp8,
    'vp9': vpx.read_vp9,
    'av1': av1.read,
}
# What a rule may ask for; in brackets: of which codecs.
WORDS = {
    'i': 'predicts from no picture (MPEG-2, H.264: all of its slices)',
    'p': 'is a P picture (MPEG-2)',
    'b': 'is a B picture (MPEG-2), has B slices (H.264)',
    'key': 'is a key frame (VP8, VP9, AV1)',
    'intra': 'is a key frame or intra only (VP9, AV1)',
    'inter': 'is neither (VP8, VP9, AV1)',
    'idr': 'is an IDR picture (H.264)',
    'irap': 'is an IRAP picture (HEVC)',
    'field': 'is a field (MPEG-2, H.264)',
    'second-field': 'is the second field of its frame (MPEG-2, H.264)',
    'fields-so-far': 'it or one before it is a field (MPEG-2, H.264)',
    'hidden': 'is not shown (VP8, VP9, AV1)',
    '4:2:0': 'chroma_format (MPEG-2)',
    '10-bit': 'more than 8 bits (H.264)',
    'small': 'narrower or lower than 48',
    'size-changed': 'it or one before it has not the size of the first picture',
    'grown': 'is wider or higher than the first picture (VP8, VP9, AV1)',
    'format-changed': 'its SPS or one before has not size, format, profile and number of references of the first one (H.264)',
    'lacks-reference': 'stands where there are not as many references as it needs (MPEG-2)',
    'p-field-of-first-i': 'predicts from the first field of the first frame (MPEG-2)',
    'baseline': 'profile_idc 66 (H.264)',
    'baseline-only': 'profile_idc 66 without constraint_set1_flag (H.264)',
    'overrides-l0': "no slice uses the PPS's default number of references of list 0 (H.264)",
    'overrides-l1': 'the same of list 1 (H.264)',
    'no-8x8': 'transform_8x8_mode_flag is 0 (H.264)',
    'reset': 'has memory_management_control_operation 5 (H.264)',
    'after-reset': 'comes after such a one, before the next IDR picture (H.264)',
    'gap': 'pictures that a gap in frame_num stands for may still be references, by the sliding window (H.264)',
    'after-gap': 'comes after such a gap, before the next IDR picture (H.264)',
    'lost': 'the same where the SPS does not allow gaps, or behind a start without an IDR picture, or an incomplete one (H.264)',
    'after-loss': 'it or one before it is lost, also before the last IDR picture (H.264)',
    'incomplete': 'no slice has its first macroblock (H.264)',
    'deblocking-as-inferred': 'what deblocking_filter_control_present_flag guards is as inferred without it (HEVC)',
    'starts-without-irap': 'is in a stream that begins without an IRAP picture (HEVC)',
    'before-irap': 'comes before the first IRAP picture (HEVC)',
    'first-rasl': 'is a RASL picture of the first IRAP picture (HEVC)',
    'scaled': 'is a key frame with a scale for the presentation (VP8)',
    'no-filter-deltas': 'loop_filter_delta_enabled is 0 (VP9)',
    'made-again': "the driver's payload is the stream's but for the bits of the frame tag that VA-API does not carry (VP8)",
    'container-parameters': 'has parameter sets that only the container has, in its middle',
    'cr-restored-alone': 'loop restoration of Cr, and none of Cb (AV1)',
    'filter-not-coded': 'loop_filter_params() has nothing: lossless, intra block copy (AV1)',
    'intra-block-copy': 'allow_intrabc is 1 (AV1)',
    'reserved-matrix': 'matrix_coefficients has a reserved value (AV1)',
    'key-shown-again': 'comes after a hidden key frame was shown, before the next shown key frame (AV1)',
    'sequence-goes-on': 'is no key frame, and has another sequence header than the frame before, or comes after such a one, before the next key frame (AV1)',
    'tiles-without-sizes': 'each of its tiles is a tile group of its own (AV1)',
    'damaged': 'software says that frames are damaged, or pictures before them are not there (of the stream)',
    'kdirect-lacks-memory': 'GStreamer says so',
    'kdirect-parser-gives-up': 'GStreamer says so',
    'libva-parser-gives-up': 'GStreamer with its va elements says so',
}
IVF = ('vp8', 'vp9', 'av1')
DEBIANS_PYTHON = '/usr/bin/python3'  # of which python3-av is a package
DAMAGE = os.path.join(os.path.dirname(os.path.realpath(__file__)), 'software.py')
NEAR = 32  # pictures, among which one is looked for of which only the head is known
# Pictures that stand behind a loss.
LOSSES = {'lost', 'before-irap'}
# What a client says when it meets a limit of its own.
SAYS = {
    'lacks-memory': re.compile(r'Not enough memory|out of memory|Failed to allocate|no more buffers', re.I),
    'parser-gives-up': re.compile(r'invalid H\.?264 stream|No valid frames found|Failed to parse', re.I),
}


class Facts:
    """Of one stream: its pictures, and what its clients said."""

    def __init__(self, stream):
        self.stream = stream
        self.pictures, self.at = [], {}
        reader = READERS.get(stream.codec)
        if reader and os.path.exists(stream.path):
            with open(library.elementary(stream, ivf=stream.codec in IVF), 'rb') as file:
                self.pictures = reader(file.read())
            if stream.path != file.name:
                self.mark_changes()
        self.words = set().union(*(picture.facts for picture in self.pictures)) if self.pictures else set()
        self.said = {f'{column}-{word}' for column, result in stream.results.items() for word, says in SAYS.items()
                     if says.search(result.get('log') or '')}
        self.words |= self.said

    def mark_changes(self):
        """Where a container has other parameter sets in its middle (sample descriptions), its elementary stream lacks them."""
        command = ['ffprobe', '-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet_side_data', '-of', 'csv']
        told = subprocess.run([*command, self.stream.path], capture_output=True, text=True, check=False).stdout
        packets = [line for line in told.splitlines() if line.startswith('packet,')]
        first = next((at for at, line in enumerate(packets) if at and 'New Extradata' in line), len(packets))
        for words in (self.units(len(packets)) or [])[first:]:
            words.add('container-parameters')

    def units(self, packets):
        """The facts of so many packets, of first fields or of all; None where that is not how many there are."""
        frames = [picture.facts for picture in self.pictures if 'second-field' not in picture.facts]
        fields = [picture.facts for picture in self.pictures]
        return next((units for units in (frames, fields) if len(units) == packets), None)

    def first(self, condition):
        """How many frames that are shown come before the first picture of which a rule's condition holds; None: there is none.

        Of facts before which all that was decoded is shown: those of a new sequence."""
        shown = [picture.facts for picture in self.pictures if not picture.facts & {'second-field', 'hidden'}]
        return next((at for at, words in enumerate(shown) if holds(condition, words, self.stream.name)), None)

    def places(self, digest):
        """(bytes, digest) -> numbers of the pictures with that payload, for digests of this kind."""
        kind = len(digest)
        if kind not in self.at:
            found = self.at[kind] = {}
            for number, picture in enumerate(self.pictures):
                for part in picture.payloads:
                    key = len(part), f'{zlib.crc32(part):08x}' if kind == 8 else hashlib.md5(part).hexdigest()
                    found.setdefault(key, []).append(number)
        return self.at[kind]

    def find(self, jobs):
        """The picture of each job, or None where the stream has none of that payload behind the last one.

        Of a job of which nobody knows the payload, and of AV1, where the facts have none, it is told by its number, if the
        client left no picture out."""
        number, found = 0, []
        by_payload = any(picture.payloads for picture in self.pictures)
        numbers = {picture: at for at, picture in enumerate(sorted({job.picture for job in jobs}))}
        complete = len(numbers) == len(self.pictures)
        for job in jobs:
            if job.payload and by_payload:
                place = self.place(job.payload, number)
            else:
                place = numbers[job.picture] if complete else None
            number = number if place is None else place
            found.append(None if place is None else self.pictures[place])
        return found

    def place(self, payload, start):
        """The first picture from start on that has a payload; a log may have no more than the head of it."""
        places = self.places(payload[1]).get(payload, ())
        at = bisect.bisect_left(places, start)
        if at < len(places):
            return places[at]
        return next((number for number in range(start, min(start + NEAR, len(self.pictures)))
                     if same(payload, self.pictures[number].payloads[0][: payload[0]])), None)

    def find_origins(self, *clients):
        """Tells the jobs of each client their pictures."""
        for jobs in clients:
            for job, picture in zip(jobs, self.find(jobs)):
                job.origin = picture
            self.narrow(jobs)

    def narrow(self, jobs):
        """Of a client that left pictures out, and of whose payloads nothing is known: its n-th job is the n-th picture or, at
        most, that many behind it. What holds for all of these holds for the job."""
        if any(job.origin or job.payload for job in jobs) and any(picture.payloads for picture in self.pictures):
            return
        left_out = len(self.pictures) - len(jobs)
        for at, job in enumerate(jobs):
            if not job.origin and left_out >= 0:
                job.surely = set.intersection(*(picture.facts for picture in self.pictures[at : at + left_out + 1]))

    def of_pair(self, ours, theirs):
        """What holds for a job of the driver and one of GStreamer, of which there may be only one."""
        picture = next((job.origin for job in (ours, theirs) if job and job.origin), None)
        if not picture:
            return self.said | (ours or theirs).surely
        made_again = picture.remade and ours and ours.payload and same(ours.payload, picture.remade)
        return picture.facts | self.said | ({'made-again'} if made_again else set())


def same(payload, data):
    digest = f'{zlib.crc32(data):08x}' if len(payload[1]) == 8 else hashlib.md5(data).hexdigest()
    return payload == (len(data), digest)


def holds(condition, facts, name):
    """Whether a rule's condition holds for a set of facts, in a file of this name."""
    for word in condition.split():
        if word == '*':
            continue
        if word.startswith('file:'):
            if not fnmatch.fnmatchcase(name, word.removeprefix('file:')):
                return False
        elif not any((each.removeprefix('!') in facts) != each.startswith('!') for each in word.split('|')):
            return False
    return True


class Damage:
    """Which frames that software shows are damaged: those that it says are, and what follows them in the stream until
    pictures can be decoded without any other; and those behind pictures that are not there, or of which the references are not.

    of_frames: whether each frame is, in the order in which they are shown; not_shown: how many pictures software leaves out."""

    def __init__(self, stream, known):
        shown, packets = read_damage(stream.path)
        units = known.units(packets)
        lost = [bool(words & LOSSES) for words in units] if units else [False] * packets
        for packet, broken, _ in shown:
            lost[packet] |= broken
        keys = [(packet, place) for place, (packet, broken, key) in enumerate(shown) if key and not lost[packet]]
        self.of_frames = []
        for place, (packet, _, _) in enumerate(shown):
            start = max((key for key, at in keys if key <= packet and at <= place), default=0)
            self.of_frames.append(any(lost[start : packet + 1]))
        self.not_shown = max(0, packets - len(shown))


def read_damage(path):
    """What software.py says: ((packet, damaged, key) of each frame, number of packets). Without it, nothing is excused."""
    done = subprocess.run([DEBIANS_PYTHON, DAMAGE, path], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f'sweep: what is damaged in {path} is not known: {done.stderr.strip()[-300:]}\n')
        return [], 0
    return json.loads(done.stdout)
