# SPDX-License-Identifier: MIT
"""What the frames of one stream come to."""

import fnmatch
import hashlib
import os

import streams

MATCH, DECLINED, CLIENT, KNOWN = 'match', 'match (declined)', 'match (but for GStreamer)', 'known (stream_exceptions.tsv)'
EXPLAINED = 'explained (board_exceptions.tsv)'
GOOD = (MATCH, DECLINED, CLIENT, KNOWN, EXPLAINED)


def read_exceptions(path, client=None):
    """(codec, file) globs of streams that cannot be as they should, and the reason: of a client, if the table has some."""
    if not os.path.exists(path):
        return []
    rows = streams.read_table(path)
    return [
        ((row['codec'], row['file']), row['why'])
        for row in rows
        if client is None or fnmatch.fnmatchcase(client, row.get('client', '*'))
    ]


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


def matching(stream, exceptions):
    """The reason of the first exception that names the stream; None if there is none."""
    for patterns, reason in exceptions:
        if all(map(fnmatch.fnmatchcase, (stream.codec, stream.name), patterns)):
            return reason
    return None


def contains(frames, some):
    """Whether all of some stand among the frames, in the same order."""
    left = iter(frames)
    return all(frame in left for frame in some)


def one_contains_other(software, libva):
    return contains(software['frames'], libva['frames']) or contains(libva['frames'], software['frames'])


def gave_up(stream, column, pixels):
    """The limit of the client's own by which a column ended, also alone, if all that came before is right; else None."""
    result, software = stream.results[column], stream.results.get('sw')
    if not software or not result.get('again') or pixels and not contains(software['frames'], result['frames']):
        return None
    return result.get('limit')


def verdict(stream, pixels, exceptions=(), damaged=(), excused='kdirect'):
    """(verdict, notes). The verdict is one of GOOD, or says what is wrong first; notes say all that is.

    What is wrong with kdirect (or the column that is excused) may be put down to its client's limits. What is wrong with libva is excused only in a stream
    that is known for it, and only if no frame that came out is wrong: software conceals damage, a device reports it."""
    results, wrong = stream.results, []
    software = results.get('sw')
    libva = results.get('libva')
    if stream.expect == 'refuse' or stream.expect == 'any' and libva and not libva['frames']:
        problem = declined(libva) if libva else None
        return (f'libva: {problem}', [problem]) if problem else (DECLINED, [])
    if software and pixels and stream.md5 and software['md5'] != stream.md5:
        wrong.append("sw: not the hash that the table has")
    if software and stream.count is not None and len(software['frames']) != stream.count:
        wrong.append(f'sw: {len(software["frames"])} frames, the table has {stream.count}')
    for column in ('libva', 'kdirect'):
        if column in results and results[column]['error']:
            wrong.append(f'{column}: {results[column]["error"]}')
    reference = 'sw' if software else 'kdirect' if 'kdirect' in results else None
    for column in ('libva', 'kdirect'):
        if column in results and reference and column != reference:
            found = difference(column, results[column]['frames'], reference, results[reference]['frames'], pixels)
            if found:
                wrong.append(found)
    if not any(result['frames'] for result in results.values()):
        wrong.append('no frame at all')
    # Where software does not tell which of the two is wrong, what differs is put down to the one that is known for it.
    either = excused == reference == 'kdirect'
    if wrong and all(note.startswith(excused) or either and ' kdirect' in note for note in wrong):
        reason = matching(stream, exceptions) or gave_up(stream, excused, pixels)
        if reason:
            return CLIENT, wrong + [reason]
    reason = matching(stream, damaged) if libva and software else None
    if reason and not wrong and pixels:
        return 'matches: take it out of stream_exceptions.tsv', []
    if reason and wrong and not libva['error'] and (not pixels or one_contains_other(software, libva)):
        return KNOWN, wrong + [reason]
    return (wrong[0], wrong) if wrong else (MATCH, [])
