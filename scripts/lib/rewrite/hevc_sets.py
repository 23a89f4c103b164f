# SPDX-License-Identifier: MIT
"""Moves reference picture sets of HEVC slice headers into the SPS, where slices name them by index or predict from them.

Every picture keeps the references that it had, so that it decodes to what it was. Clauses are those of Rec. ITU-T H.265."""

import collections

from bits import BitWriter
from rewrite.hevc import streams

FARTHEST = 16  # DeltaRps that is tried


def pictures_of(piece):
    """The set of a slice as (difference of POCs, used by the picture), in the order of 7.3.7."""
    result = []
    for side, sign in ((piece.before, -1), (piece.after, 1)):
        distance = 0
        for delta, used in side:
            distance += delta + 1
            result.append((sign * distance, used))
    return tuple(result)


def coded(pictures, flagged):
    """st_ref_pic_set entry by entry; flagged: with inter_ref_pic_set_prediction_flag before it."""
    writer = BitWriter()
    if flagged:
        writer.u(1, 0)
    sides = [[pair for pair in pictures if pair[0] < 0], [pair for pair in pictures if pair[0] > 0]]
    for side in sides:
        writer.ue(len(side))
    for side in sides:
        distance = 0
        for delta, used in side:
            writer.ue(abs(delta) - distance - 1)
            writer.u(1, used)
            distance = abs(delta)
    return writer.bits


def predicted(pictures, other, steps_back=None):
    """st_ref_pic_set predicted from another set, or None where that cannot be; steps_back: delta_idx, of a slice header."""
    wanted = dict(pictures)
    for delta_rps in sorted(set(range(-FARTHEST, FARTHEST + 1)) - {0}, key=abs):
        candidates = [delta + delta_rps for delta, _ in other] + [delta_rps]  # 7-61, 7-62
        if not set(wanted) <= set(candidates):
            continue
        writer = BitWriter()
        writer.u(1, 1)
        if steps_back:
            writer.ue(steps_back - 1)
        writer.u(1, int(delta_rps < 0))
        writer.ue(abs(delta_rps) - 1)
        for delta in candidates:
            writer.u(1, wanted.get(delta, 0))
            if not wanted.get(delta, 0):
                writer.u(1, int(delta in wanted))
        return writer.bits
    return None


def short_term(data):
    """What several pictures use goes into the SPS, each set predicted from the one before it where that is possible.

    A slice predicts any other set from one of the SPS that a picture before it has used, or says it entry by entry."""
    (stream,) = streams(data)
    pieces = [piece for picture in stream.pictures for piece in picture if not piece.idr]
    counts = collections.Counter(map(pictures_of, pieces))
    sets = [pictures for pictures, count in counts.items() if count > 1]
    stream.sps.short_term = [
        at and predicted(pictures, sets[at - 1]) or coded(pictures, flagged=at > 0) for at, pictures in enumerate(sets)]
    used, ways = set(), collections.Counter()
    for piece in pieces:
        pictures = pictures_of(piece)
        if pictures in sets:
            index = sets.index(pictures)
            piece.coded_set = '1' + f'{index:0{(len(sets) - 1).bit_length()}b}'
            used.add(index)
            ways['index'] += 1
            continue
        ways_to_predict = (predicted(pictures, sets[index], len(sets) - index) for index in sorted(used, reverse=True))
        bits = next(filter(None, ways_to_predict), None)
        piece.coded_set = '0' + (bits or coded(pictures, flagged=True))
        ways['predicted' if bits else 'in full'] += 1
    assert set(ways) == {'index', 'predicted', 'in full'}, ways
    assert any(bits[0] == '1' for bits in stream.sps.short_term[1:]), 'sets of the SPS that are predicted'
    return stream.join()
