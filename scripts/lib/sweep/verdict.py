# SPDX-License-Identifier: MIT
"""What the frames of one stream come to."""

import fnmatch
import functools
import hashlib
import itertools

import facts
import streams

MATCH, DECLINED, CLIENT = 'match', 'match (declined)', 'match (but for GStreamer)'
KNOWN, EXPLAINED = 'known (stream_exceptions.tsv)', 'explained (board_exceptions.tsv)'
GOOD = (MATCH, DECLINED, CLIENT, KNOWN, EXPLAINED)
EXCEPTIONS = 'stream_exceptions.tsv'
LAST = 16  # frames, which a client may hold at the end of a stream


def whole(frames):
    """One hash for all frames: of their own hashes, with their sizes."""
    return hashlib.md5('\n'.join(frames).encode()).hexdigest() if frames else None


def short(frames):
    return whole(frames)[:8] if frames else 'none'


def difference(name, frames, other, expected, pixels):
    """How a column differs from another, in words; None if it does not."""
    if len(frames) != len(expected):
        at = next((at for at, pair in enumerate(zip(frames, expected)) if pair[0] != pair[1]), None) if pixels else None
        first = '' if at is None else f', first difference at {at}'
        return f'{name} has {len(frames)} frames, {other} {len(expected)}{first}'
    if not pixels:
        return None
    wrong = [at for at, pair in enumerate(zip(frames, expected)) if pair[0] != pair[1]]
    if not wrong:
        return None
    return f'{name} != {other}: {len(wrong)} of {len(frames)} frames, first {wrong[0]}'


def declined_by_all(stream):
    """Neither client decodes it: a board whose decoders have no more than 8 bits."""
    return stream.format == 'p010le' and all(declined(result) is None for result in stream.results.values())


def declined(result):
    """A stream that the driver does not take must end in no frame: not in a crash, a hang, or pixels."""
    if result['error'] and result['error'] != 'software fallback':
        return result['error']
    return f'not declined: {len(result["frames"])} frames' if result['frames'] else None


def contains(frames, some):
    """Whether all of some stand among the frames, in the same order."""
    left = iter(frames)
    return all(frame in left for frame in some)


def only_damaged_differ(frames, expected, damage):
    """Whether every frame that is not damaged is there, in its order, and no more others than damaged ones.

    damage: a facts.Damage of the expected frames."""
    if len(damage.of_frames) != len(expected):
        return False  # it is not known which is which
    if len(frames) == len(expected):
        return all(one == other or bad for one, other, bad in zip(frames, expected, damage.of_frames))
    at, room = 0, 0  # how many frames may stand before the next that is not damaged
    for bad, group in itertools.groupby(zip(expected, damage.of_frames), key=lambda pair: pair[1]):
        group = [frame for frame, _ in group]
        if bad:
            room = len(group) + damage.not_shown
            continue
        at = next((start for start in range(at, at + room + 1) if frames[start : start + len(group)] == group), None)
        if at is None:
            return False
        at, room = at + len(group), 0
    return len(frames) - at <= room


def gave_up(result, expected, pixels):
    """The limit of the client's own by which it ended, also alone, if all frames until then are there and right; else None."""
    frames = result['frames']
    if not result.get('again') or (frames != expected[: len(frames)] if pixels else len(frames) > len(expected)):
        return None
    return result.get('limit')


def right_before(frames, expected, count):
    """Whether so many frames are right at the beginning; None: it is not known how many."""
    return count is not None and frames[:count] == expected[:count]


# What may be wrong with the frames of a column that a rule excuses. damage: what is damaged; first: how many frames stand before
# the first of which the rule's condition holds.
DIFFERS = {
    'anything': lambda frames, expected, damage, first: True,
    'all': lambda frames, expected, damage, first: not frames,
    'missing': lambda frames, expected, damage, first: contains(expected, frames),
    'last': lambda frames, expected, damage, first: len(frames) == len(expected) and frames[:-LAST] == expected[:-LAST],
    'damaged': lambda frames, expected, damage, first: only_damaged_differ(frames, expected, damage()),
    'from-there': lambda frames, expected, damage, first: right_before(frames, expected, first()),
}


def container_tells_more(stream):
    """Whether software makes other frames of a file than of the elementary stream in it: cropping, edit lists, sets."""
    path, version = stream.given.get('kdirect', stream.path), streams.ffmpeg_version()
    if path == stream.path:
        return False
    return len({tuple(streams.software_of(each, stream.format, version)['frames']) for each in (path, stream.path)}) > 1


class Judge:
    """Knows the rules of stream_exceptions.tsv, and which client libva's column is of."""

    def __init__(self, rows, client):
        self.rows, self.client = rows, client

    def excuse(self, stream, column, expected, known, pixels):
        """Why a column that differs from the expected frames is as it should be, or None."""
        client = self.client if column == 'libva' else 'kdirect'
        result = stream.results[column]
        if result['error'] and column == 'libva':
            return None
        damage = functools.cache(lambda: facts.Damage(stream, known()))
        for row in self.rows:
            if not (fnmatch.fnmatchcase(stream.codec, row['codec']) and fnmatch.fnmatchcase(client, row['client'])):
                continue
            words = known().words | ({'damaged'} if 'damaged' in row['when'] and any(damage().of_frames) else set())
            first = functools.partial(lambda when: known().first(when), row['when'])
            if facts.holds(row['when'], words, stream.name) and (
                not pixels or DIFFERS[row['differs']](result['frames'], expected, damage, first)
            ):
                return row['why']
        return gave_up(result, expected, pixels) if client != 'ffmpeg' else None

    def verdict(self, stream, pixels, known=None):
        """(verdict, notes). The verdict is one of GOOD, or says what is wrong first; notes say all that is.

        known: gives the facts of the stream. What is wrong with libva through FFmpeg is excused as KNOWN, what is wrong with
        GStreamer as CLIENT; what is wrong with software, or with all, never is."""
        known = functools.cache(known or (lambda: facts.Facts(stream)))
        results, wrong, excuses = stream.results, [], {}
        software, libva = results.get('sw'), results.get('libva')
        if stream.expect == 'refuse' or stream.expect == 'any' and libva and not libva['frames']:
            problem = declined(libva) if libva else None
            return (f'libva: {problem}', [problem]) if problem else (DECLINED, [])
        if software and pixels and stream.md5 and software.get('md5', stream.md5) != stream.md5 and not streams.is_right_natively(stream):
            wrong.append('sw: not the hash that the table has')
        if software and software.get('error'):
            wrong.append(f'sw: {software["error"]}')
        if software and stream.count is not None and len(software['frames']) != stream.count:
            wrong.append(f'sw: {len(software["frames"])} frames, the table has {stream.count}')
        if not any(result['frames'] for result in results.values()):
            wrong.append('no frame at all')
        reference = 'sw' if software else 'kdirect' if 'kdirect' in results else None
        notes = []
        for column in ('libva', 'kdirect'):
            if column not in results:
                continue
            found = [f'{column}: {results[column]["error"]}'] if results[column]['error'] else []
            if results[column].get('flagged'):
                found.append(f'{column}: {results[column]["flagged"]} buffers with the error flag')
            if reference and column != reference:
                found += self.compare(stream, column, reference, pixels)
            if found:
                excuses[column] = self.excuse_of_pair(stream, column, reference, known, pixels)
                notes += found + ([excuses[column]] if excuses[column] else [])
                wrong += found if not excuses[column] else []
        if wrong:
            return wrong[0], wrong + [note for note in notes if note not in wrong]
        if 'libva' in excuses and reference == 'sw' and self.client == 'ffmpeg':
            return KNOWN, notes
        return (CLIENT, notes) if excuses else (MATCH, [])

    def excuse_of_pair(self, stream, column, reference, known, pixels):
        """Why a column and its reference differ: where that is not software, GStreamer on the kernel may be to blame."""
        results = stream.results
        if results[column]['error'] and column == 'libva':
            return None
        if reason := self.excuse(stream, column, results[reference]['frames'] if reference else [], known, pixels):
            return reason
        if reference == 'kdirect' and column == 'libva':
            if container_tells_more(stream):
                return 'the container tells more than is in the elementary stream that GStreamer gets'
            return self.excuse(stream, 'kdirect', results['libva']['frames'], known, pixels)
        return None

    def compare(self, stream, column, reference, pixels):
        """What differs, if software makes anything else of what this client was given: a file without its container."""
        frames, expected = stream.results[column]['frames'], stream.results[reference]['frames']
        found = difference(column, frames, reference, expected, pixels)
        path = stream.given.get(column, stream.path)
        if found and reference == 'sw' and path != stream.path:
            expected = streams.software_of(path, stream.format, streams.ffmpeg_version())['frames']
            if not difference(column, frames, reference, expected, pixels):
                return []
        return [found] if found else []
