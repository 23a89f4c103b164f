// SPDX-License-Identifier: GPL-2.0
/*
 * daedalus: the module, its device and its file handles.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <media/v4l2-ioctl.h>

#include "daedalus.h"

static char *codecs = "mpeg2,h264,hevc,vp8,vp9,av1";
module_param(codecs, charp, 0444);
MODULE_PARM_DESC(codecs, "codecs to offer, in this order (default: mpeg2,h264,hevc,vp8,vp9,av1)");

static bool slice_based;
module_param(slice_based, bool, 0444);
MODULE_PARM_DESC(slice_based, "H.264 and HEVC: take a slice without start code per job, not a frame in Annex B (default: off)");

static char *eight_bit = "nv12";
module_param(eight_bit, charp, 0444);
MODULE_PARM_DESC(eight_bit, "how pictures of 8 bits lie in memory: nv12, mm21 (tiles, chroma in memory of its own) (default: nv12)");

static char *ten_bit = "p010";
module_param(ten_bit, charp, 0444);
MODULE_PARM_DESC(ten_bit, "how pictures of 10 bits lie in memory: p010, nv15 (four in five bytes); off: refused (default: p010)");

static bool film_grain = true;
module_param(film_grain, bool, 0444);
MODULE_PARM_DESC(film_grain, "AV1: apply film grain, and have a control for it (default: on)");

static bool larger = true;
module_param(larger, bool, 0444);
MODULE_PARM_DESC(larger, "give CAPTURE pictures larger than the coded ones to clients that ask for them (default: on)");

static int daedalus_eight_bit_select(struct daedalus_dev *dev, const char *name)
{
	if (!strcmp(name, "nv12"))
		dev->eight_bit = V4L2_PIX_FMT_NV12;
	else if (!strcmp(name, "mm21"))
		dev->eight_bit = V4L2_PIX_FMT_MM21;
	else {
		pr_err(DAEDALUS_NAME ": eight_bit: \"%s\" is none of nv12, mm21\n", name);
		return -EINVAL;
	}
	return 0;
}

static int daedalus_ten_bit_select(struct daedalus_dev *dev, const char *name)
{
	if (!strcmp(name, "p010"))
		dev->ten_bit = V4L2_PIX_FMT_P010;
	else if (DAEDALUS_HAS_NV15 && !strcmp(name, "nv15"))
		dev->ten_bit = V4L2_PIX_FMT_NV15;
	else if (strcmp(name, "off")) {
		pr_err(DAEDALUS_NAME ": ten_bit: \"%s\" is none of p010, %soff\n", name, DAEDALUS_HAS_NV15 ? "nv15, " : "");
		return -EINVAL;
	}
	return 0;
}

static int daedalus_open(struct file *file)
{
	struct daedalus_dev *dev = video_drvdata(file);
	struct daedalus_ctx *ctx;
	int ret;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;

	ctx->dev = dev;
	ctx->cookie = daedalus_new_cookie();
	daedalus_formats_init(ctx);
	v4l2_fh_init(&ctx->fh, &dev->vdev);

	ret = daedalus_ctrls_init(ctx);
	if (ret)
		goto err_exit_fh;

	ctx->fh.m2m_ctx = v4l2_m2m_ctx_init(dev->m2m, ctx, daedalus_queues_init);
	if (IS_ERR(ctx->fh.m2m_ctx)) {
		ret = PTR_ERR(ctx->fh.m2m_ctx);
		goto err_free_ctrls;
	}

	v4l2_fh_add(&ctx->fh, file);
	return 0;

err_free_ctrls:
	v4l2_ctrl_handler_free(&ctx->hdl);
err_exit_fh:
	v4l2_fh_exit(&ctx->fh);
	kfree(ctx);
	return ret;
}

static int daedalus_release(struct file *file)
{
	struct daedalus_ctx *ctx = daedalus_file_to_ctx(file);
	struct daedalus_dev *dev = ctx->dev;

	mutex_lock(&dev->mutex);
	v4l2_m2m_ctx_release(ctx->fh.m2m_ctx);
	mutex_unlock(&dev->mutex);

	daedalus_link_remove_ctx(ctx);
	v4l2_fh_del(&ctx->fh, file);
	v4l2_ctrl_handler_free(&ctx->hdl);
	v4l2_fh_exit(&ctx->fh);
	kfree(ctx);
	return 0;
}

static const struct v4l2_file_operations daedalus_fops = {
	.owner = THIS_MODULE,
	.open = daedalus_open,
	.release = daedalus_release,
	.poll = v4l2_m2m_fop_poll,
	.unlocked_ioctl = video_ioctl2,
	.mmap = v4l2_m2m_fop_mmap,
};

static const struct v4l2_m2m_ops daedalus_m2m_ops = {
	.device_run = daedalus_job_run,
	.job_abort = daedalus_job_abort,
};

/* One OUTPUT buffer, with the controls that describe it, is what can be decoded: not none, not two. */
static int daedalus_request_validate(struct media_request *req)
{
	unsigned int count = vb2_request_buffer_cnt(req);

	if (!count)
		return -ENOENT;
	if (count > 1)
		return -EINVAL;
	return vb2_request_validate(req);
}

/*
 * A request refers to the media device, and may be closed after the device was unbound and all else was closed: so it keeps
 * the device, and the module. V4L2 counts it down after it has freed it, and the device has to be there until then: the
 * reference is given back by a worker, and daedalus_dev_free() waits for the count.
 */
struct daedalus_request {
	struct media_request req;
	struct daedalus_dev *dev;
	struct work_struct work;
};

static struct workqueue_struct *daedalus_workers;

static void daedalus_request_forget(struct work_struct *work)
{
	struct daedalus_request *request = container_of(work, struct daedalus_request, work);

	daedalus_put(request->dev);
	kfree(request);
	module_put(THIS_MODULE);	/* daedalus_exit() waits for the worker */
}

static struct media_request *daedalus_request_alloc(struct media_device *mdev)
{
	struct daedalus_request *request = kzalloc(sizeof(*request), GFP_KERNEL);

	if (!request)
		return NULL;
	request->dev = container_of(mdev, struct daedalus_dev, mdev);
	INIT_WORK(&request->work, daedalus_request_forget);
	daedalus_get(request->dev);
	__module_get(THIS_MODULE);	/* as the media device is open */
	return &request->req;
}

static void daedalus_request_free(struct media_request *req)
{
	struct daedalus_request *request = container_of(req, struct daedalus_request, req);

	queue_work(daedalus_workers, &request->work);
}

static const struct media_device_ops daedalus_media_ops = {
	.req_alloc = daedalus_request_alloc,
	.req_free = daedalus_request_free,
	.req_validate = daedalus_request_validate,
	.req_queue = v4l2_m2m_request_queue,
};

static void daedalus_do_nothing(struct work_struct *work)
{
}

/*
 * When V4L2 has ended a job, it has a worker look for the next one, and does not wait for it when the device goes. It does not
 * sleep, as there is no file any more and so no job: on each CPU, what is queued behind it ends after it.
 */
static void daedalus_wait_for_workers(void)
{
	struct work_struct work;
	unsigned int cpu;

	INIT_WORK_ONSTACK(&work, daedalus_do_nothing);
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		schedule_work_on(cpu, &work);
		flush_work(&work);
	}
	cpus_read_unlock();
	destroy_work_on_stack(&work);
}

static void daedalus_dev_free(struct kref *users)
{
	struct daedalus_dev *dev = container_of(users, struct daedalus_dev, users);

	while (daedalus_num_requests(&dev->mdev))
		usleep_range(10, 100);
	daedalus_wait_for_workers();
	media_device_cleanup(&dev->mdev);
	v4l2_m2m_release(dev->m2m);
	v4l2_device_unregister(&dev->v4l2_dev);
	mutex_destroy(&dev->lock);
	mutex_destroy(&dev->mutex);
	kfree(dev);
}

/* Nobody looks at the video device any more, neither by a file nor in sysfs. */
static void daedalus_video_release(struct video_device *vdev)
{
	daedalus_put(container_of(vdev, struct daedalus_dev, vdev));
}

static void daedalus_media_init(struct daedalus_dev *dev, struct device *parent)
{
	dev->mdev.dev = parent;
	dev->mdev.ops = &daedalus_media_ops;
	strscpy(dev->mdev.model, DAEDALUS_NAME, sizeof(dev->mdev.model));
	media_device_init(&dev->mdev);
	dev->v4l2_dev.mdev = &dev->mdev;
}

static void daedalus_video_init(struct daedalus_dev *dev)
{
	struct video_device *vdev = &dev->vdev;

	strscpy(vdev->name, DAEDALUS_NAME, sizeof(vdev->name));
	vdev->vfl_dir = VFL_DIR_M2M;
	vdev->fops = &daedalus_fops;
	vdev->ioctl_ops = &daedalus_ioctl_ops;
	vdev->release = daedalus_video_release;
	vdev->lock = &dev->mutex;
	vdev->v4l2_dev = &dev->v4l2_dev;
	vdev->device_caps = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
	video_set_drvdata(vdev, dev);
}

/* What needs no undoing but daedalus_dev_free(). */
static struct daedalus_dev *daedalus_dev_new(struct device *parent)
{
	struct daedalus_dev *dev;
	int ret;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return ERR_PTR(-ENOMEM);

	kref_init(&dev->users);
	dev->free = daedalus_dev_free;
	dev->slice_based = slice_based;
	dev->film_grain = film_grain;
	dev->larger = larger;
	ret = daedalus_codecs_select(dev, codecs);
	if (!ret)
		ret = daedalus_eight_bit_select(dev, eight_bit);
	if (!ret)
		ret = daedalus_ten_bit_select(dev, ten_bit);
	if (ret)
		goto err_free;

	ret = v4l2_device_register(parent, &dev->v4l2_dev);
	if (ret)
		goto err_free;

	dev->m2m = v4l2_m2m_init(&daedalus_m2m_ops);
	if (IS_ERR(dev->m2m)) {
		ret = PTR_ERR(dev->m2m);
		goto err_unregister;
	}

	mutex_init(&dev->mutex);
	mutex_init(&dev->lock);
	daedalus_media_init(dev, parent);
	daedalus_video_init(dev);
	return dev;

err_unregister:
	v4l2_device_unregister(&dev->v4l2_dev);
err_free:
	kfree(dev);
	return ERR_PTR(ret);
}

static int daedalus_probe(struct platform_device *pdev)
{
	struct daedalus_dev *dev;
	int ret;

	dev = daedalus_dev_new(&pdev->dev);
	if (IS_ERR(dev))
		return PTR_ERR(dev);

	ret = daedalus_link_init(dev, &pdev->dev);
	if (ret)
		goto err_free;

	ret = video_register_device(&dev->vdev, VFL_TYPE_VIDEO, -1);
	if (ret)
		goto err_exit_link;

	ret = v4l2_m2m_register_media_controller(dev->m2m, &dev->vdev, MEDIA_ENT_F_PROC_VIDEO_DECODER);
	if (ret)
		goto err_unregister_video;

	ret = media_device_register(&dev->mdev);
	if (ret)
		goto err_unregister_mc;

	daedalus_mutate_init(dev);
	platform_set_drvdata(pdev, dev);
	return 0;

err_unregister_mc:
	v4l2_m2m_unregister_media_controller(dev->m2m);
err_unregister_video:
	daedalus_link_exit(dev);
	video_unregister_device(&dev->vdev);	/* frees */
	return ret;

err_exit_link:
	daedalus_link_exit(dev);
err_free:
	daedalus_put(dev);
	return ret;
}

/* A client that waits for a buffer in poll(2) or in VIDIOC_DQBUF learns that none will come. */
static void daedalus_wake_all(struct daedalus_dev *dev)
{
	struct v4l2_fh *fh;
	unsigned long flags;

	spin_lock_irqsave(&dev->vdev.fh_lock, flags);
	list_for_each_entry(fh, &dev->vdev.fh_list, list) {
		vb2_queue_error(v4l2_m2m_get_src_vq(fh->m2m_ctx));
		vb2_queue_error(v4l2_m2m_get_dst_vq(fh->m2m_ctx));
	}
	spin_unlock_irqrestore(&dev->vdev.fh_lock, flags);
}

/* The jobs end before the media device goes, to which their requests belong. */
static void daedalus_remove(struct platform_device *pdev)
{
	struct daedalus_dev *dev = platform_get_drvdata(pdev);

	daedalus_get(dev);
	daedalus_mutate_exit(dev);
	daedalus_link_exit(dev);
	media_device_unregister(&dev->mdev);
	v4l2_m2m_unregister_media_controller(dev->m2m);
	video_unregister_device(&dev->vdev);
	daedalus_wake_all(dev);
	daedalus_put(dev);	/* frees, if no file is open */
}

static struct platform_driver daedalus_driver = {
	.probe = daedalus_probe,
	.remove = daedalus_remove,
	.driver = {
		.name = DAEDALUS_NAME,
	},
};

static struct platform_device *daedalus_device;

static int __init daedalus_init(void)
{
	int ret;

	daedalus_memory_init();
	daedalus_workers = alloc_workqueue(DAEDALUS_NAME, WQ_UNBOUND, 0);
	if (!daedalus_workers)
		return -ENOMEM;

	ret = platform_driver_register(&daedalus_driver);
	if (ret)
		goto err_destroy_workers;

	daedalus_device = platform_device_register_simple(DAEDALUS_NAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(daedalus_device)) {
		ret = PTR_ERR(daedalus_device);
		goto err_unregister;
	}

	/* Registering a device succeeds whatever its probe returns; a module without a device is of no use. */
	if (!platform_get_drvdata(daedalus_device)) {
		ret = -ENODEV;
		goto err_unregister_device;
	}
	return 0;

err_unregister_device:
	platform_device_unregister(daedalus_device);
err_unregister:
	platform_driver_unregister(&daedalus_driver);
err_destroy_workers:
	destroy_workqueue(daedalus_workers);
	return ret;
}

static void __exit daedalus_exit(void)
{
	platform_device_unregister(daedalus_device);
	platform_driver_unregister(&daedalus_driver);
	destroy_workqueue(daedalus_workers);
}

module_init(daedalus_init);
module_exit(daedalus_exit);

MODULE_DESCRIPTION("Virtual stateless video decoder, whose pixels come from a daemon");
MODULE_AUTHOR("the v4l2_request authors");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
