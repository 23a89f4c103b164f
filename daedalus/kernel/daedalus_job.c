// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: jobs, and pictures that are not complete when their last job is.
 *
 * V4L2 runs one job at a time on a device. It ends exactly once, and in one place, daedalus_job_end(): when the daemon
 * completes it, when the daemon is gone or late, or when the client no longer waits. Whoever comes second finds another
 * job, or none, and leaves it alone.
 */
#include <linux/cleanup.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <media/videobuf2-v4l2.h>

#include "daedalus_message.h"

static unsigned int daedalus_timeout_ms = 2000;
module_param_named(timeout_ms, daedalus_timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "time the daemon has for a job; 0: as long as it takes (default: 2000)");

bool daedalus_fences = DAEDALUS_HAS_FENCES;
module_param_named(fences, daedalus_fences, bool, 0444);
MODULE_PARM_DESC(fences, "dma-bufs have a fence while a job writes to them (default: on where the kernel can)");

/*
 * Gives the buffers of a job back. v4l2_m2m_buf_done_and_job_finish() still uses the context after it has let
 * daedalus_release() go on; the lock keeps it alive until then, for freeing the buffers of the job takes it, too.
 */
static void daedalus_buffers_done(struct daedalus_ctx *ctx, bool decoded)
{
	struct vb2_v4l2_buffer *src = v4l2_m2m_next_src_buf(ctx->fh.m2m_ctx);
	struct daedalus_buf *capture = daedalus_vbuf_to_buf(v4l2_m2m_next_dst_buf(ctx->fh.m2m_ctx));
	bool held = src->flags & V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF;

	lockdep_assert_held(&ctx->dev->lock);
	if (!decoded)
		capture->picture = DAEDALUS_PICTURE_BROKEN;
	else if (capture->picture == DAEDALUS_PICTURE_NONE)
		capture->picture = DAEDALUS_PICTURE_DONE;
	capture->open = decoded && ctx->dev->job_holds;
	/*
	 * The last slice of a picture brings it to the client: with the error of an earlier one, if there was one. Drivers
	 * of hardware leave that on the OUTPUT buffer of the earlier one.
	 */
	if (!held && !daedalus_is_lenient() && capture->picture == DAEDALUS_PICTURE_BROKEN)
		decoded = false;

	v4l2_m2m_buf_done_and_job_finish(ctx->dev->m2m, ctx->fh.m2m_ctx,
					 decoded ? VB2_BUF_STATE_DONE : VB2_BUF_STATE_ERROR);
}

void daedalus_job_end(struct daedalus_dev *dev, bool decoded)
{
	struct daedalus_ctx *ctx = dev->running;
	struct daedalus_message *message, *next;

	lockdep_assert_held(&dev->lock);
	dev->running = NULL;
	cancel_delayed_work(&dev->watchdog);
	/* If the daemon has not read it yet, it never will. */
	list_for_each_entry_safe(message, next, &dev->messages, list) {
		if (message->header.type == DAEDALUS_MESSAGE_JOB)
			daedalus_message_drop(message);
	}
	daedalus_buffers_done(ctx, decoded);
}

static void daedalus_job_start(struct daedalus_ctx *ctx, struct daedalus_message *message)
{
	struct daedalus_dev *dev = ctx->dev;
	unsigned long timeout = msecs_to_jiffies(daedalus_timeout_ms) ?: MAX_JIFFY_OFFSET;

	dev->running = ctx;
	dev->job = message->header.cookie;
	dev->job_holds = message->job.flags & DAEDALUS_JOB_HOLD_CAPTURE;
	dev->deadline = jiffies + timeout;
	schedule_delayed_work(&dev->watchdog, timeout);
	daedalus_message_send(dev, message);
}

/* What the client sees of a job, whatever becomes of it. */
static void daedalus_job_stamp(struct daedalus_ctx *ctx, struct vb2_v4l2_buffer *src, struct vb2_v4l2_buffer *dst)
{
	if (daedalus_vbuf_to_buf(dst)->picture == DAEDALUS_PICTURE_NONE)
		dst->sequence = ctx->sequence[1]++;
	src->sequence = ctx->sequence[0]++;
	v4l2_m2m_buf_copy_metadata(src, dst);
}

/*
 * Tells other devices that the job writes to the buffer, if there is a time by which it has ended in any case. That is all
 * that bounds it: a job that a process decodes is not free of memory allocations, as a driver of hardware has to be.
 */
static void daedalus_job_publish(struct daedalus_message *message, struct daedalus_buf *capture)
{
#if DAEDALUS_HAS_FENCES
	if (!daedalus_fences || !daedalus_timeout_ms || !daedalus_memory_is_coherent())
		return;
	if (vb2_buffer_publish_fence(&capture->m2m.vb.vb2_buf))
		return;
	message->job.flags |= DAEDALUS_JOB_FENCED;
#endif
}

void daedalus_job_run(void *priv)
{
	struct daedalus_ctx *ctx = priv;
	struct daedalus_dev *dev = ctx->dev;
	struct vb2_v4l2_buffer *src = v4l2_m2m_next_src_buf(ctx->fh.m2m_ctx);
	struct vb2_v4l2_buffer *dst = v4l2_m2m_next_dst_buf(ctx->fh.m2m_ctx);
	struct media_request *req = src->vb2_buf.req_obj.req;
	struct daedalus_controls *controls = NULL;
	struct daedalus_message *message = NULL;

	if (!v4l2_ctrl_request_setup(req, &ctx->hdl))
		controls = daedalus_take_controls(ctx);
	v4l2_ctrl_request_complete(req, &ctx->hdl);

	scoped_guard(mutex, &dev->lock) {
		daedalus_job_stamp(ctx, src, dst);
		if (!dev->session)
			dev_warn_ratelimited(dev->v4l2_dev.dev, "nobody has /dev/%s open, so nothing is decoded\n",
					     DAEDALUS_NAME);
		else if (controls && !ctx->aborting && !daedalus_job_is_to_fail(dev, daedalus_vbuf_to_buf(dst)))
			message = daedalus_job_message(ctx, src, dst, controls);

		if (message) {
			daedalus_job_publish(message, daedalus_vbuf_to_buf(dst));
			daedalus_job_start(ctx, message);
		} else {
			daedalus_buffers_done(ctx, false);
		}
	}
	kvfree(controls);
}

/* The client does not want to wait: neither for the job that runs nor for one that daedalus_job_run() is about to start. */
void daedalus_job_abort(void *priv)
{
	struct daedalus_ctx *ctx = priv;
	struct daedalus_dev *dev = ctx->dev;

	guard(mutex)(&dev->lock);
	ctx->aborting = true;
	if (dev->running == ctx && !daedalus_streamoff_waits())
		daedalus_job_end(dev, false);
}

void daedalus_job_allow(struct daedalus_ctx *ctx)
{
	guard(mutex)(&ctx->dev->lock);
	ctx->aborting = false;
}

void daedalus_watchdog(struct work_struct *work)
{
	struct daedalus_dev *dev = container_of(work, struct daedalus_dev, watchdog.work);

	guard(mutex)(&dev->lock);
	/* It may have been set off for a job that has ended since, while the next one has its own time. */
	if (!dev->running || time_before(jiffies, dev->deadline))
		return;
	dev_warn_ratelimited(dev->v4l2_dev.dev, "the daemon has not answered in time\n");
	daedalus_job_end(dev, false);
}

static u64 daedalus_send_finish(struct daedalus_ctx *ctx, const struct daedalus_buf *buf)
{
	struct daedalus_dev *dev = ctx->dev;
	u64 cookie = daedalus_new_cookie();
	struct daedalus_message *message;

	message = daedalus_message_new(DAEDALUS_MESSAGE_FINISH, sizeof(struct daedalus_finish), cookie, GFP_KERNEL);
	if (!message)
		return 0;
	message->finish.instance = ctx->cookie;
	message->finish.capture = buf->cookie;
	dev->finish = cookie;
	dev->finish_failed = false;
	daedalus_message_send(dev, message);
	return cookie;
}

/*
 * V4L2 gives a held picture back when its client flushes, or goes on with another one. The daemon, which cannot know that
 * no slice is to follow, is told here, when the client takes the buffer: what it reads then has to be the picture. One
 * client at a time, as the queues' lock is held. Returns false if there is no picture, which drivers of hardware do not
 * tell: V4L2 says that the buffer is good.
 */
bool daedalus_job_finish_picture(struct daedalus_ctx *ctx, struct daedalus_buf *buf)
{
	unsigned long timeout = msecs_to_jiffies(daedalus_timeout_ms) ?: MAX_SCHEDULE_TIMEOUT;
	struct daedalus_dev *dev = ctx->dev;

	scoped_guard(mutex, &dev->lock) {
		bool good = buf->picture != DAEDALUS_PICTURE_BROKEN || daedalus_is_lenient();

		if (!good || !buf->open)
			return good;
		buf->open = false;
		if (!dev->session || !daedalus_send_finish(ctx, buf))
			return false;
	}
	wait_event_killable_timeout(dev->finished, !READ_ONCE(dev->finish), timeout);

	guard(mutex)(&dev->lock);
	if (dev->finish || dev->finish_failed)
		buf->picture = DAEDALUS_PICTURE_BROKEN;
	dev->finish = 0;
	return buf->picture != DAEDALUS_PICTURE_BROKEN || daedalus_is_lenient();
}

void daedalus_finish_end(struct daedalus_dev *dev, bool failed)
{
	lockdep_assert_held(&dev->lock);
	dev->finish_failed = failed;
	WRITE_ONCE(dev->finish, 0);
	wake_up(&dev->finished);
}
