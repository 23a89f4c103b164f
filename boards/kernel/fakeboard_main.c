// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: the board. The node "fakeboard,board" is its interrupt and reset
 * controller, so that nothing is probed before it is there.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/reset-controller.h>
#include <linux/slab.h>

#include "fakeboard.h"

module_param_named(delay_ms, fb_delay_ms, uint, 0644);
MODULE_PARM_DESC(delay_ms, "time that a job takes (default: 0)");
module_param_named(fail_every, fb_fail_every, uint, 0644);
MODULE_PARM_DESC(fail_every, "every n-th job ends with an error (default: 0, none)");
module_param_named(hang_every, fb_hang_every, uint, 0644);
MODULE_PARM_DESC(hang_every, "every n-th job never ends (default: 0, none)");
module_param_named(fail_job, fb_fail_job, uint, 0644);
MODULE_PARM_DESC(fail_job, "number of the job of a picture that ends with an error, from 1 (default: 0, none)");
module_param_named(pause_ms, fb_pause_ms, uint, 0644);
MODULE_PARM_DESC(pause_ms, "by so much longer takes the job after pause_after (default: 0)");
module_param_named(memory_mb, fb_memory_mb, uint, 0644);
MODULE_PARM_DESC(memory_mb, "MiB that there are for all decoders (default: 0, no limit)");

static unsigned int pause_after;

/* Counts from here on. */
static int pause_after_set(const char *text, const struct kernel_param *param)
{
	int ret = param_set_uint(text, param);

	if (!ret)
		fb_pause_after(pause_after);
	return ret;
}

static const struct kernel_param_ops pause_after_ops = {
	.set = pause_after_set,
	.get = param_get_uint,
};

module_param_cb(pause_after, &pause_after_ops, &pause_after, 0644);
MODULE_PARM_DESC(pause_after, "so many jobs, and the next takes longer, once (default: 0, none)");
module_param_named(stamp, fb_stamp, bool, 0644);
MODULE_PARM_DESC(stamp, "mark each picture with its job (default: on)");
module_param_named(pattern, fb_pattern, bool, 0644);
MODULE_PARM_DESC(pattern, "fill each picture with a pattern (default: off)");
module_param_named(log, fb_logging, bool, 0644);
MODULE_PARM_DESC(log, "keep the job log (default: on)");
module_param_named(iommu, fb_iommu, bool, 0644);
MODULE_PARM_DESC(iommu, "decoders take scattered memory (default: on)");
static char *heap;
module_param(heap, charp, 0444);
MODULE_PARM_DESC(heap, "name of a dma-heap of contiguous memory (default: there is none)");

/* cedrus' way to stop a job. No board has two decoders with a reset. */
static int reset_all(struct reset_controller_dev *controller, unsigned long id)
{
	struct fb_unit *u;
	unsigned long flags;

	spin_lock_irqsave(&fb_regs_lock, flags);
	list_for_each_entry(u, &fb_units, list)
		fb_job_stop(u);
	spin_unlock_irqrestore(&fb_regs_lock, flags);
	return 0;
}

static int deassert_nothing(struct reset_controller_dev *controller, unsigned long id)
{
	return 0;
}

static const struct reset_control_ops reset_ops = {
	.assert = reset_all,
	.deassert = deassert_nothing,
	.reset = reset_all,
};

static struct reset_controller_dev resets = {
	.ops = &reset_ops, .nr_resets = FB_LINES, .owner = THIS_MODULE,
};

static int add_unit(struct device_node *np, const struct fb_engine *e)
{
	struct fb_unit *u = kzalloc_obj(*u);
	int line;

	if (!u)
		return -ENOMEM;
	u->e = e;
	u->np = of_node_get(np);
	u->ctl = fb_regs_find(np, e->ctl);
	u->fun = fb_regs_find(np, e->fun);
	line = e->irq ? of_property_match_string(np, "interrupt-names", e->irq) : 0;
	if (!u->ctl || !u->fun || of_property_read_u32_index(np, "interrupts", max(line, 0), &u->hwirq)) {
		pr_err("fakeboard: %pOF is not what %s needs\n", np, e->name);
		return -EINVAL;
	}
	INIT_LIST_HEAD(&u->shadows);
	INIT_WORK(&u->look, fb_job_look);
	INIT_DELAYED_WORK(&u->finish, fb_job_finish);
	list_add_tail(&u->list, &fb_units);
	return e->sram_port ? fb_regs_add_sram(u->fun) : 0;
}

static int add_units(void)
{
	const struct fb_match *match;
	struct device_node *np;
	int ret;

	for (match = fb_matches; match->compatible; match++)
		for_each_compatible_node(np, NULL, match->compatible) {
			if (!of_device_is_available(np))
				continue;
			ret = fb_regs_add(np) ?: add_unit(np, match->engine);
			if (ret)
				return ret;
			fb_dma_attach(np);
		}
	for_each_node_with_property(np, "fakeboard,memory") {	/* blocks without an engine */
		ret = fb_regs_add(np);
		if (ret)
			return ret;
	}
	return 0;
}

static int board_probe(struct platform_device *pdev)
{
	int ret;

	fb_queue = alloc_workqueue("fakeboard", WQ_HIGHPRI | WQ_UNBOUND, 0);
	if (!fb_queue)
		return -ENOMEM;
	ret = fb_lines_init(pdev->dev.of_node) ?: add_units() ?: fb_regs_init(fb_job_written);
	if (!ret && heap)
		ret = fb_heap_add(heap);
	if (ret)
		return ret;
	resets.of_node = pdev->dev.of_node;
	ret = devm_reset_controller_register(&pdev->dev, &resets);
	if (!ret)
		fb_debugfs_init();
	return ret;
}

static const struct of_device_id board_match[] = {
	{ .compatible = "fakeboard,board" },
	{ }
};

static struct platform_driver board_driver = {
	.probe = board_probe,
	.driver = {
		.name = "fakeboard",
		.of_match_table = board_match,
		.suppress_bind_attrs = true,
	},
};
/* No exit: regions of logic_iomem stay. A board is for the life of its guest. */
builtin_platform_driver(board_driver);

MODULE_DESCRIPTION("Register blocks and memory without hardware, for user-mode Linux");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
