# SPDX-License-Identifier: MIT
"""Reads what visl's trace events say of each job, and compares two clients field by field.

Two clients number buffers and choose timestamps as they like. So a reference counts as the picture it means (#N: the
Nth one in decode order), and the entries of a DPB are put in that order. Values that no decoder may look at are left
out."""

import collections
import re

from sweep import av1_records
from sweep.differences import Differences, Job, pairs

EXCEPTIONS = 'payload_exceptions.tsv'
# The event that begins a job.
FIRST = {
    'mpeg2': 'v4l2_ctrl_mpeg2_sequence',
    'h264': 'v4l2_ctrl_h264_sps',
    'hevc': 'v4l2_ctrl_hevc_sps',
    'vp8': 'v4l2_ctrl_vp8_frame',
    'vp9': 'v4l2_ctrl_vp9_frame',
    'av1': 'v4l2_ctrl_av1_sequence',
}
HEADER = re.compile(r'^\s*\S.*-\d+\s+\[\d+\]\s+\S+\s+[\d.]+: (\w+):(.*)$')
FIELD = re.compile(r'^\s*([A-Za-z_][\w.\[\]]*)(?::\s*|\s+|$)(.*)$')
OUTPUT = re.compile(r'type = VIDEO_OUTPUT\w*,.* timestamp = (\d+)')
DPB_ENTRY = re.compile(
    r'\[(\d+)\]: reference_ts (\d+), pic_num (\d+) frame_num (\d+) fields (\S*) top_field_order_cnt (-?\d+) '
    r'bottom_field_order_cnt (-?\d+) flags ?(\S*)'
)
DPB_FIELDS = (
    'reference_ts',
    'pic_num',
    'frame_num',
    'fields',
    'top_field_order_cnt',
    'bottom_field_order_cnt',
    'flags',
)
REFERENCE = re.compile(r'\[(\d+)\]: fields (\S*) index (\d+)')
TIMESTAMP = re.compile(r'_ts$|^hevc_dpb_entry\.timestamp$')
UNUSED = 'unused'


def short_name(event):
    return event.removeprefix('v4l2_').removeprefix('ctrl_')


def events(lines):
    """(name, rest of the first line, further lines) of each event."""
    name, rest, body = None, '', []
    for line in lines:
        found = HEADER.match(line)
        if found:
            if name:
                yield name, rest, body
            name, rest, body = found[1], found[2].strip(), []
        elif name and not line.startswith('#'):
            body.append(line)
    if name:
        yield name, rest, body


def read_fields(body):
    """name -> value; a value in braces may go over several lines."""
    fields, open_name = {}, None
    for line in body:
        if open_name:
            fields[open_name] += ' ' + line.strip()
        else:
            found = FIELD.match(line)
            if not found:
                continue
            open_name = found[1]
            fields[open_name] = found[2].strip()
        if fields[open_name].count('{') <= fields[open_name].count('}'):
            fields[open_name] = ' '.join(fields[open_name].replace('{', ' ').replace('}', ' ').split())
            open_name = None
    return fields


def parse(lines, codec):
    """The jobs of a trace, in order."""
    jobs, stamps, payloads = [], [], {}
    lines = list(lines)
    for name, rest, body in events(lines):
        if name == 'v4l2_qbuf':
            found = OUTPUT.search(rest)
            if found:
                stamps.append(int(found[1]))
            continue
        if name == FIRST[codec]:
            jobs.append(Job())
        if not jobs:
            continue
        job, name = jobs[-1], short_name(name)
        if entry := DPB_ENTRY.match(rest):
            job.tables[name].append(dict(zip(DPB_FIELDS, entry.groups()[1:])))
        elif entry := REFERENCE.match(rest):
            job.tables[name].append({'fields': entry[2], 'index': int(entry[3])})
        elif name == 'hevc_dpb_entry':
            job.tables[name].append(read_fields(body))
        else:
            job.fields.update({f'{name}.{field}': value for field, value in read_fields(body).items()})
    for line in lines:
        if line.startswith('# payload '):
            _, _, number, size, digest = line.split()
            payloads[int(number)] = (int(size), digest)
    for at, job in enumerate(jobs):
        job.payload = payloads.get(at)
    if codec == 'av1':
        jobs = settle_av1(jobs, stamps, lines)
    else:
        number_pictures(jobs, stamps)
    for job in jobs:
        {'mpeg2': settle_mpeg2, 'h264': settle_h264, 'hevc': settle_hevc}.get(codec, settle_tables)(job)
    return jobs


def number_pictures(jobs, stamps):
    """Numbers jobs in decode order, slices of a picture alike, and replaces timestamps by those numbers."""
    numbers, last, count = {}, None, -1
    for job, stamp in zip(jobs, stamps):
        if stamp != last:
            count += 1
            last = stamp
        job.picture = count

        def name(value):
            return f'#{numbers[int(value)]}' if int(value) in numbers else 'none'  # pylint: disable=cell-var-from-loop

        for field, value in job.fields.items():
            if TIMESTAMP.search(field):
                job.fields[field] = ' '.join(name(each) for each in re.split(r'[ ,]+', value) if each)
        for table, entries in job.tables.items():
            for entry in entries:
                for field in entry:
                    if TIMESTAMP.search(f'{table}.{field}'):
                        entry[field] = name(entry[field])
        numbers[stamp] = count


def settle_av1(jobs, stamps, lines):
    """The jobs without those that decode a picture once more; their frame controls from the binary records."""
    records = [line.split()[2] for line in lines if line.startswith('# record ')]
    frames = [av1_records.read_frame(bytes.fromhex(record)) for record in records]
    replays = av1_records.without_replays(frames, stamps)
    numbers, slots, kept = {}, av1_records.Slots(), []
    for at, (job, stamp, frame) in enumerate(zip(jobs, stamps, frames)):
        if at in replays:
            numbers[stamp] = numbers[stamps[replays[at]]]
        else:
            job.picture = len(kept)
            job.fields = {name: value for name, value in job.fields.items() if not name.startswith('av1_frame.')}
            # the first tile of the payload is what is compared, wherever it lies
            job.fields.pop('av1_tile_group_entry.tile_offset', None)
            job.fields['av1_sequence.flags'], job.fields['av1_sequence.tools'] = av1_records.split_tools(
                job.fields['av1_sequence.flags']
            )
            job.fields.update(
                av1_records.fields(frame, slots, lambda value: f'#{numbers[value]}' if value in numbers else 'none')
            )
            numbers[stamp] = job.picture
            kept.append(job)
        slots.store(frame, stamp)
    return kept if len(frames) == len(jobs) else []


def settle_tables(job):
    """A field for each column of a table, with the values of the entries that are in use."""
    for table, entries in job.tables.items():
        used = [entry for entry in entries if entry.get('timestamp', 'none') != 'none' or entry.get('flags')]
        used.sort(key=lambda entry: int(entry.get('timestamp', '#0').removeprefix('#').replace('none', '-1')))
        for field in entries[0] if entries else ():
            job.fields[f'{table}.{field}'] = ' '.join(entry[field] or '-' for entry in used)


def settle_mpeg2(job):
    """References that a picture of its type does not have (H.262, 6.3.9) are zero or anything."""
    kind = job.fields.get('mpeg2_picture.picture_coding_type')
    for field, kinds in (('forward_ref_ts', ('2', '3')), ('backward_ref_ts', ('3',))):
        if kind not in kinds:
            job.fields[f'mpeg2_picture.{field}'] = UNUSED


def settle_hevc(job):
    """visl prints all entries of the DPB; those behind num_active_dpb_entries mean nothing."""
    active = int(job.fields.get('hevc_decode_params.num_active_dpb_entries', 0))
    job.tables['hevc_dpb_entry'] = job.tables['hevc_dpb_entry'][:active]
    settle_tables(job)


def settle_h264(job):
    fields, dpb = job.fields, job.tables.pop('h264_dpb_entry', [])
    used = [entry for entry in dpb if entry['flags'] or entry['fields']]
    used.sort(
        key=lambda entry: (int(entry['reference_ts'].removeprefix('#').replace('none', '-1')), int(entry['frame_num']))
    )
    for field in DPB_FIELDS:
        fields[f'h264_dpb_entry.{field}'] = ' '.join(entry[field] or '-' for entry in used)
    kind = fields.get('h264_slice_params.slice_type')
    for number, kinds in ((0, 'PB'), (1, 'B')):
        name = f'h264_ref_pic_list{number}'
        count = (
            int(fields.get(f'h264_slice_params.num_ref_idx_l{number}_active_minus1', -1)) + 1 if kind in kinds else 0
        )
        entries = job.tables.pop(name, [])[:count]
        fields[f'{name}.index'] = ' '.join(
            dpb[entry['index']]['reference_ts'] if entry['index'] < len(dpb) else 'none' for entry in entries
        )
        fields[f'{name}.fields'] = ' '.join(entry['fields'] or '-' for entry in entries)
    # V4L2_H264_CTRL_PRED_WEIGHTS_REQUIRED: else the control holds what some earlier slice left in it.
    required = (
        kind in ('P', 'SP')
        and 'WEIGHTED_PRED' in fields.get('h264_pps.flags', '').split('|')
        or kind == 'B'
        and fields.get('h264_pps.weighted_bipred_idc') == '1'
    )
    for field in fields:
        if field.startswith('h264_pred_weights.') and not required:
            fields[field] = UNUSED


def read(path, codec):
    with open(path, encoding='utf-8', errors='replace') as file:
        return parse((line.rstrip('\n') for line in file), codec)


class Summary:
    """Comparison of all streams: fields that are equal everywhere, and each difference once."""

    excused = ()  # no stream's frames

    def __init__(self, exceptions):
        self.differences = Differences(exceptions)
        self.values = collections.defaultdict(
            lambda: collections.defaultdict(lambda: [0, 0])
        )  # codec -> field -> [equal, all]
        self.without_jobs = 0  # streams

    def add(self, stream, libva, kdirect, known):
        """Counts one stream, of which the facts are known. Returns what is wrong with it in words, or None."""
        wrong, lone = 0, 0
        known.find_origins(libva, kdirect)
        for ours, theirs in pairs(libva, kdirect):
            job = ours or theirs
            facts = known.of_pair(ours, theirs)
            for field, values in compared(ours, theirs):
                counts = self.values[stream.codec][field]
                counts[0] += values[0] == values[1]
                counts[1] += 1
                if values[0] != values[1]:
                    bad = not self.differences.differ((stream.codec,), stream, facts, job.picture, field, *values)
                    wrong += bad
                    lone += bad and field == 'job'
        if not libva and not kdirect:
            self.without_jobs += 1
            return 'no job at all'
        words = f'libva sent {len(libva)} jobs, kdirect {len(kdirect)}' if lone else None
        return words or (f'{wrong} values differ' if wrong else None)

    def print_table(self):
        """Returns whether all is equal or explained."""
        for codec, fields in sorted(self.values.items()):
            mine = [
                (field, reason)
                for group, field, reason in self.differences.found
                if group == (codec,) and field != 'job'
            ]
            unexplained = {field for field, reason in mine if not reason}
            explained = {field for field, _ in mine} - unexplained
            same, every = (sum(counts[at] for counts in fields.values()) for at in (0, 1))
            fields = {field: counts for field, counts in fields.items() if field != 'job'}
            print(
                f'{codec}: payloads equal in {len(fields) - len(explained) - len(unexplained)} / {len(fields)} fields, '
                f'{len(explained)} explained, {len(unexplained)} not; in {same} / {every} values'
            )
        return self.differences.print_rows() and not self.without_jobs


def compared(ours, theirs):
    """(field, (value of ours, of theirs)) of two jobs; of one that only one client sent, that."""
    if not ours or not theirs:
        yield 'job', ('sent' if ours else 'not sent', 'sent' if theirs else 'not sent')
        return
    fields = [
        {**job.fields, 'job.picture': str(job.picture), 'job.payload': describe(job.payload)} for job in (ours, theirs)
    ]
    for field in sorted(set().union(*fields)):
        yield field, tuple(each.get(field, 'absent') for each in fields)


def describe(payload):
    return f'{payload[0]} bytes {payload[1]}' if payload else 'not traced'
