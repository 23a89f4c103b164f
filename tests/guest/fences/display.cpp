// SPDX-License-Identifier: MIT
#include "display.h"

#include <cstdlib>
#include <cstring>

#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace fences {

namespace {

uint64_t address(const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer);
}

Fd openVkms() {
    for (int number = 0; number < 16; number++) {
        Fd fd(::open(("/dev/dri/card" + std::to_string(number)).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
        char name[8] = {};
        drm_version version{};
        version.name = name;
        version.name_len = sizeof(name) - 1;
        if (fd.get() >= 0 && callIoctl(fd.get(), DRM_IOCTL_VERSION, &version) == 0 && std::strcmp(name, "vkms") == 0)
            return fd;
    }
    return {};
}

} // namespace

Display::Display() : fd_(openVkms()) {
    if (fd_.get() < 0 && std::system("modprobe vkms") == 0)
        fd_ = openVkms();
    check(fd_.get() >= 0, "there is no vkms");
    for (const uint64_t capability : {DRM_CLIENT_CAP_UNIVERSAL_PLANES, DRM_CLIENT_CAP_ATOMIC}) {
        drm_set_client_cap cap{capability, 1};
        mustIoctl(fd_.get(), DRM_IOCTL_SET_CLIENT_CAP, &cap, "DRM_IOCTL_SET_CLIENT_CAP");
    }
    findPipeline();
    std::vector<Setting> settings = planeSettings(own_, width_, height_);
    settings.push_back({connector_, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID", crtc_});
    settings.push_back({crtc_, DRM_MODE_OBJECT_CRTC, "MODE_ID", mode_});
    settings.push_back({crtc_, DRM_MODE_OBJECT_CRTC, "ACTIVE", 1});
    commit(settings, DRM_MODE_ATOMIC_ALLOW_MODESET);
}

uint32_t Display::property(uint32_t object, uint32_t type, const char* name) {
    drm_mode_obj_get_properties query{};
    query.obj_id = object;
    query.obj_type = type;
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &query, "DRM_IOCTL_MODE_OBJ_GETPROPERTIES");
    std::vector<uint32_t> ids(query.count_props);
    std::vector<uint64_t> values(query.count_props);
    query.props_ptr = address(ids.data());
    query.prop_values_ptr = address(values.data());
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &query, "DRM_IOCTL_MODE_OBJ_GETPROPERTIES");
    for (const uint32_t id : ids) {
        drm_mode_get_property asked{};
        asked.prop_id = id;
        mustIoctl(fd_.get(), DRM_IOCTL_MODE_GETPROPERTY, &asked, "DRM_IOCTL_MODE_GETPROPERTY");
        if (std::strcmp(asked.name, name) == 0)
            return id;
    }
    throw Failure(std::string("vkms has no property ") + name);
}

// The CRTC, its primary plane, the connector that is no writeback, and a framebuffer of our own of the mode's size.
void Display::findPipeline() {
    uint32_t crtcs[8], connectors[8], planes[16];
    drm_mode_card_res resources{};
    resources.count_crtcs = resources.count_connectors = 8;
    resources.crtc_id_ptr = address(crtcs);
    resources.connector_id_ptr = address(connectors);
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_GETRESOURCES, &resources, "DRM_IOCTL_MODE_GETRESOURCES");
    check(resources.count_crtcs > 0, "vkms has no CRTC");
    crtc_ = crtcs[0];
    for (uint32_t i = 0; i < resources.count_connectors; i++) {
        std::vector<drm_mode_modeinfo> modes(64);
        drm_mode_get_connector connector{};
        connector.connector_id = connectors[i];
        mustIoctl(fd_.get(), DRM_IOCTL_MODE_GETCONNECTOR, &connector, "DRM_IOCTL_MODE_GETCONNECTOR");
        modes.resize(connector.count_modes);
        connector.count_props = connector.count_encoders = 0;
        connector.modes_ptr = address(modes.data());
        mustIoctl(fd_.get(), DRM_IOCTL_MODE_GETCONNECTOR, &connector, "DRM_IOCTL_MODE_GETCONNECTOR");
        if (connector.connector_type == DRM_MODE_CONNECTOR_WRITEBACK || modes.empty())
            continue;
        connector_ = connectors[i];
        drm_mode_create_blob blob{};
        blob.data = address(&modes[0]);
        blob.length = sizeof(modes[0]);
        mustIoctl(fd_.get(), DRM_IOCTL_MODE_CREATEPROPBLOB, &blob, "DRM_IOCTL_MODE_CREATEPROPBLOB");
        mode_ = blob.blob_id;
        width_ = modes[0].hdisplay;
        height_ = modes[0].vdisplay;
        break;
    }
    check(connector_ != 0, "vkms has no connector");

    drm_mode_get_plane_res all{};
    all.count_planes = 16;
    all.plane_id_ptr = address(planes);
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_GETPLANERESOURCES, &all, "DRM_IOCTL_MODE_GETPLANERESOURCES");
    for (uint32_t i = 0; i < all.count_planes && !plane_; i++) {
        drm_mode_obj_get_properties query{};
        uint32_t ids[64];
        uint64_t values[64];
        query.obj_id = planes[i];
        query.obj_type = DRM_MODE_OBJECT_PLANE;
        query.count_props = 64;
        query.props_ptr = address(ids);
        query.prop_values_ptr = address(values);
        const uint32_t typeId = property(planes[i], DRM_MODE_OBJECT_PLANE, "type");
        mustIoctl(fd_.get(), DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &query, "DRM_IOCTL_MODE_OBJ_GETPROPERTIES");
        for (uint32_t k = 0; k < query.count_props; k++)
            if (ids[k] == typeId && values[k] == 1) // DRM_PLANE_TYPE_PRIMARY
                plane_ = planes[i];
    }
    check(plane_ != 0, "vkms has no primary plane");

    drm_mode_create_dumb dumb{};
    dumb.width = width_;
    dumb.height = height_;
    dumb.bpp = 32;
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "DRM_IOCTL_MODE_CREATE_DUMB");
    drm_mode_fb_cmd2 framebuffer{};
    framebuffer.width = width_;
    framebuffer.height = height_;
    framebuffer.pixel_format = DRM_FORMAT_XRGB8888;
    framebuffer.handles[0] = dumb.handle;
    framebuffer.pitches[0] = dumb.pitch;
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_ADDFB2, &framebuffer, "DRM_IOCTL_MODE_ADDFB2");
    own_ = framebuffer.fb_id;
}

std::vector<Display::Setting> Display::planeSettings(uint32_t framebuffer, uint32_t width, uint32_t height) const {
    constexpr uint32_t type = DRM_MODE_OBJECT_PLANE;
    return {{plane_, type, "FB_ID", framebuffer},
            {plane_, type, "CRTC_ID", crtc_},
            {plane_, type, "SRC_X", 0},
            {plane_, type, "SRC_Y", 0},
            {plane_, type, "SRC_W", uint64_t{width} << 16},
            {plane_, type, "SRC_H", uint64_t{height} << 16},
            {plane_, type, "CRTC_X", 0},
            {plane_, type, "CRTC_Y", 0},
            {plane_, type, "CRTC_W", width},
            {plane_, type, "CRTC_H", height}};
}

void Display::commit(const std::vector<Setting>& settings, uint32_t flags) {
    std::vector<uint32_t> objects, counts, properties;
    std::vector<uint64_t> values;
    for (const Setting& setting : settings) {
        if (objects.empty() || objects.back() != setting.object) {
            objects.push_back(setting.object);
            counts.push_back(0);
        }
        counts.back()++;
        properties.push_back(property(setting.object, setting.type, setting.name));
        values.push_back(setting.value);
    }
    drm_mode_atomic atomic{};
    atomic.flags = flags;
    atomic.count_objs = static_cast<uint32_t>(objects.size());
    atomic.objs_ptr = address(objects.data());
    atomic.count_props_ptr = address(counts.data());
    atomic.props_ptr = address(properties.data());
    atomic.prop_values_ptr = address(values.data());
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_ATOMIC, &atomic, "DRM_IOCTL_MODE_ATOMIC");
}

void Display::show(uint32_t framebuffer, uint32_t width, uint32_t height, int inFence) {
    std::vector<Setting> settings = planeSettings(framebuffer, width, height);
    if (inFence >= 0)
        settings.push_back({plane_, DRM_MODE_OBJECT_PLANE, "IN_FENCE_FD", static_cast<uint64_t>(inFence)});
    commit(settings, DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT);
}

void Display::flip(int dmaBuf, uint32_t width, uint32_t height, uint32_t stride, int inFence) {
    drm_prime_handle import{};
    import.fd = dmaBuf;
    mustIoctl(fd_.get(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &import, "DRM_IOCTL_PRIME_FD_TO_HANDLE");
    drm_mode_fb_cmd2 framebuffer{};
    framebuffer.width = width;
    framebuffer.height = height;
    framebuffer.pixel_format = DRM_FORMAT_NV12;
    framebuffer.handles[0] = framebuffer.handles[1] = import.handle;
    framebuffer.pitches[0] = framebuffer.pitches[1] = stride;
    framebuffer.offsets[1] = stride * height;
    mustIoctl(fd_.get(), DRM_IOCTL_MODE_ADDFB2, &framebuffer, "DRM_IOCTL_MODE_ADDFB2");
    show(framebuffer.fb_id, width, height, inFence);
}

void Display::flipOwn(int inFence) {
    show(own_, width_, height_, inFence);
}

bool Display::waitFlip(int timeoutMs) {
    pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, timeoutMs) != 1)
        return false;
    char events[256];
    return ::read(fd_.get(), events, sizeof(events)) > 0;
}

} // namespace fences
