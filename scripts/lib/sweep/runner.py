# SPDX-License-Identifier: MIT
"""The part of the sweep that runs where the device is, in the guest or on a board: decodes streams, and prints one line
of JSON for each event.

runner.py JOBS.json: {"driver": DIR (null: as installed), "info": v4l2-request-info, on a board (else null), "display":
NODE, "jobs": N, "timeout": S, "trace": DIR or null, "trace_kb": N, "job_log": whether the trace is that of a board, "flags": whether
to count the buffers that clients get with the error flag, "tasks":
[{"id", "codec", "column", "path", "format", "mismatch", "command" of software}]}. Lines: {"id", "event": "start"}, then {"id", "event": "end",
"frames": [...], "status", "log", "seconds", "error", "limit", "flagged"}.

A frame is "BYTES:MD5": size and hash of its visible part as tight NV12 (P010)."""

import binascii
import glob
import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time

PARSERS = {
    'mpeg2': 'mpegvideoparse ! v4l2slmpeg2dec',
    'h264': 'h264parse ! v4l2slh264dec',
    'hevc': 'h265parse ! v4l2slh265dec',
    'vp8': 'ivfparse ! v4l2slvp8dec',
    'vp9': 'ivfparse ! vp9parse ! v4l2slvp9dec',
    'av1': 'ivfparse ! av1parse ! v4l2slav1dec',
}
VA_DECODERS = {'mpeg2': 'vampeg2dec', 'h264': 'vah264dec', 'hevc': 'vah265dec', 'vp8': 'vavp8dec', 'vp9': 'vavp9dec', 'av1': 'vaav1dec'}
GST_FORMATS = {'nv12': 'NV12', 'p010le': 'P010_10LE'}
# What a device has packed or in tiles, GStreamer hands on so; what is P010 or NV12 passes through. identity has the decoder copy pictures out
# of the device's memory: where a row there is longer than the picture, videoconvert of GStreamer 1.28 takes the whole row for
# the picture, and scales it down.
UNPACK = ('!', 'identity', 'drop-allocation=true', '!', 'videoconvert', 'chroma-mode=none', 'dither=none')
# What FFmpeg says when its hardware decoder is not used after all.
FALLBACK = re.compile(
    r'Failed setup for format vaapi|hwaccel initialisation returned error|No support for codec \w+ profile'
    r'|Impossible to convert between the formats supported by the filter'
)
# What is worth to be seen of a client's messages.
TELLING = re.compile(
    r'error|fail|v4l2_request:|unable|invalid|not support|cannot|could not|impossible|missing|corrupt|assert|caught|too long',
    re.IGNORECASE,
)
# What gst-launch says before it waits for the error that it may have shown already, and then it waits for ever.
STRANDED = "pipeline doesn't want to preroll"
GRACE = 5  # seconds, in which it mostly ends by itself
IDLE = re.compile(r' 0 decode errors| is left out: (does not decode|the device does not list) ?')
# What GStreamer says when a stateless decoder has not ended a picture in a second, which is built into it.
GAVE_UP = re.compile(r'Decoding frame (\d+ )?took too long|Request \d+ took too long')
# A line of the trace, with the process of the thread.
FLAGGED = re.compile(r'.*-\d+ +\( *(\d+)\) \[\d+\].* v4l2_dqbuf: ')
LOG_LIMIT = 3000
GDP_HEADER = 62  # bytes
HIGH_BITS = bytes(byte & 0xC0 for byte in range(256))  # of the first byte of a sample of P010
TRACING = '/sys/kernel/tracing'
JOB_LOG = '/sys/kernel/debug/fakeboard/log'
VA_NAMES = {'mpeg2': 'MPEG2', 'h264': 'H264', 'hevc': 'HEVC', 'vp8': 'VP8', 'vp9': 'VP9', 'av1': 'AV1'}


def libva_command(task, display):
    # FFmpeg wants the very profile: Baseline streams that do not say that they are of Constrained Baseline mostly are, and
    # HEVC streams of no profile or of a larger one may use nothing beyond Main.
    mismatch = ['-hwaccel_flags', 'allow_profile_mismatch'] if task.get('mismatch') else []
    return [
        'ffmpeg',
        '-hide_banner',
        '-nostdin',
        '-v',
        'verbose',
        '-hwaccel',
        'vaapi',
        '-hwaccel_output_format',
        'vaapi',
        '-vaapi_device',
        display,
        *mismatch,
        '-noautorotate',
        '-i',
        task['path'],
        '-map',
        '0:v:0',
        '-fps_mode',
        'passthrough',
        '-noautoscale',
        '-vf',
        f'hwdownload,format={task["format"]}' + (',format=yuv420p10le,format=p010le' if task.get('high_bits') else ''),
        '-f',
        'framemd5',
        '-',
    ]


def gst_elements(task):
    """Parser and decoder: straight on the kernel, or through libva."""
    elements = PARSERS[task['codec']]
    if task['path'].endswith('.webm'):
        elements = elements.replace('ivfparse', 'matroskademux')
    if task['column'] == 'libva':
        return re.sub(r'v4l2sl\w+dec$', VA_DECODERS[task['codec']], elements)
    return re.sub(r'v4l2sl\w+dec$', task.get('element', r'\g<0>'), elements)


def gst_command(task):
    # --no-fault: else a crash is a hang.
    return [
        'gst-launch-1.0',
        '--no-fault',
        '-q',
        'filesrc',
        'location=' + task['path'],
        '!',
        *gst_elements(task).split(),
        *(UNPACK if task['convert'] else ()),
        '!',
        'video/x-raw,format=' + GST_FORMATS[task['format']],
        '!',
        'gdppay',
        '!',
        'fdsink',
        'fd=1',
    ]


def take_picture(task, settings):
    """Writes one picture of a stream as y4m, 8 bits; of libva, with a recording of all up to it. Returns what is to be printed."""
    libva, number = task['column'] == 'libva', task['picture']
    environment = dict(os.environ)
    if libva:
        environment.update(LIBVA_DRIVER_NAME='v4l2_request', GST_VA_ALL_DRIVERS='1')
        if settings['driver']:
            environment['LIBVA_DRIVERS_PATH'] = settings['driver']
        if task['recording']:
            environment.update(V4L2_REQUEST_RECORD=task['recording'], V4L2_REQUEST_RECORD_OPTIONS='pictures,wait')
    if libva and task.get('client') != 'gst':
        command = libva_command(task, settings['display'])
        command[command.index('-vf') + 1] = f'select=eq(n\\,{number}),' + command[command.index('-vf') + 1]
        command[-3:] = ['-frames:v', '1', '-pix_fmt', 'yuv420p', '-f', 'yuv4mpegpipe', '-y', task['out']]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=settings['timeout'], check=False)
        status = done.returncode
    else:
        with subprocess.Popen(gst_command(task), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
            timer = threading.Timer(settings['timeout'], process.kill)
            timer.start()
            kept = []
            read_gdp(process.stdout, keep=lambda at, *picture: kept.append(picture) if at == number else None)
            status = process.wait()
            timer.cancel()
        if kept:
            write_y4m(task['out'], *kept[0])
    return {'frames': [], 'status': status, 'error': None, 'log': '', 'seconds': 0}


def write_y4m(path, frame, width, height, sample):
    """A tight frame of NV12 or P010, of which the upper byte of each sample is kept."""
    data = bytes(frame[sample - 1 :: sample])
    luma, chroma = data[: width * height], data[width * height :]
    with open(path, 'wb') as file:
        file.write(b'YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420jpeg\nFRAME\n' % (width, height) + luma + chroma[::2] + chroma[1::2])


def read_framemd5(output):
    """Frames of FFmpeg's framemd5: stream, dts, pts, duration, size, hash."""
    frames = []
    for line in output:
        cells = line.decode(errors='replace').split(',')
        if not line.startswith(b'#') and len(cells) == 6:
            frames.append(f'{cells[4].strip()}:{cells[5].strip()}')
    return frames


def exactly(stream, count):
    data = stream.read(count)
    return data if len(data) == count else None


def tight(data, width, height, bytes_per_sample):
    """A frame of NV12 or P010 without GStreamer's padding: of rows to 4 bytes, of planes to 2 rows."""
    row = width * bytes_per_sample
    stride = (row + 3) & ~3
    uv_row, uv_rows, uv_start = (width + 1) // 2 * 2 * bytes_per_sample, (height + 1) // 2, stride * ((height + 1) & ~1)
    if stride == row == uv_row and height % 2 == 0:
        return data[: row * height * 3 // 2]
    rows = [data[at * stride : at * stride + row] for at in range(height)]
    rows += [data[uv_start + at * stride : uv_start + at * stride + uv_row] for at in range(uv_rows)]
    return b''.join(rows)


def high_bits(frame):
    """P010 with the bits that are not of the sample cleared."""
    cleared = bytearray(frame)
    cleared[::2] = frame[::2].translate(HIGH_BITS)
    return cleared


def is_gdp_header(data):
    return len(data) == GDP_HEADER and binascii.crc_hqx(data[:58], 0xFFFF) ^ 0xFFFF == struct.unpack('>H', data[58:60])[0]


def read_gdp(stream, only_high_bits=False, keep=None):
    """Frames of a GStreamer Data Protocol stream: it tells where a buffer ends, and what the caps of each one are.

    Of a buffer that cannot be mapped, because its picture is damaged, there is a header without a payload: no frame.
    keep(number, frame, width, height, bytes of a sample) is given each."""
    frames, width, height, sample = [], 0, 0, 1
    header = exactly(stream, GDP_HEADER)
    while header is not None:
        kind, length = struct.unpack('>HI', header[4:10])
        start = exactly(stream, min(length, GDP_HEADER))
        if start is not None and kind == 1 and is_gdp_header(start):
            header = start
            continue
        rest = exactly(stream, length - len(start)) if start is not None else None
        if rest is None:
            break
        payload = start + rest
        if kind == 2:
            caps = payload.decode(errors='replace')
            width, height = (int(re.search(name + r'=\(int\)(\d+)', caps)[1]) for name in ('width', 'height'))
            sample = 2 if 'P010' in caps else 1
        elif kind == 1:
            frame = tight(payload, width, height, sample)
            frame = high_bits(frame) if only_high_bits else frame
            if keep:
                keep(len(frames), frame, width, height, sample)
            frames.append(f'{len(frame)}:{hashlib.md5(frame).hexdigest()}')
        header = exactly(stream, GDP_HEADER)
    return frames


def listen(lines, chunks, stranded):
    """Keeps the start and the end of what a client complains about, and starts the timer of one that may be stranded."""
    for line in lines:
        text = line.decode(errors='replace')
        if STRANDED in text and stranded.ident is None:  # it may say so twice
            stranded.start()
        if FALLBACK.search(text) or TELLING.search(text) and not IDLE.search(text):
            chunks.append(text)
            if len(chunks) > 400:
                del chunks[200]


def where_it_waits(pid):
    """What each thread of a client that does not end is waiting for in the kernel."""
    lines = []
    for thread in glob.glob(f'/proc/{pid}/task/*'):
        try:
            with open(thread + '/comm', encoding='ascii') as name, open(thread + '/syscall', encoding='ascii') as call:
                lines.append(f'{name.read().strip()}: {call.read().strip()}')
        except OSError:
            pass  # has just ended
    return '\n'.join(lines)


def decode(task, settings):
    """Runs one client on one stream. Returns what is to be printed."""
    libva = task['column'] == 'libva'
    environment = dict(os.environ)
    if libva:
        # GStreamer takes drivers that it does not know by name only when told to.
        environment.update(LIBVA_DRIVER_NAME='v4l2_request', GST_VA_ALL_DRIVERS='1')
        if settings['driver']:
            environment['LIBVA_DRIVERS_PATH'] = settings['driver']
    else:
        # Else it does not say that it gave up, but that it has no memory left: that of the job is still in use.
        environment.update(GST_DEBUG='v4l2codecs-decoder:2', GST_DEBUG_NO_COLOR='1')
    ffmpeg = task['column'] == 'sw' or libva and task.get('client') != 'gst'
    if task['column'] == 'sw':
        command = task['command']
    else:
        command = libva_command(task, settings['display']) if ffmpeg else gst_command(task)
    start, log = time.monotonic(), []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        late = []

        def end():
            late.append(where_it_waits(process.pid))
            process.kill()

        timer = threading.Timer(task.get('timeout', settings['timeout']), end)
        timer.start()
        stranded = threading.Timer(GRACE, process.terminate)
        listener = threading.Thread(target=listen, args=(process.stderr, log, stranded))
        listener.start()
        try:
            frames = read_framemd5(process.stdout) if ffmpeg else read_gdp(process.stdout, task.get('high_bits'))
        finally:
            _, wait_status, usage = os.wait4(process.pid, 0)
            process.returncode = status = os.waitstatus_to_exitcode(wait_status)
            timer.cancel()
            listener.join()
            stranded.cancel()
    text = ''.join(log + late)
    error = None
    if late:
        error = 'timeout'
    elif status < 0 and not (status == -signal.SIGTERM and STRANDED in text):
        error = f'signal {-status}'
    elif libva and FALLBACK.search(text):
        error = 'software fallback'
    lines = text if len(text) <= LOG_LIMIT else text[: LOG_LIMIT // 2] + '\n...\n' + text[-LOG_LIMIT // 2 :]
    return {
        'frames': frames,
        'status': status,
        'error': error,
        'limit': 'GStreamer waits a second for a picture, no longer' if GAVE_UP.search(text) else None,
        'flagged': flagged(process.pid) if settings.get('flags') else 0,
        'log': lines,
        'seconds': round(time.monotonic() - start, 2),
        'cpu': round(usage.ru_utime + usage.ru_stime, 3),
    }


def watch_flags():
    """From here on the kernel notes each buffer that a client gets with V4L2_BUF_FLAG_ERROR, and what process it is."""
    for name, text in (
        ('trace_clock', 'counter'),
        ('options/record-tgid', '1'),
        ('events/v4l2/v4l2_dqbuf/filter', 'flags & 0x40'),
        ('events/v4l2/v4l2_dqbuf/enable', '1'),
        ('tracing_on', '1'),
    ):
        write(f'{TRACING}/{name}', text)


def flagged(process):
    """How many such buffers a process has got."""
    with open(f'{TRACING}/trace', encoding='utf-8', errors='replace') as file:
        return sum(match is not None and int(match[1]) == process for match in map(FLAGGED.match, file))


def write(path, text):
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)


def nodes_of_driver(tool):
    """Codec -> the node by which the driver decodes it."""
    told = subprocess.run([tool, '--json'], capture_output=True, check=False).stdout
    profiles = json.loads(told)['profiles']
    return {
        codec: row['by'].split()[0]
        for codec, va in VA_NAMES.items()
        for name, row in profiles.items()
        if row['offered'] and name.startswith('VAProfile' + va)
    }


def elements_of_nodes(nodes):
    """Codec -> GStreamer's element for that node: where several nodes have a codec, it has one for each."""
    listed = subprocess.run(['gst-inspect-1.0', 'v4l2codecs'], capture_output=True, check=False, text=True).stdout
    found = {}
    for codec, node in nodes.items():
        short = re.search(r'v4l2sl(\w+)dec$', PARSERS[codec])[1]
        for name in re.findall(rf'\bv4l2sl(?:video\d+)?{short}dec\b', listed):
            about = subprocess.run(['gst-inspect-1.0', name], capture_output=True, check=False, text=True).stdout
            if re.search(rf'video-device +:[^"]*"{re.escape(node)}"', about):
                found[codec] = name
    return found


def end_job_log(target):
    with open(JOB_LOG, 'rb') as source, open(target, 'wb') as file:
        while data := source.read(1 << 20):
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def start_trace(codec):
    """visl afresh, so that none of the payloads of the last stream are left; its events into an empty ring buffer."""
    subprocess.run(['rmmod', 'visl'], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(
        [
            'modprobe',
            'visl',
            'keep_bitstream_buffers=1',
            'bitstream_trace_frame_start=0',
            'bitstream_trace_nframes=100000',
        ],
        check=True,
    )
    write(f'{TRACING}/trace', '')
    events = [
        event
        for event in glob.glob(f'{TRACING}/events/visl_{codec}_controls/v4l2_*/enable')
        if '_ext_sps_' not in event
    ]
    for event in events + [f'{TRACING}/events/v4l2/v4l2_qbuf/enable']:
        write(event, '1')
    write(f'{TRACING}/tracing_on', '1')


def ring_buffer_events(page):
    """Each event of a page of the ring buffer (Documentation/trace/ring-buffer-design.rst), as its bytes."""
    at, end = 16, 16 + (struct.unpack_from('<Q', page, 8)[0] & 0xFFFFF)
    while at + 4 <= min(end, len(page)):
        kind = struct.unpack_from('<I', page, at)[0] & 31
        at += 4
        if kind == 0:
            size = struct.unpack_from('<I', page, at)[0]
            yield page[at + 4 : at + size]
        elif kind <= 28:
            size = kind * 4
            yield page[at : at + size]
        elif kind == 29:
            return
        else:  # more of a time
            size = 4
        at += size


def binary_records(event):
    """The structs of an event that is one struct, as the ring buffer has them."""
    with open(f'{TRACING}/events/{event}/format', encoding='utf-8') as file:
        text = file.read()
    number = int(re.search(r'^ID: (\d+)', text, re.MULTILINE)[1])
    offset, size = map(int, re.search(r'field:struct .*offset:(\d+);\s*size:(\d+);', text).groups())
    for path in sorted(glob.glob(f'{TRACING}/per_cpu/cpu*/trace_pipe_raw')):
        raw = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            while page := os.read(raw, 4096):
                for data in ring_buffer_events(page):
                    yield struct.unpack_from('<H', data)[0], number, data[offset : offset + size]
        except BlockingIOError:
            pass
        finally:
            os.close(raw)


def av1_records():
    """The frame controls and the first tiles of all jobs. Reading takes them out of the ring buffer, so both at once."""
    folder = 'visl_av1_controls'
    with open(f'{TRACING}/events/{folder}/v4l2_ctrl_av1_tile_group_entry/format', encoding='utf-8') as file:
        tile_event = int(re.search(r'^ID: (\d+)', file.read(), re.MULTILINE)[1])
    frames, tiles = [], []
    for event, frame_event, data in binary_records(f'{folder}/v4l2_ctrl_av1_frame'):
        if event == frame_event:
            frames.append(data)
        elif event == tile_event:
            tiles.append(struct.unpack_from('<II', data))
    return frames, tiles


def end_trace(target, codec):
    """Saves the trace and the hashes of the payloads: of AV1 those of the first tiles, as clients send them with headers or
    without."""
    write(f'{TRACING}/tracing_on', '0')
    with open(f'{TRACING}/trace', 'rb') as source, open(target, 'wb') as file:
        while data := source.read(1 << 20):
            file.write(data)
        frames, tiles = av1_records() if codec == 'av1' else ([], [])
        for frame in frames:
            file.write(f'# record {frame.hex()}\n'.encode())
        for path in sorted(
            glob.glob('/sys/kernel/debug/visl/bitstream/bitstream*'),
            key=lambda path: int(path.rsplit('bitstream', 1)[1]),
        ):
            number = int(path.rsplit('bitstream', 1)[1])
            with open(path, 'rb') as blob:
                data = blob.read()
            if number < len(tiles):
                offset, size = tiles[number]
                data = data[offset : offset + size]
            file.write(f'# payload {number} {len(data)} {hashlib.md5(data).hexdigest()}\n'.encode())
        file.flush()
        os.fsync(file.fileno())  # a guest that dies takes with it what it has not written yet


def side_by_side(run, tasks, jobs):
    """Runs each task, in their order, so many at a time."""
    lock, waiting = threading.Lock(), tasks[::-1]

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                task = waiting.pop()
            run(task)

    workers = [threading.Thread(target=work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        settings = json.load(file)
    lock = threading.Lock()

    def say(task, **words):
        with lock:
            print(json.dumps({'id': task['id'], **words}), flush=True)

    def run(task):
        say(task, event='start')
        try:
            target = os.path.join(settings['trace'] or '', f'{task["id"]}.trace')
            if settings['job_log']:
                write(JOB_LOG, 'anew')
            elif settings['trace']:
                start_trace(task['codec'])
            result = take_picture(task, settings) if 'picture' in task else decode(task, settings)
            if settings['job_log']:
                end_job_log(target)
            elif settings['trace']:
                end_trace(target, task['codec'])
        except Exception as failure:  # pylint: disable=broad-except  # one stream must not end the others
            result = {'frames': [], 'status': None, 'error': f'runner: {failure!r}', 'log': '', 'seconds': 0}
        say(task, event='end', **result)

    if settings['info']:
        elements = elements_of_nodes(nodes_of_driver(settings['info']))
        for task in settings['tasks']:
            if task['codec'] in elements:
                task['element'] = elements[task['codec']]
    if settings['trace'] and not settings['job_log']:
        write(f'{TRACING}/buffer_size_kb', str(settings['trace_kb']))
    if settings.get('flags'):
        watch_flags()
    side_by_side(run, settings['tasks'], settings['jobs'])


if __name__ == '__main__':
    main()
