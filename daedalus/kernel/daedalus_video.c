// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: ioctls and the two queues. Documentation/userspace-api/media/v4l/dev-stateless-decoder.rst is what
 * clients may expect of them.
 */
#include <linux/dma-buf.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-v4l2.h>

#include "daedalus.h"

#ifndef CONFIG_HAS_DMA
#error Without HAS_DMA there are no dma-bufs to share with the daemon.
#endif

static int daedalus_querycap(struct file *file, void *priv, struct v4l2_capability *cap)
{
	strscpy(cap->driver, DAEDALUS_NAME, sizeof(cap->driver));
	strscpy(cap->card, DAEDALUS_NAME, sizeof(cap->card));
	return 0;
}

static int daedalus_enum_output(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	const struct daedalus_dev *dev = video_drvdata(file);

	if (f->index >= dev->num_codecs)
		return -EINVAL;
	f->pixelformat = dev->codecs[f->index]->fourcc;
	return 0;
}

static int daedalus_enum_capture(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	if (f->index)
		return -EINVAL;
	f->pixelformat = daedalus_capture_fourcc(daedalus_file_to_ctx(file));
	return 0;
}

static int daedalus_enum_framesizes(struct file *file, void *priv, struct v4l2_frmsizeenum *sizes)
{
	if (sizes->index || !daedalus_codec_find(video_drvdata(file), sizes->pixel_format))
		return -EINVAL;
	sizes->type = V4L2_FRMSIZE_TYPE_CONTINUOUS;
	/* S_FMT rounds up what a picture leaves of its buffer, so streams of any size can be decoded */
	sizes->stepwise = daedalus_sizes;
	sizes->stepwise.min_width = 1;
	sizes->stepwise.min_height = 1;
	sizes->stepwise.step_width = 1;
	sizes->stepwise.step_height = 1;
	return 0;
}

static int daedalus_g_output(struct file *file, void *priv, struct v4l2_format *f)
{
	f->fmt.pix_mp = daedalus_file_to_ctx(file)->coded;
	return 0;
}

static int daedalus_try_output(struct file *file, void *priv, struct v4l2_format *f)
{
	daedalus_adjust_output(video_drvdata(file), &f->fmt.pix_mp);
	return 0;
}

/*
 * A new size between two streamings may keep the bitstream buffers, but not the pictures, and not another codec's
 * buffers.
 */
static bool daedalus_output_is_fixed(struct daedalus_ctx *ctx, u32 fourcc)
{
	struct vb2_queue *output = v4l2_m2m_get_src_vq(ctx->fh.m2m_ctx);
	struct vb2_queue *capture = v4l2_m2m_get_dst_vq(ctx->fh.m2m_ctx);

	return vb2_is_busy(capture) || vb2_is_streaming(output) ||
	       (vb2_is_busy(output) && fourcc != ctx->coded.pixelformat);
}

static int daedalus_s_output(struct file *file, void *priv, struct v4l2_format *f)
{
	struct daedalus_ctx *ctx = daedalus_file_to_ctx(file);

	daedalus_adjust_output(ctx->dev, &f->fmt.pix_mp);
	if (daedalus_output_is_fixed(ctx, f->fmt.pix_mp.pixelformat))
		return -EBUSY;
	daedalus_set_output(ctx, &f->fmt.pix_mp);
	return 0;
}

static int daedalus_g_capture(struct file *file, void *priv, struct v4l2_format *f)
{
	daedalus_capture_format(daedalus_file_to_ctx(file), &f->fmt.pix_mp);
	return 0;
}

static int daedalus_try_capture(struct file *file, void *priv, struct v4l2_format *f)
{
	struct v4l2_pix_format_mplane *pix = &f->fmt.pix_mp;

	daedalus_fill_capture(daedalus_file_to_ctx(file), pix->width, pix->height, pix);
	return 0;
}

static int daedalus_s_capture(struct file *file, void *priv, struct v4l2_format *f)
{
	struct daedalus_ctx *ctx = daedalus_file_to_ctx(file);

	if (vb2_is_busy(v4l2_m2m_get_dst_vq(ctx->fh.m2m_ctx)))
		return -EBUSY;
	daedalus_try_capture(file, priv, f);
	ctx->frame_width = f->fmt.pix_mp.width;
	ctx->frame_height = f->fmt.pix_mp.height;
	return 0;
}

const struct v4l2_ioctl_ops daedalus_ioctl_ops = {
	.vidioc_querycap = daedalus_querycap,

	.vidioc_enum_fmt_vid_out = daedalus_enum_output,
	.vidioc_enum_fmt_vid_cap = daedalus_enum_capture,
	.vidioc_enum_framesizes = daedalus_enum_framesizes,
	.vidioc_g_fmt_vid_out_mplane = daedalus_g_output,
	.vidioc_try_fmt_vid_out_mplane = daedalus_try_output,
	.vidioc_s_fmt_vid_out_mplane = daedalus_s_output,
	.vidioc_g_fmt_vid_cap_mplane = daedalus_g_capture,
	.vidioc_try_fmt_vid_cap_mplane = daedalus_try_capture,
	.vidioc_s_fmt_vid_cap_mplane = daedalus_s_capture,

	.vidioc_reqbufs = v4l2_m2m_ioctl_reqbufs,
	.vidioc_create_bufs = v4l2_m2m_ioctl_create_bufs,
	.vidioc_remove_bufs = v4l2_m2m_ioctl_remove_bufs,
	.vidioc_querybuf = v4l2_m2m_ioctl_querybuf,
	.vidioc_prepare_buf = v4l2_m2m_ioctl_prepare_buf,
	.vidioc_qbuf = v4l2_m2m_ioctl_qbuf,
	.vidioc_dqbuf = v4l2_m2m_ioctl_dqbuf,
	.vidioc_expbuf = v4l2_m2m_ioctl_expbuf,
	.vidioc_streamon = v4l2_m2m_ioctl_streamon,
	.vidioc_streamoff = v4l2_m2m_ioctl_streamoff,

	.vidioc_try_decoder_cmd = v4l2_m2m_ioctl_stateless_try_decoder_cmd,
	.vidioc_decoder_cmd = v4l2_m2m_ioctl_stateless_decoder_cmd,

	.vidioc_subscribe_event = v4l2_ctrl_subscribe_event,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

static void daedalus_queue_format(const struct daedalus_ctx *ctx, u32 type, struct v4l2_pix_format_mplane *pix)
{
	if (V4L2_TYPE_IS_OUTPUT(type))
		*pix = ctx->coded;
	else
		daedalus_capture_format(ctx, pix);
}

static int daedalus_queue_setup(struct vb2_queue *queue, unsigned int *num_buffers, unsigned int *num_planes,
				unsigned int sizes[], struct device *alloc_devs[])
{
	struct v4l2_pix_format_mplane pix;
	unsigned int i;
	int ret;

	ret = daedalus_limit_buffers(queue, num_buffers, !*num_planes && vb2_get_num_buffers(queue));
	if (ret)
		return ret;
	daedalus_queue_format(vb2_get_drv_priv(queue), queue->type, &pix);
	if (*num_planes && *num_planes != pix.num_planes)
		return -EINVAL;
	for (i = 0; i < pix.num_planes; i++) {
		if (*num_planes && sizes[i] < pix.plane_fmt[i].sizeimage)
			return -EINVAL;
		if (!*num_planes)
			sizes[i] = pix.plane_fmt[i].sizeimage;
	}
	*num_planes = pix.num_planes;
	return 0;
}

/* The daemon writes through the dma-buf, and can do so only if the exporter allowed it. */
static bool daedalus_is_writable(struct vb2_buffer *vb)
{
	unsigned int i;

	for (i = 0; vb->memory == VB2_MEMORY_DMABUF && i < vb->num_planes; i++) {
		if (!(vb->planes[i].dbuf->file->f_mode & FMODE_WRITE))
			return false;
	}
	return true;
}

static int daedalus_buf_init(struct vb2_buffer *vb)
{
	struct daedalus_ctx *ctx = vb2_get_drv_priv(vb->vb2_queue);

	if (V4L2_TYPE_IS_CAPTURE(vb->type) && !daedalus_is_writable(vb))
		return -EACCES;
	daedalus_link_add_buf(ctx->dev, daedalus_to_buf(vb));
	return 0;
}

static void daedalus_buf_cleanup(struct vb2_buffer *vb)
{
	struct daedalus_ctx *ctx = vb2_get_drv_priv(vb->vb2_queue);

	daedalus_link_remove_buf(ctx->dev, daedalus_to_buf(vb));
}

static int daedalus_buf_out_validate(struct vb2_buffer *vb)
{
	to_vb2_v4l2_buffer(vb)->field = V4L2_FIELD_NONE;
	return 0;
}

static int daedalus_buf_prepare(struct vb2_buffer *vb)
{
	struct v4l2_pix_format_mplane pix;
	unsigned int i;

	/* A job says where its bitstream ends, not where it starts. */
	if (V4L2_TYPE_IS_OUTPUT(vb->type))
		return vb->planes[0].data_offset ? -EINVAL : 0;

	daedalus_capture_format(vb2_get_drv_priv(vb->vb2_queue), &pix);
	if (vb->num_planes != pix.num_planes)
		return -EINVAL;
	for (i = 0; i < pix.num_planes; i++) {
		if (vb2_plane_size(vb, i) < pix.plane_fmt[i].sizeimage)
			return -EINVAL;
		vb2_set_plane_payload(vb, i, pix.plane_fmt[i].sizeimage);
	}
	return 0;
}

static void daedalus_buf_queue(struct vb2_buffer *vb)
{
	struct daedalus_ctx *ctx = vb2_get_drv_priv(vb->vb2_queue);

	daedalus_link_forget_picture(ctx->dev, daedalus_to_buf(vb));
	v4l2_m2m_buf_queue(ctx->fh.m2m_ctx, to_vb2_v4l2_buffer(vb));
}

/* Only for a client that takes a picture, not when the queue is stopped. */
static void daedalus_buf_finish(struct vb2_buffer *vb)
{
	struct daedalus_ctx *ctx = vb2_get_drv_priv(vb->vb2_queue);

	if (V4L2_TYPE_IS_OUTPUT(vb->type) || !vb2_is_streaming(vb->vb2_queue) || vb->state != VB2_BUF_STATE_DONE)
		return;
	if (!daedalus_job_finish_picture(ctx, daedalus_to_buf(vb)))
		vb->state = VB2_BUF_STATE_ERROR;
}

static void daedalus_buf_request_complete(struct vb2_buffer *vb)
{
	struct daedalus_ctx *ctx = vb2_get_drv_priv(vb->vb2_queue);

	v4l2_ctrl_request_complete(vb->req_obj.req, &ctx->hdl);
}

static int daedalus_start_streaming(struct vb2_queue *queue, unsigned int count)
{
	struct daedalus_ctx *ctx = vb2_get_drv_priv(queue);

	ctx->sequence[V4L2_TYPE_IS_CAPTURE(queue->type)] = 0;
	daedalus_job_allow(ctx);
	return 0;
}

static void daedalus_stop_streaming(struct vb2_queue *queue)
{
	struct daedalus_ctx *ctx = vb2_get_drv_priv(queue);
	bool output = V4L2_TYPE_IS_OUTPUT(queue->type);
	struct vb2_v4l2_buffer *vbuf;

	for (;;) {
		vbuf = output ? v4l2_m2m_src_buf_remove(ctx->fh.m2m_ctx) : v4l2_m2m_dst_buf_remove(ctx->fh.m2m_ctx);
		if (!vbuf)
			break;
		v4l2_ctrl_request_complete(vbuf->vb2_buf.req_obj.req, &ctx->hdl);
		v4l2_m2m_buf_done(vbuf, VB2_BUF_STATE_ERROR);
	}
	if (!output)
		daedalus_link_forget_pictures(ctx->dev, queue);
}

static const struct vb2_ops daedalus_queue_ops = {
	.queue_setup = daedalus_queue_setup,
	.buf_init = daedalus_buf_init,
	.buf_cleanup = daedalus_buf_cleanup,
	.buf_out_validate = daedalus_buf_out_validate,
	.buf_prepare = daedalus_buf_prepare,
	.buf_queue = daedalus_buf_queue,
	.buf_finish = daedalus_buf_finish,
	.buf_request_complete = daedalus_buf_request_complete,
	.start_streaming = daedalus_start_streaming,
	.stop_streaming = daedalus_stop_streaming,
	DAEDALUS_WAIT_OPS
};

static int daedalus_queue_init(struct daedalus_ctx *ctx, struct vb2_queue *queue, u32 type)
{
	queue->type = type;
	queue->io_modes = VB2_MMAP | VB2_DMABUF;
	queue->ops = &daedalus_queue_ops;
	queue->mem_ops = &daedalus_memory_ops;
	queue->buf_struct_size = sizeof(struct daedalus_buf);
	queue->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_COPY;
	queue->lock = &ctx->dev->mutex;
	queue->drv_priv = ctx;
	queue->dev = ctx->dev->v4l2_dev.dev;
	return vb2_queue_init(queue);
}

int daedalus_queues_init(void *priv, struct vb2_queue *output, struct vb2_queue *capture)
{
	struct daedalus_ctx *ctx = priv;
	int ret;

	output->supports_requests = true;
	output->requires_requests = true;
	output->subsystem_flags = VB2_V4L2_FL_SUPPORTS_M2M_HOLD_CAPTURE_BUF;
	ret = daedalus_queue_init(ctx, output, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE);
	if (ret)
		return ret;
#if DAEDALUS_HAS_FENCES
	capture->uses_fences = daedalus_fences;
#endif
	return daedalus_queue_init(ctx, capture, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE);
}
