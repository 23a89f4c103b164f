// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: jobs, on their way to the daemon and back. include/daedalus_protocol.h is what both sides say.
 *
 * V4L2 runs one job at a time on a device. It ends exactly once, and in one place, daedalus_job_end(): when the daemon
 * completes it, when the daemon is gone or late, or when the client no longer waits. Whoever comes second finds another
 * job, or none, and leaves it alone.
 */
#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <media/videobuf2-v4l2.h>

#include "daedalus.h"
#include "daedalus_protocol.h"

struct daedalus_message {
	struct list_head list;
	union {
		struct daedalus_header header;
		struct daedalus_job job;
		struct daedalus_finish finish;
		DECLARE_FLEX_ARRAY(u8, bytes);
	};
};

/* The controls of a job, as its message carries them. */
struct daedalus_controls {
	size_t size;
	u32 count;
	u8 bytes[] __aligned(8);
};

u64 daedalus_new_cookie(void)
{
	static atomic64_t last = ATOMIC64_INIT(0);

	return atomic64_inc_return(&last);
}

/* Messages. */

static struct daedalus_message *daedalus_message_new(u32 type, size_t size, u64 cookie, gfp_t flags)
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

static void daedalus_message_drop(struct daedalus_message *message)
{
	list_del(&message->list);
	kvfree(message);
}

static void daedalus_message_send(struct daedalus_dev *dev, struct daedalus_message *message)
{
	lockdep_assert_held(&dev->lock);
	list_add_tail(&message->list, &dev->messages);
	wake_up_interruptible(&dev->readable);
}

/* Tells the daemon that something is gone, if it is still the one that has heard of it. */
static void daedalus_send_gone(struct daedalus_dev *dev, u32 type, u64 cookie, u64 session)
{
	if (!session || session != dev->session)
		return;
	/* A daemon that is not told keeps the memory. There is no way to fail here, and little to allocate. */
	daedalus_message_send(dev, daedalus_message_new(type, sizeof(struct daedalus_header), cookie,
							GFP_KERNEL | __GFP_NOFAIL));
}

/* Buffers, in the hands of vb2 between buf_init and buf_cleanup. */

void daedalus_link_add_buf(struct daedalus_dev *dev, struct daedalus_buf *buf)
{
	guard(mutex)(&dev->lock);
	buf->cookie = daedalus_new_cookie();
	buf->session = 0;
	buf->picture = DAEDALUS_PICTURE_NONE;
	buf->open = false;
	list_add_tail(&buf->list, &dev->bufs);
}

void daedalus_link_remove_buf(struct daedalus_dev *dev, struct daedalus_buf *buf)
{
	guard(mutex)(&dev->lock);
	list_del(&buf->list);
	daedalus_send_gone(dev, DAEDALUS_MESSAGE_BUFFER_GONE, buf->cookie, buf->session);
}

/* A buffer that the client has queued is about to be overwritten: no reference any more. */
void daedalus_link_forget_picture(struct daedalus_dev *dev, struct daedalus_buf *buf)
{
	guard(mutex)(&dev->lock);
	buf->picture = DAEDALUS_PICTURE_NONE;
	buf->open = false;
}

/* STREAMOFF takes the timestamps, by which references are named, from the buffers of its queue. */
void daedalus_link_forget_pictures(struct daedalus_dev *dev, const struct vb2_queue *queue)
{
	struct daedalus_buf *buf;

	guard(mutex)(&dev->lock);
	list_for_each_entry(buf, &dev->bufs, list) {
		if (buf->m2m.vb.vb2_buf.vb2_queue == queue)
			buf->picture = DAEDALUS_PICTURE_NONE;
	}
}

void daedalus_link_remove_ctx(struct daedalus_ctx *ctx)
{
	struct daedalus_dev *dev = ctx->dev;

	guard(mutex)(&dev->lock);
	daedalus_send_gone(dev, DAEDALUS_MESSAGE_INSTANCE_GONE, ctx->cookie, ctx->session);
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
 * client at a time, as the queues' lock is held. Returns false if there is no picture.
 */
bool daedalus_link_finish_picture(struct daedalus_ctx *ctx, struct daedalus_buf *buf)
{
	unsigned long timeout = msecs_to_jiffies(daedalus_timeout_ms) ?: MAX_SCHEDULE_TIMEOUT;
	struct daedalus_dev *dev = ctx->dev;

	scoped_guard(mutex, &dev->lock) {
		bool good = buf->picture != DAEDALUS_PICTURE_BROKEN;

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
	return buf->picture != DAEDALUS_PICTURE_BROKEN;
}

static void daedalus_finish_end(struct daedalus_dev *dev, bool failed)
{
	lockdep_assert_held(&dev->lock);
	dev->finish_failed = failed;
	WRITE_ONCE(dev->finish, 0);
	wake_up(&dev->finished);
}

/* A piece of a buffer's memory, with a reference for the caller. */
static struct dma_buf *daedalus_buf_memory(struct daedalus_dev *dev, u64 cookie, u32 piece)
{
	struct daedalus_buf *buf;
	struct vb2_buffer *vb;
	struct dma_buf *memory;

	guard(mutex)(&dev->lock);
	list_for_each_entry(buf, &dev->bufs, list) {
		if (buf->cookie == cookie)
			goto found;
	}
	return ERR_PTR(-ENOENT);

found:
	vb = &buf->m2m.vb.vb2_buf;
	if (piece >= vb->num_planes)
		return ERR_PTR(-EINVAL);
	if (vb->memory == VB2_MEMORY_DMABUF) {
		memory = vb->planes[piece].dbuf;
		get_dma_buf(memory);
	} else {
		memory = vb->vb2_queue->mem_ops->get_dmabuf(vb, vb->planes[piece].mem_priv, O_RDWR);
		if (IS_ERR_OR_NULL(memory))
			return ERR_PTR(-ENOMEM);
	}
	buf->session = dev->session;
	return memory;
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
static struct daedalus_controls *daedalus_take_controls(struct daedalus_ctx *ctx)
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
	return flags;
}

static struct daedalus_message *daedalus_job_message(struct daedalus_ctx *ctx, struct vb2_v4l2_buffer *src,
						     struct vb2_v4l2_buffer *dst,
						     const struct daedalus_controls *controls)
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

/* Jobs. */

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
	/* The last slice of a picture brings it to the client: with the error of an earlier one, if there was one. */
	if (!held && capture->picture == DAEDALUS_PICTURE_BROKEN)
		decoded = false;

	v4l2_m2m_buf_done_and_job_finish(ctx->dev->m2m, ctx->fh.m2m_ctx,
					 decoded ? VB2_BUF_STATE_DONE : VB2_BUF_STATE_ERROR);
}

static void daedalus_job_end(struct daedalus_dev *dev, bool decoded)
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
		else if (controls && !ctx->aborting)
			message = daedalus_job_message(ctx, src, dst, controls);

		if (message)
			daedalus_job_start(ctx, message);
		else
			daedalus_buffers_done(ctx, false);
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
	if (dev->running == ctx)
		daedalus_job_end(dev, false);
}

void daedalus_job_allow(struct daedalus_ctx *ctx)
{
	guard(mutex)(&ctx->dev->lock);
	ctx->aborting = false;
}

static void daedalus_watchdog(struct work_struct *work)
{
	struct daedalus_dev *dev = container_of(work, struct daedalus_dev, watchdog.work);

	guard(mutex)(&dev->lock);
	/* It may have been set off for a job that has ended since, while the next one has its own time. */
	if (!dev->running || time_before(jiffies, dev->deadline))
		return;
	dev_warn_ratelimited(dev->v4l2_dev.dev, "the daemon has not answered in time\n");
	daedalus_job_end(dev, false);
}

/* /dev/daedalus. */

static struct daedalus_dev *daedalus_from_file(struct file *file)
{
	return container_of(file->private_data, struct daedalus_dev, misc);
}

static int daedalus_link_open(struct inode *inode, struct file *file)
{
	struct daedalus_dev *dev = daedalus_from_file(file);

	guard(mutex)(&dev->lock);
	if (dev->session)
		return -EBUSY;
	dev->session = daedalus_new_cookie();
	return stream_open(inode, file);
}

static int daedalus_link_release(struct inode *inode, struct file *file)
{
	struct daedalus_dev *dev = daedalus_from_file(file);
	struct daedalus_message *message, *next;

	guard(mutex)(&dev->lock);
	dev->session = 0;
	list_for_each_entry_safe(message, next, &dev->messages, list)
		daedalus_message_drop(message);
	if (dev->running)
		daedalus_job_end(dev, false);
	if (dev->finish)
		daedalus_finish_end(dev, true);
	return 0;
}

/* Takes the first message out, if there is one and it fits. */
static struct daedalus_message *daedalus_take_message(struct daedalus_dev *dev, size_t room)
{
	struct daedalus_message *message;

	guard(mutex)(&dev->lock);
	message = list_first_entry_or_null(&dev->messages, struct daedalus_message, list);
	if (!message)
		return ERR_PTR(-EAGAIN);
	if (message->header.size > room)
		return ERR_PTR(-EMSGSIZE);
	list_del(&message->list);
	return message;
}

static void daedalus_put_back_message(struct daedalus_dev *dev, struct daedalus_message *message)
{
	guard(mutex)(&dev->lock);
	list_add(&message->list, &dev->messages);
	wake_up_interruptible(&dev->readable);
}

static ssize_t daedalus_link_read(struct file *file, char __user *to, size_t room, loff_t *pos)
{
	struct daedalus_dev *dev = daedalus_from_file(file);
	struct daedalus_message *message;
	ssize_t size;

	while (message = daedalus_take_message(dev, room), message == ERR_PTR(-EAGAIN)) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(dev->readable, !list_empty(&dev->messages)))
			return -ERESTARTSYS;
	}
	if (IS_ERR(message))
		return PTR_ERR(message);

	size = message->header.size;
	if (copy_to_user(to, message->bytes, size)) {
		daedalus_put_back_message(dev, message);
		return -EFAULT;
	}
	kvfree(message);
	return size;
}

static ssize_t daedalus_link_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	struct daedalus_dev *dev = daedalus_from_file(file);
	struct daedalus_completion completion;

	if (size != sizeof(completion))
		return -EINVAL;
	if (copy_from_user(&completion, from, sizeof(completion)))
		return -EFAULT;
	if (completion.reserved)
		return -EINVAL;

	guard(mutex)(&dev->lock);
	if (dev->finish && dev->finish == completion.job) {
		daedalus_finish_end(dev, completion.error);
		return size;
	}
	if (!dev->running || dev->job != completion.job)
		return -ENOENT;
	if (completion.error)
		dev->mutation.failed++;
	daedalus_job_end(dev, !completion.error);
	return size;
}

static __poll_t daedalus_link_poll(struct file *file, poll_table *wait)
{
	struct daedalus_dev *dev = daedalus_from_file(file);

	poll_wait(file, &dev->readable, wait);
	return EPOLLOUT | EPOLLWRNORM | (list_empty(&dev->messages) ? 0 : EPOLLIN | EPOLLRDNORM);
}

static int daedalus_get_buffer(struct daedalus_dev *dev, struct daedalus_get_buffer __user *user)
{
	struct daedalus_get_buffer get;
	struct dma_buf *memory;
	int fd;

	if (copy_from_user(&get, user, sizeof(get)))
		return -EFAULT;
	memory = daedalus_buf_memory(dev, get.cookie, get.piece);
	if (IS_ERR(memory))
		return PTR_ERR(memory);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto err_put_memory;
	if (put_user(fd, &user->fd))
		goto err_put_fd;
	fd_install(fd, memory->file);
	return 0;

err_put_fd:
	put_unused_fd(fd);
	fd = -EFAULT;
err_put_memory:
	dma_buf_put(memory);
	return fd;
}

static long daedalus_link_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct daedalus_dev *dev = daedalus_from_file(file);
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case DAEDALUS_IOC_VERSION:
		return put_user(DAEDALUS_PROTOCOL_VERSION, (__u32 __user *)user);
	case DAEDALUS_IOC_GET_BUFFER:
		return daedalus_get_buffer(dev, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations daedalus_link_fops = {
	.owner = THIS_MODULE,
	.open = daedalus_link_open,
	.release = daedalus_link_release,
	.read = daedalus_link_read,
	.write = daedalus_link_write,
	.poll = daedalus_link_poll,
	.unlocked_ioctl = daedalus_link_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

int daedalus_link_init(struct daedalus_dev *dev, struct device *parent)
{
	INIT_LIST_HEAD(&dev->messages);
	INIT_LIST_HEAD(&dev->bufs);
	init_waitqueue_head(&dev->readable);
	init_waitqueue_head(&dev->finished);
	INIT_DELAYED_WORK(&dev->watchdog, daedalus_watchdog);

	dev->misc.minor = MISC_DYNAMIC_MINOR;
	dev->misc.name = DAEDALUS_NAME;
	dev->misc.fops = &daedalus_link_fops;
	dev->misc.parent = parent;
	return misc_register(&dev->misc);
}

void daedalus_link_exit(struct daedalus_dev *dev)
{
	misc_deregister(&dev->misc);
	cancel_delayed_work_sync(&dev->watchdog);
}
