// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: which codecs there are, and which controls they take.
 *
 * A codec is a table of controls and a row in daedalus_codecs[]. What a control says is for the daemon to judge; here
 * only that is refused for which a CAPTURE buffer would not do.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "daedalus.h"
#include "daedalus_protocol.h"

/* H.265, level 6.2 (table A.8): slices of a picture; entry points of a picture with all tiles and wavefronts in use. */
#define DAEDALUS_HEVC_MAX_SLICES	600
#define DAEDALUS_HEVC_MAX_ENTRY_POINTS	(20 * (DAEDALUS_MAX_SIZE / 16))
static_assert(DAEDALUS_HEVC_MAX_SLICES * sizeof(struct v4l2_ctrl_hevc_slice_params) +
	      DAEDALUS_HEVC_MAX_ENTRY_POINTS * sizeof(u32) < DAEDALUS_MESSAGE_MAX / 2);

static const struct daedalus_ctrl_desc daedalus_mpeg2_ctrls[] = {
	{ .cfg.id = V4L2_CID_STATELESS_MPEG2_SEQUENCE },
	{ .cfg.id = V4L2_CID_STATELESS_MPEG2_PICTURE },
	{ .cfg.id = V4L2_CID_STATELESS_MPEG2_QUANTISATION },
	{
		.cfg.id = V4L2_CID_MPEG_VIDEO_MPEG2_PROFILE,
		.cfg.min = V4L2_MPEG_VIDEO_MPEG2_PROFILE_SIMPLE,
		.cfg.max = V4L2_MPEG_VIDEO_MPEG2_PROFILE_MAIN,
		.cfg.def = V4L2_MPEG_VIDEO_MPEG2_PROFILE_MAIN,
		.query_only = true,
	}, {
		.cfg.id = V4L2_CID_MPEG_VIDEO_MPEG2_LEVEL,
		.cfg.min = V4L2_MPEG_VIDEO_MPEG2_LEVEL_LOW,
		.cfg.max = V4L2_MPEG_VIDEO_MPEG2_LEVEL_HIGH,
		.cfg.def = V4L2_MPEG_VIDEO_MPEG2_LEVEL_MAIN,
		.query_only = true,
	},
};

/* What a control holds before a client sets it has to be valid, too. All zeroes would be monochrome, and two fields. */
static const struct v4l2_ctrl_h264_sps daedalus_h264_default_sps = {
	.chroma_format_idc = 1,
	.flags = V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY,
};

static const struct v4l2_ctrl_hevc_sps daedalus_hevc_default_sps = {
	.chroma_format_idc = 1,
};

static const struct daedalus_ctrl_desc daedalus_h264_ctrls[] = {
	{ .cfg.id = V4L2_CID_STATELESS_H264_SPS, .cfg.p_def.p_const = &daedalus_h264_default_sps },
	{ .cfg.id = V4L2_CID_STATELESS_H264_PPS },
	{ .cfg.id = V4L2_CID_STATELESS_H264_SCALING_MATRIX },
	{ .cfg.id = V4L2_CID_STATELESS_H264_DECODE_PARAMS },
	{ .cfg.id = V4L2_CID_STATELESS_H264_SLICE_PARAMS, .slice_only = true },
	{ .cfg.id = V4L2_CID_STATELESS_H264_PRED_WEIGHTS, .slice_only = true },
	{ .cfg.id = V4L2_CID_STATELESS_H264_DECODE_MODE, .mode = true },
	{ .cfg.id = V4L2_CID_STATELESS_H264_START_CODE, .mode = true },
	{
		.cfg.id = V4L2_CID_MPEG_VIDEO_H264_PROFILE,
		.cfg.min = V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE,
		.cfg.max = V4L2_MPEG_VIDEO_H264_PROFILE_HIGH,
		.cfg.menu_skip_mask = BIT(V4L2_MPEG_VIDEO_H264_PROFILE_EXTENDED),
		.cfg.def = V4L2_MPEG_VIDEO_H264_PROFILE_MAIN,
		.query_only = true,
		.ten_bit_max = V4L2_MPEG_VIDEO_H264_PROFILE_HIGH_10_INTRA,
		.ten_bit_skip = BIT(V4L2_MPEG_VIDEO_H264_PROFILE_HIGH_422) |
				BIT(V4L2_MPEG_VIDEO_H264_PROFILE_HIGH_444_PREDICTIVE),
	}, {
		.cfg.id = V4L2_CID_MPEG_VIDEO_H264_LEVEL,
		.cfg.min = V4L2_MPEG_VIDEO_H264_LEVEL_1_0,
		.cfg.max = V4L2_MPEG_VIDEO_H264_LEVEL_6_2,
		.cfg.def = V4L2_MPEG_VIDEO_H264_LEVEL_4_1,
		.query_only = true,
	},
};

static const struct daedalus_ctrl_desc daedalus_hevc_ctrls[] = {
	{ .cfg.id = V4L2_CID_STATELESS_HEVC_SPS, .cfg.p_def.p_const = &daedalus_hevc_default_sps },
	{ .cfg.id = V4L2_CID_STATELESS_HEVC_PPS },
	{ .cfg.id = V4L2_CID_STATELESS_HEVC_SCALING_MATRIX },
	{ .cfg.id = V4L2_CID_STATELESS_HEVC_DECODE_PARAMS },
	{
		.cfg.id = V4L2_CID_STATELESS_HEVC_SLICE_PARAMS,
		.cfg.dims = { DAEDALUS_HEVC_MAX_SLICES },
	}, {
		.cfg.id = V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS,
		.cfg.dims = { DAEDALUS_HEVC_MAX_ENTRY_POINTS },
		.cfg.max = U32_MAX,
		.cfg.step = 1,
	},
	{ .cfg.id = V4L2_CID_STATELESS_HEVC_DECODE_MODE, .mode = true },
	{ .cfg.id = V4L2_CID_STATELESS_HEVC_START_CODE, .mode = true },
	{
		.cfg.id = V4L2_CID_MPEG_VIDEO_HEVC_PROFILE,
		.cfg.min = V4L2_MPEG_VIDEO_HEVC_PROFILE_MAIN,
		.cfg.max = V4L2_MPEG_VIDEO_HEVC_PROFILE_MAIN_STILL_PICTURE,
		.cfg.def = V4L2_MPEG_VIDEO_HEVC_PROFILE_MAIN,
		.query_only = true,
		.ten_bit_max = V4L2_MPEG_VIDEO_HEVC_PROFILE_MAIN_10,
	}, {
		.cfg.id = V4L2_CID_MPEG_VIDEO_HEVC_LEVEL,
		.cfg.min = V4L2_MPEG_VIDEO_HEVC_LEVEL_1,
		.cfg.max = V4L2_MPEG_VIDEO_HEVC_LEVEL_6_2,
		.cfg.def = V4L2_MPEG_VIDEO_HEVC_LEVEL_4_1,
		.query_only = true,
	},
};

static const struct daedalus_ctrl_desc daedalus_vp8_ctrls[] = {
	{ .cfg.id = V4L2_CID_STATELESS_VP8_FRAME },
	{
		.cfg.id = V4L2_CID_MPEG_VIDEO_VP8_PROFILE,
		.cfg.min = V4L2_MPEG_VIDEO_VP8_PROFILE_0,
		.cfg.max = V4L2_MPEG_VIDEO_VP8_PROFILE_3,
		.cfg.def = V4L2_MPEG_VIDEO_VP8_PROFILE_0,
		.query_only = true,
	},
};

static const struct daedalus_ctrl_desc daedalus_vp9_ctrls[] = {
	{ .cfg.id = V4L2_CID_STATELESS_VP9_FRAME },
	{ .cfg.id = V4L2_CID_STATELESS_VP9_COMPRESSED_HDR },
	{
		.cfg.id = V4L2_CID_MPEG_VIDEO_VP9_PROFILE,
		.cfg.min = V4L2_MPEG_VIDEO_VP9_PROFILE_0,
		.cfg.max = V4L2_MPEG_VIDEO_VP9_PROFILE_0,
		.cfg.def = V4L2_MPEG_VIDEO_VP9_PROFILE_0,
		.query_only = true,
		.ten_bit_max = V4L2_MPEG_VIDEO_VP9_PROFILE_2,
		.ten_bit_skip = BIT(V4L2_MPEG_VIDEO_VP9_PROFILE_1),
	},
};

static const struct daedalus_ctrl_desc daedalus_av1_ctrls[] = {
	{ .cfg.id = V4L2_CID_STATELESS_AV1_SEQUENCE },
	{ .cfg.id = V4L2_CID_STATELESS_AV1_FRAME },
	{
		.cfg.id = V4L2_CID_STATELESS_AV1_TILE_GROUP_ENTRY,
		.cfg.dims = { V4L2_AV1_MAX_TILE_COUNT },
	},
	{ .cfg.id = V4L2_CID_STATELESS_AV1_FILM_GRAIN, .grain_only = true },
	{
		.cfg.id = V4L2_CID_MPEG_VIDEO_AV1_PROFILE,
		.cfg.min = V4L2_MPEG_VIDEO_AV1_PROFILE_MAIN,
		.cfg.max = V4L2_MPEG_VIDEO_AV1_PROFILE_MAIN,
		.cfg.def = V4L2_MPEG_VIDEO_AV1_PROFILE_MAIN,
		.query_only = true,
	}, {
		.cfg.id = V4L2_CID_MPEG_VIDEO_AV1_LEVEL,
		.cfg.min = V4L2_MPEG_VIDEO_AV1_LEVEL_2_0,
		.cfg.max = V4L2_MPEG_VIDEO_AV1_LEVEL_6_3,
		.cfg.def = V4L2_MPEG_VIDEO_AV1_LEVEL_4_1,
		.query_only = true,
	},
};

#define DAEDALUS_CODEC(_name, _fourcc, _ctrls) \
	{ .name = _name, .fourcc = _fourcc, .ctrls = _ctrls, .num_ctrls = ARRAY_SIZE(_ctrls) }

static const struct daedalus_codec daedalus_codecs[] = {
	DAEDALUS_CODEC("mpeg2", V4L2_PIX_FMT_MPEG2_SLICE, daedalus_mpeg2_ctrls),
	DAEDALUS_CODEC("h264", V4L2_PIX_FMT_H264_SLICE, daedalus_h264_ctrls),
	DAEDALUS_CODEC("hevc", V4L2_PIX_FMT_HEVC_SLICE, daedalus_hevc_ctrls),
	DAEDALUS_CODEC("vp8", V4L2_PIX_FMT_VP8_FRAME, daedalus_vp8_ctrls),
	DAEDALUS_CODEC("vp9", V4L2_PIX_FMT_VP9_FRAME, daedalus_vp9_ctrls),
	DAEDALUS_CODEC("av1", V4L2_PIX_FMT_AV1_FRAME, daedalus_av1_ctrls),
};
static_assert(ARRAY_SIZE(daedalus_codecs) <= DAEDALUS_MAX_CODECS);

static const struct daedalus_codec *daedalus_codec_named(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(daedalus_codecs); i++) {
		if (!strcmp(daedalus_codecs[i].name, name))
			return &daedalus_codecs[i];
	}
	return NULL;
}

static int daedalus_codec_add(struct daedalus_dev *dev, const char *name)
{
	const struct daedalus_codec *codec = daedalus_codec_named(name);

	if (!codec || daedalus_codec_find(dev, codec->fourcc)) {
		pr_err(DAEDALUS_NAME ": codecs: \"%s\" is %s\n", name, codec ? "there twice" : "none of them");
		return -EINVAL;
	}
	dev->codecs[dev->num_codecs++] = codec;
	return 0;
}

/* Offers the codecs in a list of names, in its order. */
int daedalus_codecs_select(struct daedalus_dev *dev, const char *names)
{
	char *list, *rest, *name;
	int ret = 0;

	list = kstrdup(names, GFP_KERNEL);
	if (!list)
		return -ENOMEM;

	rest = list;
	while (!ret && (name = strsep(&rest, ",")))
		ret = daedalus_codec_add(dev, name);
	kfree(list);
	return ret;
}

const struct daedalus_codec *daedalus_codec_find(const struct daedalus_dev *dev, u32 fourcc)
{
	for (unsigned int i = 0; i < dev->num_codecs; i++) {
		if (dev->codecs[i]->fourcc == fourcc)
			return dev->codecs[i];
	}
	return NULL;
}

static int daedalus_try_size(const struct daedalus_ctx *ctx, u32 width, u32 height)
{
	return width > ctx->coded.width || height > ctx->coded.height ? -EINVAL : 0;
}

/* Luma and chroma of one depth: 8 bits, or 10 where there is a format for them. */
static int daedalus_try_depth(const struct daedalus_ctx *ctx, u8 luma, u8 chroma)
{
	if (luma != chroma)
		return -EINVAL;
	return luma == 8 || (luma == 10 && ctx->dev->ten_bit) ? 0 : -EINVAL;
}

static int daedalus_try_mpeg2_sequence(const struct daedalus_ctx *ctx, const struct v4l2_ctrl_mpeg2_sequence *seq)
{
	if (seq->chroma_format != 1)	/* 4:2:0 */
		return -EINVAL;
	return daedalus_try_size(ctx, seq->horizontal_size, seq->vertical_size);
}

static int daedalus_try_h264_sps(const struct daedalus_ctx *ctx, const struct v4l2_ctrl_h264_sps *sps)
{
	u32 width = (sps->pic_width_in_mbs_minus1 + 1) * 16;
	u32 height = (sps->pic_height_in_map_units_minus1 + 1) * 16;
	int ret;

	if (!(sps->flags & V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY))
		height *= 2;
	/* 4:0:0 is written as 4:2:0 with grey chroma, as hantro does */
	if (sps->chroma_format_idc > 1)
		return -EINVAL;
	ret = daedalus_try_depth(ctx, sps->bit_depth_luma_minus8 + 8, sps->bit_depth_chroma_minus8 + 8);
	if (ret)
		return ret;
	return daedalus_try_size(ctx, width, height);
}

static int daedalus_try_hevc_sps(const struct daedalus_ctx *ctx, const struct v4l2_ctrl_hevc_sps *sps)
{
	int ret;

	if (sps->chroma_format_idc != 1)
		return -EINVAL;
	ret = daedalus_try_depth(ctx, sps->bit_depth_luma_minus8 + 8, sps->bit_depth_chroma_minus8 + 8);
	if (ret)
		return ret;
	return daedalus_try_size(ctx, sps->pic_width_in_luma_samples, sps->pic_height_in_luma_samples);
}

static int daedalus_try_vp9_frame(const struct daedalus_ctx *ctx, const struct v4l2_ctrl_vp9_frame *frame)
{
	int ret;

	/* 0 and 2 are 4:2:0, of 8 bits and of more */
	if (frame->profile != (frame->bit_depth == 8 ? 0 : 2))
		return -EINVAL;
	ret = daedalus_try_depth(ctx, frame->bit_depth, frame->bit_depth);
	if (ret)
		return ret;
	return daedalus_try_size(ctx, frame->frame_width_minus_1 + 1, frame->frame_height_minus_1 + 1);
}

/* V4L2 has looked at the chroma format, which the profile fixes; monochrome is written as 4:2:0 with grey chroma. */
static int daedalus_try_av1_sequence(const struct daedalus_ctx *ctx, const struct v4l2_ctrl_av1_sequence *seq)
{
	if (seq->seq_profile)
		return -EINVAL;
	return daedalus_try_depth(ctx, seq->bit_depth, seq->bit_depth);
}

static int daedalus_try_ctrl(struct v4l2_ctrl *ctrl)
{
	const struct daedalus_ctx *ctx = container_of(ctrl->handler, struct daedalus_ctx, hdl);

	switch (ctrl->id) {
	case V4L2_CID_STATELESS_MPEG2_SEQUENCE:
		return daedalus_try_mpeg2_sequence(ctx, ctrl->p_new.p_mpeg2_sequence);
	case V4L2_CID_STATELESS_H264_SPS:
		return daedalus_try_h264_sps(ctx, ctrl->p_new.p_h264_sps);
	case V4L2_CID_STATELESS_HEVC_SPS:
		return daedalus_try_hevc_sps(ctx, ctrl->p_new.p_hevc_sps);
	case V4L2_CID_STATELESS_VP8_FRAME:
		return daedalus_try_size(ctx, ctrl->p_new.p_vp8_frame->width, ctrl->p_new.p_vp8_frame->height);
	case V4L2_CID_STATELESS_VP9_FRAME:
		return daedalus_try_vp9_frame(ctx, ctrl->p_new.p_vp9_frame);
	case V4L2_CID_STATELESS_AV1_SEQUENCE:
		return daedalus_try_av1_sequence(ctx, ctrl->p_new.p_av1_sequence);
	case V4L2_CID_STATELESS_AV1_FRAME:
		return daedalus_try_size(ctx, ctrl->p_new.p_av1_frame->upscaled_width,
					 ctrl->p_new.p_av1_frame->frame_height_minus_1 + 1);
	default:
		return 0;
	}
}

/* What CAPTURE's format depends on; 0: not on this control. */
static unsigned int daedalus_ctrl_depth(const struct v4l2_ctrl *ctrl)
{
	switch (ctrl->id) {
	case V4L2_CID_STATELESS_H264_SPS:
		return ctrl->p_new.p_h264_sps->bit_depth_luma_minus8 + 8;
	case V4L2_CID_STATELESS_HEVC_SPS:
		return ctrl->p_new.p_hevc_sps->bit_depth_luma_minus8 + 8;
	case V4L2_CID_STATELESS_VP9_FRAME:
		return ctrl->p_new.p_vp9_frame->bit_depth;
	case V4L2_CID_STATELESS_AV1_SEQUENCE:
		return ctrl->p_new.p_av1_sequence->bit_depth;
	default:
		return 0;
	}
}

/* Of the codec that OUTPUT has. */
unsigned int daedalus_bit_depth(const struct daedalus_ctx *ctx)
{
	return ctx->bit_depth[ctx->codec - daedalus_codecs] ?: 8;
}

/* A buffer for pictures of one depth is none for another, and a request comes when the buffers are there. */
static int daedalus_s_ctrl(struct v4l2_ctrl *ctrl)
{
	struct daedalus_ctx *ctx = container_of(ctrl->handler, struct daedalus_ctx, hdl);
	const struct daedalus_codec *codec = ctrl->priv;
	unsigned int depth = daedalus_ctrl_depth(ctrl);

	if (!depth)
		return 0;
	if (codec == ctx->codec && depth != daedalus_bit_depth(ctx) && vb2_is_busy(v4l2_m2m_get_dst_vq(ctx->fh.m2m_ctx)))
		return -EBUSY;
	ctx->bit_depth[codec - daedalus_codecs] = depth;
	return 0;
}

static const struct v4l2_ctrl_ops daedalus_ctrl_ops = {
	.try_ctrl = daedalus_try_ctrl,
	.s_ctrl = daedalus_s_ctrl,
};

static void daedalus_ctrl_add(struct daedalus_ctx *ctx, const struct daedalus_codec *codec,
			      const struct daedalus_ctrl_desc *desc)
{
	struct v4l2_ctrl_config cfg = desc->cfg;

	if (desc->slice_only && !ctx->dev->slice_based)
		return;
	if (desc->grain_only && !ctx->dev->film_grain)
		return;

	if (desc->mode)
		cfg.min = cfg.max = cfg.def = !ctx->dev->slice_based;
	if (desc->ten_bit_max && ctx->dev->ten_bit) {
		cfg.max = desc->ten_bit_max;
		cfg.menu_skip_mask |= desc->ten_bit_skip;
	}
	cfg.ops = &daedalus_ctrl_ops;
	/* What the control's priv says: it belongs to the jobs of this codec. */
	v4l2_ctrl_new_custom(&ctx->hdl, &cfg, desc->query_only ? NULL : (void *)codec);
}

bool daedalus_ctrl_is_in_job(const struct daedalus_ctx *ctx, const struct v4l2_ctrl *ctrl)
{
	return ctrl->priv == ctx->codec;
}

static void daedalus_ctrls_add(struct daedalus_ctx *ctx, const struct daedalus_codec *codec)
{
	for (unsigned int i = 0; i < codec->num_ctrls; i++)
		daedalus_ctrl_add(ctx, codec, &codec->ctrls[i]);
}

/* Every file handle has the controls of all codecs, so that a client can look before it chooses. */
int daedalus_ctrls_init(struct daedalus_ctx *ctx)
{
	const struct daedalus_dev *dev = ctx->dev;
	int ret;

	v4l2_ctrl_handler_init(&ctx->hdl, 16 * dev->num_codecs);
	for (unsigned int i = 0; i < dev->num_codecs; i++)
		daedalus_ctrls_add(ctx, dev->codecs[i]);

	ret = ctx->hdl.error;
	if (ret)
		v4l2_ctrl_handler_free(&ctx->hdl);
	else
		ctx->fh.ctrl_handler = &ctx->hdl;
	return ret;
}
