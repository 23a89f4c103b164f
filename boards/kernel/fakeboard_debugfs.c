// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: the files in debugfs.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "fakeboard.h"

#define LOG_CHUNK	(1UL << 20)	/* what a reader gets at a time */

/*
 * The reader's memory is not touched under the lock: a fault there takes that process' mmap_lock, under which a driver
 * gives back buffers, and with them maps.
 */
static ssize_t log_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	loff_t at = 0;
	ssize_t n;
	char *copy;

	count = min_t(size_t, count, LOG_CHUNK);
	copy = kvmalloc(count, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&fb_lock);
	n = fb_text_copy(copy, count, *pos);
	mutex_unlock(&fb_lock);
	if (n > 0) {
		n = simple_read_from_buffer(to, n, &at, copy, n);
		*pos += at;
	}
	kvfree(copy);
	return n;
}

/* Whatever is written: everything begins anew. */
static ssize_t log_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	struct fb_unit *u;
	unsigned long flags;

	mutex_lock(&fb_lock);
	fb_text_forget();
	fb_frames_forget();
	list_for_each_entry(u, &fb_units, list) {
		fb_shadows_forget(u);
		u->jobs = 0;
	}
	spin_lock_irqsave(&fb_regs_lock, flags);
	fb_regs_reset();
	spin_unlock_irqrestore(&fb_regs_lock, flags);
	mutex_unlock(&fb_lock);
	return count;
}

static const struct file_operations log_fops = {
	.owner = THIS_MODULE,
	.read = log_read,
	.write = log_write,
	.llseek = default_llseek,
};

static int jobs_show(struct seq_file *s, void *data)
{
	struct fb_unit *u;

	list_for_each_entry(u, &fb_units, list)
		seq_printf(s, "%s@%llx %u\n", u->e->name, (u64)u->ctl->start, u->jobs);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(jobs);

void fb_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("fakeboard", NULL);
	struct fb_region *r;
	char name[40];

	debugfs_create_file("log", 0600, dir, NULL, &log_fops);
	debugfs_create_file("jobs", 0444, dir, NULL, &jobs_fops);
	list_for_each_entry(r, &fb_regions, list) {
		r->blob.data = r->mem;
		r->blob.size = r->size;
		snprintf(name, sizeof(name), "%llx.%s", (u64)r->start, r->name ?: "regs");
		debugfs_create_blob(name, 0444, dir, &r->blob);
	}
}
