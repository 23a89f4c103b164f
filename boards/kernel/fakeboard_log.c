// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: the job log. Its lines are described in docs/fakeboard.md. Nothing
 * in it depends on where memory lies: an address is shown as what it is the
 * address of.
 */
#include <linux/crc32.h>
#include <linux/slab.h>

#include "fakeboard.h"

#define TABLE_LIMIT	(1UL << 20)	/* larger ones are shown by their digest only */
#define MAX_TABLES	64
#define ROW		32
#define SRAM_ROW	8	/* words in a line */
#define PORTS_SHOWN	256

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
	fb_put("%s%s0x%03x", sram ? "sram" : r->name ?: "", sram || r->name ? "+" : "", off);
}

static void put_value(const struct view *v, u32 val, u32 addr)
{
	struct fb_map *m = fb_map_near(addr);
	unsigned int i;

	if (!m) {
		fb_put("%08x", val);
		return;
	}
	if (is_stream(v, m)) {
		fb_put("stream");
	} else if (is_out(v, m)) {
		fb_put("out");
	} else if (fb_map_frame(m)) {
		fb_put("frame%u", fb_map_frame(m));
	} else {
		fb_put(m->cpu ? "table@" : "buffer@");
		for (i = 0; i < v->num_known; i++)
			if (v->known[i].map == m)
				put_place(v->known[i].region, v->known[i].reg, v->known[i].sram);
	}
	fb_put("+0x%x%s", addr - m->start, addr - m->start < m->size ? "" : "!");
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
			fb_put("/%s", n->name);
			if (n->count > 1)
				fb_put("%u", (off - n->reg) / 4);
		}
}

static void put_head(const struct view *v, const char *kind)
{
	fb_put("%s %u %s ", v->u->e->name, v->job->number, kind);
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
		fb_put(" ");
		put_value(v, fb_rd(r, i * 4), address_in(v->u, i * 4, fb_rd(r, i * 4)));
		fb_put("\n");
	}
}

static void put_sram_row(const struct view *v, unsigned int row)
{
	unsigned int i;

	put_head(v, "sram");
	fb_put("0x%03x", row * 4);
	for (i = row; i < row + SRAM_ROW; i++) {
		fb_put(" ");
		if (test_bit(i, v->u->fun->sram_written))
			put_value(v, sram_at(v, i), v->u->e->sram_address(v->u, i * 4, sram_at(v, i)));
		else
			fb_put("-");
	}
	fb_put("\n");
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
				fb_put(" %08x", r->ports[i].val);
			crc = crc32_le(crc, (u8 *)&r->ports[i].val, 4);
		}
		fb_put(" count=%u crc=%08x\n", n, ~crc);
	}
}

/* ---- Tables */

static struct fb_shadow *shadow_of(struct fb_unit *u, const struct known *k)
{
	struct fb_shadow *s;

	list_for_each_entry(s, &u->shadows, list)
		if (s->region == k->region && s->reg == k->reg)
			return s;
	s = kzalloc_obj(*s);
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
		fb_put(" 0x%05zx %*phN\n", off, (int)len, now + off);
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
		fb_put(" %zu %08x\n", size, fb_map_crc(k->map, 0, size));
		return;
	}
	fb_map_read(k->map, 0, bytes, size);
	make_relative(v, k->map, bytes);
	fb_put(" %zu %08x\n", size, ~crc32_le(~0, bytes, size));
	put_rows(v, k, bytes, s->size == size ? s->bytes : NULL);
	kvfree(s->bytes);
	s->bytes = bytes;
	s->size = size;
}

static void put_stream(const struct view *v)
{
	const struct fb_job *job = v->job;
	struct fb_map *m = fb_map_find(job->stream);
	u32 behind = v->u->e->read_ahead ? v->u->e->read_ahead(v->u) : 0;

	if (!job->num_outs)
		return;
	put_head(v, "stream");
	fb_put("%u %08x\n", job->bytes, job->crc);
	if (!behind || !m || job->length < behind || job->length > m->size - (job->stream - m->start))
		return;
	put_head(v, "head");
	fb_put("%u %08x\n", job->length - behind, fb_map_crc(m, job->stream - m->start, job->length - behind));
}

/* Under fb_lock. The driver writes nothing while a job runs, but for its watchdog. */
void fb_log_job(struct fb_unit *u, const struct fb_job *job)
{
	static const char * const outcomes[] = { "done", "failed", "hung", "fault" };
	struct view *v = kzalloc_obj(*v);
	unsigned int i;

	if (!v)
		return;
	v->u = u;
	v->job = job;
	know_all(v);
	put_head(v, "job");
	fb_put("%s\n", outcomes[job->outcome]);
	put_stream(v);
	put_registers(v);
	put_ports(v);
	put_sram(v);
	for (i = 0; i < v->num_known; i++)
		if (is_table(v, v->known[i].map))
			put_table(v, &v->known[i]);
	kfree(v);
}

/* What the log has shown before counts no more. */
void fb_shadows_forget(struct fb_unit *u)
{
	struct fb_shadow *s, *next;

	list_for_each_entry_safe(s, next, &u->shadows, list) {
		list_del(&s->list);
		kvfree(s->bytes);
		kfree(s);
	}
}
