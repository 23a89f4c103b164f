/* SPDX-License-Identifier: GPL-2.0 */
/*
 * daedalus: what kernels before 6.18 lack, down to 6.12. The rest of the module is written for the newest one.
 */
#ifndef DAEDALUS_COMPAT_H
#define DAEDALUS_COMPAT_H

#include <linux/module.h>
#include <linux/version.h>
#include <media/media-device.h>
#include <media/v4l2-common.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-v4l2.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
/* The namespace was a word, not a string. */
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)
#endif

#ifndef DAEDALUS_HAS_FILE_TO_FH
/* The driver kept the file handle where V4L2 looks for it. */
static inline struct v4l2_fh *file_to_v4l2_fh(struct file *file)
{
	return file->private_data;
}

static inline void daedalus_fh_add(struct v4l2_fh *fh, struct file *file)
{
	file->private_data = fh;
	v4l2_fh_add(fh);
}

static inline void daedalus_fh_del(struct v4l2_fh *fh, struct file *file)
{
	file->private_data = NULL;
	v4l2_fh_del(fh);
}

#define v4l2_fh_add		daedalus_fh_add
#define v4l2_fh_del		daedalus_fh_del
#endif

#ifdef V4L2_PIX_FMT_NV15
#define DAEDALUS_HAS_NV15	1
#else
#define DAEDALUS_HAS_NV15	0
#define V4L2_PIX_FMT_NV15	v4l2_fourcc('N', 'V', '1', '5')
#endif

#ifndef DAEDALUS_HAS_FILL_ALIGNED
/* Of NV12 and P010: luma and chroma in one plane, with rows of one length. */
static inline int v4l2_fill_pixfmt_mp_aligned(struct v4l2_pix_format_mplane *pix, u32 fourcc, u32 width, u32 height, u8 align)
{
	struct v4l2_plane_pix_format *plane = &pix->plane_fmt[0];
	int ret = v4l2_fill_pixfmt_mp(pix, fourcc, width, height);

	if (ret)
		return ret;
	plane->bytesperline = ALIGN(plane->bytesperline, align);
	plane->sizeimage = plane->bytesperline * (height + height / 2);
	return 0;
}
#endif

/* vb2 itself now lets go of the queue's lock while it waits. */
#ifdef DAEDALUS_HAS_WAIT_OPS
#define DAEDALUS_WAIT_OPS	.wait_prepare = vb2_ops_wait_prepare, .wait_finish = vb2_ops_wait_finish,
#else
#define DAEDALUS_WAIT_OPS
#endif

#ifdef DAEDALUS_ASKS_FOR_FRAME_FLAGS
/* As all drivers of decoders asked. */
#define v4l2_m2m_buf_copy_metadata(out, cap)	v4l2_m2m_buf_copy_metadata(out, cap, true)
#endif

/* Requests that V4L2 has not counted down. Before it counted them, freeing one was the last thing that it did. */
static inline int daedalus_num_requests(struct media_device *mdev)
{
#ifdef DAEDALUS_HAS_NUM_REQUESTS
	return atomic_read(&mdev->num_requests);
#else
	return 0;
#endif
}

#endif
