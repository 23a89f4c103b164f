# SPDX-License-Identifier: MIT
"""How each client is asked to decode a stream, on each way that pictures take from the driver to it."""

import os
import shlex
import sys
import typing

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'scripts/lib'))
from sweep import runner as sweep_runner  # pylint: disable=wrong-import-position

GST = 'gstreamer1.0-plugins-bad'
NODE = '/dev/dri/renderD128'
FRAMEMD5 = ('-map', '0:v:0', '-fps_mode', 'passthrough', '-noautoscale')


# A few streams of each codec for most, large ones for what is to be looked at, and those that clips.py makes.
SMALL = {'mpeg2': ('ipb.m2v', 'size-178x146.m2v'), 'h264': ('high-all.h264', 'crop-178x130.h264'),
         'hevc': ('pyramid-layers.h265', 'odd.h265'), 'vp8': ('altref.ivf', 'partitions.ivf'),
         'vp9': ('altref.ivf', 'odd.ivf'), 'av1': ('altref.ivf', 'tile-groups.ivf', 'grain.ivf')}
LARGE = {'mpeg2': ('size-1280x720.m2v',), 'h264': ('size-1280x720.h264',), 'hevc': ('wpp-slices.h265',),
         'vp8': ('partitions.ivf',), 'vp9': ('tiles.ivf',), 'av1': ('tiles-own.ivf',)}
SHADED = {'h264': ('crop-322x242.h264',), 'hevc': ('wpp-slices.h265',), 'vp8': ('partitions.ivf',)}  # by software, too
CLIP = {codec: ('clip.mkv',) for codec in SMALL}
CAMERA = {codec: ('clip.mkv',) for codec in ('h264', 'hevc')}  # what is mostly recorded and broadcast
MOST = {codec: (*names, 'clip.mkv', 'size-change.*', 'joined.*') for codec, names in SMALL.items()}
SEEK = '1.3'  # seconds: within a group of pictures of the clips


class Job(typing.NamedTuple):
    """What a command is made for."""

    stream: typing.Any
    elementary: str  # the stream as a file that GStreamer's parsers read
    picture: str  # where to save what a person sees
    times: int


class Recipe(typing.NamedTuple):
    """One row of the table for each codec."""

    client: str
    package: str  # of Debian, whose version is the client's
    how: str
    path: str  # copy: vaGetImage; derive: the driver's own memory mapped; export: a dma-buf
    call: str  # what a client on that path must have called with success
    command: typing.Callable  # from a Job to the words of a command
    each: bool = True  # the call for every frame, not only for every surface
    software: typing.Callable | None = None  # the same without the driver, for clients that put out what is their own
    shown: bool = False  # a screenshot of the last picture, not the pictures
    sample: dict = SMALL  # streams, by codec
    only: dict | None = None  # never any others
    times: tuple = (1, 1)  # how often, in a sample and in the whole
    userlands: tuple = ('bookworm', 'trixie', 'forky')


FFMPEG = ('ffmpeg', '-hide_banner', '-nostdin', '-v', 'verbose')


def ffmpeg(*options):
    """On a device that is derived from DRM: only then does FFmpeg find a way from its surfaces back to DRM."""
    before, after = options[: options.index('-i')], options[options.index('-i') + 1 :]

    def command(job):
        mismatch = ('-hwaccel_flags', 'allow_profile_mismatch') if job.stream.profile.startswith('Baseline') else ()
        # 5.1 prefers libdav1d, which knows no hardware.
        decoder = ('-c:v', 'av1') if job.stream.codec == 'av1' else ()
        return [*FFMPEG, '-init_hw_device', f'drm=drm:{NODE}', '-init_hw_device', 'vaapi=va@drm', '-hwaccel', 'vaapi',
                '-hwaccel_device', 'va', *before, *mismatch, *decoder, '-noautorotate', '-i', job.stream.path, *FRAMEMD5, *after, '-f', 'framemd5', '-']
    return command


def ffmpeg_filter(filters, *before):
    return ffmpeg('-hwaccel_output_format', 'vaapi', *before, '-i', '-vf', filters)


def ffmpeg_seek_in_software(job):
    return [*FFMPEG, '-ss', SEEK, '-noautorotate', '-i', job.stream.path, *FRAMEMD5, '-pix_fmt', 'nv12', '-f', 'framemd5', '-']


def ffmpeg_of(inputs, filters, hardware, *output):
    """What people and programs type: an input in hardware or in software, once or several times, and filters in software."""
    def command(job):
        source = [*hardware, '-noautorotate', '-i', job.stream.path]
        return [*FFMPEG, *source * inputs, *filters, '-fps_mode', 'passthrough', *output, '-f', 'framemd5', '-']
    return command


# Jellyfin: decoding in hardware, all else on the processor.
JELLYFIN = ('-init_hw_device', f'vaapi=va:{NODE}', '-filter_hw_device', 'va', '-hwaccel', 'vaapi', '-hwaccel_output_format',
            'vaapi')
SCALED = 'setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709,{}scale=trunc(iw/4)*2:trunc(ih/4)*2,format=yuv420p'
# Frigate, told in words instead of by its preset, which scales on the device.
FRIGATE = ('-hwaccel_flags', 'allow_profile_mismatch', '-hwaccel', 'vaapi', '-hwaccel_device', NODE)
DETECT = '{}fps=5,scale=160:120,format=yuv420p'
EACH = ('-hwaccel', 'vaapi', '-hwaccel_device', NODE, '-hwaccel_output_format', 'vaapi')
STACKED = ('-filter_complex', '[0:v]{0}[a];[1:v]{0}[b];[a][b]hstack')
DOWNLOADED = 'hwdownload,format=nv12'


DOWNLOAD = ffmpeg_filter('hwdownload,format=nv12')
SOFTWARE_DECODERS = {'mpeg2': 'avdec_mpeg2video', 'h264': 'avdec_h264', 'hevc': 'avdec_h265', 'vp8': 'vp8dec',
                     'vp9': 'vp9dec', 'av1': 'av1dec'}


def elements(codec, path, hardware=True):
    """Parser and decoder; demultiplexer, too, if the file needs one."""
    found = sweep_runner.gst_elements({'codec': codec, 'column': 'libva', 'path': path})
    if path.endswith('.mkv'):
        found = 'matroskademux ! ' + found.replace('ivfparse ! ', '')
    if hardware:
        return found
    return f'{found.rsplit(" ", 1)[0]} {SOFTWARE_DECODERS[codec]} ! videoconvert ! capsfilter caps=video/x-raw,format=NV12'


def gstreamer(memory, elements_of=elements):
    def command(job):
        return ['python3', os.path.join(HERE, 'gst_frames.py'),
                f'filesrc location={job.elementary} ! {elements_of(job.stream.codec, job.elementary)}', memory]
    return command


def older_elements(codec, path):
    """Those of gstreamer1.0-vaapi, which have a name for each decoder, too."""
    before, decoder = elements(codec, path).rsplit(' ', 1)
    return f'{before} vaapi{decoder.removeprefix("va")}'


def gstreamer_seek(hardware):
    def command(job):
        path = job.stream.path
        return ['python3', os.path.join(HERE, 'gst_frames.py'),
                f'filesrc location={path} ! {elements(job.stream.codec, path, hardware)}', 'SystemMemory', SEEK]
    return command


MPV = ('mpv', '--no-config', f'--vaapi-device={NODE}', '--hwdec-codecs=all', '--no-audio', '--msg-level=all=v')


def mpv(*options):
    def command(job):
        return [*MPV, '--really-quiet', '--vf=format=nv12', '--ovc=rawvideo', '--of=framemd5', '--o=-', *options,
                job.stream.path]
    return command


def window(*player):
    def command(job):
        width, height = map(str, job.stream.size)
        return ['python3', os.path.join(HERE, 'window.py'), width, height, job.picture, *player, job.stream.path]
    return command


def mpv_window(*options):
    return window(*MPV, '--fullscreen', '--osd-level=0', '--framedrop=no', '--keep-open=always', *options)


def several(command, at_once):
    """The client again and again, or as many of it at the same time; what they print comes one after the other."""
    def script(job):
        one = shlex.join(command(job))
        if not at_once:
            return ['sh', '-ec', f'for run in $(seq {job.times}); do {one}; done']
        start = ''.join(f'{one} >$dir/{at} & pids="$pids $!"; ' for at in range(job.times))
        return ['sh', '-ec', f'dir=$(mktemp -d); {start} for pid in $pids; do wait $pid; done; cat $dir/*']
    return script


RECIPES = (
    Recipe('FFmpeg', 'ffmpeg', 'hwdownload', 'copy', 'vaGetImage', DOWNLOAD, sample=MOST),
    Recipe('FFmpeg', 'ffmpeg', 'download of itself', 'copy', 'vaGetImage', ffmpeg('-i', '-pix_fmt', 'nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'hwmap to read', 'copy', 'vaGetImage', ffmpeg_filter('hwmap=mode=read,format=nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'hwmap direct', 'derive', 'vaDeriveImage',
           ffmpeg_filter('hwmap=mode=read+direct,format=nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'hwmap to DRM', 'export', 'vaExportSurfaceHandle',
           ffmpeg_filter('hwmap=derive_device=drm:mode=read,format=drm_prime,hwmap=mode=read,format=nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'seek', 'copy', 'vaGetImage', ffmpeg_filter('hwdownload,format=nv12', '-ss', SEEK),
           software=ffmpeg_seek_in_software, only=CLIP, userlands=('trixie', 'forky')),
    Recipe('FFmpeg', 'ffmpeg', 'three at once', 'copy', 'vaGetImage', several(DOWNLOAD, True), only=CLIP, times=(3, 3),
           userlands=('trixie',)),
    Recipe('FFmpeg', 'ffmpeg', 'two inputs', 'copy', 'vaGetImage',
           ffmpeg_of(2, (STACKED[0], STACKED[1].format(DOWNLOADED)), EACH),
           software=ffmpeg_of(2, (STACKED[0], STACKED[1].format('format=nv12')), ()), only=CAMERA, userlands=('forky',)),
    Recipe('FFmpeg', 'ffmpeg', 'as Jellyfin', 'copy', 'vaGetImage',
           ffmpeg_of(1, ('-vf', SCALED.format(DOWNLOADED + ',')), JELLYFIN),
           software=ffmpeg_of(1, ('-vf', SCALED.format('format=nv12,')), ()), only=CAMERA, userlands=('forky',)),
    Recipe('FFmpeg', 'ffmpeg', 'as Frigate', 'copy', 'vaGetImage', ffmpeg_of(1, ('-vf', DETECT.format('')), FRIGATE),
           software=ffmpeg_of(1, ('-vf', DETECT.format('format=nv12,')), ()), only=CAMERA, userlands=('forky',)),
    # A driver that forgets its pictures with the context loses the last ones, now and then: FFmpeg reads in a thread.
    Recipe('FFmpeg', 'ffmpeg', 'again and again', 'copy', 'vaGetImage', several(DOWNLOAD, False),
           only={'h264': ('clip.mkv',)}, times=(8, 100), userlands=('forky',)),
    Recipe('GStreamer', GST, 'system memory', 'derive', 'vaDeriveImage', gstreamer('SystemMemory'), sample=MOST),
    Recipe('GStreamer', GST, 'VAMemory, mapped', 'derive', 'vaDeriveImage', gstreamer('VAMemory')),
    Recipe('GStreamer', GST, 'DMABuf, mapped', 'export', 'vaExportSurfaceHandle', gstreamer('DMABuf'), each=False),
    Recipe('GStreamer', GST, 'seek', 'derive', 'vaDeriveImage', gstreamer_seek(True), software=gstreamer_seek(False),
           only=CLIP, userlands=('trixie', 'forky')),
    Recipe('GStreamer', GST, 'three at once', 'derive', 'vaDeriveImage', several(gstreamer('SystemMemory'), True),
           only=CLIP, times=(3, 3), userlands=('trixie',)),
    Recipe('GStreamer VAAPI', 'gstreamer1.0-vaapi', 'system memory', 'copy', 'vaGetImage',
           gstreamer('SystemMemory', older_elements), sample=MOST, userlands=('trixie-players',)),
    Recipe('mpv', 'mpv', 'vaapi-copy', 'copy', 'vaGetImage', mpv('--hwdec=vaapi-copy')),
    Recipe('mpv', 'mpv', 'seek', 'copy', 'vaGetImage', mpv('--hwdec=vaapi-copy', '--start=' + SEEK),
           software=mpv('--hwdec=no', '--start=' + SEEK), only=CLIP, userlands=('trixie', 'forky')),
    Recipe('mpv', 'mpv', 'window, vaapi-copy', 'copy', 'vaGetImage', mpv_window('--vo=x11', '--hwdec=vaapi-copy'),
           software=mpv_window('--vo=x11', '--hwdec=no'), shown=True, only=LARGE),
    # Mesa's software rasterizer imports dma-bufs below X11 only in newer versions than Debian 13 has.
    Recipe('mpv', 'mpv', 'window, vaapi', 'export', 'vaExportSurfaceHandle',
           mpv_window('--vo=gpu', '--gpu-context=x11egl', '--hwdec=vaapi'),
           software=mpv_window('--vo=gpu', '--gpu-context=x11egl', '--hwdec=no', '--vf=format=nv12'), shown=True, only=SHADED,
           userlands=('forky',)),
)


class Probe(typing.NamedTuple):
    """A program that only asks what there is, or says by itself whether what it got is right."""

    client: str
    package: str
    how: str
    command: tuple  # {clips}: the folder of clips.py
    expected: tuple  # regular expressions that its output has
    userlands: tuple = ('bookworm', 'trixie', 'forky')
    pictures: int = 0  # that the driver must have decoded


VENDOR = r'Driver version: V4L2 stateless decoders \('  # lists of other projects name it: docs/releasing.md
PROFILES = ('MPEG2Simple', 'MPEG2Main', 'H264ConstrainedBaseline', 'H264Main', 'H264High', 'HEVCMain', 'VP8Version0_3',
            'VP9Profile0', 'AV1Profile0')
PROBES = (
    Probe('vainfo', 'vainfo', 'profiles', ('vainfo', '--display', 'drm', '--device', NODE),
          tuple(rf'VAProfile{profile} *:\s*VAEntrypointVLD' for profile in PROFILES) + (VENDOR,)),
    Probe('vainfo', 'vainfo', 'attributes', ('vainfo', '-a', '--display', 'drm', '--device', NODE),
          tuple(rf'VAProfile{profile}/VAEntrypointVLD' for profile in PROFILES) + ('VA_RT_FORMAT_YUV420',)),
    # Its codecs are bits, of Firefox 153: 16 H.264, 64 VP8, 256 VP9, 1024 AV1, 4096 HEVC.
    Probe('Firefox', 'firefox-esr', 'vaapitest', ('/usr/lib/firefox-esr/vaapitest', '--drm', NODE),
          (r'VAAPI_SUPPORTED\nTRUE', r'VAAPI_HWCODECS\n5456\b'), userlands=('forky',)),
    *(Probe('OpenCV', 'python3-opencv', f'threads and a fork, {codec}',
            ('python3', os.path.join(HERE, 'opencv_frames.py'), f'{{clips}}/{codec}/clip.mkv'),
            ('alone: 60 pictures', '5 threads: 60 pictures\n', 'the child: 60 pictures', 'after it: 60 pictures'),
            userlands=('forky-players',), pictures=8 * 60) for codec in ('h264', 'vp9')),
    Probe('Qt Multimedia', 'libqt6multimedia6', 'pictures in memory',
          ('python3', os.path.join(HERE, 'qt_frames.py'), '{clips}/h264/clip.mkv'), (r'\d+ of 60 pictures, all right',),
          userlands=('forky-players',), pictures=60),
    Probe('WebKitGTK', 'libwebkit2gtk-4.1-0', 'a page with a video',
          ('python3', os.path.join(HERE, 'webkit_page.py'), '{clips}/h264/clip.mkv'), (r'done \[{"ended":true,"error":null',),
          userlands=('forky-players',), pictures=60),
    Probe('melt', 'melt', 'seven cuts', ('python3', os.path.join(HERE, 'melt_cuts.py'), '{clips}/h264/clip.mkv'),
          ('80 pictures, equal',), userlands=('forky-players',), pictures=60),
)
