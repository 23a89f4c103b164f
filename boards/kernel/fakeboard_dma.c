// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: memory as the decoders see it. Each device has DMA operations of
 * ours, which give out bus addresses as an IOMMU does: a buffer is one range
 * there, however its pages lie. So every address in a register can be told
 * from the others, the same calls give the same addresses, and an address that
 * nobody handed out is a fault.
 */
#include <linux/atomic.h>
#include <linux/crc32.h>
#include <linux/dma-map-ops.h>
#include <linux/log2.h>
#include <linux/of_platform.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "fakeboard.h"

/* Numbers that are no addresses seldom begin like this. */
#define BUS_BASE	0x5b000000U
#define BUS_END		0xdb000000U
#define MAX_ORDER_HERE	8

bool fb_iommu = true;

static LIST_HEAD(maps);
DEFINE_MUTEX(fb_lock);
static DEFINE_SPINLOCK(maps_lock);	/* the list; under fb_lock nothing leaves it */
unsigned int fb_memory_mb;
static atomic_long_t pages_used = ATOMIC_LONG_INIT(0);	/* of our own */
static DEFINE_XARRAY(frames);	/* number of the first page -> the job that wrote a picture there */

/* Nothing is handed out here, so that an address beyond a buffer can still be told to be of it. */
static size_t gap(const struct fb_map *m)
{
	return PAGE_ALIGN(SZ_64K + m->size / 4);
}

struct fb_map *fb_map_near(u32 addr)
{
	struct fb_map *m, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&maps_lock, flags);
	list_for_each_entry(m, &maps, list)
		if (addr >= m->start && addr - m->start < m->size + gap(m))
			found = m;
	spin_unlock_irqrestore(&maps_lock, flags);
	return found;
}

struct fb_map *fb_map_find(u32 addr)
{
	struct fb_map *m = fb_map_near(addr);

	return m && addr - m->start < m->size ? m : NULL;
}

/* Calls with what lies in each page of a range, one after the other. */
#define for_each_piece(m, off, len, bytes, piece)						\
	for (; (piece = min_t(size_t, len, PAGE_SIZE - (off) % PAGE_SIZE)) &&			\
	       (bytes = page_address((m)->pages[(off) / PAGE_SIZE]) + (off) % PAGE_SIZE);	\
	     off += piece, len -= piece)

static size_t clip(const struct fb_map *m, size_t off, size_t len)
{
	return off < m->size ? min(len, m->size - off) : 0;
}

void fb_map_read(const struct fb_map *m, size_t off, void *to, size_t len)
{
	size_t piece;
	u8 *bytes;

	len = clip(m, off, len);
	for_each_piece(m, off, len, bytes, piece) {
		memcpy(to, bytes, piece);
		to += piece;
	}
}

void fb_map_write(struct fb_map *m, size_t off, const void *from, size_t len)
{
	size_t piece;
	u8 *bytes;

	len = clip(m, off, len);
	for_each_piece(m, off, len, bytes, piece) {
		memcpy(bytes, from, piece);
		from += piece;
	}
}

u32 fb_map_crc(const struct fb_map *m, size_t off, size_t len)
{
	return fb_map_crc_more(m, off, len, 0);
}

/* The CRC of something that has this one, and these bytes behind it. */
u32 fb_map_crc_more(const struct fb_map *m, size_t off, size_t len, u32 crc)
{
	size_t piece;
	u8 *bytes;

	crc = ~crc;
	len = clip(m, off, len);
	for_each_piece(m, off, len, bytes, piece)
		crc = crc32_le(crc, bytes, piece);
	return ~crc;
}

/* Up to 32 bits of a bit stream, as an engine shows them to its driver; 0 where there is no memory. */
u32 fb_bus_bits(u32 addr, u32 pos, u32 count)
{
	struct fb_map *m = fb_map_find(addr);
	u32 val = 0;
	u8 byte;

	for (; m && count; count--, pos++) {
		byte = 0;
		fb_map_read(m, addr - m->start + pos / 8, &byte, 1);
		val = val << 1 | (byte >> (7 - pos % 8) & 1);
	}
	return val;
}

u32 fb_map_frame(const struct fb_map *m)
{
	return xa_to_value(xa_load(&frames, page_to_pfn(m->pages[0])) ?: xa_mk_value(0));
}

void fb_map_set_frame(const struct fb_map *m, u32 job)
{
	xa_store(&frames, page_to_pfn(m->pages[0]), xa_mk_value(job), GFP_KERNEL);
}

void fb_frames_forget(void)
{
	xa_destroy(&frames);
}

/* Puts a map at the first free place that suits its size. */
static int map_place(struct fb_map *m)
{
	u64 align = clamp_t(u64, roundup_pow_of_two(m->size), PAGE_SIZE, SZ_1M), at = BUS_BASE;
	struct fb_map *other;
	unsigned long flags;

	spin_lock_irqsave(&maps_lock, flags);
	list_for_each_entry(other, &maps, list) {
		if (at + m->size + gap(m) <= other->start)
			break;
		at = ALIGN(other->start + other->size + gap(other), align);
	}
	if (at + m->size <= BUS_END) {
		m->start = at;
		list_add_tail(&m->list, &other->list);
	}
	spin_unlock_irqrestore(&maps_lock, flags);
	return m->start ? 0 : -ENOSPC;
}

static struct fb_map *map_new(size_t size)
{
	struct fb_map *m = kzalloc_obj(*m);

	if (!m)
		return NULL;
	m->size = size;
	m->num_pages = DIV_ROUND_UP(size, PAGE_SIZE);
	m->pages = kvcalloc(m->num_pages, sizeof(*m->pages), GFP_KERNEL);
	if (!m->pages) {
		kfree(m);
		return NULL;
	}
	return m;
}

/* A job that its driver has given up may still look at the memory: fb_lock is the end of that. */
static void map_free(struct fb_map *m)
{
	unsigned long flags;
	unsigned int i;

	if (m->start) {
		mutex_lock(&fb_lock);
		spin_lock_irqsave(&maps_lock, flags);
		list_del(&m->list);
		spin_unlock_irqrestore(&maps_lock, flags);
		mutex_unlock(&fb_lock);
	}
	if (m->remapped)
		vunmap(m->cpu);
	if (m->own)
		atomic_long_sub(m->num_pages, &pages_used);
	for (i = 0; m->own && i < m->num_pages && m->pages[i]; i++)
		__free_page(m->pages[i]);
	kvfree(m->pages);
	kfree(m);
}

/* Pages in lots that are as large as they can be: each lot costs the host a mapping. */
static bool map_fill(struct fb_map *m)
{
	unsigned int done = 0, order, i;
	struct page *page;

	while (done < m->num_pages) {
		order = min_t(unsigned int, ilog2(m->num_pages - done), MAX_ORDER_HERE);
		do
			page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, order);
		while (!page && order--);
		if (!page)
			return false;
		split_page(page, order);
		for (i = 0; i < 1U << order; i++)
			m->pages[done++] = page + i;
	}
	return true;
}

static bool map_remap(struct fb_map *m)
{
	m->cpu = m->num_pages == 1 ? page_address(m->pages[0]) : vmap(m->pages, m->num_pages, VM_MAP, PAGE_KERNEL);
	m->remapped = m->num_pages > 1 && m->cpu;
	return m->cpu;
}

/* Takes the room, too. */
static bool has_room(const struct fb_map *m)
{
	unsigned long limit = (unsigned long)fb_memory_mb << (20 - PAGE_SHIFT);
	unsigned long used = atomic_long_add_return(m->num_pages, &pages_used);

	return !limit || used <= limit;
}

static void *dma_alloc(struct device *dev, size_t size, dma_addr_t *addr, gfp_t gfp, unsigned long attrs)
{
	struct fb_map *m = map_new(size);

	if (!m)
		return NULL;
	m->own = true;
	if (!has_room(m) || !map_fill(m) || (!(attrs & DMA_ATTR_NO_KERNEL_MAPPING) && !map_remap(m)) || map_place(m)) {
		map_free(m);
		return NULL;
	}
	xa_erase(&frames, page_to_pfn(m->pages[0]));
	*addr = m->start;
	return m->cpu ?: m->pages;	/* without a mapping, what is returned means nothing */
}

static void dma_free(struct device *dev, size_t size, void *cpu, dma_addr_t addr, unsigned long attrs)
{
	struct fb_map *m = fb_map_find(addr);

	if (!WARN_ON(!m || !m->own))
		map_free(m);
}

static int dma_mmap(struct device *dev, struct vm_area_struct *vma, void *cpu, dma_addr_t addr, size_t size,
		    unsigned long attrs)
{
	struct fb_map *m = fb_map_find(addr);

	return m ? vm_map_pages(vma, m->pages, m->num_pages) : -ENXIO;
}

static int dma_sgtable(struct device *dev, struct sg_table *table, void *cpu, dma_addr_t addr, size_t size,
		       unsigned long attrs)
{
	struct fb_map *m = fb_map_find(addr);

	return m ? sg_alloc_table_from_pages(table, m->pages, m->num_pages, 0, size, GFP_KERNEL) : -ENXIO;
}

/* On a board without an IOMMU dma_alloc() gives one piece of memory; here it stands for one. */
static bool is_own(const struct fb_map *imported)
{
	unsigned long flags;
	struct fb_map *m;
	bool own = false;

	spin_lock_irqsave(&maps_lock, flags);
	list_for_each_entry(m, &maps, list)
		own |= m->own && m->pages[0] == imported->pages[0];
	spin_unlock_irqrestore(&maps_lock, flags);
	return own;
}

static bool is_one_piece(const struct fb_map *m)
{
	unsigned int i;

	for (i = 1; i < m->num_pages; i++)
		if (page_to_pfn(m->pages[i]) != page_to_pfn(m->pages[0]) + i)
			return is_own(m);
	return true;
}

static int dma_map_list(struct device *dev, struct scatterlist *list, int nents, enum dma_data_direction dir,
			unsigned long attrs)
{
	struct sg_page_iter page;
	struct scatterlist *sg;
	unsigned int done = 0;
	size_t size = 0;
	struct fb_map *m;
	int i;

	for_each_sg(list, sg, nents, i) {
		if (sg->offset)
			return -EINVAL;
		size += sg->length;
	}
	m = map_new(size);
	if (!m)
		return -ENOMEM;
	for_each_sg_page(list, &page, nents, 0)
		if (done < m->num_pages)
			m->pages[done++] = sg_page_iter_page(&page);
	/* Without an IOMMU, several pieces stay several, and no decoder has use for them. */
	if (done < m->num_pages || (!fb_iommu && !is_one_piece(m)) || map_place(m)) {
		map_free(m);
		return -EINVAL;
	}
	sg_dma_address(list) = m->start;
	sg_dma_len(list) = size;
	return 1;
}

static void dma_unmap_list(struct device *dev, struct scatterlist *list, int nents, enum dma_data_direction dir,
			   unsigned long attrs)
{
	struct fb_map *m = fb_map_find(sg_dma_address(list));

	if (!WARN_ON(!m || m->own))
		map_free(m);
}

static const struct dma_map_ops dma_ops = {
	.alloc = dma_alloc,
	.free = dma_free,
	.mmap = dma_mmap,
	.get_sgtable = dma_sgtable,
	.map_sg = dma_map_list,
	.unmap_sg = dma_unmap_list,
};

void fb_dma_attach(struct device_node *np)
{
	struct platform_device *pdev = of_find_device_by_node(np);

	if (!pdev)
		return;
	set_dma_ops(&pdev->dev, &dma_ops);
	platform_device_put(pdev);
}
