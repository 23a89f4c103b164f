// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: the link to the daemon, /dev/daedalus, and the buffers whose memory goes over it.
 * include/daedalus_protocol.h is what both sides say.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <media/videobuf2-v4l2.h>

#include "daedalus_message.h"

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
	buf->jobs = 0;
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
	buf->jobs = 0;
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

/* /dev/daedalus. */

static struct daedalus_dev *daedalus_from_file(struct file *file)
{
	return container_of(file->private_data, struct daedalus_dev, misc);
}

static int daedalus_link_open(struct inode *inode, struct file *file)
{
	struct daedalus_dev *dev = daedalus_from_file(file);

	guard(mutex)(&dev->lock);
	if (dev->gone)
		return -ENODEV;
	if (dev->session)
		return -EBUSY;
	dev->session = daedalus_new_cookie();
	daedalus_get(dev);
	daedalus_memory_is_daemon(true);
	return stream_open(inode, file);
}

/* Nobody serves the device any more. What is running ends, and so will all that starts. */
static void daedalus_link_end(struct daedalus_dev *dev)
{
	struct daedalus_message *message, *next;

	lockdep_assert_held(&dev->lock);
	dev->session = 0;
	list_for_each_entry_safe(message, next, &dev->messages, list)
		daedalus_message_drop(message);
	if (dev->running)
		daedalus_job_end(dev, false);
	if (dev->finish)
		daedalus_finish_end(dev, true);
}

static int daedalus_link_release(struct inode *inode, struct file *file)
{
	struct daedalus_dev *dev = daedalus_from_file(file);

	scoped_guard(mutex, &dev->lock) {
		if (!dev->gone) {	/* else there may be another device, with a daemon of its own */
			daedalus_memory_is_daemon(false);
			daedalus_link_end(dev);
		}
	}
	daedalus_put(dev);
	return 0;
}

/* Takes the first message out, if there is one and it fits. NULL: there will be none any more. */
static struct daedalus_message *daedalus_take_message(struct daedalus_dev *dev, size_t room)
{
	struct daedalus_message *message;

	guard(mutex)(&dev->lock);
	if (dev->gone)
		return NULL;
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
		if (wait_event_interruptible(dev->readable, !list_empty(&dev->messages) || READ_ONCE(dev->gone)))
			return -ERESTARTSYS;
	}
	if (IS_ERR_OR_NULL(message))
		return PTR_ERR(message);	/* 0, the end, where the device is gone */

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
	if (READ_ONCE(dev->gone))
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
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
	scoped_guard(mutex, &dev->lock) {
		WRITE_ONCE(dev->gone, true);
		daedalus_memory_is_daemon(false);
		daedalus_link_end(dev);
		wake_up_interruptible(&dev->readable);
	}
	cancel_delayed_work_sync(&dev->watchdog);
}
