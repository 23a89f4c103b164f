# SPDX-License-Identifier: MIT
"""Both ends of daedalus, small enough to step through a test: a V4L2 client and a daemon that decodes nothing.

The client speaks MPEG-2 or H.264 as far as the kernel looks at it. Everything happens when a test says so, in one thread:
queue, read the job, complete it, dequeue.
"""
import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import struct
import threading

OUTPUT, CAPTURE = 10, 9  # V4L2_BUF_TYPE_VIDEO_*_MPLANE
MMAP, DMABUF = 1, 4  # V4L2_MEMORY_*

FLAG_ERROR, FLAG_IN_REQUEST, FLAG_HOLD, FLAG_REQUEST_FD = 0x40, 0x80, 0x200, 0x00800000
CAP_SUPPORTS = {'mmap': 1, 'dmabuf': 4, 'requests': 8, 'hold': 0x20, 'remove': 0x100}
DEC_CMD_FLUSH = 4

MPEG2, H264, NV12 = (int.from_bytes(name, 'little') for name in (b'MG2S', b'S264', b'NV12'))
MPEG2_SEQUENCE, MPEG2_PICTURE, MPEG2_QUANTISATION = 0xa409dc, 0xa409dd, 0xa409de
H264_DECODE_MODE, H264_START_CODE, H264_SPS, H264_PPS = range(0xa40900, 0xa40904)
H264_SCALING_MATRIX, H264_PRED_WEIGHTS, H264_SLICE_PARAMS, H264_DECODE_PARAMS = range(0xa40904, 0xa40908)
HEVC, VP8, VP9, AV1 = (int.from_bytes(name, 'little') for name in (b'S265', b'VP8F', b'VP9F', b'AV1F'))
HEVC_SPS, HEVC_PPS, HEVC_SLICE_PARAMS = range(0xa40a90, 0xa40a93)
HEVC_ENTRY_POINT_OFFSETS, VP8_FRAME, VP9_FRAME = 0xa40a97, 0xa409c8, 0xa40a2c
AV1_SEQUENCE, AV1_FRAME, AV1_FILM_GRAIN = 0xa40af4, 0xa40af6, 0xa40af9

JOB, INSTANCE_GONE, BUFFER_GONE, FINISH = 1, 2, 3, 4
JOB_HOLD, JOB_CONTINUES, JOB_LENIENT, JOB_FENCED = 1, 2, 4, 8
MESSAGE_MAX = 1 << 20

u8, u16, u32, u64, s32 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int32


class Struct(ctypes.Structure):
    pass


class PlaneFormat(Struct):
    _fields_ = [('sizeimage', u32), ('bytesperline', u32), ('reserved', u16 * 6)]


class Format(Struct):
    """struct v4l2_format with its multi-planar half."""
    _fields_ = [('type', u32), ('pad', u32), ('width', u32), ('height', u32), ('pixelformat', u32), ('field', u32),
                ('colorspace', u32), ('plane', PlaneFormat * 8), ('num_planes', u8), ('flags', u8), ('ycbcr_enc', u8),
                ('quantization', u8), ('xfer_func', u8), ('reserved', u8 * 7), ('rest', u8 * 8)]

    @property
    def sizeimage(self):
        return self.plane[0].sizeimage

    @property
    def colors(self):
        return self.colorspace, self.ycbcr_enc, self.quantization, self.xfer_func


class RequestBuffers(Struct):
    _fields_ = [('count', u32), ('type', u32), ('memory', u32), ('capabilities', u32), ('flags', u32)]


class CreateBuffers(Struct):
    _fields_ = [('index', u32), ('count', u32), ('memory', u32), ('pad', u32), ('format', Format),
                ('capabilities', u32), ('reserved', u32 * 7)]


class RemoveBuffers(Struct):
    _fields_ = [('index', u32), ('count', u32), ('type', u32), ('reserved', u32 * 13)]


class Plane(Struct):
    _fields_ = [('bytesused', u32), ('length', u32), ('m', u64), ('data_offset', u32), ('reserved', u32 * 11)]


class Buffer(Struct):
    _fields_ = [('index', u32), ('type', u32), ('bytesused', u32), ('flags', u32), ('field', u32), ('pad', u32),
                ('seconds', u64), ('microseconds', u64), ('timecode', u32 * 4), ('sequence', u32), ('memory', u32),
                ('planes', ctypes.POINTER(Plane)), ('length', u32), ('reserved2', u32), ('request_fd', s32), ('end', u32)]

    @property
    def timestamp(self):
        return self.seconds * 10**9 + self.microseconds * 1000

    @property
    def failed(self):
        return bool(self.flags & FLAG_ERROR)


class ExportBuffer(Struct):
    _fields_ = [('type', u32), ('index', u32), ('plane', u32), ('flags', u32), ('fd', s32), ('reserved', u32 * 11)]


class Control(Struct):
    _pack_ = 1
    _fields_ = [('id', u32), ('size', u32), ('reserved2', u32), ('value', u64)]


class Controls(Struct):
    _fields_ = [('which', u32), ('count', u32), ('error_idx', u32), ('request_fd', s32), ('reserved', u32), ('pad', u32),
                ('controls', ctypes.POINTER(Control))]


class QueryControl(Struct):
    _fields_ = [('id', u32), ('type', u32), ('name', ctypes.c_char * 32), ('minimum', u64), ('maximum', u64),
                ('step', u64), ('default', u64), ('flags', u32), ('elem_size', u32), ('elems', u32), ('nr_of_dims', u32),
                ('dims', u32 * 4), ('reserved', u32 * 32)]


class DecoderCommand(Struct):
    _fields_ = [('cmd', u32), ('flags', u32), ('rest', u8 * 64)]


class FrameSizes(Struct):
    _fields_ = [('index', u32), ('pixel_format', u32), ('type', u32), ('min_width', u32), ('max_width', u32),
                ('step_width', u32), ('min_height', u32), ('max_height', u32), ('step_height', u32), ('reserved', u32 * 2)]


class DescribedBuffer(Struct):
    _fields_ = [('cookie', u64), ('bytes', u32), ('index', u32)]


class DescribedFormat(Struct):
    _fields_ = [('fourcc', u32), ('width', u32), ('height', u32), ('bytesperline', u32), ('sizeimage', u32), ('reserved', u32)]


class Frame(Struct):
    _fields_ = [('timestamp', u64), ('cookie', u64), ('index', u32), ('error', u32)]


class JobHeader(Struct):
    _fields_ = [('type', u32), ('size', u32), ('cookie', u64), ('instance', u64), ('timestamp', u64), ('codec', u32),
                ('flags', u32), ('coded_width', u32), ('coded_height', u32), ('format', DescribedFormat),
                ('output', DescribedBuffer), ('capture', DescribedBuffer), ('frame_count', u32), ('control_count', u32)]


def number(direction, magic, index, size):
    return direction << 30 | size << 16 | ord(magic) << 8 | index


def w(index, struct_type):
    return number(1, 'V', index, ctypes.sizeof(struct_type))


def wr(index, struct_type):
    return number(3, 'V', index, ctypes.sizeof(struct_type))


G_FMT, S_FMT, TRY_FMT = wr(4, Format), wr(5, Format), wr(64, Format)
REQBUFS, QUERYBUF, QBUF, DQBUF = wr(8, RequestBuffers), wr(9, Buffer), wr(15, Buffer), wr(17, Buffer)
EXPBUF, CREATE_BUFS, REMOVE_BUFS = wr(16, ExportBuffer), wr(92, CreateBuffers), wr(104, RemoveBuffers)
STREAMON, STREAMOFF = w(18, s32), w(19, s32)
G_EXT_CTRLS, S_EXT_CTRLS, TRY_EXT_CTRLS = wr(71, Controls), wr(72, Controls), wr(73, Controls)
QUERY_EXT_CTRL, ENUM_FMT = wr(103, QueryControl), number(3, 'V', 2, 64)
ENUM_FRAMESIZES, DECODER_CMD = wr(74, FrameSizes), wr(96, DecoderCommand)
REQUEST_ALLOC, REQUEST_QUEUE, REQUEST_REINIT = number(2, '|', 5, 4), number(0, '|', 0x80, 0), number(0, '|', 0x81, 0)
IOC_VERSION, IOC_GET_BUFFER = number(2, 'D', 0, 4), number(3, 'D', 1, 16)
DMA_BUF_SYNC = number(1, 'b', 0, 8)


def ready(fd, events, seconds=0.0):
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(seconds * 1000))


def node(kind):
    """The first node of daedalus: /dev/videoN or /dev/mediaN."""
    for name in sorted(os.listdir('/sys/devices/platform/daedalus')):
        if name.startswith('media'):
            return '/dev/' + name if kind == 'media' else '/dev/' + os.listdir(
                '/sys/devices/platform/daedalus/video4linux')[0]
    raise FileNotFoundError('daedalus is not loaded')


class Client:
    """One file handle on the decoder. Raises OSError for what the kernel refuses."""

    def __init__(self, blocking=False):
        self.fd = os.open(node('video'), os.O_RDWR | (0 if blocking else os.O_NONBLOCK))
        self.media = os.open(node('media'), os.O_RDWR)
        self.closed, self.fds = False, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.closed:
            self.closed = True
            for fd in (self.fd, self.media, *self.fds):
                os.close(fd)

    def ioctl(self, request, argument):
        fcntl.ioctl(self.fd, request, argument)
        return argument

    def format(self, request, kind, **fields):
        argument = Format(type=kind)
        argument.plane[0].sizeimage = fields.pop('sizeimage', 0)
        for name, value in fields.items():
            setattr(argument, name, value)
        return self.ioctl(request, argument)

    def buffers(self, kind, count, memory=MMAP):
        return self.ioctl(REQBUFS, RequestBuffers(count=count, type=kind, memory=memory))

    def buffer(self, kind, index, memory=MMAP, **fields):
        plane = Plane(**{name: fields.pop(name) for name in ('bytesused', 'length', 'm', 'data_offset') if name in fields})
        argument = Buffer(index=index, type=kind, memory=memory, length=1, planes=ctypes.pointer(plane), **fields)
        argument.plane = plane
        return argument

    def map(self, kind, index):
        plane = self.ioctl(QUERYBUF, self.buffer(kind, index)).plane
        return mmap.mmap(self.fd, plane.length, offset=plane.m)

    def export(self, kind, index, flags=os.O_RDWR | os.O_CLOEXEC):
        return self.ioctl(EXPBUF, ExportBuffer(type=kind, index=index, flags=flags)).fd

    def stream(self, on=True, kinds=(OUTPUT, CAPTURE)):
        for kind in kinds:
            self.ioctl(STREAMON if on else STREAMOFF, s32(kind))

    def request(self):
        argument = s32()
        fcntl.ioctl(self.media, REQUEST_ALLOC, argument)
        self.fds.append(argument.value)
        return argument.value

    def controls(self, values, request=None, ioctl=S_EXT_CTRLS):
        """values: {id: bytes, or int for a menu}"""
        array = (Control * len(values))()
        keep = []
        for control, (name, value) in zip(array, values.items()):
            control.id = name
            if isinstance(value, int):
                control.value = value
            else:
                keep.append(ctypes.create_string_buffer(bytes(value), len(value)))
                control.size, control.value = len(value), ctypes.addressof(keep[-1])
        which = 0 if request is None else 0x0f010000  # V4L2_CTRL_WHICH_REQUEST_VAL
        self.ioctl(ioctl, Controls(which=which, count=len(values), request_fd=-1 if request is None else request,
                                   controls=array))

    def value(self, name):
        """What a compound control holds."""
        size = self.ioctl(QUERY_EXT_CTRL, QueryControl(id=name)).elem_size
        data = ctypes.create_string_buffer(size)
        control = Control(id=name, size=size, value=ctypes.addressof(data))
        self.ioctl(G_EXT_CTRLS, Controls(count=1, request_fd=-1, controls=ctypes.pointer(control)))
        return data.raw

    def codecs(self):
        """The formats of OUTPUT."""
        found = []
        with contextlib.suppress(OSError):
            while True:
                argument = bytearray(struct.pack('II', len(found), OUTPUT) + bytes(56))
                fcntl.ioctl(self.fd, ENUM_FMT, argument)
                found.append(struct.unpack_from('I', argument, 44)[0])
        return found

    def setup(self, width=64, height=64, fourcc=MPEG2, outputs=2, captures=4, output_memory=MMAP, capture_memory=MMAP):
        """Everything up to STREAMON."""
        self.format(S_FMT, OUTPUT, width=width, height=height, pixelformat=fourcc)
        self.buffers(OUTPUT, outputs, output_memory)
        self.buffers(CAPTURE, captures, capture_memory)
        self.stream()
        return self

    def queue_capture(self, index, memory=MMAP, **fields):
        self.ioctl(QBUF, self.buffer(CAPTURE, index, memory, **fields))

    def submit(self, index, timestamp, payload=b'\0' * 8, controls=None, flags=0, memory=MMAP, request=None, **fields):
        """Queues an OUTPUT buffer with its request, which it returns. timestamp: whole microseconds, in ns."""
        if memory == MMAP:
            with self.map(OUTPUT, index) as data:
                data[:len(payload)] = payload
        if request is None:
            request = self.request()
        if controls:
            self.controls(controls, request)
        self.ioctl(QBUF, self.buffer(OUTPUT, index, memory, bytesused=len(payload), request_fd=request,
                                     flags=flags | FLAG_REQUEST_FD, seconds=timestamp // 10**9,
                                     microseconds=timestamp % 10**9 // 1000, **fields))
        fcntl.ioctl(request, REQUEST_QUEUE)
        return request

    def dequeue(self, kind, memory=MMAP, seconds=0.0):
        """The next buffer that is done; None if there is none within the time."""
        if seconds and not ready(self.fd, select.POLLIN if kind == CAPTURE else select.POLLOUT, seconds):
            return None
        try:
            return self.ioctl(DQBUF, self.buffer(kind, 0, memory))
        except BlockingIOError:
            return None

    def flush(self):
        self.ioctl(DECODER_CMD, DecoderCommand(cmd=DEC_CMD_FLUSH))


def heap_memory(size):
    """A dma-buf that no decoder has made."""
    heap = os.open('/dev/dma_heap/system', os.O_RDWR)
    argument = bytearray(struct.pack('QIIQ', size, 0, os.O_RDWR | os.O_CLOEXEC, 0))
    fcntl.ioctl(heap, number(3, 'H', 0, 24), argument)
    os.close(heap)
    return struct.unpack('QIIQ', argument)[1]


def is_complete(request, seconds=0.0):
    return ready(request, select.POLLPRI, seconds)


class Job:
    def __init__(self, data):
        self.header = JobHeader.from_buffer_copy(data)
        self.flags = self.header.flags & ~JOB_FENCED  # that one is the kernel's (docs/fences.md)
        at = ctypes.sizeof(JobHeader)
        self.frames = []
        for _ in range(self.header.frame_count):
            self.frames.append(Frame.from_buffer_copy(data, at))
            at += ctypes.sizeof(Frame)
        self.controls = {}
        for _ in range(self.header.control_count):
            name, size = struct.unpack_from('II', data, at)
            self.controls[name] = data[at + 8:at + 8 + size]
            padding = data[at + 8 + size:at + 8 + (size + 7 & ~7)]
            assert not any(padding), 'padding of a control is not zero'
            at += 8 + (size + 7 & ~7)
        assert at == len(data) == self.header.size, 'a job of another size than it says'

    def __getattr__(self, name):
        return getattr(self.header, name)


class Gone:
    def __init__(self, data):
        self.type, self.size, self.cookie = struct.unpack('IIQ', data)
        assert self.size == len(data)


class Finish:
    def __init__(self, data):
        self.type, self.size, self.cookie, self.instance, self.capture = struct.unpack('IIQQQ', data)
        assert self.size == len(data)


MESSAGES = {JOB: Job, INSTANCE_GONE: Gone, BUFFER_GONE: Gone, FINISH: Finish}


class Daemon:
    def __init__(self):
        self.fd = os.open('/dev/daedalus', os.O_RDWR | os.O_NONBLOCK)
        self.maps = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for memory in self.maps.values():
            memory.close()
        self.maps = {}
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def read(self, seconds=0.0, room=MESSAGE_MAX):
        """The next message, or None."""
        if not ready(self.fd, select.POLLIN, seconds):
            return None
        try:
            data = os.read(self.fd, room)
        except BlockingIOError:  # a job that was cancelled meanwhile
            return None
        return MESSAGES[struct.unpack_from('I', data)[0]](data)

    def read_all(self):
        return list(iter(self.read, None))

    def read_job(self, seconds=5.0):
        """The next job; whatever is gone before it is forgotten."""
        while message := self.read(seconds):
            if message.type == JOB:
                return message
        raise TimeoutError('no job')

    def fd_of(self, cookie):
        argument = bytearray(struct.pack('QiI', cookie, -1, 0))
        fcntl.ioctl(self.fd, IOC_GET_BUFFER, argument)
        return struct.unpack('QiI', argument)[1]

    def memory(self, cookie):
        if cookie not in self.maps:
            fd = self.fd_of(cookie)
            self.maps[cookie] = mmap.mmap(fd, os.lseek(fd, 0, os.SEEK_END))
            os.close(fd)
        return self.maps[cookie]

    @contextlib.contextmanager
    def finishing(self, pattern=None, error=0):
        """Answers, while a client takes what was held, that all of it is stored now; the list of what was asked."""
        asked = []

        def answer():
            if message := self.read(5.0):
                asked.append(message)
                if pattern is not None:
                    memory = self.memory(message.capture)
                    memory[:] = bytes([pattern]) * len(memory)
                os.write(self.fd, struct.pack('QII', message.cookie, error, 0))

        thread = threading.Thread(target=answer)
        thread.start()
        yield asked
        thread.join()

    def complete(self, job, error=0, pattern=None):
        """Ends a job; pattern is the byte that the whole picture is filled with first."""
        if pattern is not None:
            size = job.header.format.sizeimage
            self.memory(job.header.capture.cookie)[:size] = bytes([pattern]) * size
        os.write(self.fd, struct.pack('QII', job.header.cookie, error, 0))


def refused(call, *arguments, **named):
    """The errno with which the kernel refuses a call; None if it does not."""
    try:
        call(*arguments, **named)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def mpeg2_controls(width=64, height=64, forward=0, backward=0):
    picture = struct.pack('QQI4B3B5x', backward, forward, 0x80, 1, 2, 3, 4, 2 if forward else 1, 3, 0)
    return {MPEG2_SEQUENCE: struct.pack('HHIHBB', width, height, 1 << 20, 0x44, 1, 1), MPEG2_PICTURE: picture,
            MPEG2_QUANTISATION: bytes(range(1, 65)) * 4}


def h264_sps(width_mbs=4, height_mbs=4, chroma_format=1, depth=8, flags=0x10):  # FRAME_MBS_ONLY
    """struct v4l2_ctrl_h264_sps"""
    return struct.pack('12B257iHHI', 100, 0, 31, 0, chroma_format, depth - 8, depth - 8, 0, 0, 0, 1, 0, *[0] * 257,
                       width_mbs - 1, height_mbs - 1, flags)
