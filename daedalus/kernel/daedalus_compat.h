/* SPDX-License-Identifier: GPL-2.0 */
/*
 * daedalus: what kernels before 6.18 lack, down to 6.12. The rest of the module is written for the newest one.
 */
#ifndef DAEDALUS_COMPAT_H
#define DAEDALUS_COMPAT_H

#include <linux/module.h>
#include <linux/version.h>
#include <media/media-device.h>
#include <media/v4l2-fh.h>

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
