# SPDX-License-Identifier: MIT
"""The sweep itself: streams become tasks, their results rows of a table. The place where they run is given."""

import collections
import contextlib
import functools
import os
import shutil
import sys
import tempfile
import threading
import time

import facts
import streams as library
from sweep import board as boards
from sweep import differences, payload, strips
from sweep import verdict as judge

CHECKOUT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), '../../..'))
DRIVER = 'src/v4l2_request_drv_video.so'
COLUMNS = ('libva', 'kdirect', 'sw')
DEVICE_COLUMNS = ('libva', 'kdirect')
ALONE = 5  # so many times the limit is for a client that runs again, alone


class Report:
    """Collects results from several threads, and prints each stream when it is complete."""

    def __init__(self, options, streams, folder):
        self.options, self.folder = options, folder
        self.lock, self.rows, self.left = threading.Lock(), [], len(streams)
        self.width = max(len(stream.name) for stream in streams)
        tables = os.path.join(CHECKOUT, 'tests/guest')
        self.reader = boards if options.board else payload
        rows = differences.read_exceptions(os.path.join(tables, self.reader.EXCEPTIONS))
        self.payloads = boards.Summary(rows, options.board) if options.board else payload.Summary(rows)
        self.judge = judge.Judge(library.read_table(os.path.join(tables, judge.EXCEPTIONS)), options.libva)
        print(f'{"codec":6} {"file":{self.width}} {"frames":>6} {"libva":8} {"kdirect":8} {"sw":8} verdict', flush=True)

    def add(self, stream, column, result):
        with self.lock:
            stream.results[column] = result
            if set(stream.results) == set(wanted_columns(stream, self.options)):
                self.finish(stream)

    def finish(self, stream):
        self.left -= 1
        traces = {}
        if self.options.payloads:
            traces = {
                column: os.path.join(self.folder, f'{stream.key()}-{column}.trace'.replace('/', '_'))
                for column in DEVICE_COLUMNS
            }
            traces = {column: path for column, path in traces.items() if os.path.exists(path)}
        known = functools.cache(lambda: facts.Facts(stream))
        verdict, notes = self.judge.verdict(stream, self.options.device != 'visl', known)
        if self.options.board and judge.declined_by_all(stream):
            verdict = judge.DECLINED
        elif len(traces) == 2 and stream.expect == 'decode':
            difference = self.payloads.add(
                stream, *(self.reader.read(traces[column], stream.codec) for column in DEVICE_COLUMNS), known()
            )
            if difference and verdict in judge.GOOD:
                verdict = difference
            elif stream.key() in self.payloads.excused:
                verdict = judge.EXPLAINED
        if not self.options.keep:
            for path in traces.values():
                os.unlink(path)
        short = {
            column: judge.short(stream.results[column]['frames']) if stream.results.get(column) else '-'
            for column in COLUMNS
        }
        frames = max(len(result['frames']) for result in stream.results.values())
        row = {
            'codec': stream.codec,
            'file': stream.name,
            'frames': frames,
            **{
                column: judge.whole(stream.results[column]['frames']) if stream.results.get(column) else None
                for column in COLUMNS
            },
            'verdict': 'match' if verdict in judge.GOOD[:3] else verdict,
            'expect': stream.expect,
            'notes': notes,
            'counts': {column: len(result['frames']) for column, result in stream.results.items()},
            'seconds': {column: result['seconds'] for column, result in stream.results.items() if 'seconds' in result},
            'cpu': {column: result['cpu'] for column, result in stream.results.items() if 'cpu' in result},
        }
        again = {column: result['again'] for column, result in stream.results.items() if 'again' in result}
        row['notes'] = notes + [f'{column} ran again, alone: {why}' for column, why in again.items()]
        self.rows.append(row)
        alone = f' ({" and ".join(again)} again, alone)' if again else ''
        hashes = ' '.join(f'{short[column]:8}' for column in COLUMNS)
        print(f'{stream.codec:6} {stream.name:{self.width}} {frames:6} {hashes} {verdict}{alone}', flush=True)
        if sys.stderr.isatty() and self.left:
            print(f'{self.left} left\r', end='', file=sys.stderr, flush=True)
        if self.options.logs and verdict not in judge.GOOD:
            for column, result in stream.results.items():
                for text in (result.get('log') or '').strip().splitlines()[: self.options.logs]:
                    print(f'    {column}: {text}')

    def end(self):
        """Prints the counts, and returns the exit status."""
        by_codec = collections.defaultdict(collections.Counter)
        for row in self.rows:
            by_codec[row['codec']][row['verdict'] in judge.GOOD] += 1
        print()
        for codec, counts in sorted(by_codec.items()):
            print(f'{codec}: {counts[True]} of {counts[True] + counts[False]} streams are as they should be')
        good = all(row['verdict'] in judge.GOOD for row in self.rows)
        if self.options.payloads:
            good &= self.payloads.print_table()
        self.rows.sort(key=lambda row: (row['codec'], row['file']))
        return 0 if good else 1


def wanted_columns(stream, options):
    """A stream to be declined is asked of the driver only."""
    if stream.expect != 'decode':
        return [column for column in options.columns if column != 'kdirect']
    return options.columns


def writes_p010(stream, options):
    return stream.codec in boards.WRITE_P010.get(options.board, ())


def needs_conversion(stream, options):
    """Whether GStreamer, straight on the device, has the pictures in another form than clients of libva."""
    if stream.format == 'p010le':
        return not writes_p010(stream, options)
    return 'eight_bit=mm21' in options.module_arg


def make_tasks(streams, options, software_there):
    """One task for each stream and way; the elementary stream is made here, where FFmpeg's demuxers are."""
    tasks, owners = [], {}
    for stream in streams:
        for column in wanted_columns(stream, options):
            if column == 'sw' and not software_there:
                continue
            path = os.path.realpath(library.elementary(stream) if column == 'kdirect' or options.libva == 'gst' and column == 'libva' else stream.path)
            stream.given[column] = path
            task = {
                'id': f'{stream.key()}-{column}'.replace('/', '_'),
                'codec': stream.codec,
                'column': column,
                'client': options.libva,
                'path': path,
                'format': stream.format,
                'mismatch': stream.mismatch,
                'convert': needs_conversion(stream, options) and column != 'libva',
                'high_bits': stream.format == 'p010le' and writes_p010(stream, options),
            }
            if column == 'sw':
                task['command'] = library.software_command(path, stream.format, stream.without_grain)
            tasks.append(task)
            owners[task['id']] = (stream, column)
    return tasks, owners


def add_common_arguments(parser, jobs):
    """The options of every sweep; so many streams at a time if nothing else is asked for."""
    parser.add_argument(
        '--vectors',
        default=os.path.join(CHECKOUT, 'fixtures'),
        metavar='DIR',
        help='a folder per codec, and a table fixtures.tsv or vectors.tsv if there is one (default: fixtures)',
    )
    parser.add_argument(
        '--codec', action='append', default=[], choices=sorted(library.MUXERS), help='this codec; may be repeated'
    )
    parser.add_argument(
        '--filter',
        action='append',
        default=[],
        metavar='PATTERN',
        help='files whose name a glob or regular expression matches',
    )
    parser.add_argument(
        '--scope', action='store_true', help='only what the driver is to decode so far: progressive, 4:2:0, 8 bit'
    )
    parser.add_argument(
        '--libva', choices=('ffmpeg', 'gst'), default='ffmpeg', help="the client of libva's column (default: ffmpeg)"
    )
    parser.add_argument('--columns', default=','.join(COLUMNS), help='of libva, kdirect, sw (default: all)')
    parser.add_argument(
        '--build', default=os.path.join(CHECKOUT, 'build'), metavar='DIR', help='the build tree (default: build)'
    )
    parser.add_argument('--jobs', type=int, default=jobs, help=f'streams at a time (default: {jobs})')
    parser.add_argument(
        '--timeout', type=int, default=120, metavar='S', help='for one client on one stream (default: 120)'
    )
    parser.add_argument('--json', metavar='FILE', help='write the table as JSON')
    parser.add_argument('--html', metavar='FILE', help='write a report with pictures, one file')
    parser.add_argument('--record', metavar='DIR', help='with --html: record streams that are not as they should be there')
    parser.add_argument(
        '--logs',
        type=int,
        default=0,
        metavar='LINES',
        help='show so many lines of what the clients of a bad stream said',
    )


def check_common_options(parser, options):
    options.columns = options.columns.split(',')
    if not set(options.columns) <= set(COLUMNS):
        parser.error('columns are libva, kdirect and sw')
    options.build = os.path.realpath(options.build)


def find_streams(options):
    streams = library.find(
        options.vectors,
        options.codec or library.DEFAULT_CODECS,
        options.filter,
        library.in_scope if options.scope else None,
    )
    if 'libva' not in options.columns:
        streams = [stream for stream in streams if stream.expect == 'decode']
    return streams


def run_in_time(place, tasks, done):
    """Calls done(task, result) for each task that did not end by a limit. Returns the others, as (task, limit)."""
    late = []

    def sort(task, result):
        limit = 'its time was up' if result['error'] == 'timeout' else result.get('limit')
        if limit:
            late.append((task, limit))
        else:
            done(task, result)

    place.run(tasks, sort)
    return late


def run_all(place, tasks, done, when_idle):
    """Calls done(task, result) for each task. What ended by a limit runs again, alone and with a longer one: on a slow
    machine, that it ended says nothing. Before that, when_idle() waits until nothing else runs."""
    late = run_in_time(place, tasks, done)
    when_idle()
    for task, limit in late:
        longer = dict(task, timeout=ALONE * place.options.timeout)
        place.run([longer], lambda task, result, limit=limit: done(task, dict(result, again=limit)))


def run(options, streams, make_place, software_there=False):
    """Runs all of it. Returns the report, and the exit status; make_place(options, folder) makes the place.

    software_there: software decodes in the same place, and not here, because the processor is another one."""
    if not streams:
        raise library.SweepError(f'no such stream in {options.vectors}')
    driver = os.path.join(options.build, DRIVER) if options.build else None
    if 'libva' in options.columns and driver and not os.path.exists(driver):
        raise library.SweepError(
            f'no driver in {options.build}/src: build it, or leave its column out (--columns kdirect,sw)'
        )
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
            folder = os.path.realpath(options.keep)
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix='run-', dir=library.cache_dir()))
        options.driver_folder = folder if driver else None
        report = Report(options, streams, folder)
        pool = None
        if 'sw' in options.columns and not software_there:
            pool = library.in_background(streams, lambda stream, future: report.add(stream, 'sw', future.result()))
        if set(options.columns) & set(DEVICE_COLUMNS):
            if 'libva' in options.columns and driver:  # a copy: a build that goes on meanwhile must not change it
                shutil.copy(driver, folder)
            tasks, owners = make_tasks(streams, options, software_there)
            run_all(
                make_place(options, folder),
                tasks,
                lambda task, result: report.add(*owners[task['id']], result),
                pool.shutdown if pool else lambda: None,
            )
        if pool:
            pool.shutdown()
        status = report.end()
        if options.html:
            report.strips = strips.take(options, streams, report.rows, folder, make_place)
    print(f'{len(streams)} streams in {time.monotonic() - start:.0f} s')
    return report, status
