// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: where each decoder has what. All of it is read out of what the
 * kernel's drivers write and expect; error values are those that make the
 * driver report an error, whatever the hardware would say.
 */
#include "fakeboard.h"

/* ---- Rockchip's rkvdec: RK3288 (HEVC), RK3328, RK3399. */

#define RKVDEC_MODE(u)	(fb_rd((u)->fun, 0x008) >> 20 & 3)

static const struct fb_reg_name rkvdec_names[] = {
	{ 0x004, 1, "start" },		{ 0x008, 1, "sysctrl" },	{ 0x00c, 1, "picpar" },
	{ 0x010, 1, "stream" },		{ 0x014, 1, "stream_len" },	{ 0x018, 1, "cabac_table" },
	{ 0x01c, 1, "out" },		{ 0x020, 1, "y_stride" },	{ 0x024, 1, "yuv_stride" },
	{ }
};

static const struct fb_reg_name *rkvdec_more_names(const struct fb_unit *u)
{
	static const struct fb_reg_name h26x[] = {
		{ 0x028, 15, "ref" },	{ 0x064, 15, "ref_poc" },	{ 0x0a0, 1, "poc" },
		{ 0x0a4, 1, "stream_2" }, { 0x0a8, 1, "pps" },		{ 0x0ac, 1, "rps" },
		{ 0x0c0, 1, "ref15" },	{ 0x0c4, 15, "ref_poc_more" },	{ 0x120, 1, "ref_poc30" },
		{ 0x124, 1, "ref_poc31" }, { 0x128, 1, "poc_bottom" },	{ 0x12c, 1, "error_info" },
		{ }
	};
	static const struct fb_reg_name vp9[] = {
		{ 0x028, 1, "header_offset" }, { 0x02c, 3, "ref" },	{ 0x038, 1, "counts" },
		{ 0x03c, 1, "segmap_last" }, { 0x040, 1, "segmap" },	{ 0x044, 3, "ref_size" },
		{ 0x050, 8, "segment" }, { 0x074, 3, "ref_scale" },	{ 0x080, 1, "ref_deltas" },
		{ 0x084, 1, "last_frame" }, { 0x094, 3, "ref_stride" },	{ 0x0d0, 1, "ref_mv" },
		{ }
	};

	return RKVDEC_MODE(u) == 2 ? vp9 : h26x;
}

/* The PPS tables carry the address of the scaling lists: bit 184 of 256 (H.264), bit 592 of 640 (HEVC). */
static const struct fb_nested *rkvdec_nested(const struct fb_unit *u)
{
	static const struct fb_nested hevc = { 0x0a8, 80, 64, 74 }, h264 = { 0x0a8, 32, 256, 23 };

	switch (RKVDEC_MODE(u)) {
	case 0:
		return &hevc;
	case 1:
		return &h264;
	}
	return NULL;
}

/* HEVC: its driver rounds the length up to 16 bytes, and adds 64. */
static u32 rkvdec_read_ahead(const struct fb_unit *u)
{
	return RKVDEC_MODE(u) == 0 ? 15 + 64 : 0;
}

static const struct fb_engine rkvdec = {
	.name = "rkvdec",
	.start = 0x004, .start_mask = 1, .start_val = 1, .stop = 0x004,
	.status = 0x004, .done = BIT(12) | BIT(8), .error = BIT(14) | BIT(8),
	.stream = 0x010, .length = 0x014, .length_mask = ~0u, .out = 0x01c,
	.names = rkvdec_names,
	.more_names = rkvdec_more_names,
	.read_ahead = rkvdec_read_ahead,
	.nested = rkvdec_nested,
};

/*
 * ---- Its successors on RK3588 (VDPU381) and RK3576 (VDPU383). The driver's
 * watchdog writes to the interrupt register that only the first one has.
 */
#define RKVDEC_STOP	0x004

static const struct fb_reg_name vdpu381_names[] = {
	{ 0x024, 1, "mode" },		{ 0x028, 1, "start" },		{ 0x040, 1, "stream_len" },
	{ 0x104, 2, "poc" },		{ 0x10c, 32, "ref_poc" },	{ 0x200, 1, "stream" },
	{ 0x208, 1, "out" },		{ 0x20c, 1, "out_mv" },		{ 0x214, 10, "row" },
	{ 0x284, 1, "pps" },		{ 0x28c, 1, "rps" },		{ 0x290, 16, "ref" },
	{ 0x2d4, 1, "scaling_list" },	{ 0x2d8, 16, "ref_mv" },	{ 0x31c, 1, "cabac_table" },
	{ }
};

static const struct fb_nested *vdpu381_nested(const struct fb_unit *u)
{
	static const struct fb_nested h264 = { 0x284, 48, 256, 39 };

	return (fb_rd(u->fun, 0x024) & 0x3ff) == 1 ? &h264 : NULL;
}

static const struct fb_engine vdpu381 = {
	.name = "vdpu381",
	.ctl = "function", .fun = "function",
	.start = 0x028, .start_mask = 1, .start_val = 1, .stop = RKVDEC_STOP,
	.status = 0x380, .done = BIT(2), .error = BIT(4),
	.stream = 0x200, .length = 0x040, .length_mask = ~0u, .out = 0x208,
	.names = vdpu381_names,
	.nested = vdpu381_nested,
};

static const struct fb_reg_name vdpu383_names[] = {
	{ 0x020, 1, "mode" },		{ 0x108, 1, "stream_len" },	{ 0x10c, 1, "pps_len" },
	{ 0x200, 1, "stream" },		{ 0x204, 1, "rps" },		{ 0x208, 1, "cabac_table" },
	{ 0x20c, 1, "pps" },		{ 0x210, 1, "scaling_list" },	{ 0x230, 22, "row" },
	{ 0x2a0, 1, "out" },		{ 0x2a8, 16, "ref" },		{ 0x300, 1, "out_payload" },
	{ 0x30c, 16, "ref_payload" },	{ 0x360, 1, "out_mv" },		{ 0x364, 16, "ref_mv" },
	{ }
};

static const struct fb_engine vdpu383 = {
	.name = "vdpu383",
	.ctl = "link", .fun = "function",
	.start = 0x040, .start_mask = 1, .start_val = 1, .stop = RKVDEC_STOP,
	.status = 0x04c, .done = BIT(0), .error = BIT(4),
	.stream = 0x200, .length = 0x108, .length_mask = ~0u, .out = 0x2a0,
	.names = vdpu383_names,
};

/* ---- Verisilicon's decoders in their many places. */

/*
 * VP8 has the stream in pieces. All of it is from the start of the buffer to
 * the end of the last partition; the length that the hardware is given counts
 * from the partition sizes on, rounded down to 8 bytes.
 */
static void locate_vp8(const struct fb_unit *u, struct fb_job *job, u32 start_bit, u32 num_parts, u32 total)
{
	struct fb_map *m = fb_map_find(job->stream);
	u32 first, sizes;

	if (!m)
		return;
	first = job->stream - m->start + (start_bit >> 26) / 8;
	sizes = (num_parts >> 24 & 0xf) * 3;
	job->stream = m->start;
	job->length = first + total - sizes - ((first - sizes) & 7);
}

/* With the post-processor on, what the client gets is what that writes. */
static void locate_vdpu1_at(const struct fb_unit *u, struct fb_job *job, u32 base)
{
	job->stream = fb_rd(u->fun, base + 0x030);
	job->length = fb_rd(u->fun, base + 0x018) & 0xffffff;
	job->outs[job->num_outs++] = fb_rd(u->fun, base + 0x034);
	if (fb_rd(u->fun, base + 0x0f0) & BIT(1))
		job->outs[job->num_outs++] = fb_rd(u->fun, base + 0x108);
	if (fb_rd(u->fun, base + 0x00c) >> 28 == 10)
		locate_vp8(u, job, fb_rd(u->fun, base + 0x014), fb_rd(u->fun, base + 0x024), job->length);
}

static void locate_vdpu1(const struct fb_unit *u, struct fb_job *job)
{
	locate_vdpu1_at(u, job, 0x400);
}

static void locate_g1(const struct fb_unit *u, struct fb_job *job)
{
	locate_vdpu1_at(u, job, 0);
}

static void locate_vdpu2(const struct fb_unit *u, struct fb_job *job)
{
	job->stream = fb_rd(u->fun, 0x500);
	job->length = fb_rd(u->fun, 0x4cc) & 0xffffff;
	job->outs[job->num_outs++] = fb_rd(u->fun, 0x4fc);
	if ((fb_rd(u->fun, 0x4d4) & 0xf) == 10)
		locate_vp8(u, job, fb_rd(u->fun, 0x5e8), fb_rd(u->fun, 0x5f0), job->length);
}

static void locate_g2(const struct fb_unit *u, struct fb_job *job)
{
	job->stream = fb_rd(u->fun, 0x2a4);
	job->length = fb_rd(u->fun, 0x018);
	job->outs[job->num_outs++] = fb_rd(u->fun, 0x104);
	if (fb_rd(u->fun, 0x00c) & BIT(16))
		job->outs[job->num_outs++] = fb_rd(u->fun, 0x2bc);
}

static void locate_vpu981(const struct fb_unit *u, struct fb_job *job)
{
	job->stream = fb_rd(u->fun, 0x2a4);
	job->length = fb_rd(u->fun, 0x018);
	job->outs[job->num_outs++] = fb_rd(u->fun, 0x104);
	if (fb_rd(u->fun, 0x500) & BIT(0))
		job->outs[job->num_outs++] = fb_rd(u->fun, 0x518);
}

/*
 * Its stream is tiles, which a client may have behind headers, and apart. The
 * table says where they begin and end, counted from the first one.
 */
static void digest_vpu981(const struct fb_unit *u, struct fb_job *job)
{
	struct fb_map *m = fb_map_find(job->stream), *table = fb_map_find(fb_rd(u->fun, 0x29c));
	u32 first, count, place[2], i;

	if (!m || !table)
		return;
	first = job->stream - m->start + (fb_rd(u->fun, 0x014) >> 25 & 0x7f) / 8;
	count = (fb_rd(u->fun, 0x028) >> 10 & 0x7f) * (fb_rd(u->fun, 0x028) >> 17 & 0x7f);
	for (i = 0; i < count; i++) {
		fb_map_read(table, i * 16 + 8, place, sizeof(place));
		if (place[1] < place[0] || place[1] > job->length)
			continue;
		job->crc = fb_map_crc_more(m, first + place[0], place[1] - place[0], job->crc);
		job->bytes += place[1] - place[0];
	}
}

#define VDPU1_STATUS	.done = BIT(12) | BIT(8), .error = BIT(16) | BIT(8)

static const struct fb_engine vdpu1 = {
	.name = "vdpu1", .irq = "vdpu",
	.start = 0x404, .start_mask = 1, .start_val = 1, .stop = 0x404,
	.status = 0x404, VDPU1_STATUS,
	.locate = locate_vdpu1,
};

static const struct fb_engine g1 = {
	.name = "g1",
	.start = 0x004, .start_mask = 1, .start_val = 1, .stop = 0x004,
	.status = 0x004, VDPU1_STATUS,
	.locate = locate_g1,
};

/* Its modes and byte orders look like an address. */
static u32 g2_address(u32 off, u32 val)
{
	return off == 0x00c ? 0 : val;
}

static const struct fb_engine g2 = {
	.name = "g2",
	.start = 0x004, .start_mask = 1, .start_val = 1, .stop = 0x004,
	.status = 0x004, VDPU1_STATUS,
	.locate = locate_g2,
	.address = g2_address,
};

/* Strengths and quantizers of segments look like one: addresses begin with the planes that it writes. */
static u32 vpu981_address(u32 off, u32 val)
{
	return off < 0x104 ? 0 : val;
}

static const struct fb_engine vpu981 = {
	.name = "vpu981", .irq = "vdpu",
	.start = 0x004, .start_mask = 1, .start_val = 1, .stop = 0x004,
	.status = 0x004, VDPU1_STATUS,
	.adapted = 0x2ac,
	.locate = locate_vpu981,
	.digest = digest_vpu981,
	.address = vpu981_address,
};

static const struct fb_engine vdpu2 = {
	.name = "vdpu2", .irq = "vdpu",
	.start = 0x4e4, .start_mask = 1, .start_val = 1,
	.status = 0x4dc, .done = BIT(4) | BIT(0), .error = BIT(12),
	.locate = locate_vdpu2,
};

/* Encoders are started and end, no more. */
static void locate_nothing(const struct fb_unit *u, struct fb_job *job)
{
}

static const struct fb_engine vepu1 = {
	.name = "vepu1", .irq = "vepu",
	.start = 0x038, .start_mask = 1, .start_val = 1,
	.status = 0x004, .done = BIT(2) | BIT(0), .error = BIT(0),
	.locate = locate_nothing,
};

static const struct fb_engine vepu2 = {
	.name = "vepu2", .irq = "vepu",
	.start = 0x19c, .start_mask = 1, .start_val = 1,
	.status = 0x1b4, .done = BIT(1) | BIT(0), .error = BIT(4) | BIT(0),
	.locate = locate_nothing,
};

const struct fb_match fb_matches[] = {
	{ "rockchip,rk3288-vdec", &rkvdec },
	{ "rockchip,rk3399-vdec", &rkvdec },
	{ "rockchip,rk3588-vdec", &vdpu381 },
	{ "rockchip,rk3576-vdec", &vdpu383 },
	{ "rockchip,rk3288-vpu", &vdpu1 },
	{ "rockchip,rk3288-vpu", &vepu1 },
	{ "rockchip,rk3399-vpu", &vdpu2 },
	{ "rockchip,rk3399-vpu", &vepu2 },
	{ "rockchip,rk3568-vpu", &vdpu2 },
	{ "rockchip,rk3568-vepu", &vepu2 },
	{ "rockchip,rk3588-av1-vpu", &vpu981 },
	{ "nxp,imx8mq-vpu-g1", &g1 },
	{ "nxp,imx8mq-vpu-g2", &g2 },
	{ "allwinner,sun8i-h3-video-engine", &fb_cedrus_mpeg2 },
	{ "allwinner,sun8i-h3-video-engine", &fb_cedrus_h264 },
	{ "allwinner,sun8i-h3-video-engine", &fb_cedrus_vp8 },
	{ "allwinner,sun8i-h3-video-engine", &fb_cedrus_h265 },
	{ }
};

bool fb_is_port(const struct fb_engine *e, u32 off)
{
	const u16 *port;

	for (port = e->ports; port && *port; port++)
		if (*port == off)
			return true;
	return false;
}
