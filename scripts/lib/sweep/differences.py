# SPDX-License-Identifier: MIT
"""Compares what two clients hand over, job by job, and keeps each difference once, with the reason if there is one.

A reason is a rule of an exception table: what differs, and what must hold for the picture (the package facts)."""

import collections
import copy
import difflib
import fnmatch
import os
import re

import facts as library
import streams


class Job:
    """One job: what is in it by name, number of its picture in decode order, payload as (bytes, digest).

    A value names a picture by #N: the one with that number."""

    def __init__(self):
        self.fields = {}
        self.tables = collections.defaultdict(list)  # what has rows: events that come several times, or memory
        self.picture, self.payload = None, None
        self.origin = None  # the picture of the stream, where it is known
        self.surely = set()  # what holds for it, where that is not known


class Rule:
    """A row of an exception table, by the names of its columns: globs (of fields several), a condition, and the reason."""

    def __init__(self, **cells):
        self.when, self.why, self.bits = cells.pop('when', '*'), cells.pop('why'), cells.pop('bits', '*')
        self.fields = cells.get('field', '*').split(' ')
        self.patterns = {name: glob for name, glob in cells.items() if name != 'field'}

    def explains(self, difference, facts, name):
        """difference: what the columns of the table name."""
        return (
            any(fnmatch.fnmatchcase(difference['field'], field) for field in self.fields)
            and all(fnmatch.fnmatchcase(difference[column], glob) for column, glob in self.patterns.items())
            and library.holds(self.when, facts, name)
        )


def read_exceptions(path):
    if not os.path.exists(path):
        return []
    return [Rule(**cells) for cells in streams.read_table(path)]


class Differences:
    """Each difference once: how often, where first, and why it is as it should be, if it is."""

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.found = collections.OrderedDict()  # (group, field, reason) -> [times, streams, stream, picture, ours, theirs]

    GROUP = ('codec',)  # what tells where a field is

    def reason(self, difference, facts, name):
        """Why a difference is as it should be, or None."""
        return next((rule.why for rule in self.exceptions if rule.explains(difference, facts, name)), None)

    def differ(self, group, stream, facts, picture, field, ours, theirs):
        """Keeps a difference between two values of a field. Returns the reason, or None if it is not explained.

        group, field and both values are what the globs of the rules have to match; facts, what they ask for."""
        difference = {**dict(zip(self.GROUP, group)), 'field': field, 'libva': ours, 'kdirect': theirs}
        reason = self.reason(difference, facts, stream.name)
        entry = self.found.setdefault((group, field, reason), [0, set(), stream.key(), picture, ours, theirs])
        entry[0] += 1
        entry[1].add(stream.key())
        return reason

    def print_rows(self, most=None, together=False):
        """What is not explained first, and no more rows than that; together: fields of one reason in one row.

        Returns whether all is explained."""
        rows = sorted(self.found.items(), key=lambda row: (bool(row[0][2]), row[0][0], -row[1][0]))
        seen, left = collections.Counter((group, reason) for group, _, reason in self.found), most
        for (group, field, reason), (count, streams, stream, picture, ours, theirs) in rows:
            others = seen[group, reason] - 1 if together and reason else 0
            if others < 0 or left == 0:
                continue
            if others:
                seen[group, reason] = 0
            left = left - 1 if left else left
            print(
                f'  {" ".join(group)} {field}{f" and {others} others" if others else ""}: {count} times in '
                f'{len(streams)} streams; {stream} picture {picture}: libva {clip(ours)}, kdirect {clip(theirs)}'
                + (f'\n    explained: {reason}' if reason else '')
            )
        if left == 0:
            print(f'  and more: {len(self.found)} in all')
        return all(reason for _, _, reason in self.found)


def pairs(libva, kdirect):
    """Jobs in order; where one client sent more than the other, those of the same picture or with equal payloads, and None
    beside the others.

    The pictures of kdirect are then counted as libva counts them."""
    if len(libva) == len(kdirect):
        return list(zip(libva, kdirect))
    known = all(any(job.origin for job in jobs) for jobs in (libva, kdirect))
    payloads = ([known and job.origin or job.payload or at for at, job in enumerate(jobs)] for jobs in (libva, kdirect))
    blocks = difflib.SequenceMatcher(None, *payloads, autojunk=False).get_matching_blocks()
    found, ours, theirs = [], 0, 0
    for a, b, size in blocks:
        found += [(job, None) for job in libva[ours:a]] + [(None, job) for job in kdirect[theirs:b]]
        found += zip(libva[a : a + size], kdirect[b : b + size])
        ours, theirs = a + size, b + size
    numbers = {theirs.picture: ours.picture for ours, theirs in found if ours and theirs}
    return [(ours, renumbered(theirs, numbers) if ours and theirs else theirs) for ours, theirs in found]


def renumbered(job, numbers):
    other = copy.copy(job)
    other.picture = numbers[job.picture]
    other.fields = {
        field: re.sub(r'#(\d+)', lambda found: f'#{numbers.get(int(found[1]), "other")}', value)
        for field, value in job.fields.items()
    }
    return other


def clip(value, length=100):
    return repr(value) if len(value) <= length else repr(value[:length]) + '...'
