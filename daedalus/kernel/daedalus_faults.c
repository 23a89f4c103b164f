// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: what it does wrong on purpose, as real devices do. docs/daedalus.md has the parameters; all are off by default.
 */
#include <linux/module.h>
#include <linux/string_helpers.h>
#include <media/videobuf2-core.h>

#include "daedalus.h"

enum daedalus_errors {
	DAEDALUS_ERRORS_STRICT,
	DAEDALUS_ERRORS_M2M,
};

static const char * const daedalus_errors_names[] = {
	[DAEDALUS_ERRORS_STRICT] = "strict",
	[DAEDALUS_ERRORS_M2M] = "m2m",
};

static unsigned int daedalus_errors;

static int daedalus_errors_set(const char *text, const struct kernel_param *param)
{
	int mode = sysfs_match_string(daedalus_errors_names, text);

	if (mode < 0)
		return mode;
	WRITE_ONCE(daedalus_errors, mode);
	return 0;
}

static int daedalus_errors_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%s\n", daedalus_errors_names[READ_ONCE(daedalus_errors)]);
}

static const struct kernel_param_ops daedalus_errors_ops = {
	.set = daedalus_errors_set,
	.get = daedalus_errors_get,
};

module_param_cb(errors, &daedalus_errors_ops, NULL, 0644);
MODULE_PARM_DESC(errors, "strict: all reach their picture; m2m: as the kernel's drivers report them (default: strict)");

static unsigned int fail_job;
module_param(fail_job, uint, 0644);
MODULE_PARM_DESC(fail_job, "number of the job of a picture that fails, from 1; 0: none (default: 0)");

static unsigned int fail_picture = 1;
module_param(fail_picture, uint, 0644);
MODULE_PARM_DESC(fail_picture, "fail_job is for each n-th picture (default: 1)");

static bool streamoff_waits;
module_param(streamoff_waits, bool, 0644);
MODULE_PARM_DESC(streamoff_waits, "VIDIOC_STREAMOFF waits for the job that runs, and does not end it (default: off)");

static unsigned int capture_limit;
module_param(capture_limit, uint, 0644);
MODULE_PARM_DESC(capture_limit, "CAPTURE buffers that a queue can have; 0: 32 (default: 0)");

bool daedalus_is_lenient(void)
{
	return READ_ONCE(daedalus_errors) == DAEDALUS_ERRORS_M2M;
}

bool daedalus_streamoff_waits(void)
{
	return READ_ONCE(streamoff_waits);
}

/* Counts the job that is about to start, and says whether it is to fail. */
bool daedalus_job_is_to_fail(struct daedalus_dev *dev, struct daedalus_buf *capture)
{
	unsigned int number = READ_ONCE(fail_job), period = READ_ONCE(fail_picture);

	lockdep_assert_held(&dev->lock);
	if (!capture->jobs++)
		dev->pictures++;
	return number && capture->jobs == number && dev->pictures % (period ?: 1) == 0;
}

/*
 * Leaves room in a queue for fewer buffers than are asked for. Where memory was short, VIDIOC_REQBUFS asks again, with the
 * buffers that it has got.
 */
int daedalus_limit_buffers(struct vb2_queue *queue, unsigned int *num_buffers, bool again)
{
	unsigned int limit = READ_ONCE(capture_limit), have = vb2_get_num_buffers(queue);

	if (!limit || again || V4L2_TYPE_IS_OUTPUT(queue->type))
		return 0;
	if (have >= limit)
		return -ENOBUFS;
	*num_buffers = min(*num_buffers, limit - have);
	return 0;
}
