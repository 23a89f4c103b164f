// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: the lines of the board's interrupt controller.
 */
#include <linux/irq.h>
#include <linux/irqdomain.h>

#include "fakeboard.h"

static struct irq_domain *lines;

void fb_raise(u32 hwirq)
{
	generic_handle_domain_irq_safe(lines, hwirq);
}

static int line_map(struct irq_domain *domain, unsigned int irq, irq_hw_number_t hwirq)
{
	irq_set_chip_and_handler(irq, &dummy_irq_chip, handle_simple_irq);
	return 0;
}

static const struct irq_domain_ops line_ops = {
	.map = line_map,
	.xlate = irq_domain_xlate_onecell,
};

int fb_lines_init(struct device_node *np)
{
	lines = irq_domain_create_linear(of_fwnode_handle(np), FB_LINES, &line_ops, NULL);
	return lines ? 0 : -ENOMEM;
}
