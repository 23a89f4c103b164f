// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: the text of the job log, which grows until it is forgotten. All of
 * it under fb_lock.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "fakeboard.h"

#define TEXT_FIRST	(1UL << 20)
#define TEXT_LIMIT	(512UL << 20)

static char *text;
static size_t text_used, text_size;
static bool text_lost;

static bool text_grow(void)
{
	size_t larger = text_size ? text_size * 2 : TEXT_FIRST;
	char *moved;

	moved = larger > TEXT_LIMIT ? NULL : vmalloc(larger);
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

void fb_put(const char *format, ...)
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

/* Bytes that were copied, 0 at the end; -ENOSPC if the text is not whole. */
ssize_t fb_text_copy(char *to, size_t count, size_t from)
{
	if (text_lost)
		return -ENOSPC;
	if (from >= text_used)
		return 0;
	count = min(count, text_used - from);
	memcpy(to, text + from, count);
	return count;
}

void fb_text_forget(void)
{
	text_used = 0;
	text_lost = false;
}
