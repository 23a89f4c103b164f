/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * What the kernel module daedalus_v4l2 and the daemon daedalusd say to each other over /dev/daedalus.
 *
 *   read(2)   hands out one whole message; a buffer that is too small gets EMSGSIZE and loses nothing.
 *             DAEDALUS_MESSAGE_MAX bytes always suffice. poll(2) tells when there is one.
 *   write(2)  takes one struct daedalus_completion.
 *   ioctl(2)  DAEDALUS_IOC_GET_BUFFER turns a cookie into a dma-buf fd (O_RDWR | O_CLOEXEC).
 *
 * One daemon at a time: a second open gets EBUSY. Bitstreams and frames never travel inline: both are dma-bufs, named by
 * cookie, so their size has no limit here. A cookie is a number that the module never uses twice, whatever it names
 * (instances, jobs, buffers) and however the memory came to be (MMAP or imported DMABUF).
 *
 * All integers are in the byte order of the machine; every struct is a multiple of 8 bytes without hidden padding.
 */
#ifndef DAEDALUS_PROTOCOL_H
#define DAEDALUS_PROTOCOL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DAEDALUS_PROTOCOL_VERSION 4
#define DAEDALUS_MESSAGE_MAX (1u << 20)

enum daedalus_message_type {
	/* Decode one OUTPUT buffer into one CAPTURE buffer; answer with a completion. struct daedalus_job */
	DAEDALUS_MESSAGE_JOB = 1,
	/* The file handle (a decoding instance) was closed: forget its state. header only */
	DAEDALUS_MESSAGE_INSTANCE_GONE = 2,
	/* A buffer was freed or replaced: unmap it. header only, cookie = the buffer's */
	DAEDALUS_MESSAGE_BUFFER_GONE = 3,
	/*
	 * The client takes a CAPTURE buffer whose last job said that more would follow: store what there is, if that is
	 * not done yet; answer with a completion. struct daedalus_finish
	 */
	DAEDALUS_MESSAGE_FINISH = 4,
};

struct daedalus_header {
	__u32 type; /* enum daedalus_message_type */
	__u32 size; /* of the whole message with this header, bytes */
	__u64 cookie; /* the job, the instance or the buffer */
};

/* A buffer of a queue, as memory. */
struct daedalus_buffer {
	__u64 cookie; /* 0: none */
	__u32 bytes; /* OUTPUT: payload (bytesused); CAPTURE: size of its first piece of memory */
	__u32 index; /* in its vb2 queue */
};

/*
 * The negotiated CAPTURE format. Chroma starts at bytesperline * height, or is in a piece of memory of its own: then the
 * buffer has a second one of sizechroma bytes.
 */
struct daedalus_format {
	__u32 fourcc; /* V4L2_PIX_FMT_* */
	__u32 width; /* aligned, pixels */
	__u32 height;
	__u32 bytesperline;
	__u32 sizeimage;
	__u32 sizechroma; /* 0: all is in one piece */
};

/* A CAPTURE buffer that holds a finished picture which this job may refer to by timestamp. */
struct daedalus_frame {
	__u64 timestamp; /* nanoseconds, as in V4L2 reference fields */
	__u64 cookie; /* of the buffer's memory */
	__u32 index;
	__u32 error; /* 1: that picture ended with V4L2_BUF_FLAG_ERROR */
};

/* A control of the request, its payload following, padded with zeroes to a multiple of 8. */
struct daedalus_control {
	__u32 id; /* V4L2_CID_* */
	__u32 size; /* of the payload without padding, bytes: elements * size of one */
};

#define DAEDALUS_JOB_HOLD_CAPTURE 1u /* V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF: more jobs of this picture follow */
#define DAEDALUS_JOB_CONTINUES 2u /* not the first job of its CAPTURE buffer: a later slice or second field */
#define DAEDALUS_JOB_LENIENT 4u /* as hardware: a reference that is not there, or an earlier job that failed, is no error */
#define DAEDALUS_JOB_FENCED 8u /* until the job ends, CAPTURE has a fence, for which DMA_BUF_IOCTL_SYNC START would wait: go without */

/* Followed by frame_count frames, then control_count controls. */
struct daedalus_job {
	struct daedalus_header header; /* cookie: the job's */
	__u64 instance;
	__u64 timestamp; /* of the OUTPUT buffer, nanoseconds */
	__u32 codec; /* V4L2_PIX_FMT_* of the OUTPUT queue */
	__u32 flags; /* DAEDALUS_JOB_* */
	__u32 coded_width; /* of the OUTPUT format */
	__u32 coded_height;
	struct daedalus_format format;
	struct daedalus_buffer output;
	struct daedalus_buffer capture;
	__u32 frame_count;
	__u32 control_count;
};

struct daedalus_finish {
	struct daedalus_header header; /* cookie: for the completion */
	__u64 instance;
	__u64 capture; /* the buffer's cookie */
};

struct daedalus_completion {
	__u64 job; /* or the cookie of a struct daedalus_finish */
	__u32 error; /* 0: decoded; else an errno value: the job ends with V4L2_BUF_FLAG_ERROR */
	__u32 reserved; /* 0 */
};

struct daedalus_get_buffer {
	__u64 cookie; /* in */
	__s32 fd; /* out */
	__u32 piece; /* of its memory: 0, or 1 for chroma */
};

#define DAEDALUS_IOC_VERSION _IOR('D', 0, __u32)
#define DAEDALUS_IOC_GET_BUFFER _IOWR('D', 1, struct daedalus_get_buffer)

#endif
