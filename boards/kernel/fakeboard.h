/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fakeboard: register blocks and memory without hardware, for user-mode Linux.
 *
 * The decoder drivers of real boards are bound to nodes of a device tree. What
 * they then talk to is here:
 *
 *   fakeboard_main.c	 the board: units found in the device tree, resets,
 *			 parameters
 *   fakeboard_debugfs.c the files
 *   fakeboard_job.c	 what happens between "start" and the interrupt
 *   fakeboard_log.c	 the job log, described in docs/fakeboard.md
 *   fakeboard_engines.c where each decoder has what: start, status, addresses
 *   fakeboard_cedrus.c	 the same for Allwinner's, which keeps it in an SRAM
 *   fakeboard_heap.c	 a dma-heap of contiguous memory
 *   fakeboard_dma.c	 bus addresses, as behind an IOMMU
 *   fakeboard_regs.c	 register blocks as memory; notes what the driver writes
 *   fakeboard_lines.c	 the interrupt lines
 *   fakeboard_text.c	 the log's text
 *
 * A file calls those below it, and none above.
 *
 * Locks: fb_lock (a mutex: maps, jobs, log) outside fb_regs_lock (a
 * spinlock: registers, written from the driver's interrupt handler as well).
 */
#ifndef FAKEBOARD_H
#define FAKEBOARD_H

#include <linux/bits.h>
#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#define FB_PORT_WRITES	8192
#define FB_OUTS		4
#define FB_SRAM_SIZE	0x1000

struct fb_engine;
struct fb_unit;
struct fb_region;

/* ---- Registers */

struct fb_port_write {
	u16 off;
	u32 val;
};

struct fb_region {
	struct list_head list;
	struct device_node *np;
	const char *name;		/* of reg-names, NULL if there is none */
	phys_addr_t start;
	u32 size;
	u8 *mem;
	unsigned long *written;		/* registers, since the last job */
	struct fb_port_write *ports;	/* writes to ports, in order */
	u32 num_ports;
	u8 *sram;			/* memory behind a port, NULL if there is none */
	unsigned long *sram_written;
	u32 bit_pos;
	struct debugfs_blob_wrapper blob;
};

extern spinlock_t fb_regs_lock;
extern struct list_head fb_regions;

int fb_regs_init(void (*on_write)(struct fb_region *r, u32 off, u32 val));
int fb_regs_add(struct device_node *np);
int fb_regs_add_sram(struct fb_region *r);
void fb_regs_note_port(struct fb_region *r, u32 off, u32 val);
struct fb_region *fb_regs_find(struct device_node *np, const char *name);
void fb_regs_forget(struct device_node *np);
void fb_regs_reset(void);
u32 fb_rd(const struct fb_region *r, u32 off);
void fb_wr(struct fb_region *r, u32 off, u32 val);

/* ---- Interrupts */

#define FB_LINES	1024

int fb_lines_init(struct device_node *np);
void fb_raise(u32 hwirq);

/* ---- Memory */

struct fb_map {
	struct list_head list;		/* in the order of addresses */
	u32 start;
	size_t size;
	struct page **pages;
	unsigned int num_pages;
	void *cpu;			/* the driver's view, NULL if it asked for none */
	bool own;			/* allocated here, not imported */
	bool remapped;
};

extern struct mutex fb_lock;		/* a job is looked at: no map goes meanwhile */

void fb_dma_attach(struct device_node *np);
struct fb_map *fb_map_find(u32 addr);
struct fb_map *fb_map_near(u32 addr);	/* or not far beyond its end */
void fb_map_read(const struct fb_map *m, size_t off, void *to, size_t len);
void fb_map_write(struct fb_map *m, size_t off, const void *from, size_t len);
u32 fb_bus_bits(u32 addr, u32 pos, u32 count);
u32 fb_map_crc(const struct fb_map *m, size_t off, size_t len);
u32 fb_map_crc_more(const struct fb_map *m, size_t off, size_t len, u32 crc);
/* The job that last wrote a picture into this memory, 0 if none did since the log was cleared. */
u32 fb_map_frame(const struct fb_map *m);
void fb_map_set_frame(const struct fb_map *m, u32 job);
void fb_frames_forget(void);
int fb_heap_add(const char *name);

/* ---- Engines */

enum fb_outcome {
	FB_DONE,
	FB_FAILED,			/* these two because of a knob */
	FB_HUNG,
	FB_FAULT,			/* stream or picture is where no memory is */
};

/* What a job is about, as the registers have it, and what comes of it. */
struct fb_job {
	u32 number;
	enum fb_outcome outcome;
	u32 stream;			/* bus address and bytes */
	u32 length;
	u32 outs[FB_OUTS];		/* bus addresses that are written; the last is what the client gets */
	unsigned int num_outs;
	u32 bytes, crc;			/* of the stream: of what is read of it */
};

/* An address inside a table: entries of stride bytes from the address in reg on. */
struct fb_nested {
	u16 reg;
	u16 stride;
	u16 count;
	u16 off;
};

struct fb_reg_name {
	u16 reg;
	u16 count;			/* registers in a row, numbered if more than one */
	const char *name;
};

struct fb_engine {
	const char *name;
	const char *ctl;		/* reg-names of start and status, NULL: the first */
	const char *fun;		/* reg-names of the job's registers, NULL: the first */
	const char *irq;		/* interrupt-names, NULL: the first */
	u16 start;			/* register, bits and value that start a job */
	u32 start_mask, start_val;
	u16 stop;			/* register among the job's where bit 4 switches interrupts off, 0 if there is none */
	u16 status;			/* register, values for done and error */
	u32 done, error;
	u16 stream, length;		/* registers of the job, without locate() */
	u32 length_mask;
	u16 out;
	u16 adapted;			/* register of memory for the probabilities that the picture leaves, 0 if there is none */
	u16 sram_port;			/* offset register of an SRAM, the data register after it; 0 if there is none */
	const u16 *ports;		/* registers where the order of writes counts, 0 at the end */
	const struct fb_reg_name *names;	/* name NULL at the end */
	const struct fb_reg_name *(*more_names)(const struct fb_unit *u);	/* those that go by codec */
	/* Fills in the job; NULL: the registers above. */
	void (*locate)(const struct fb_unit *u, struct fb_job *job);
	/* Bytes and CRC of the stream where it is in pieces; NULL: all of it. */
	void (*digest)(const struct fb_unit *u, struct fb_job *job);
	/* Bytes that the kernel's driver has the decoder read behind the stream, at most. */
	u32 (*read_ahead)(const struct fb_unit *u);
	/* A write that a plain memory register does not do; fb_regs_lock is held. */
	void (*write)(struct fb_region *r, u32 off, u32 val);
	/* The bus address in a register, if it is not there as it is. */
	u32 (*address)(u32 off, u32 val);
	/* The layout of addresses in tables, for this job. */
	const struct fb_nested *(*nested)(const struct fb_unit *u);
	/* The bus address at this place of the SRAM, or 0. */
	u32 (*sram_address)(const struct fb_unit *u, u32 off, u32 val);
};

struct fb_match {
	const char *compatible;
	const struct fb_engine *engine;
};

extern const struct fb_match fb_matches[];
bool fb_is_port(const struct fb_engine *e, u32 off);
extern const struct fb_engine fb_cedrus_mpeg2, fb_cedrus_h264, fb_cedrus_vp8, fb_cedrus_h265;

/* ---- Units: an engine of a node */

/* What the log has last shown of a table, so that it shows changes only. */
struct fb_shadow {
	struct list_head list;
	const struct fb_region *region;
	u32 reg;
	size_t size;
	u8 *bytes;
};

struct fb_unit {
	struct list_head list;
	const struct fb_engine *e;
	struct device_node *np;
	struct fb_region *ctl, *fun;
	u32 hwirq;
	u32 jobs;
	struct list_head shadows;
	struct fb_job job;		/* the last one */
	u32 picture, picture_jobs;	/* where it writes, and how many jobs in a row have */
	struct work_struct look;
	struct delayed_work finish;
};

extern struct list_head fb_units;
extern struct workqueue_struct *fb_queue;
extern unsigned int fb_delay_ms, fb_fail_every, fb_hang_every, fb_fail_job, fb_pause_ms, fb_memory_mb;
extern bool fb_stamp, fb_pattern, fb_logging, fb_iommu;

void fb_pause_after(unsigned int jobs);
void fb_job_written(struct fb_region *r, u32 off, u32 val);
void fb_job_stop(struct fb_unit *u);
void fb_job_look(struct work_struct *work);
void fb_job_finish(struct work_struct *work);

/* ---- The log */

void fb_log_job(struct fb_unit *u, const struct fb_job *job);
void fb_shadows_forget(struct fb_unit *u);
void fb_put(const char *format, ...) __printf(1, 2);
ssize_t fb_text_copy(char *to, size_t count, size_t from);
void fb_text_forget(void);
void fb_debugfs_init(void);

#endif
