// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: register blocks. A block is memory behind logic_iomem; what the
 * driver writes is noted, and told to whoever the registers are of.
 */
#include <linux/io.h>
#include <linux/logic_iomem.h>
#include <linux/of_address.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fakeboard.h"

/*
 * Everything but the first megabytes: the memory of user-mode Linux is in no
 * resource tree, so that each board has its blocks where they really are.
 */
#define FB_BASE		0x01000000UL
#define FB_END		0xffffffffUL

DEFINE_SPINLOCK(fb_regs_lock);
LIST_HEAD(fb_regions);
static void (*written)(struct fb_region *r, u32 off, u32 val);

u32 fb_rd(const struct fb_region *r, u32 off)
{
	return off + 4 <= r->size ? *(u32 *)(r->mem + off) : 0;
}

void fb_wr(struct fb_region *r, u32 off, u32 val)
{
	if (off + 4 <= r->size)
		*(u32 *)(r->mem + off) = val;
}

struct fb_region *fb_regs_find(struct device_node *np, const char *name)
{
	struct fb_region *r;

	list_for_each_entry(r, &fb_regions, list)
		if (r->np == np && (!name || (r->name && !strcmp(r->name, name))))
			return r;
	return NULL;
}

/* Starts a new account of what is written to a node's registers; under fb_regs_lock. */
void fb_regs_forget(struct device_node *np)
{
	struct fb_region *r;

	list_for_each_entry(r, &fb_regions, list) {
		if (np && r->np != np)
			continue;
		bitmap_zero(r->written, r->size / 4);
		if (r->sram)
			bitmap_zero(r->sram_written, FB_SRAM_SIZE / 4);
		r->num_ports = 0;
	}
}

/* As after power on; under fb_regs_lock. */
void fb_regs_reset(void)
{
	struct fb_region *r;

	fb_regs_forget(NULL);
	list_for_each_entry(r, &fb_regions, list) {
		memset(r->mem, 0, r->size);
		if (r->sram)
			memset(r->sram, 0, FB_SRAM_SIZE);
	}
}

void fb_regs_note_port(struct fb_region *r, u32 off, u32 val)
{
	if (r->num_ports < FB_PORT_WRITES)
		r->ports[r->num_ports++] = (struct fb_port_write){ off, val };
}

static unsigned long regs_read(void *priv, unsigned int off, int size)
{
	struct fb_region *r = priv;
	unsigned long val = 0;

	if (off + size <= r->size)
		memcpy(&val, r->mem + off, size);
	return val;
}

static void regs_copy_to(void *priv, unsigned int off, const void *from, int size)
{
	struct fb_region *r = priv;
	unsigned long flags;
	u32 val;

	if (off % 4 || size % 4 || off + size > r->size) {
		pr_warn_ratelimited("fakeboard: write of %d bytes at %x of %pOFn\n", size, off, r->np);
		return;
	}
	spin_lock_irqsave(&fb_regs_lock, flags);
	for (; size; size -= 4, off += 4, from += 4) {
		memcpy(&val, from, 4);
		fb_wr(r, off, val);
		set_bit(off / 4, r->written);
		written(r, off, val);
	}
	spin_unlock_irqrestore(&fb_regs_lock, flags);
}

static void regs_write(void *priv, unsigned int off, int size, unsigned long val)
{
	regs_copy_to(priv, off, &val, size);
}

static const struct logic_iomem_ops regs_ops = {
	.read = regs_read,
	.write = regs_write,
	.copy_to = regs_copy_to,
};

static long regs_map(unsigned long off, size_t size, const struct logic_iomem_ops **ops, void **priv)
{
	struct fb_region *r;

	list_for_each_entry(r, &fb_regions, list) {
		if (FB_BASE + off < r->start || FB_BASE + off + size > r->start + r->size)
			continue;
		*ops = &regs_ops;
		*priv = r;
		return FB_BASE + off - r->start;
	}
	return -ENOENT;
}

static const struct logic_iomem_region_ops regs_region_ops = { .map = regs_map };

static struct resource regs_res = {
	.name = "fakeboard", .start = FB_BASE, .end = FB_END, .flags = IORESOURCE_MEM,
};

static struct fb_region *region_new(struct device_node *np, const struct resource *res)
{
	struct fb_region *r = kzalloc_obj(*r);

	if (!r)
		return NULL;
	r->np = of_node_get(np);
	r->start = res->start;
	r->size = resource_size(res);
	r->mem = kvzalloc(r->size, GFP_KERNEL);
	r->written = bitmap_zalloc(r->size / 4, GFP_KERNEL);
	r->ports = kvmalloc_array(FB_PORT_WRITES, sizeof(*r->ports), GFP_KERNEL);
	return r->mem && r->written && r->ports ? r : NULL;	/* the board does not come up: nothing to free */
}

/* Adds all register blocks of a node, once. */
int fb_regs_add(struct device_node *np)
{
	struct fb_region *r;
	struct resource res;
	int i;

	if (fb_regs_find(np, NULL))
		return 0;
	for (i = 0; !of_address_to_resource(np, i, &res); i++) {
		r = region_new(np, &res);
		if (!r)
			return -ENOMEM;
		of_property_read_string_index(np, "reg-names", i, &r->name);
		list_add_tail(&r->list, &fb_regions);
	}
	return 0;
}

int fb_regs_add_sram(struct fb_region *r)
{
	if (r->sram)
		return 0;
	r->sram = kvzalloc(FB_SRAM_SIZE, GFP_KERNEL);
	r->sram_written = bitmap_zalloc(FB_SRAM_SIZE / 4, GFP_KERNEL);
	return r->sram && r->sram_written ? 0 : -ENOMEM;
}

/* From here on drivers find their registers, and on_write is told of each word, under fb_regs_lock. */
int fb_regs_init(void (*on_write)(struct fb_region *r, u32 off, u32 val))
{
	written = on_write;
	return logic_iomem_add_region(&regs_res, &regs_region_ops);
}
