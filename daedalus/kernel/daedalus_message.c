// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: messages to the daemon, and what the one of a job consists of. include/daedalus_protocol.h is what both sides
 * say.
 */
#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/slab.h>
#include <media/videobuf2-v4l2.h>

#include "daedalus_message.h"

u64 daedalus_new_cookie(void)
{
	static atomic64_t last = ATOMIC64_INIT(0);

	return atomic64_inc_return(&last);
}

struct daedalus_message *daedalus_message_new(u32 type, size_t size, u64 cookie, gfp_t flags)
{
	struct daedalus_message *message;

	message = kvzalloc(max(sizeof(*message), struct_size(message, bytes, size)), flags);
	if (!message)
		return NULL;
	message->header.type = type;
	message->header.size = size;
	message->header.cookie = cookie;
	return message;
}

void daedalus_message_drop(struct daedalus_message *message)
{
	list_del(&message->list);
	kvfree(message);
}

void daedalus_message_send(struct daedalus_dev *dev, struct daedalus_message *message)
{
	lockdep_assert_held(&dev->lock);
	list_add_tail(&message->list, &dev->messages);
	wake_up_interruptible(&dev->readable);
}

/* What a job consists of. Each function below writes one part of the message, and returns where the next one starts. */

/* Whose memory this job may refer to: what was decoded on this queue and is still there. */
static bool daedalus_is_reference(const struct daedalus_buf *buf, const struct daedalus_buf *capture)
{
	return buf != capture && buf->picture != DAEDALUS_PICTURE_NONE &&
	       buf->m2m.vb.vb2_buf.vb2_queue == capture->m2m.vb.vb2_buf.vb2_queue;
}

static unsigned int daedalus_count_frames(const struct daedalus_dev *dev, const struct daedalus_buf *capture)
{
	const struct daedalus_buf *buf;
	unsigned int count = 0;

	list_for_each_entry(buf, &dev->bufs, list)
		count += daedalus_is_reference(buf, capture);
	return count;
}

static void *daedalus_put_frames(struct daedalus_dev *dev, const struct daedalus_buf *capture, void *to)
{
	struct daedalus_frame *frame = to;
	struct daedalus_buf *buf;

	list_for_each_entry(buf, &dev->bufs, list) {
		if (!daedalus_is_reference(buf, capture))
			continue;
		*frame++ = (struct daedalus_frame) {
			.timestamp = buf->m2m.vb.vb2_buf.timestamp,
			.cookie = buf->cookie,
			.index = buf->m2m.vb.vb2_buf.index,
			.error = buf->picture == DAEDALUS_PICTURE_BROKEN,
		};
		buf->session = dev->session;
	}
	return frame;
}

static size_t daedalus_ctrl_bytes(const struct v4l2_ctrl *ctrl)
{
	return (size_t)ctrl->elems * ctrl->elem_size;
}

static size_t daedalus_controls_bytes(const struct daedalus_ctx *ctx)
{
	const struct v4l2_ctrl *ctrl;
	size_t bytes = 0;

	list_for_each_entry(ctrl, &ctx->hdl.ctrls, node) {
		if (daedalus_ctrl_is_in_job(ctx, ctrl))
			bytes += sizeof(struct daedalus_control) + ALIGN(daedalus_ctrl_bytes(ctrl), 8);
	}
	return bytes;
}

static u32 daedalus_put_controls(const struct daedalus_ctx *ctx, void *to)
{
	const struct v4l2_ctrl *ctrl;
	u32 count = 0;

	list_for_each_entry(ctrl, &ctx->hdl.ctrls, node) {
		struct daedalus_control *control = to;

		if (!daedalus_ctrl_is_in_job(ctx, ctrl))
			continue;
		control->id = ctrl->id;
		control->size = daedalus_ctrl_bytes(ctrl);
		memcpy(control + 1, ctrl->p_cur.p_const, control->size);
		to += sizeof(*control) + ALIGN(control->size, 8);
		count++;
	}
	return count;
}

/*
 * Not under the link's lock: V4L2 reads user memory under the handler's. Under the handler's, because the client may set
 * controls outside of requests at any time, and arrays change their size then.
 */
struct daedalus_controls *daedalus_take_controls(struct daedalus_ctx *ctx)
{
	struct daedalus_controls *controls;
	size_t size;

	guard(mutex)(ctx->hdl.lock);
	size = daedalus_controls_bytes(ctx);
	controls = kvzalloc(struct_size(controls, bytes, size), GFP_KERNEL);
	if (!controls)
		return NULL;
	controls->size = size;
	controls->count = daedalus_put_controls(ctx, controls->bytes);
	return controls;
}

/* Only the daemon's copy, and only for a test that has asked for it. */
static void daedalus_damage_controls(struct daedalus_dev *dev, void *at, u32 count)
{
	while (count--) {
		struct daedalus_control *control = at;

		daedalus_mutate(dev, control->id, (u8 *)(control + 1), control->size);
		at += sizeof(*control) + ALIGN(control->size, 8);
	}
}

static struct daedalus_buffer daedalus_describe_buf(struct daedalus_dev *dev, struct daedalus_buf *buf, u32 bytes)
{
	buf->session = dev->session;
	return (struct daedalus_buffer) {
		.cookie = buf->cookie,
		.bytes = bytes,
		.index = buf->m2m.vb.vb2_buf.index,
	};
}

static struct daedalus_format daedalus_describe_format(const struct daedalus_ctx *ctx)
{
	struct v4l2_pix_format_mplane pix;

	daedalus_capture_format(ctx, &pix);
	return (struct daedalus_format) {
		.fourcc = pix.pixelformat,
		.width = pix.width,
		.height = pix.height,
		.bytesperline = pix.plane_fmt[0].bytesperline,
		.sizeimage = pix.plane_fmt[0].sizeimage,
		.sizechroma = pix.num_planes > 1 ? pix.plane_fmt[1].sizeimage : 0,
	};
}

static u32 daedalus_job_flags(const struct vb2_v4l2_buffer *src, const struct daedalus_buf *capture)
{
	u32 flags = 0;

	if (src->flags & V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF)
		flags |= DAEDALUS_JOB_HOLD_CAPTURE;
	if (capture->picture != DAEDALUS_PICTURE_NONE)
		flags |= DAEDALUS_JOB_CONTINUES;
	if (daedalus_is_lenient())
		flags |= DAEDALUS_JOB_LENIENT;
	return flags;
}

struct daedalus_message *daedalus_job_message(struct daedalus_ctx *ctx, struct vb2_v4l2_buffer *src,
					      struct vb2_v4l2_buffer *dst, const struct daedalus_controls *controls)
{
	struct daedalus_dev *dev = ctx->dev;
	struct daedalus_buf *capture = daedalus_vbuf_to_buf(dst);
	unsigned int frames = daedalus_count_frames(dev, capture);
	struct daedalus_message *message;
	struct daedalus_job *job;
	size_t size;
	void *at;

	size = sizeof(*job) + frames * sizeof(struct daedalus_frame) + controls->size;
	message = daedalus_message_new(DAEDALUS_MESSAGE_JOB, size, daedalus_new_cookie(), GFP_KERNEL);
	if (!message)
		return NULL;

	job = &message->job;
	job->instance = ctx->cookie;
	job->timestamp = src->vb2_buf.timestamp;
	job->codec = ctx->codec->fourcc;
	job->flags = daedalus_job_flags(src, capture);
	job->coded_width = ctx->coded.width;
	job->coded_height = ctx->coded.height;
	job->format = daedalus_describe_format(ctx);
	job->output = daedalus_describe_buf(dev, daedalus_vbuf_to_buf(src), vb2_get_plane_payload(&src->vb2_buf, 0));
	job->capture = daedalus_describe_buf(dev, capture, vb2_plane_size(&dst->vb2_buf, 0));
	job->frame_count = frames;
	job->control_count = controls->count;
	at = daedalus_put_frames(dev, capture, job + 1);
	memcpy(at, controls->bytes, controls->size);
	daedalus_damage_controls(dev, at, controls->count);
	ctx->session = dev->session;
	return message;
}
