// SPDX-License-Identifier: GPL-2.0
/*
 * fakeboard: a job, from the start bit to the interrupt. Nothing is decoded:
 * the job is looked at, written into the log, and marked in the picture.
 */
#include <linux/jiffies.h>

#include "fakeboard.h"

#define STAMP_MAGIC	0x44524246	/* "FBRD" */

unsigned int fb_delay_ms, fb_fail_every, fb_hang_every, fb_fail_job, fb_pause_ms;
bool fb_stamp = true, fb_pattern, fb_logging = true;
struct workqueue_struct *fb_queue;
LIST_HEAD(fb_units);

static unsigned int pause_in;	/* the job that pauses; 0: none is to come */

void fb_pause_after(unsigned int jobs)
{
	mutex_lock(&fb_lock);
	pause_in = jobs ? jobs + 1 : 0;
	mutex_unlock(&fb_lock);
}

static unsigned int time_of_job(void)
{
	return fb_delay_ms + (pause_in && !--pause_in ? fb_pause_ms : 0);
}

/* The number of the job in its picture. Jobs in a row that write to one buffer are of one picture. */
static u32 number_in_picture(struct fb_unit *u, const struct fb_job *job)
{
	struct fb_map *m = job->num_outs ? fb_map_find(job->outs[job->num_outs - 1]) : NULL;
	u32 picture = m ? m->start : 0;

	u->picture_jobs = picture == u->picture ? u->picture_jobs + 1 : 1;
	u->picture = picture;
	return u->picture_jobs;
}

/* The driver has lost patience and switched the engine off: no interrupt comes from it any more. Under fb_regs_lock. */
void fb_job_stop(struct fb_unit *u)
{
	cancel_delayed_work(&u->finish);
	fb_wr(u->ctl, u->e->start, fb_rd(u->ctl, u->e->start) & ~u->e->start_mask);
}

/* A start register without its start bit, or interrupts off: what watchdogs do. */
static bool is_stop(const struct fb_unit *u, const struct fb_region *r, u32 off, u32 val)
{
	if (u->e->stop && u->fun == r && u->e->stop == off && val & BIT(4))
		return true;
	return u->ctl == r && u->e->start == off && !(val & u->e->start_mask);
}

/* The driver has written a register: what that does. Under fb_regs_lock, in whatever context that is. */
void fb_job_written(struct fb_region *r, u32 off, u32 val)
{
	bool port = false;
	struct fb_unit *u;

	list_for_each_entry(u, &fb_units, list) {
		if (u->np != r->np)
			continue;
		if (u->fun == r && fb_is_port(u->e, off))
			port = true;
		if (u->fun == r && u->e->write)
			u->e->write(r, off, val);
	}
	if (port)
		fb_regs_note_port(r, off, val);
	list_for_each_entry(u, &fb_units, list) {
		if (is_stop(u, r, off, val))
			fb_job_stop(u);
		else if (u->ctl == r && u->e->start == off && (val & u->e->start_mask) == u->e->start_val)
			queue_work(fb_queue, &u->look);
	}
}

static void locate(const struct fb_unit *u, struct fb_job *job)
{
	const struct fb_engine *e = u->e;

	if (e->locate) {
		e->locate(u, job);
	} else {
		job->stream = fb_rd(u->fun, e->stream);
		job->length = fb_rd(u->fun, e->length) & e->length_mask;
		job->outs[job->num_outs++] = fb_rd(u->fun, e->out);
	}
}

/* Whether everything is where memory is; encoders have no outs and are not looked at. */
static bool reachable(const struct fb_job *job)
{
	struct fb_map *m = fb_map_find(job->stream);
	unsigned int i;

	if (!job->num_outs)
		return true;
	if (!m || job->length > m->size - (job->stream - m->start))
		return false;
	for (i = 0; i < job->num_outs; i++)
		if (!fb_map_find(job->outs[i]))
			return false;
	return true;
}

static void digest(const struct fb_unit *u, struct fb_job *job)
{
	struct fb_map *m = fb_map_find(job->stream);

	if (u->e->digest) {
		u->e->digest(u, job);
		return;
	}
	job->bytes = job->length;
	job->crc = fb_map_crc(m, job->stream - m->start, job->length);
}

/* 32-bit word i of the picture of job n: see docs/fakeboard.md. */
static u32 pattern_word(u32 job, u32 i)
{
	u32 x = (i + job * 0x01000193) * 0x9e3779b1;

	return x ^ x >> 15;
}

static void stamp(const struct fb_job *job, struct fb_map *m, size_t at)
{
	u32 words[] = { STAMP_MAGIC, job->number, job->bytes, job->crc };

	fb_map_write(m, at, words, sizeof(words));
}

static void draw(const struct fb_job *job, struct fb_map *m, size_t at)
{
	u32 words[256], i, n;
	size_t off;

	for (off = at, i = 0; fb_pattern && off < m->size; off += sizeof(words)) {
		for (n = 0; n < ARRAY_SIZE(words); n++)
			words[n] = pattern_word(job->number, i++);
		fb_map_write(m, off, words, sizeof(words));
	}
	if (fb_stamp)
		stamp(job, m, at);
}

/* What the kernel's driver copies from here to where later pictures find their probabilities tells whose they are. */
static void write_adapted(const struct fb_unit *u, const struct fb_job *job)
{
	u32 addr = u->e->adapted ? fb_rd(u->fun, u->e->adapted) : 0;
	struct fb_map *m = addr ? fb_map_find(addr) : NULL;

	if (m && (fb_stamp || fb_pattern))
		stamp(job, m, addr - m->start);
}

static void write_pictures(const struct fb_job *job)
{
	struct fb_map *m;
	unsigned int i;

	for (i = 0; i < job->num_outs; i++) {
		m = fb_map_find(job->outs[i]);
		if (!m)
			continue;
		fb_map_set_frame(m, job->number);
		if (i == job->num_outs - 1)
			draw(job, m, job->outs[i] - m->start);
	}
}

static bool every(unsigned int n, u32 job)
{
	return n && job % n == 0;
}

/* At once: what the driver wants, and what will come of it. It writes no register now until the job has ended. */
void fb_job_look(struct work_struct *work)
{
	struct fb_unit *u = container_of(work, struct fb_unit, look);
	struct fb_job *job = &u->job;
	unsigned int time;
	u32 number;
	unsigned long flags;

	mutex_lock(&fb_lock);
	*job = (struct fb_job){ .number = ++u->jobs, .outcome = FB_DONE };
	locate(u, job);
	if (!reachable(job)) {
		job->outcome = FB_FAULT;
	} else if (job->num_outs) {
		digest(u, job);
	}
	number = number_in_picture(u, job);
	if (every(fb_fail_every, job->number) || number == fb_fail_job)
		job->outcome = FB_FAILED;
	if (every(fb_hang_every, job->number))
		job->outcome = FB_HUNG;
	if (fb_logging)
		fb_log_job(u, job);
	time = time_of_job();
	mutex_unlock(&fb_lock);

	spin_lock_irqsave(&fb_regs_lock, flags);
	fb_regs_forget(u->np);
	spin_unlock_irqrestore(&fb_regs_lock, flags);
	if (job->outcome != FB_HUNG)
		queue_delayed_work(fb_queue, &u->finish, msecs_to_jiffies(time));
}

/* When its time is over: picture, status, interrupt. */
void fb_job_finish(struct work_struct *work)
{
	struct fb_unit *u = container_of(to_delayed_work(work), struct fb_unit, finish);
	const struct fb_engine *e = u->e;
	unsigned long flags;

	mutex_lock(&fb_lock);
	if (u->job.outcome == FB_DONE) {
		write_pictures(&u->job);
		write_adapted(u, &u->job);
	}
	mutex_unlock(&fb_lock);

	spin_lock_irqsave(&fb_regs_lock, flags);
	fb_wr(u->ctl, e->start, fb_rd(u->ctl, e->start) & ~e->start_mask);
	fb_wr(u->ctl, e->status, u->job.outcome == FB_DONE ? e->done : e->error);
	spin_unlock_irqrestore(&fb_regs_lock, flags);
	fb_raise(u->hwirq);
}
