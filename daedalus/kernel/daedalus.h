/* SPDX-License-Identifier: GPL-2.0 */
/*
 * daedalus: a virtual stateless video decoder. The module is the device that clients see; a daemon behind /dev/daedalus
 * decodes (include/daedalus_protocol.h).
 *
 *   daedalus_main.c   the module: parameters, device, file handles
 *   daedalus_video.c  ioctls and the two queues
 *   daedalus_link.c   the link to the daemon, and the buffers whose memory goes over it
 *   daedalus_job.c    jobs, from their start to their one end
 *   daedalus_message.c what the daemon is told of them
 *   daedalus_format.c formats of the two queues
 *   daedalus_codec.c  which codecs there are and which controls they take
 *   daedalus_mutate.c damage to controls, for tests
 *   daedalus_faults.c other misbehaviour, for tests
 *   daedalus_memory.c memory of buffers, which can be short, or seen through a copy
 *   daedalus_compat.h what older kernels lack
 *
 * A file calls those below it, and none above.
 *
 * Locks, outermost first:
 *   daedalus_dev.mutex  ioctls and both queues of every file handle, as V4L2 and vb2 take it
 *   (vb2_queue.mmap_lock, which page faults and mmap(2) nest inside of mm->mmap_lock)
 *   daedalus_dev.lock   what the link consists of: the daemon, messages, the running job, the buffers and their state
 * User memory is therefore never touched under daedalus_dev.lock, and no control: V4L2 reads user memory under the lock of
 * v4l2_ctrl_handler. Nothing here runs in atomic context.
 */
#ifndef DAEDALUS_H
#define DAEDALUS_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <media/media-device.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-mem2mem.h>

#include "daedalus_compat.h"

#define DAEDALUS_NAME		"daedalus"
#define DAEDALUS_MAX_CODECS	8

/* The kernel can tell other devices when a job writes to a buffer. */
#ifndef DAEDALUS_HAS_FENCES
#define DAEDALUS_HAS_FENCES	0
#endif

#define DAEDALUS_MIN_SIZE	16U
#define DAEDALUS_MAX_SIZE	8192U
#define DAEDALUS_SIZE_STEP	16U

struct daedalus_ctrl_desc {
	struct v4l2_ctrl_config cfg;
	bool query_only : 1;	/* says what the device can do; no part of a job */
	bool mode : 1;		/* a menu with 0 for slices, 1 for frames: offers what the module was loaded for */
	bool slice_only : 1;	/* exists in slice based mode only */
	bool grain_only : 1;	/* exists where film grain is applied */
	u8 ten_bit_max;		/* a menu of profiles: the last one where 10 bits are offered; 0: no other */
	u64 ten_bit_skip;	/* what lies between and is not */
};

struct daedalus_codec {
	const char *name;
	u32 fourcc;
	const struct daedalus_ctrl_desc *ctrls;
	unsigned int num_ctrls;
};

#define DAEDALUS_MUTATION_MAX	16

/* What daedalus_mutate.c does to a control, and what came of it. */
struct daedalus_mutation {
	u32 id;
	u32 offset;	/* in the payload, bytes */
	u32 size;	/* of the mask; 0: off */
	u8 mask[DAEDALUS_MUTATION_MAX];
	u32 first;	/* jobs with the control that are left alone */
	u32 seen;
	u32 changed;
	u32 failed;	/* jobs that the daemon completed with an error, changed or not */
};

struct daedalus_dev {
	struct kref users;		/* the video device, requests, and who has /dev/daedalus open */
	void (*free)(struct kref *users);
	struct v4l2_device v4l2_dev;
	struct media_device mdev;
	struct video_device vdev;
	struct v4l2_m2m_dev *m2m;
	struct mutex mutex;

	const struct daedalus_codec *codecs[DAEDALUS_MAX_CODECS];
	unsigned int num_codecs;
	bool slice_based;
	bool film_grain;
	bool larger;			/* CAPTURE's pictures can be larger than the coded ones */
	u32 eight_bit;			/* CAPTURE format for 8 bits, */
	u32 ten_bit;			/* and for 10; 0: none */

	struct miscdevice misc;
	struct mutex lock;
	u64 session;			/* names the time of one open /dev/daedalus; 0: nobody has it open */
	bool gone;			/* the device was unbound; files may still be open */
	struct list_head messages;	/* for the daemon to read */
	wait_queue_head_t readable;
	struct list_head bufs;		/* all that have memory, of all queues */
	struct daedalus_ctx *running;	/* whose job the daemon has; NULL: none */
	u64 job;
	bool job_holds;			/* the daemon was told that more of its picture follows */
	unsigned long deadline;		/* of the job, jiffies */
	struct delayed_work watchdog;
	u64 finish;			/* cookie of the message that a client waits for; 0: none, or answered */
	bool finish_failed;
	wait_queue_head_t finished;
	struct daedalus_mutation mutation;
	unsigned int pictures;		/* that were begun, ever */
	struct dentry *debugfs;
};

struct daedalus_ctx {
	struct v4l2_fh fh;
	struct daedalus_dev *dev;
	struct v4l2_ctrl_handler hdl;

	const struct daedalus_codec *codec;
	struct v4l2_pix_format_mplane coded;	/* CAPTURE's format follows from it, */
	u8 bit_depth[DAEDALUS_MAX_CODECS];	/* and from what each codec's sequence says; 0: 8 */
	u32 frame_width;			/* of CAPTURE, if the client wants more than coded */
	u32 frame_height;
	u32 sequence[2];			/* OUTPUT, CAPTURE */

	u64 cookie;
	u64 session;	/* that has heard of this instance */
	bool aborting;	/* a job that is about to start must not */
};

enum daedalus_picture {
	DAEDALUS_PICTURE_NONE,	/* nothing decoded since the client queued the buffer */
	DAEDALUS_PICTURE_DONE,
	DAEDALUS_PICTURE_BROKEN,
};

struct daedalus_buf {
	struct v4l2_m2m_buffer m2m;	/* first, as vb2 allocates it */
	struct list_head list;		/* in daedalus_dev.bufs */
	u64 cookie;
	u64 session;	/* that has heard of this buffer */
	enum daedalus_picture picture;
	unsigned int jobs;	/* that the picture has had */
	bool open;	/* the daemon still expects more of the picture, and may not have stored any of it */
};

static inline struct daedalus_ctx *daedalus_file_to_ctx(struct file *file)
{
	return container_of(file_to_v4l2_fh(file), struct daedalus_ctx, fh);
}

static inline struct daedalus_buf *daedalus_to_buf(struct vb2_buffer *vb)
{
	return container_of(vb, struct daedalus_buf, m2m.vb.vb2_buf);
}

static inline struct daedalus_buf *daedalus_vbuf_to_buf(struct vb2_v4l2_buffer *vbuf)
{
	return container_of(vbuf, struct daedalus_buf, m2m.vb);
}

static inline void daedalus_get(struct daedalus_dev *dev)
{
	kref_get(&dev->users);
}

static inline void daedalus_put(struct daedalus_dev *dev)
{
	kref_put(&dev->users, dev->free);
}

/* daedalus_video.c */
extern const struct v4l2_ioctl_ops daedalus_ioctl_ops;

int daedalus_queues_init(void *priv, struct vb2_queue *output, struct vb2_queue *capture);

/* daedalus_format.c */
extern const struct v4l2_frmsize_stepwise daedalus_sizes;

void daedalus_formats_init(struct daedalus_ctx *ctx);
void daedalus_adjust_output(const struct daedalus_dev *dev, struct v4l2_pix_format_mplane *pix);
void daedalus_set_output(struct daedalus_ctx *ctx, const struct v4l2_pix_format_mplane *pix);
u32 daedalus_capture_fourcc(const struct daedalus_ctx *ctx);
void daedalus_fill_capture(const struct daedalus_ctx *ctx, u32 width, u32 height, struct v4l2_pix_format_mplane *pix);
void daedalus_capture_format(const struct daedalus_ctx *ctx, struct v4l2_pix_format_mplane *pix);

/* daedalus_codec.c */
int daedalus_codecs_select(struct daedalus_dev *dev, const char *names);
const struct daedalus_codec *daedalus_codec_find(const struct daedalus_dev *dev, u32 fourcc);
int daedalus_ctrls_init(struct daedalus_ctx *ctx);
unsigned int daedalus_bit_depth(const struct daedalus_ctx *ctx);
bool daedalus_ctrl_is_in_job(const struct daedalus_ctx *ctx, const struct v4l2_ctrl *ctrl);

/* daedalus_link.c */
int daedalus_link_init(struct daedalus_dev *dev, struct device *parent);
void daedalus_link_exit(struct daedalus_dev *dev);

void daedalus_link_add_buf(struct daedalus_dev *dev, struct daedalus_buf *buf);
void daedalus_link_remove_buf(struct daedalus_dev *dev, struct daedalus_buf *buf);
void daedalus_link_forget_picture(struct daedalus_dev *dev, struct daedalus_buf *buf);
void daedalus_link_forget_pictures(struct daedalus_dev *dev, const struct vb2_queue *queue);
void daedalus_link_remove_ctx(struct daedalus_ctx *ctx);

/* daedalus_message.c */
u64 daedalus_new_cookie(void);

/* daedalus_job.c */
extern bool daedalus_fences;

bool daedalus_job_finish_picture(struct daedalus_ctx *ctx, struct daedalus_buf *buf);
void daedalus_job_run(void *priv);
void daedalus_job_abort(void *priv);
void daedalus_job_allow(struct daedalus_ctx *ctx);

/* daedalus_faults.c */
bool daedalus_is_lenient(void);
bool daedalus_streamoff_waits(void);
bool daedalus_job_is_to_fail(struct daedalus_dev *dev, struct daedalus_buf *capture);
int daedalus_limit_buffers(struct vb2_queue *queue, unsigned int *num_buffers, bool again);

/* daedalus_memory.c */
extern struct vb2_mem_ops daedalus_memory_ops;

void daedalus_memory_init(void);
bool daedalus_memory_is_coherent(void);
void daedalus_memory_is_daemon(bool there);

/* daedalus_mutate.c */
void daedalus_mutate_init(struct daedalus_dev *dev);
void daedalus_mutate_exit(struct daedalus_dev *dev);
void daedalus_mutate(struct daedalus_dev *dev, u32 id, u8 *payload, size_t size);

#endif
