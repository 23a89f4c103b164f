// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: the formats of the two queues. CAPTURE's follows from OUTPUT's and from the depth of the sequence.
 */
#include <linux/align.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <media/v4l2-common.h>

#include "daedalus.h"

/* A row of chroma does not start where a client that counts in visible pixels would look for it. */
#define DAEDALUS_STRIDE_ALIGN	64

#define DAEDALUS_MIN_BITSTREAM	((u32)SZ_64K)
#define DAEDALUS_MAX_BITSTREAM	((u32)SZ_256M)

const struct v4l2_frmsize_stepwise daedalus_sizes = {
	.min_width = DAEDALUS_MIN_SIZE,
	.max_width = DAEDALUS_MAX_SIZE,
	.step_width = DAEDALUS_SIZE_STEP,
	.min_height = DAEDALUS_MIN_SIZE,
	.max_height = DAEDALUS_MAX_SIZE,
	.step_height = DAEDALUS_SIZE_STEP,
};

/* A compressed picture that takes more room than the raw one is possible; the client then says so. */
static u32 daedalus_bitstream_size(const struct v4l2_pix_format_mplane *pix)
{
	u32 raw = pix->width * pix->height * 3 / 2;

	return clamp(pix->plane_fmt[0].sizeimage, max(raw, DAEDALUS_MIN_BITSTREAM), DAEDALUS_MAX_BITSTREAM);
}

void daedalus_adjust_output(const struct daedalus_dev *dev, struct v4l2_pix_format_mplane *pix)
{
	if (!daedalus_codec_find(dev, pix->pixelformat))
		pix->pixelformat = dev->codecs[0]->fourcc;
	v4l2_apply_frmsize_constraints(&pix->width, &pix->height, &daedalus_sizes);
	pix->field = V4L2_FIELD_NONE;
	pix->flags = 0;
	pix->num_planes = 1;
	pix->plane_fmt[0].bytesperline = 0;
	pix->plane_fmt[0].sizeimage = daedalus_bitstream_size(pix);
}

u32 daedalus_capture_fourcc(const struct daedalus_ctx *ctx)
{
	return daedalus_bit_depth(ctx) == 8 ? ctx->dev->eight_bit : ctx->dev->ten_bit;
}

/* Tiles of 16x32, and of 16x16 bytes of chroma, in two pieces of memory; the kernel's helper does not know them. */
static void daedalus_fill_mm21(u32 width, u32 height, struct v4l2_pix_format_mplane *pix)
{
	u32 stride = ALIGN(width, DAEDALUS_STRIDE_ALIGN);

	height = ALIGN(height, 32);
	pix->width = width;
	pix->height = height;
	pix->pixelformat = V4L2_PIX_FMT_MM21;
	pix->num_planes = 2;
	pix->plane_fmt[0].bytesperline = stride;
	pix->plane_fmt[0].sizeimage = stride * height;
	pix->plane_fmt[1].bytesperline = stride;
	pix->plane_fmt[1].sizeimage = stride * height / 2;
}

/*
 * CAPTURE has one format: the one that OUTPUT's and the depth of the sequence ask for. Its pictures are as large as the
 * coded ones, or larger where the client wants its buffers so and the device has that: then the picture is in the upper
 * left corner.
 */
void daedalus_fill_capture(const struct daedalus_ctx *ctx, u32 width, u32 height, struct v4l2_pix_format_mplane *pix)
{
	width = max(ctx->dev->larger ? width : 0, ctx->coded.width);
	height = max(ctx->dev->larger ? height : 0, ctx->coded.height);
	v4l2_apply_frmsize_constraints(&width, &height, &daedalus_sizes);
	memset(pix, 0, sizeof(*pix));
	if (daedalus_capture_fourcc(ctx) == V4L2_PIX_FMT_MM21)
		daedalus_fill_mm21(width, height, pix);
	else
		v4l2_fill_pixfmt_mp_aligned(pix, daedalus_capture_fourcc(ctx), width, height, DAEDALUS_STRIDE_ALIGN);
	pix->field = V4L2_FIELD_NONE;
	pix->colorspace = ctx->coded.colorspace;
	pix->ycbcr_enc = ctx->coded.ycbcr_enc;
	pix->quantization = ctx->coded.quantization;
	pix->xfer_func = ctx->coded.xfer_func;
}

void daedalus_capture_format(const struct daedalus_ctx *ctx, struct v4l2_pix_format_mplane *pix)
{
	daedalus_fill_capture(ctx, ctx->frame_width, ctx->frame_height, pix);
}

void daedalus_set_output(struct daedalus_ctx *ctx, const struct v4l2_pix_format_mplane *pix)
{
	ctx->coded = *pix;
	ctx->codec = daedalus_codec_find(ctx->dev, pix->pixelformat);
	ctx->frame_width = 0;
	ctx->frame_height = 0;
}

void daedalus_formats_init(struct daedalus_ctx *ctx)
{
	struct v4l2_pix_format_mplane pix = { .colorspace = V4L2_COLORSPACE_REC709 };

	daedalus_adjust_output(ctx->dev, &pix);
	daedalus_set_output(ctx, &pix);
}
