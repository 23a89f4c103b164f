// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: the job log. Its lines are described in docs/fakeboard.md. Nothing
 * in it depends on where memory lies: an address is shown as what it is the
 * address of.
 */
#include <linux/crc32.h>
#include <linux/fs.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "fakeboard.h"

#define LOG_FIRST	(1UL << 20)
#define LOG_LIMIT	(512UL << 20)
#define TABLE_LIMIT	(1UL << 20)	/* larger ones are shown by their digest only */
#define MAX_TABLES	64
#define ROW		32
#define SRAM_ROW	8	/* words in a line */
#define PORTS_SHOWN	256

static char *text;
static size_t text_used, text_size;
static bool text_lost;

static void put(const char *format, ...) __printf(1, 2);

static bool text_grow(void)
{
	size_t larger = text_size ? text_size * 2 : LOG_FIRST;
	char *moved;

	moved = larger > LOG_LIMIT ? NULL : vmalloc(larger);
	if (!moved) {
		text_lost = true;
		return false;
	}
	memcpy(moved, text, text_used);
	vfree(text);
	text = moved;
	text_size = larger;
	return true;
}

static void put(const char *format, ...)
{
	va_list args;
	size_t n;

	for (;;) {
		va_start(args, format);
		n = vsnprintf(text + text_used, text_size - text_used, format, args);
		va_end(args);
		if (text_used + n < text_size)
			break;
		if (!text_grow())
			return;
	}
	text_used += n;
}

/* ---- What an address is the address of. */

/* Memory that the registers point at, under the name of the first register that does. */
struct known {
	struct fb_map *map;
	const struct fb_region *region;
	u32 reg;
	bool sram;
};

struct view {
	struct fb_unit *u;
	const struct fb_job *job;
	struct known known[MAX_TABLES];
	unsigned int num_known;
};

static void know(struct view *v, u32 addr, const struct fb_region *r, u32 reg, bool sram)
{
	struct fb_map *m = fb_map_near(addr);
	unsigned int i;

	for (i = 0; i < v->num_known; i++)
		if (v->known[i].map == m)
			return;
	if (m && v->num_known < MAX_TABLES)
		v->known[v->num_known++] = (struct known){ m, r, reg, sram };
}

static bool is_out(const struct view *v, const struct fb_map *m)
{
	unsigned int i;

	for (i = 0; i < v->job->num_outs; i++)
		if (fb_map_find(v->job->outs[i]) == m)
			return true;
	return false;
}

static bool is_stream(const struct view *v, const struct fb_map *m)
{
	return v->job->num_outs && fb_map_find(v->job->stream) == m;
}

static bool is_table(const struct view *v, const struct fb_map *m)
{
	return m->cpu && !is_stream(v, m) && !is_out(v, m) && !fb_map_frame(m);
}

static void put_place(const struct fb_region *r, u32 off, bool sram)
{
	put("%s%s0x%03x", sram ? "sram" : r->name ?: "", sram || r->name ? "+" : "", off);
}

static void put_value(const struct view *v, u32 val, u32 addr)
{
	struct fb_map *m = fb_map_near(addr);
	unsigned int i;

	if (!m) {
		put("%08x", val);
		return;
	}
	if (is_stream(v, m)) {
		put("stream");
	} else if (is_out(v, m)) {
		put("out");
	} else if (fb_map_frame(m)) {
		put("frame%u", fb_map_frame(m));
	} else {
		put(m->cpu ? "table@" : "buffer@");
		for (i = 0; i < v->num_known; i++)
			if (v->known[i].map == m)
				put_place(v->known[i].region, v->known[i].reg, v->known[i].sram);
	}
	put("+0x%x%s", addr - m->start, addr - m->start < m->size ? "" : "!");
}

/* ---- Registers */

/* What has lines of its own: ports, and the way into the SRAM. */
static bool is_special(const struct fb_engine *e, u32 off)
{
	return fb_is_port(e, off) || (e->sram_port && (off == e->sram_port || off == e->sram_port + 4));
}

static u32 address_in(const struct fb_unit *u, u32 off, u32 val)
{
	return u->e->address ? u->e->address(off, val) : val;
}

static void put_name(const struct fb_reg_name *n, u32 off)
{
	for (; n && n->name; n++)
		if (off >= n->reg && off < n->reg + 4 * n->count) {
			put("/%s", n->name);
			if (n->count > 1)
				put("%u", (off - n->reg) / 4);
		}
}

static void put_head(const struct view *v, const char *kind)
{
	put("%s %u %s ", v->u->e->name, v->job->number, kind);
}

/* Calls with every register of the unit that was written and is no port. */
#define for_each_written(v, r, i)					\
	list_for_each_entry(r, &fb_regions, list)			\
		if (r->np == (v)->u->np)				\
			for_each_set_bit(i, r->written, r->size / 4)	\
				if (!is_special((v)->u->e, i * 4))

#define for_each_sram(v, i)						\
	for_each_set_bit(i, (v)->u->fun->sram_written, (v)->u->e->sram_port ? FB_SRAM_SIZE / 4 : 0)

static u32 sram_at(const struct view *v, unsigned int i)
{
	return ((u32 *)v->u->fun->sram)[i];
}

static void know_all(struct view *v)
{
	struct fb_region *r;
	unsigned int i;

	for_each_written(v, r, i)
		know(v, address_in(v->u, i * 4, fb_rd(r, i * 4)), r, i * 4, false);
	for_each_sram(v, i)
		know(v, v->u->e->sram_address(v->u, i * 4, sram_at(v, i)), v->u->fun, i * 4, true);
}

static void put_registers(const struct view *v)
{
	const struct fb_engine *e = v->u->e;
	struct fb_region *r;
	unsigned int i;

	for_each_written(v, r, i) {
		put_head(v, "reg");
		put_place(r, i * 4, false);
		if (r == v->u->fun) {
			put_name(e->names, i * 4);
			put_name(e->more_names ? e->more_names(v->u) : NULL, i * 4);
		}
		put(" ");
		put_value(v, fb_rd(r, i * 4), address_in(v->u, i * 4, fb_rd(r, i * 4)));
		put("\n");
	}
}

static void put_sram_row(const struct view *v, unsigned int row)
{
	unsigned int i;

	put_head(v, "sram");
	put("0x%03x", row * 4);
	for (i = row; i < row + SRAM_ROW; i++) {
		put(" ");
		if (test_bit(i, v->u->fun->sram_written))
			put_value(v, sram_at(v, i), v->u->e->sram_address(v->u, i * 4, sram_at(v, i)));
		else
			put("-");
	}
	put("\n");
}

static void put_sram(const struct view *v)
{
	unsigned int i, shown = ~0;

	for_each_sram(v, i) {
		if (shown != i / SRAM_ROW)
			put_sram_row(v, rounddown(i, SRAM_ROW));
		shown = i / SRAM_ROW;
	}
}

static void put_ports(const struct view *v)
{
	const struct fb_region *r = v->u->fun;
	u32 i, n, crc;
	const u16 *port;

	for (port = v->u->e->ports; port && *port; port++) {
		put_head(v, "port");
		put_place(r, *port, false);
		for (i = 0, n = 0, crc = ~0; i < r->num_ports; i++) {
			if (r->ports[i].off != *port)
				continue;
			if (n++ < PORTS_SHOWN)
				put(" %08x", r->ports[i].val);
			crc = crc32_le(crc, (u8 *)&r->ports[i].val, 4);
		}
		put(" count=%u crc=%08x\n", n, ~crc);
	}
}

/* ---- Tables */

static struct fb_shadow *shadow_of(struct fb_unit *u, const struct known *k)
{
	struct fb_shadow *s;

	list_for_each_entry(s, &u->shadows, list)
		if (s->region == k->region && s->reg == k->reg)
			return s;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return NULL;
	s->region = k->region;
	s->reg = k->reg;
	list_add_tail(&s->list, &u->shadows);
	return s;
}

/* Addresses within the table become offsets from its begin. */
static void make_relative(const struct view *v, const struct fb_map *m, u8 *bytes)
{
	const struct fb_nested *n = v->u->e->nested ? v->u->e->nested(v->u) : NULL;
	u32 at, addr, i;

	if (!n || fb_map_find(fb_rd(v->u->fun, n->reg)) != m)
		return;
	at = fb_rd(v->u->fun, n->reg) - m->start;
	for (i = 0; i < n->count && at + n->off + 4 <= m->size; i++, at += n->stride) {
		memcpy(&addr, bytes + at + n->off, 4);
		if (addr - m->start < m->size) {
			addr -= m->start;
			memcpy(bytes + at + n->off, &addr, 4);
		}
	}
}

static void put_rows(const struct view *v, const struct known *k, const u8 *now, const u8 *before)
{
	size_t off, len;

	for (off = 0; off < k->map->size; off += ROW) {
		len = min_t(size_t, ROW, k->map->size - off);
		if (before ? !memcmp(now + off, before + off, len) : !memchr_inv(now + off, 0, len))
			continue;
		put_head(v, "row");
		put_place(k->region, k->reg, k->sram);
		put(" 0x%05zx %*phN\n", off, (int)len, now + off);
	}
}

static void put_table(const struct view *v, const struct known *k)
{
	struct fb_shadow *s = shadow_of(v->u, k);
	size_t size = k->map->size;
	u8 *bytes;

	put_head(v, "table");
	put_place(k->region, k->reg, k->sram);
	bytes = s && size <= TABLE_LIMIT ? kvmalloc(size, GFP_KERNEL) : NULL;
	if (!bytes) {
		put(" %zu %08x\n", size, fb_map_crc(k->map, 0, size));
		return;
	}
	fb_map_read(k->map, 0, bytes, size);
	make_relative(v, k->map, bytes);
	put(" %zu %08x\n", size, ~crc32_le(~0, bytes, size));
	put_rows(v, k, bytes, s->size == size ? s->bytes : NULL);
	kvfree(s->bytes);
	s->bytes = bytes;
	s->size = size;
}

/* Under fb_lock. The driver writes nothing while a job runs, but for its watchdog. */
void fb_log_job(struct fb_unit *u, const struct fb_job *job, const char *outcome)
{
	struct view *v = kzalloc(sizeof(*v), GFP_KERNEL);
	unsigned int i;

	if (!v)
		return;
	v->u = u;
	v->job = job;
	know_all(v);
	put_head(v, "job");
	put("%s\n", outcome);
	if (job->num_outs) {
		put_head(v, "stream");
		put("%u %08x\n", job->length, job->crc);
	}
	put_registers(v);
	put_ports(v);
	put_sram(v);
	for (i = 0; i < v->num_known; i++)
		if (is_table(v, v->known[i].map))
			put_table(v, &v->known[i]);
	kfree(v);
}

/* ---- debugfs: log and jobs */

static void shadows_forget(struct fb_unit *u)
{
	struct fb_shadow *s, *next;

	list_for_each_entry_safe(s, next, &u->shadows, list) {
		list_del(&s->list);
		kvfree(s->bytes);
		kfree(s);
	}
}

static ssize_t log_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	ssize_t n;

	mutex_lock(&fb_lock);
	n = text_lost ? -ENOSPC : simple_read_from_buffer(to, count, pos, text, text_used);
	mutex_unlock(&fb_lock);
	return n;
}

/* Whatever is written: everything begins anew. */
static ssize_t log_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	struct fb_unit *u;
	unsigned long flags;

	mutex_lock(&fb_lock);
	text_used = 0;
	text_lost = false;
	fb_frames_forget();
	list_for_each_entry(u, &fb_units, list) {
		shadows_forget(u);
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

void fb_log_init(struct dentry *dir)
{
	debugfs_create_file("log", 0600, dir, NULL, &log_fops);
	debugfs_create_file("jobs", 0444, dir, NULL, &jobs_fops);
}
