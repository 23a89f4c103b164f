// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: memory of buffers. It is that of videobuf2-vmalloc, counted; and if a test asks for it, there is not enough of
 * it (memory_mb), or clients see it through a copy, which only DMA_BUF_IOCTL_SYNC keeps up to date (incoherent). For the
 * last two, a dma-buf of ours stands before that of videobuf2-vmalloc. They share their lock, so that each operation can be
 * handed on as it comes.
 */
#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <media/videobuf2-vmalloc.h>

#include "daedalus.h"

static unsigned int memory_mb;
module_param(memory_mb, uint, 0644);
MODULE_PARM_DESC(memory_mb, "MiB that all buffers can have together; 0: no limit (default: 0)");

static bool incoherent;
module_param(incoherent, bool, 0644);
MODULE_PARM_DESC(incoherent, "mappings of dma-bufs are copies, which DMA_BUF_IOCTL_SYNC refreshes and writes back (default: off)");

static atomic_long_t daedalus_memory_used = ATOMIC_LONG_INIT(0);
static DEFINE_MUTEX(daedalus_memory_lock);	/* of the list; nests inside of all others */
static LIST_HEAD(daedalus_memory_list);

/* Whose mappings are the device's. To be compared, not to be followed. */
static const struct mm_struct *daedalus_daemon;

struct daedalus_memory {
	struct list_head list;
	refcount_t users;	/* vb2, and each dma-buf of ours */
	void *priv;		/* of videobuf2-vmalloc, by which vb2 knows it */
	void *pixels;
	void *view;		/* what clients see; NULL: the pixels */
	size_t size;
	bool ours;		/* dma-bufs of it are ours */
};

struct daedalus_export {
	struct daedalus_memory *memory;
	struct dma_buf *dbuf;	/* of videobuf2-vmalloc */
};

void daedalus_memory_is_daemon(bool there)
{
	WRITE_ONCE(daedalus_daemon, there ? current->mm : NULL);
}

static bool daedalus_has_view(const struct daedalus_memory *memory)
{
	return memory->view && current->mm != READ_ONCE(daedalus_daemon);
}

static void daedalus_memory_put(struct daedalus_memory *memory)
{
	if (!refcount_dec_and_test(&memory->users))
		return;
	atomic_long_sub(memory->size, &daedalus_memory_used);
	vfree(memory->view);
	kfree(memory);
}

/* The dma-buf. */

static int daedalus_export_attach(struct dma_buf *dbuf, struct dma_buf_attachment *attachment)
{
	struct daedalus_export *export = dbuf->priv;
	struct dma_buf_attachment *inner = dma_buf_attach(export->dbuf, attachment->dev);

	if (IS_ERR(inner))
		return PTR_ERR(inner);
	attachment->priv = inner;
	return 0;
}

static void daedalus_export_detach(struct dma_buf *dbuf, struct dma_buf_attachment *attachment)
{
	struct daedalus_export *export = dbuf->priv;

	dma_buf_detach(export->dbuf, attachment->priv);
}

static struct sg_table *daedalus_export_map(struct dma_buf_attachment *attachment, enum dma_data_direction direction)
{
	return dma_buf_map_attachment(attachment->priv, direction);
}

static void daedalus_export_unmap(struct dma_buf_attachment *attachment, struct sg_table *table,
				  enum dma_data_direction direction)
{
	dma_buf_unmap_attachment(attachment->priv, table, direction);
}

static int daedalus_export_vmap(struct dma_buf *dbuf, struct iosys_map *map)
{
	struct daedalus_export *export = dbuf->priv;

	return dma_buf_vmap(export->dbuf, map);
}

static void daedalus_export_vunmap(struct dma_buf *dbuf, struct iosys_map *map)
{
	struct daedalus_export *export = dbuf->priv;

	dma_buf_vunmap(export->dbuf, map);
}

static int daedalus_export_mmap(struct dma_buf *dbuf, struct vm_area_struct *vma)
{
	struct daedalus_export *export = dbuf->priv;

	if (daedalus_has_view(export->memory))
		return remap_vmalloc_range(vma, export->memory->view, vma->vm_pgoff);
	return export->dbuf->ops->mmap(export->dbuf, vma);
}

/* Also before writing: what is written back is all of it, and the client may change a part. */
static int daedalus_export_begin(struct dma_buf *dbuf, enum dma_data_direction direction)
{
	struct daedalus_export *export = dbuf->priv;

	if (daedalus_has_view(export->memory))
		memcpy(export->memory->view, export->memory->pixels, export->memory->size);
	return 0;
}

static int daedalus_export_end(struct dma_buf *dbuf, enum dma_data_direction direction)
{
	struct daedalus_export *export = dbuf->priv;

	if (daedalus_has_view(export->memory) && direction != DMA_FROM_DEVICE)
		memcpy(export->memory->pixels, export->memory->view, export->memory->size);
	return 0;
}

static void daedalus_export_release(struct dma_buf *dbuf)
{
	struct daedalus_export *export = dbuf->priv;

	dma_buf_put(export->dbuf);
	daedalus_memory_put(export->memory);
	kfree(export);
}

static const struct dma_buf_ops daedalus_export_ops = {
	.attach = daedalus_export_attach,
	.detach = daedalus_export_detach,
	.map_dma_buf = daedalus_export_map,
	.unmap_dma_buf = daedalus_export_unmap,
	.vmap = daedalus_export_vmap,
	.vunmap = daedalus_export_vunmap,
	.mmap = daedalus_export_mmap,
	.begin_cpu_access = daedalus_export_begin,
	.end_cpu_access = daedalus_export_end,
	.release = daedalus_export_release,
};

static struct dma_buf *daedalus_memory_export(struct daedalus_memory *memory, struct dma_buf *inner, unsigned long flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct daedalus_export *export;
	struct dma_buf *dbuf;

	export = kzalloc(sizeof(*export), GFP_KERNEL);
	if (!export)
		return NULL;
	export->memory = memory;
	export->dbuf = inner;
	info.ops = &daedalus_export_ops;
	info.size = inner->size;
	info.flags = flags;
	info.resv = inner->resv;
	info.priv = export;
	dbuf = dma_buf_export(&info);
	if (IS_ERR(dbuf)) {
		kfree(export);
		return NULL;
	}
	refcount_inc(&memory->users);
	return dbuf;
}

/* What vb2 asks for. */

static void *daedalus_memory_alloc(struct vb2_buffer *vb, struct device *dev, unsigned long size)
{
	unsigned long limit = (unsigned long)READ_ONCE(memory_mb) << 20;
	struct daedalus_memory *memory;

	memory = kzalloc(sizeof(*memory), GFP_KERNEL);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	refcount_set(&memory->users, 1);
	memory->size = size;
	memory->ours = limit || READ_ONCE(incoherent);
	if (atomic_long_add_return(size, &daedalus_memory_used) > limit && limit)
		goto err_put;
	if (READ_ONCE(incoherent)) {
		memory->view = vmalloc_user(size);
		if (!memory->view)
			goto err_put;
	}
	memory->priv = vb2_vmalloc_memops.alloc(vb, dev, size);
	if (IS_ERR(memory->priv))
		goto err_put;
	memory->pixels = vb2_vmalloc_memops.vaddr(vb, memory->priv);
	scoped_guard(mutex, &daedalus_memory_lock)
		list_add(&memory->list, &daedalus_memory_list);
	return memory->priv;

err_put:
	daedalus_memory_put(memory);
	return ERR_PTR(-ENOMEM);
}

static struct daedalus_memory *daedalus_memory_find(void *priv)
{
	struct daedalus_memory *memory;

	lockdep_assert_held(&daedalus_memory_lock);
	list_for_each_entry(memory, &daedalus_memory_list, list) {
		if (memory->priv == priv)
			return memory;
	}
	return NULL;
}

static void daedalus_memory_free(void *priv)
{
	struct daedalus_memory *memory;

	scoped_guard(mutex, &daedalus_memory_lock) {
		memory = daedalus_memory_find(priv);
		list_del(&memory->list);
	}
	vb2_vmalloc_memops.put(priv);
	daedalus_memory_put(memory);
}

static struct dma_buf *daedalus_memory_get_dmabuf(struct vb2_buffer *vb, void *priv, unsigned long flags)
{
	struct dma_buf *inner, *dbuf;
	struct daedalus_memory *memory;

	scoped_guard(mutex, &daedalus_memory_lock)
		memory = daedalus_memory_find(priv);	/* stays as long as its buffer */
	inner = vb2_vmalloc_memops.get_dmabuf(vb, priv, flags);
	if (IS_ERR_OR_NULL(inner) || !memory->ours)
		return inner;
	dbuf = daedalus_memory_export(memory, inner, flags);
	if (!dbuf)
		dma_buf_put(inner);
	return dbuf;
}

struct vb2_mem_ops daedalus_memory_ops;

/* Otherwise mappings are copies, which need DMA_BUF_IOCTL_SYNC. */
bool daedalus_memory_is_coherent(void)
{
	return !READ_ONCE(incoherent);
}

/* What clients bring along is none of ours. */
void daedalus_memory_init(void)
{
	daedalus_memory_ops = vb2_vmalloc_memops;
	daedalus_memory_ops.alloc = daedalus_memory_alloc;
	daedalus_memory_ops.put = daedalus_memory_free;
	daedalus_memory_ops.get_dmabuf = daedalus_memory_get_dmabuf;
}
