// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: Allwinner's video engine. One block of registers with an engine
 * per codec. H.264 and H.265 have their lists in an SRAM behind two registers
 * (offset, data); addresses are shortened in several ways; and the driver lets
 * the engine read bits of the slice header.
 */
#include <linux/slab.h>

#include "fakeboard.h"

#define H264_TRIGGER	0x224
#define H264_FRAME_IDX	0x24c
#define H264_SRAM_OFF	0x2e0
#define H264_FRAMES	0x400	/* of the SRAM, in bytes: 18 entries of 8 words */

#define H265_TRIGGER	0x534
#define H265_BITS_ADDR	0x540
#define H265_BITS_OFF	0x544
#define H265_FRAME_IDX	0x55c
#define H265_BITS_READ	0x5dc
#define H265_SRAM_OFF	0x5e0
#define H265_FRAMES	0x400	/* 17 entries of 8 words, of which 6 are used */

static u32 sram_word(const struct fb_region *r, u32 off)
{
	return off <= FB_SRAM_SIZE - 4 ? *(u32 *)(r->sram + off) : 0;
}

static u32 cedrus_address(u32 off, u32 val)
{
	switch (off) {
	case 0x128:
	case 0x230:
		return (val & 0x0ffffff0) | val << 28;
	case H265_BITS_ADDR:
	case 0x54c:
	case 0x560:
	case 0x564:
		return val << 8;
	}
	return val;
}

/* The data register moves on by itself. */
static void sram_write(struct fb_region *r, u32 off, u32 val, u32 offset_reg)
{
	u32 at = fb_rd(r, offset_reg);

	if (off != offset_reg + 4 || at > FB_SRAM_SIZE - 4)
		return;
	*(u32 *)(r->sram + at) = val;
	set_bit(at / 4, r->sram_written);
	fb_wr(r, offset_reg, at + 4);
}

static void h264_write(struct fb_region *r, u32 off, u32 val)
{
	sram_write(r, off, val, H264_SRAM_OFF);
}

/* Start at the stream's begin, skip, show: enough for what the driver looks at. */
static void h265_write(struct fb_region *r, u32 off, u32 val)
{
	u32 count = val >> 8 & 0x3f;

	sram_write(r, off, val, H265_SRAM_OFF);
	if (off != H265_TRIGGER)
		return;
	switch (val & 0xf) {
	case 7:
		r->bit_pos = fb_rd(r, H265_BITS_OFF);
		break;
	case 3:
		r->bit_pos += count;
		break;
	case 1:
		fb_wr(r, H265_BITS_READ, fb_bus_bits(fb_rd(r, H265_BITS_ADDR) << 8, r->bit_pos, count));
		break;
	}
}

/* Words 3 to 6 of an entry are addresses (H.264); words 2 to 5, without their low bytes (H.265). */
static u32 h264_sram_address(const struct fb_unit *u, u32 off, u32 val)
{
	u32 word = (off - H264_FRAMES) / 4;

	return off >= H264_FRAMES && word < 18 * 8 && word % 8 >= 3 && word % 8 <= 6 ? val : 0;
}

static u32 h265_sram_address(const struct fb_unit *u, u32 off, u32 val)
{
	u32 word = (off - H265_FRAMES) / 4;

	return off >= H265_FRAMES && word < 17 * 8 && word % 8 >= 2 && word % 8 <= 5 ? val << 8 : 0;
}

static void locate_mpeg2(const struct fb_unit *u, struct fb_job *job)
{
	job->stream = cedrus_address(0x128, fb_rd(u->fun, 0x128));
	job->length = fb_rd(u->fun, 0x134) - job->stream;
	job->outs[job->num_outs++] = fb_rd(u->fun, 0x148);
}

static void locate_vp8(const struct fb_unit *u, struct fb_job *job)
{
	job->stream = cedrus_address(0x230, fb_rd(u->fun, 0x230));
	job->length = fb_rd(u->fun, 0x23c) - job->stream;
	job->outs[job->num_outs++] = fb_rd(u->fun, 0x2ac);
}

/* Motion vectors have a buffer of their own, which goes with the picture. */
static void locate_h264(const struct fb_unit *u, struct fb_job *job)
{
	u32 entry = H264_FRAMES + fb_rd(u->fun, H264_FRAME_IDX) * 32;

	job->stream = cedrus_address(0x230, fb_rd(u->fun, 0x230));
	job->length = fb_rd(u->fun, 0x23c) - job->stream;
	job->outs[job->num_outs++] = sram_word(u->fun, entry + 20);
	job->outs[job->num_outs++] = sram_word(u->fun, entry + 12);
}

static void locate_h265(const struct fb_unit *u, struct fb_job *job)
{
	u32 entry = H265_FRAMES + fb_rd(u->fun, H265_FRAME_IDX) * 32;

	job->stream = cedrus_address(H265_BITS_ADDR, fb_rd(u->fun, H265_BITS_ADDR));
	job->length = fb_rd(u->fun, 0x548) / 8;
	job->outs[job->num_outs++] = sram_word(u->fun, entry + 8) << 8;
	job->outs[job->num_outs++] = sram_word(u->fun, entry + 16) << 8;
}

/* Quantiser matrices go in value by value. */
static const u16 mpeg2_ports[] = { 0x180, 0 };
static const u16 h264_ports[] = { H264_TRIGGER, 0 };
static const u16 h265_ports[] = { H265_TRIGGER, 0 };

const struct fb_engine fb_cedrus_mpeg2 = {
	.name = "cedrus-mpeg2",
	.start = 0x118, .start_mask = 0xf, .start_val = 0xf,
	.status = 0x11c, .done = BIT(0), .error = BIT(1),
	.ports = mpeg2_ports,
	.address = cedrus_address,
	.locate = locate_mpeg2,
};

const struct fb_engine fb_cedrus_h264 = {
	.name = "cedrus-h264",
	.start = H264_TRIGGER, .start_mask = 0xf, .start_val = 8,
	.status = 0x228, .done = BIT(0), .error = BIT(1),
	.ports = h264_ports,
	.sram_port = H264_SRAM_OFF,
	.write = h264_write,
	.address = cedrus_address,
	.sram_address = h264_sram_address,
	.locate = locate_h264,
};

const struct fb_engine fb_cedrus_vp8 = {
	.name = "cedrus-vp8",
	.start = H264_TRIGGER, .start_mask = 0xf, .start_val = 10,
	.status = 0x228, .done = BIT(0), .error = BIT(1),
	.address = cedrus_address,
	.locate = locate_vp8,
};

const struct fb_engine fb_cedrus_h265 = {
	.name = "cedrus-h265",
	.start = H265_TRIGGER, .start_mask = 0xf, .start_val = 8,
	.status = 0x538, .done = BIT(0), .error = BIT(1),
	.ports = h265_ports,
	.sram_port = H265_SRAM_OFF,
	.write = h265_write,
	.address = cedrus_address,
	.sram_address = h265_sram_address,
	.locate = locate_h265,
};
