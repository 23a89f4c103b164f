// SPDX-License-Identifier: MIT
#include "decoder.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <linux/media.h>
#include <poll.h>
#include <sys/mman.h>

#ifndef V4L2_BUF_CAP_SUPPORTS_DMABUF_FENCES
#define V4L2_BUF_CAP_SUPPORTS_DMABUF_FENCES (1 << 9)
#endif

namespace fences {

namespace {

constexpr uint32_t pictureSize = 64;

// An intra picture whose blocks have no coefficient: all gray. MPEG-2 (ISO/IEC 13818-2, 6.2.4): one slice a row.
std::vector<uint8_t> grayPicture() {
    std::vector<uint8_t> stream;
    uint32_t bits = 0;
    unsigned count = 0;
    const auto put = [&](uint32_t value, unsigned size) {
        for (unsigned bit = size; bit-- > 0;) {
            bits = bits << 1 | (value >> bit & 1);
            if (++count % 8 == 0)
                stream.push_back(static_cast<uint8_t>(bits));
        }
    };
    for (uint32_t row = 0; row < pictureSize / 16; row++) {
        put(0x100 + row + 1, 32); // slice_start_code
        put(1, 5);                // quantiser_scale_code
        put(0, 1);                // no extra_bit_slice
        for (uint32_t column = 0; column < pictureSize / 16; column++) {
            put(1, 1); // macroblock_address_increment 1
            put(1, 1); // macroblock_type: intra (table B.2)
            for (int luma = 0; luma < 4; luma++)
                put(0b10010, 5); // dct_dc_size_luminance 0 (B.12), end of block (B.14)
            for (int chroma = 0; chroma < 2; chroma++)
                put(0b0010, 4); // dct_dc_size_chrominance 0 (B.13), end of block
        }
        while (count % 8)
            put(0, 1);
    }
    return stream;
}

bool takes(int video, bool multiplanar, uint32_t fourcc) {
    v4l2_fmtdesc format{};
    format.type = multiplanar ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_OUTPUT;
    for (; callIoctl(video, VIDIOC_ENUM_FMT, &format) == 0; format.index++)
        if (format.pixelformat == fourcc)
            return true;
    return false;
}

} // namespace

std::vector<Node> findNodes() {
    std::vector<Node> nodes;
    for (unsigned number = 0; number < 64; number++) {
        const std::string name = "video" + std::to_string(number);
        const Fd video(::open(("/dev/" + name).c_str(), O_RDWR | O_CLOEXEC));
        v4l2_capability capability{};
        if (video.get() < 0 || callIoctl(video.get(), VIDIOC_QUERYCAP, &capability))
            continue;
        Node node{"/dev/" + name,
                  {},
                  reinterpret_cast<const char*>(capability.driver),
                  0,
                  (capability.device_caps & V4L2_CAP_VIDEO_M2M_MPLANE) != 0};
        for (const uint32_t fourcc : {V4L2_PIX_FMT_MPEG2_SLICE, V4L2_PIX_FMT_H264_SLICE})
            if (!node.fourcc && takes(video.get(), node.multiplanar, fourcc))
                node.fourcc = fourcc;
        std::error_code none;
        for (const auto& entry :
             std::filesystem::directory_iterator("/sys/class/video4linux/" + name + "/device", none))
            if (entry.path().filename().string().rfind("media", 0) == 0)
                node.media = "/dev/" + entry.path().filename().string();
        if (node.fourcc && !node.media.empty())
            nodes.push_back(node);
    }
    return nodes;
}

Decoder::Decoder(const Node& node, Memory memory)
    : node_(node), memory_(memory), video_(::open(node.video.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK)),
      media_(::open(node.media.c_str(), O_RDWR | O_CLOEXEC)) {
    check(video_.get() >= 0 && media_.get() >= 0, "the node cannot be opened");
    setFormats();
    request(true, V4L2_MEMORY_MMAP);
    request(false, memory == Memory::Own ? V4L2_MEMORY_MMAP : V4L2_MEMORY_DMABUF);
    for (unsigned index = 0; index < buffers; index++)
        fillOutput(index);
    for (Fd& request : requests_) {
        int fd = -1;
        mustIoctl(media_.get(), MEDIA_IOC_REQUEST_ALLOC, &fd, "MEDIA_IOC_REQUEST_ALLOC");
        request = Fd(fd);
    }
    streamOn(true);
    streamOn(false);
}

Decoder::~Decoder() = default;

void Decoder::close() {
    for (Fd& request : requests_)
        request.reset();
    video_.reset();
    media_.reset();
}

uint32_t Decoder::type(bool output) const {
    if (node_.multiplanar)
        return output ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
    return output ? V4L2_BUF_TYPE_VIDEO_OUTPUT : V4L2_BUF_TYPE_VIDEO_CAPTURE;
}

void Decoder::setFormats() {
    v4l2_format format{};
    format.type = type(true);
    constexpr uint32_t room = 65536;
    if (node_.multiplanar) {
        format.fmt.pix_mp.pixelformat = node_.fourcc;
        format.fmt.pix_mp.width = format.fmt.pix_mp.height = pictureSize;
        format.fmt.pix_mp.num_planes = 1;
        format.fmt.pix_mp.plane_fmt[0].sizeimage = room;
    } else {
        format.fmt.pix.pixelformat = node_.fourcc;
        format.fmt.pix.width = format.fmt.pix.height = pictureSize;
        format.fmt.pix.sizeimage = room;
    }
    mustIoctl(video_.get(), VIDIOC_S_FMT, &format, "VIDIOC_S_FMT of OUTPUT");
    outputSize_ = node_.multiplanar ? format.fmt.pix_mp.plane_fmt[0].sizeimage : format.fmt.pix.sizeimage;
    setControls(-1); // some formats follow from the sequence
    format = {};
    format.type = type(false);
    mustIoctl(video_.get(), VIDIOC_G_FMT, &format, "VIDIOC_G_FMT of CAPTURE");
    mustIoctl(video_.get(), VIDIOC_S_FMT, &format, "VIDIOC_S_FMT of CAPTURE");
    planes_ = node_.multiplanar ? format.fmt.pix_mp.num_planes : 1;
    for (unsigned plane = 0; plane < planes_; plane++)
        captureSize_[plane] =
            node_.multiplanar ? format.fmt.pix_mp.plane_fmt[plane].sizeimage : format.fmt.pix.sizeimage;
}

void Decoder::request(bool output, uint32_t memory) {
    v4l2_requestbuffers request{};
    request.type = type(output);
    request.memory = memory;
    request.count = buffers;
    mustIoctl(video_.get(), VIDIOC_REQBUFS, &request, "VIDIOC_REQBUFS");
    check(request.count >= buffers, "too few buffers");
    if (output)
        holds_ = request.capabilities & V4L2_BUF_CAP_SUPPORTS_M2M_HOLD_CAPTURE_BUF;
    else
        claimsFences_ = request.capabilities & V4L2_BUF_CAP_SUPPORTS_DMABUF_FENCES;
}

void Decoder::describe(Buffer& buffer, bool output, unsigned index) const {
    buffer = {};
    buffer.buffer.type = type(output);
    buffer.buffer.memory = output || memory_ == Memory::Own ? V4L2_MEMORY_MMAP : V4L2_MEMORY_DMABUF;
    buffer.buffer.index = index;
    if (node_.multiplanar) {
        buffer.buffer.m.planes = buffer.planes;
        buffer.buffer.length = output ? 1 : planes_;
    }
}

void Decoder::fillOutput(unsigned index) {
    Buffer buffer;
    describe(buffer, true, index);
    mustIoctl(video_.get(), VIDIOC_QUERYBUF, &buffer.buffer, "VIDIOC_QUERYBUF");
    const size_t length = node_.multiplanar ? buffer.planes[0].length : buffer.buffer.length;
    const uint32_t offset = node_.multiplanar ? buffer.planes[0].m.mem_offset : buffer.buffer.m.offset;
    void* bytes = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, video_.get(), offset);
    check(bytes != MAP_FAILED, "an OUTPUT buffer cannot be mapped");
    const std::vector<uint8_t> stream = grayPicture();
    payload_ = static_cast<uint32_t>(stream.size());
    std::memcpy(bytes, stream.data(), stream.size());
    ::munmap(bytes, length);
}

void Decoder::setControls(int request) {
    std::vector<v4l2_ext_control> controls;
    const auto add = [&](uint32_t id, auto& payload) {
        v4l2_ext_control control{};
        control.id = id;
        control.size = sizeof(payload);
        control.ptr = &payload;
        controls.push_back(control);
    };
    v4l2_ctrl_mpeg2_sequence sequence{};
    v4l2_ctrl_mpeg2_picture picture{};
    v4l2_ctrl_h264_sps sps{};
    if (node_.fourcc == V4L2_PIX_FMT_MPEG2_SLICE) {
        sequence.horizontal_size = sequence.vertical_size = pictureSize;
        sequence.vbv_buffer_size = 16384;
        sequence.profile_and_level_indication = 0x48;
        sequence.chroma_format = 1;
        sequence.flags = V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE;
        picture.picture_coding_type = V4L2_MPEG2_PIC_CODING_TYPE_I;
        picture.picture_structure = V4L2_MPEG2_PIC_FRAME;
        picture.flags = V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT | V4L2_MPEG2_PIC_FLAG_PROGRESSIVE;
        std::memset(picture.f_code, 15, sizeof(picture.f_code));
        add(V4L2_CID_STATELESS_MPEG2_SEQUENCE, sequence);
        add(V4L2_CID_STATELESS_MPEG2_PICTURE, picture);
    } else {
        sps.profile_idc = 100;
        sps.level_idc = 40;
        sps.chroma_format_idc = 1;
        sps.pic_width_in_mbs_minus1 = sps.pic_height_in_map_units_minus1 = pictureSize / 16 - 1;
        sps.flags = V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY;
        add(V4L2_CID_STATELESS_H264_SPS, sps);
    }
    v4l2_ext_controls all{};
    all.which = request < 0 ? V4L2_CTRL_WHICH_CUR_VAL : V4L2_CTRL_WHICH_REQUEST_VAL;
    all.request_fd = request;
    all.count = static_cast<uint32_t>(controls.size());
    all.controls = controls.data();
    mustIoctl(video_.get(), VIDIOC_S_EXT_CTRLS, &all, "VIDIOC_S_EXT_CTRLS");
}

Fd Decoder::exportBuffer(unsigned index, unsigned plane) const {
    v4l2_exportbuffer request{};
    request.type = type(false);
    request.index = index;
    request.plane = plane;
    request.flags = O_RDWR | O_CLOEXEC;
    mustIoctl(video_.get(), VIDIOC_EXPBUF, &request, "VIDIOC_EXPBUF");
    return Fd(request.fd);
}

void Decoder::queueCapture(unsigned index, int dmaBuf) {
    Buffer buffer;
    describe(buffer, false, index);
    if (memory_ == Memory::Imported) {
        check(planes_ == 1, "a picture in one piece of memory is expected");
        if (node_.multiplanar) {
            buffer.planes[0].m.fd = dmaBuf;
            buffer.planes[0].length = captureSize_[0];
        } else {
            buffer.buffer.m.fd = dmaBuf;
            buffer.buffer.length = captureSize_[0];
        }
    }
    mustIoctl(video_.get(), VIDIOC_QBUF, &buffer.buffer, "VIDIOC_QBUF of CAPTURE");
}

void Decoder::submit(unsigned index, unsigned picture, bool hold) {
    const int request = requests_[index].get();
    callIoctl(request, MEDIA_REQUEST_IOC_REINIT, nullptr); // fails for one that is new
    setControls(request);
    Buffer buffer;
    describe(buffer, true, index);
    buffer.buffer.flags = V4L2_BUF_FLAG_REQUEST_FD | (hold ? V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF : 0);
    buffer.buffer.request_fd = request;
    buffer.buffer.timestamp.tv_usec = static_cast<suseconds_t>(picture);
    if (node_.multiplanar)
        buffer.planes[0].bytesused = payload_;
    else
        buffer.buffer.bytesused = payload_;
    mustIoctl(video_.get(), VIDIOC_QBUF, &buffer.buffer, "VIDIOC_QBUF of OUTPUT");
    mustIoctl(request, MEDIA_REQUEST_IOC_QUEUE, nullptr, "MEDIA_REQUEST_IOC_QUEUE");
}

bool Decoder::isReady(bool output, int timeoutMs) {
    const short events = output ? POLLOUT : POLLIN;
    const int64_t end = nowNs() + int64_t{timeoutMs} * 1000000;
    for (;;) {
        pollfd ready{.fd = video_.get(), .events = events, .revents = 0};
        ::poll(&ready, 1, 5);
        if (ready.revents & events)
            return true;
        if (nowNs() >= end)
            return false;
        if (ready.revents)
            sleepMs(5); // POLLERR: a queue is empty
    }
}

unsigned Decoder::dequeue(bool output, int timeoutMs, bool& error) {
    check(isReady(output, timeoutMs), output ? "no OUTPUT buffer came back" : "no CAPTURE buffer came back");
    Buffer buffer;
    describe(buffer, output, 0);
    mustIoctl(video_.get(), VIDIOC_DQBUF, &buffer.buffer, "VIDIOC_DQBUF");
    error = buffer.buffer.flags & V4L2_BUF_FLAG_ERROR;
    return buffer.buffer.index;
}

Decoder::Done Decoder::dequeueCapture(int timeoutMs) {
    Done done{};
    done.index = dequeue(false, timeoutMs, done.error);
    done.time = nowNs();
    return done;
}

void Decoder::dequeueOutput(int timeoutMs) {
    bool error;
    dequeue(true, timeoutMs, error);
}

void Decoder::streamOff(bool output) {
    int of = static_cast<int>(type(output));
    mustIoctl(video_.get(), VIDIOC_STREAMOFF, &of, "VIDIOC_STREAMOFF");
}

void Decoder::streamOn(bool output) {
    int of = static_cast<int>(type(output));
    mustIoctl(video_.get(), VIDIOC_STREAMON, &of, "VIDIOC_STREAMON");
}

} // namespace fences
