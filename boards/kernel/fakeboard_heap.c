// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: a dma-heap whose buffers are one piece of memory each, as boards
 * have it for devices without an IOMMU. There it is a region set aside at boot;
 * here it is what the page allocator has, 4 MiB a buffer at most.
 */
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "fakeboard.h"

struct fb_heap_buffer {
	void *memory;
	size_t size;
};

static struct sg_table *heap_map(struct dma_buf_attachment *attachment, enum dma_data_direction dir)
{
	struct fb_heap_buffer *buffer = attachment->dmabuf->priv;
	struct sg_table *table = kzalloc_obj(*table);
	int ret;

	if (!table)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(table, 1, GFP_KERNEL);
	if (ret)
		goto free;
	sg_set_page(table->sgl, virt_to_page(buffer->memory), buffer->size, 0);
	ret = dma_map_sgtable(attachment->dev, table, dir, 0);
	if (!ret)
		return table;
	sg_free_table(table);
free:
	kfree(table);
	return ERR_PTR(ret);
}

static void heap_unmap(struct dma_buf_attachment *attachment, struct sg_table *table, enum dma_data_direction dir)
{
	dma_unmap_sgtable(attachment->dev, table, dir, 0);
	sg_free_table(table);
	kfree(table);
}

static int heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct fb_heap_buffer *buffer = dmabuf->priv;

	return remap_pfn_range(vma, vma->vm_start, PHYS_PFN(__pa(buffer->memory)) + vma->vm_pgoff,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static int heap_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct fb_heap_buffer *buffer = dmabuf->priv;

	iosys_map_set_vaddr(map, buffer->memory);
	return 0;
}

static void heap_release(struct dma_buf *dmabuf)
{
	struct fb_heap_buffer *buffer = dmabuf->priv;

	free_pages_exact(buffer->memory, buffer->size);
	kfree(buffer);
}

static const struct dma_buf_ops buffer_ops = {
	.map_dma_buf = heap_map,
	.unmap_dma_buf = heap_unmap,
	.mmap = heap_mmap,
	.vmap = heap_vmap,
	.release = heap_release,
};

static struct dma_buf *heap_allocate(struct dma_heap *heap, unsigned long len, u32 fd_flags, u64 heap_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct fb_heap_buffer *buffer = kzalloc_obj(*buffer);
	struct dma_buf *dmabuf;

	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->size = PAGE_ALIGN(len);
	buffer->memory = alloc_pages_exact(buffer->size, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (!buffer->memory) {
		kfree(buffer);
		return ERR_PTR(-ENOMEM);
	}
	info.exp_name = dma_heap_get_name(heap);
	info.ops = &buffer_ops;
	info.size = buffer->size;
	info.flags = fd_flags;
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		free_pages_exact(buffer->memory, buffer->size);
		kfree(buffer);
	}
	return dmabuf;
}

static const struct dma_heap_ops heap_ops = {
	.allocate = heap_allocate,
};

/* The kernel cannot take a heap back: with one, the module stays. */
int fb_heap_add(const char *name)
{
	const struct dma_heap_export_info info = { .name = name, .ops = &heap_ops };

	return PTR_ERR_OR_ZERO(dma_heap_add(&info));
}
