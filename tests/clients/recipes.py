# SPDX-License-Identifier: MIT
"""How each client is asked to decode a stream, on each way that pictures take from the driver to it."""

import os
import sys
import typing

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'scripts/sweep.d'))
import runner as sweep_runner  # pylint: disable=wrong-import-position

NODE = '/dev/dri/renderD128'
FRAMEMD5 = ('-map', '0:v:0', '-fps_mode', 'passthrough', '-noautoscale')


class Recipe(typing.NamedTuple):
    """One row of the table for each codec."""

    client: str
    package: str  # of Debian, whose version is the client's
    how: str
    path: str  # copy: vaGetImage; derive: the driver's own memory mapped; export: a dma-buf
    call: str  # what a client on that path must have called with success
    each: bool  # for every frame, not only for every surface
    command: typing.Callable  # from a stream and a file that GStreamer reads, to the words of a command


def ffmpeg(*options):
    def command(stream, _):
        """On a device that is derived from DRM: only then does FFmpeg find a way from its surfaces back to DRM."""
        before, after = options[: options.index('-i')], options[options.index('-i') + 1 :]
        mismatch = ('-hwaccel_flags', 'allow_profile_mismatch') if stream.profile.startswith('Baseline') else ()
        return ['ffmpeg', '-hide_banner', '-nostdin', '-v', 'verbose', '-init_hw_device', f'drm=drm:{NODE}',
                '-init_hw_device', 'vaapi=va@drm', '-hwaccel', 'vaapi', '-hwaccel_device', 'va', *before, *mismatch,
                '-i', stream.path, *FRAMEMD5, *after, '-f', 'framemd5', '-']
    return command


def ffmpeg_filter(filters):
    return ffmpeg('-hwaccel_output_format', 'vaapi', '-i', '-vf', filters)


def gstreamer(memory):
    def command(stream, elementary):
        elements = sweep_runner.gst_elements({'codec': stream.codec, 'column': 'libva'})
        return ['python3', os.path.join(ROOT, 'tests/clients/gst_frames.py'),
                f'filesrc location={elementary} ! {elements}', memory]
    return command


def mpv(stream, _):
    return ['mpv', '--no-config', '--msg-level=all=warn,vd=v', '--hwdec=vaapi-copy', '--hwdec-codecs=all',
            f'--vaapi-device={NODE}', '--no-audio', '--vf=format=nv12', '--ovc=rawvideo', '--of=framemd5', '--o=-',
            stream.path]


RECIPES = (
    Recipe('FFmpeg', 'ffmpeg', 'hwdownload', 'copy', 'vaGetImage', True, ffmpeg_filter('hwdownload,format=nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'download of itself', 'copy', 'vaGetImage', True, ffmpeg('-i', '-pix_fmt', 'nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'hwmap to read', 'copy', 'vaGetImage', True,
           ffmpeg_filter('hwmap=mode=read,format=nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'hwmap direct', 'derive', 'vaDeriveImage', True,
           ffmpeg_filter('hwmap=mode=read+direct,format=nv12')),
    Recipe('FFmpeg', 'ffmpeg', 'hwmap to DRM', 'export', 'vaExportSurfaceHandle', True,
           ffmpeg_filter('hwmap=derive_device=drm:mode=read,format=drm_prime,hwmap=mode=read,format=nv12')),
    Recipe('GStreamer', 'gstreamer1.0-plugins-bad', 'system memory', 'derive', 'vaDeriveImage', True,
           gstreamer('SystemMemory')),
    Recipe('GStreamer', 'gstreamer1.0-plugins-bad', 'VAMemory, mapped', 'derive', 'vaDeriveImage', True,
           gstreamer('VAMemory')),
    Recipe('GStreamer', 'gstreamer1.0-plugins-bad', 'DMABuf, mapped', 'export', 'vaExportSurfaceHandle', False,
           gstreamer('DMABuf')),
    Recipe('mpv', 'mpv', 'vaapi-copy', 'copy', 'vaGetImage', True, mpv),
)
