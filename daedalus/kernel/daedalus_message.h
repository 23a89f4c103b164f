/* SPDX-License-Identifier: GPL-2.0 */
/*
 * daedalus: what jobs and the link to the daemon share. All but daedalus_take_controls() and daedalus_message_new()
 * is under daedalus_dev.lock.
 */
#ifndef DAEDALUS_MESSAGE_H
#define DAEDALUS_MESSAGE_H

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

/* daedalus_message.c */
struct daedalus_message *daedalus_message_new(u32 type, size_t size, u64 cookie, gfp_t flags);
void daedalus_message_drop(struct daedalus_message *message);
void daedalus_message_send(struct daedalus_dev *dev, struct daedalus_message *message);

struct daedalus_controls *daedalus_take_controls(struct daedalus_ctx *ctx);
struct daedalus_message *daedalus_job_message(struct daedalus_ctx *ctx, struct vb2_v4l2_buffer *src,
					      struct vb2_v4l2_buffer *dst, const struct daedalus_controls *controls);

/* daedalus_job.c */
void daedalus_job_end(struct daedalus_dev *dev, bool decoded);
void daedalus_finish_end(struct daedalus_dev *dev, bool failed);
void daedalus_watchdog(struct work_struct *work);

#endif
