# SPDX-License-Identifier: MIT
"""The streams of a sweep: what there is, what software makes of it, and each as an elementary stream."""

import concurrent.futures
import fnmatch
import hashlib
import json
import os
import re
import subprocess
import tempfile

# Codec: the muxer for what GStreamer reads, and suffixes of files that are that already.
MUXERS = {
    'mpeg2': ('mpeg2video', ('.m2v', '.mpeg2')),
    'h264': ('h264', ('.264', '.h264', '.avc', '.jsv', '.26l')),
    'hevc': ('hevc', ('.h265', '.hevc', '.265')),
    'vp8': ('ivf', ('.ivf',)),
    'vp9': ('ivf', ('.ivf', '.webm')),
    'av1': ('ivf', ('.ivf',)),
}
DEFAULT_CODECS = tuple(MUXERS)  # what the driver has


class SweepError(Exception):
    """The sweep cannot go on; no stream is to blame."""


class Stream:
    """A file with what its table says of it."""

    def __init__(self, codec, path, cells):
        self.codec, self.path, self.name = codec, path, os.path.basename(path)
        self.expect = cells.get('expect', 'decode')
        self.features, self.profile = cells.get('features', ''), cells.get('profile_level', '')
        size = re.fullmatch(r'(\d+)x(\d+)', cells.get('wxh', ''))
        self.size = (int(size[1]), int(size[2])) if size else None
        self.count = int(cells['frames']) if cells.get('frames', '').isdigit() else None
        self.format = 'p010le' if '10' in cells.get('pix_fmt', '') else 'nv12'
        self.md5 = (cells.get('md5_nv12') or cells.get('md5_nv12_or_p010') or '').rsplit(':', 1)[-1]
        if cells.get('pix_fmt', '').startswith('yuvj'):
            self.md5 = ''  # the table has it with the range converted, which no hardware does
        self.native = (cells.get('md5_native_raw', ''), cells.get('pix_fmt', ''))
        # FFmpeg finds no VA profile for these, unless it is told not to mind.
        self.mismatch = self.profile.startswith('Baseline') or (
            codec == 'hevc' and self.expect == 'decode' and not self.profile.startswith('Main ')
        )
        self.without_grain = False  # film grain of AV1 is left to who shows the pictures
        self.results = {}
        self.given = {}  # column -> the path that its client gets

    def key(self):
        return f'{self.codec}/{self.name}'


def read_table(path):
    with open(path, encoding='utf-8') as file:
        lines = [line.rstrip('\n').split('\t') for line in file if line.strip() and not line.startswith('#')]
    return [dict(zip(lines[0], cells)) for cells in lines[1:]]


def find(folder, codecs=(), patterns=(), scope=None):
    """The streams of a folder: those of its table, or all files of its codec folders. Patterns: glob or regexp."""
    tables = [name for name in ('fixtures.tsv', 'vectors.tsv') if os.path.exists(os.path.join(folder, name))]
    if tables:
        rows = read_table(os.path.join(folder, tables[0]))
    else:
        rows = [
            {'codec': codec, 'file': name}
            for codec in sorted(MUXERS)
            if os.path.isdir(os.path.join(folder, codec))
            for name in sorted(os.listdir(os.path.join(folder, codec)))
        ]
    found = []
    for cells in rows:
        stream = Stream(cells['codec'], os.path.join(folder, cells['codec'], cells['file']), cells)
        if (
            codecs
            and stream.codec not in codecs
            or patterns
            and not any(matches(pattern, stream.name) for pattern in patterns)
        ):
            continue
        if scope and not scope(cells):
            continue
        if not os.path.exists(stream.path):
            raise SweepError(f'{stream.path} is in the table, but not there')
        found.append(stream)
    return found


def matches(pattern, name):
    if fnmatch.fnmatch(name, pattern):
        return True
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def in_scope(cells):
    """What the driver is to decode so far: progressive H.264 and frame pictures of MPEG-2, 4:2:0, 8 bit."""
    fields = re.search(r'interlaced,|MBAFF|PAFF|field,|field-pictures', cells.get('features', '') + ',')
    if cells['codec'] == 'mpeg2':
        fields = 'field-pictures' in cells.get('features', '')
    return (
        cells['codec'] in ('mpeg2', 'h264')
        and not fields
        and cells.get('expect') == 'decode'
        and cells.get('pix_fmt') in ('yuv420p', 'yuvj420p')
    )


def file_md5(path):
    digest = hashlib.md5()
    with open(path, 'rb') as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def cache_dir():
    base = os.environ.get('V4L2_REQUEST_CACHE') or os.path.join(
        os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'v4l2-request'
    )
    path = os.path.join(base, 'sweep')
    os.makedirs(path, exist_ok=True)
    return path


def ffmpeg_version():
    text = subprocess.run(['ffmpeg', '-version'], capture_output=True, text=True, check=True).stdout
    return text.split()[2]


def replace_file(path, data):
    """Nobody sees half a file."""
    with tempfile.NamedTemporaryFile('wb', dir=os.path.dirname(path), delete=False) as file:
        file.write(data)
    os.rename(file.name, path)


def software_command(path, pixel_format, without_grain=False):
    # Pictures as they are coded: a display matrix is for who shows them, and no decoder's part.
    # The ranges keep yuvj420p as it is; hardware surfaces have no range of their own.
    return [
        'ffmpeg',
        '-hide_banner',
        '-nostdin',
        '-y',
        '-v',
        'error',
        '-threads',
        '1',
        '-noautorotate',
        *(['-export_side_data', 'film_grain'] if without_grain else []),
        '-i',
        path,
        '-map',
        '0:v:0',
        '-fps_mode',
        'passthrough',
        '-noautoscale',
        '-vf',
        f'scale=in_range=tv:out_range=tv,format={pixel_format}',
        '-f',
        'framemd5',
        '-',
    ]


def software(stream, version):
    return software_of(stream.path, stream.format, version, stream.without_grain)


def is_right_natively(stream):
    """Whether software's frames are the table's in their own format: of full range, a table may have NV12 with the range
    converted, which no hardware does."""
    digest, pix_fmt = stream.native
    command = ['ffmpeg', '-hide_banner', '-nostdin', '-v', 'error', '-threads', '1', '-i', stream.path, '-map', '0:v:0',
               '-fps_mode', 'passthrough', '-noautoscale', '-pix_fmt', pix_fmt, '-c:v', 'rawvideo', '-f', 'md5', '-']
    return bool(digest) and subprocess.run(command, capture_output=True, check=False).stdout.decode().strip() == 'MD5=' + digest


def software_of(source, pixel_format, version, without_grain=False):
    """What FFmpeg decodes in software: {"frames": ["BYTES:MD5"], "md5": of all, "log"}; by content and version."""
    recipe = 'recipe 3' + (' without grain' if without_grain else '')
    digest = hashlib.sha256('\0'.join((file_md5(source), version, pixel_format, recipe)).encode()).hexdigest()[:24]
    path = os.path.join(cache_dir(), f'software-{digest}.json')
    if os.path.exists(path):
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    with tempfile.NamedTemporaryFile(suffix='.md5') as whole:
        command = software_command(source, pixel_format, without_grain)
        done = subprocess.run(
            [
                *command,
                *command[command.index(source) + 1 : command.index('-f')],
                '-c:v',
                'rawvideo',
                '-f',
                'md5',
                whole.name,
            ],
            capture_output=True,
            check=False,
        )
        total = whole.read().decode().strip().removeprefix('MD5=')
    frames = [
        f'{cells[4].strip()}:{cells[5].strip()}'
        for line in done.stdout.decode(errors='replace').splitlines()
        if not line.startswith('#') and len(cells := line.split(',')) == 6
    ]
    result = {'frames': frames, 'md5': total, 'log': done.stderr.decode(errors='replace')[-2000:]}
    replace_file(path, json.dumps(result).encode())
    return result


def elementary(stream, ivf=False):
    """The path of the stream in a form that GStreamer's parsers read: of itself, or of a copy in the cache; or surely IVF."""
    muxer, suffixes = MUXERS[stream.codec]
    if stream.name.lower().endswith('.ivf' if ivf else suffixes):
        return stream.path
    path = os.path.join(cache_dir(), f'elementary-2-{file_md5(stream.path)[:24]}.{muxer}')
    if not os.path.exists(path):
        with tempfile.NamedTemporaryFile(suffix='.part') as part:
            done = subprocess.run(
                [
                    'ffmpeg',
                    '-hide_banner',
                    '-nostdin',
                    '-y',
                    '-v',
                    'error',
                    '-i',
                    stream.path,
                    '-map',
                    '0:v:0',
                    '-c',
                    'copy',
                    '-copyinkf',  # a stream that begins without a key frame begins so for GStreamer too
                    '-f',
                    muxer,
                    part.name,
                ],
                capture_output=True,
                check=False,
            )
            if done.returncode and not os.path.getsize(part.name):
                return stream.path  # the parser may still make something of it
            replace_file(path, part.read())
    return path


def in_background(streams, done):
    """Software hashes of all streams, by a thread of its own: the guest is the one that is waited for."""
    version = ffmpeg_version()
    pool = concurrent.futures.ThreadPoolExecutor(1)
    for stream in streams:
        future = pool.submit(software, stream, version)
        future.add_done_callback(lambda future, stream=stream: done(stream, future))
    return pool
