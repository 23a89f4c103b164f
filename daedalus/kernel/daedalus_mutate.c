// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: damage in flight. One field of one control is changed in what the daemon gets, and in nothing else, so that a
 * test can see whether anybody notices.
 *
 * debugfs: daedalus/mutate. A line "ID OFFSET MASK [FIRST]" switches it on: the control's id (hexadecimal) and a place in
 * its payload (bytes, decimal), where MASK (hexadecimal bytes) is added by exclusive or, in the FIRSTth job (from 0) that
 * has the control at that size, and in all after it. An empty line switches it off. What is read is the same line, and
 * then how many jobs had the control, how many of them were changed, and how many jobs, of all, the daemon gave up.
 */
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/hex.h>
#include <linux/minmax.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "daedalus.h"

#define DAEDALUS_MUTATE_LINE	128U

/* Changes the copy of a control's payload that is about to go to the daemon. */
void daedalus_mutate(struct daedalus_dev *dev, u32 id, u8 *payload, size_t size)
{
	struct daedalus_mutation *mutation = &dev->mutation;

	lockdep_assert_held(&dev->lock);
	if (!mutation->size || mutation->id != id)
		return;
	/* An array may be shorter than that in this job. */
	if (mutation->offset >= size || mutation->size > size - mutation->offset)
		return;
	if (mutation->seen++ < mutation->first)
		return;
	mutation->changed++;
	for (unsigned int i = 0; i < mutation->size; i++)
		payload[mutation->offset + i] ^= mutation->mask[i];
}

static int daedalus_mutate_show(struct seq_file *file, void *data)
{
	struct daedalus_dev *dev = file->private;
	const struct daedalus_mutation *mutation = &dev->mutation;

	guard(mutex)(&dev->lock);
	if (mutation->size)
		seq_printf(file, "%x %u %*phN %u\n", mutation->id, mutation->offset, (int)mutation->size, mutation->mask,
			   mutation->first);
	else
		seq_puts(file, "off\n");
	seq_printf(file, "seen %u changed %u failed %u\n", mutation->seen, mutation->changed, mutation->failed);
	return 0;
}

static int daedalus_mutate_open(struct inode *inode, struct file *file)
{
	return single_open(file, daedalus_mutate_show, inode->i_private);
}

static int daedalus_mutate_parse(const char *line, struct daedalus_mutation *mutation)
{
	char mask[2 * DAEDALUS_MUTATION_MAX + 1];
	size_t digits;
	int words;

	BUILD_BUG_ON(DAEDALUS_MUTATION_MAX != 16);	/* the width in the format is twice that */
	words = sscanf(line, "%x %u %32s %u", &mutation->id, &mutation->offset, mask, &mutation->first);
	if (words <= 0)
		return 0;
	if (words < 3)
		return -EINVAL;
	digits = strlen(mask);
	if (digits % 2 || hex2bin(mutation->mask, mask, digits / 2))
		return -EINVAL;
	mutation->size = digits / 2;
	return 0;
}

static ssize_t daedalus_mutate_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	struct daedalus_dev *dev = ((struct seq_file *)file->private_data)->private;
	struct daedalus_mutation mutation = {};
	char line[DAEDALUS_MUTATE_LINE];
	int ret;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, from, size))
		return -EFAULT;
	line[size] = '\0';
	ret = daedalus_mutate_parse(line, &mutation);
	if (ret)
		return ret;

	guard(mutex)(&dev->lock);
	dev->mutation = mutation;
	return size;
}

static const struct file_operations daedalus_mutate_fops = {
	.owner = THIS_MODULE,
	.open = daedalus_mutate_open,
	.read = seq_read,
	.write = daedalus_mutate_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/* Nothing of the device depends on it: as with all of debugfs, an error is no reason to stop. */
void daedalus_mutate_init(struct daedalus_dev *dev)
{
	dev->debugfs = debugfs_create_dir(DAEDALUS_NAME, NULL);
	debugfs_create_file("mutate", 0600, dev->debugfs, dev, &daedalus_mutate_fops);
}

void daedalus_mutate_exit(struct daedalus_dev *dev)
{
	debugfs_remove(dev->debugfs);
}
