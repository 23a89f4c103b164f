// SPDX-License-Identifier: MIT
// Surfaces in memory of the client's own: decoded into, and refused where a picture does not fit or is not where the
// device would write it.
#include <algorithm>
#include <functional>

#include <drm_fourcc.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma_buf.h"
#include "test_case.h"

namespace va_suite {

namespace {

constexpr uint8_t untouched = 0xa5;
constexpr size_t margin = 4096; // behind the picture, where nobody has to write

// A surface's worth of memory and what a client says of it.
struct Import {
    DmaBuf memory;
    VADRMPRIMESurfaceDescriptor prime;

    Import(DmaBuf::Source source, const VADRMPRIMESurfaceDescriptor& layout)
        : memory(source, layout.objects[0].size + margin), prime(layout) {
        prime.objects[0].fd = memory.fd();
        prime.objects[0].size = static_cast<uint32_t>(memory.size());
        memory.begin();
        std::fill_n(memory.bytes(), memory.size(), untouched);
        memory.end();
    }
};

class Imports : public CodecTest {
protected:
    // As the device lays out the pictures of the stream.
    VADRMPRIMESurfaceDescriptor nativeLayout() {
        const VASurfaceID surface = makeSurface(stream().width, stream().height);
        const VADRMPRIMESurfaceDescriptor layout = layoutOf(display, surface);
        VASurfaceID gone = surface;
        REQUIRE_VA(vaDestroySurfaces(display, &gone, 1));
        return layout;
    }
    VASurfaceID makeSurface(unsigned width, unsigned height) {
        VASurfaceID id = VA_INVALID_SURFACE;
        REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, width, height, &id, 1, nullptr, 0));
        return id;
    }
    // The same with more bytes per row, and more rows in front of chroma.
    static VADRMPRIMESurfaceDescriptor wider(VADRMPRIMESurfaceDescriptor layout, uint32_t pitch, uint32_t rows) {
        layout.layers[0].pitch[0] = layout.layers[1].pitch[0] = pitch;
        layout.layers[1].offset[0] = pitch * rows;
        layout.objects[0].size = pitch * rows * 3 / 2;
        return layout;
    }
    std::vector<Import> makeImports(DmaBuf::Source source, const VADRMPRIMESurfaceDescriptor& layout) {
        std::vector<Import> imports;
        for (size_t i = 0; i <= stream().pictureCount; i++)
            imports.emplace_back(source, layout);
        return imports;
    }
    std::vector<VASurfaceID> createAll(std::vector<Import>& imports) {
        std::vector<VADRMPRIMESurfaceDescriptor> descriptors;
        for (const Import& import : imports)
            descriptors.push_back(import.prime);
        std::vector<VASurfaceID> surfaces(imports.size(), VA_INVALID_SURFACE);
        auto attributes = importAttributes(descriptors.data());
        REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, surfaces.data(),
                                    static_cast<unsigned>(surfaces.size()), attributes.data(),
                                    static_cast<unsigned>(attributes.size())));
        return surfaces;
    }
    // The memory that the client brought holds picture `index`, and nothing was written behind it.
    void expectPictureIn(Import& import, size_t index) {
        import.memory.begin();
        const uint8_t* bytes = import.memory.bytes();
        const size_t end = import.prime.layers[1].offset[0] * 3 / 2;
        EXPECT_TRUE(std::all_of(bytes + import.memory.size() - margin, bytes + import.memory.size(),
                                [](uint8_t byte) { return byte == untouched; }));
        EXPECT_LE(end + margin, import.memory.size());
        if (display.hasTruePixels()) {
            const uint8_t* right = stream().expectedPicture(index).data();
            for (const unsigned plane : {0u, 1u})
                for (unsigned y = 0; y < stream().height / (plane + 1); y++, right += stream().width)
                    ASSERT_TRUE(std::equal(right, right + stream().width,
                                           bytes + import.prime.layers[plane].offset[0] +
                                               size_t{y} * import.prime.layers[plane].pitch[0]))
                        << "picture " << index << ", plane " << plane << ", row " << y;
        }
        import.memory.end();
    }
    void expectDecodedInto(std::vector<Import>& imports) {
        Player player(display, stream(), createAll(imports));
        player.expectRestIsRight();
        for (size_t i = 0; i < stream().pictureCount; i++)
            expectPictureIn(imports[i], i);
    }

    // Creates one surface with the described memory, and expects to be refused without a trace.
    void expectRefused(const char* what, VAStatus expected, VADRMPRIMESurfaceDescriptor prime) {
        expectRefused(what, expected, importAttributes(&prime));
    }
    void expectRefused(const char* what, VAStatus expected, std::vector<VASurfaceAttrib> attributes) {
        const size_t descriptors = openDescriptors();
        VASurfaceID id = VA_INVALID_SURFACE;
        EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, &id, 1,
                                   attributes.data(), static_cast<unsigned>(attributes.size())),
                  expected)
            << what;
        EXPECT_EQ(id, VA_INVALID_SURFACE) << what;
        EXPECT_EQ(openDescriptors(), descriptors) << what;
    }
};

constexpr VAStatus contradicts = VA_STATUS_ERROR_INVALID_PARAMETER, unsupported = VA_STATUS_ERROR_ATTR_NOT_SUPPORTED;

TEST_P(Imports, AreDecodedInto) {
    for (const DmaBuf::Source source : DmaBuf::sources) {
        SCOPED_TRACE(nameOf(source));
        auto imports = makeImports(source, nativeLayout());
        expectDecodedInto(imports);
    }
}

TEST_P(Imports, WithLongerRows) {
    if (!display.writesLarger())
        GTEST_SKIP() << "the device does not let clients choose";
    const VADRMPRIMESurfaceDescriptor native = nativeLayout();
    const uint32_t pitch = (native.layers[0].pitch[0] + 64) / 64 * 64 + 64;
    auto imports = makeImports(DmaBuf::Source::Udmabuf, wider(native, pitch, 256));
    expectDecodedInto(imports);
}

TEST_P(Imports, AsOneLayer) {
    VADRMPRIMESurfaceDescriptor layout = nativeLayout();
    layout.num_layers = 1;
    layout.layers[0].drm_format = DRM_FORMAT_NV12;
    layout.layers[0].num_planes = 2;
    layout.layers[0].offset[1] = layout.layers[1].offset[0];
    layout.layers[0].pitch[1] = layout.layers[1].pitch[0];
    auto imports = makeImports(DmaBuf::Source::Heap, layout);
    expectDecodedInto(imports);
}

TEST_P(Imports, ListedOnceForEachPlane) {
    auto imports = makeImports(DmaBuf::Source::Heap, nativeLayout());
    std::vector<int> again;
    for (Import& import : imports) {
        again.push_back(::dup(import.prime.objects[0].fd));
        import.prime.num_objects = 2;
        import.prime.objects[1] = import.prime.objects[0];
        import.prime.objects[1].fd = again.back();
        import.prime.layers[1].object_index[0] = 1;
    }
    expectDecodedInto(imports);
    for (const int fd : again)
        ::close(fd);
}

TEST_P(Imports, KeepTheirMemoryWhenTheClientLetsGo) {
    std::vector<VASurfaceID> surfaces;
    {
        auto imports = makeImports(DmaBuf::Source::Heap, nativeLayout());
        surfaces = createAll(imports);
    }
    Player player(display, stream(), surfaces);
    player.expectRestIsRight();
}

TEST_P(Imports, AreTheMemoryThatIsExported) {
    auto imports = makeImports(DmaBuf::Source::Udmabuf, nativeLayout());
    Player player(display, stream(), createAll(imports));
    const VADRMPRIMESurfaceDescriptor exported = layoutOf(display, player.surface(0));
    for (const unsigned plane : {0u, 1u}) {
        EXPECT_EQ(exported.layers[plane].offset[0], imports[0].prime.layers[plane].offset[0]);
        EXPECT_EQ(exported.layers[plane].pitch[0], imports[0].prime.layers[plane].pitch[0]);
    }
    EXPECT_EQ(exported.objects[0].size, imports[0].memory.size());
    const size_t mapped = mappedDmaBufs();
    player.play(1);
    EXPECT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
    EXPECT_EQ(mappedDmaBufs(), mapped) << "the driver looks at pixels that nobody asked it for";
    expectPictureIn(imports[0], 0);
}

TEST_P(Imports, DescribedInTheOldWay) {
    const VADRMPRIMESurfaceDescriptor layout = nativeLayout();
    auto imports = makeImports(DmaBuf::Source::Heap, layout);
    std::vector<VASurfaceID> surfaces;
    VASurfaceAttribExternalBuffers buffers{};
    uintptr_t fd = 0;
    buffers.pixel_format = VA_FOURCC_NV12;
    buffers.width = stream().width;
    buffers.height = stream().height;
    buffers.num_planes = 2;
    for (const unsigned plane : {0u, 1u}) {
        buffers.offsets[plane] = layout.layers[plane].offset[0];
        buffers.pitches[plane] = layout.layers[plane].pitch[0];
    }
    buffers.buffers = &fd;
    buffers.num_buffers = 1;
    auto attributes = importAttributes(&buffers, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME);
    for (const Import& import : imports) {
        fd = static_cast<uintptr_t>(import.memory.fd());
        buffers.data_size = static_cast<uint32_t>(import.memory.size());
        REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height,
                                    &surfaces.emplace_back(), 1, attributes.data(), 2));
    }
    {
        Player player(display, stream(), surfaces);
        player.expectRestIsRight();
        for (size_t i = 0; i < stream().pictureCount; i++)
            expectPictureIn(imports[i], i);
    }
    const auto refuse = [&](const char* what, VAStatus expected, const std::function<void()>& change) {
        const VASurfaceAttribExternalBuffers good = buffers;
        change();
        expectRefused(what, expected, attributes);
        buffers = good;
        fd = static_cast<uintptr_t>(imports[0].memory.fd());
    };
    refuse("no buffers", contradicts, [&] { buffers.buffers = nullptr; });
    refuse("fewer buffers than surfaces", contradicts, [&] { buffers.num_buffers = 0; });
    refuse("more buffers than surfaces", contradicts, [&] { buffers.num_buffers = 2; });
    refuse("no descriptor", contradicts, [&] { fd = UINTPTR_MAX; });
    refuse("another descriptor", contradicts, [&] { fd = 0x100000000; });
    refuse("one plane", contradicts, [&] { buffers.num_planes = 1; });
    refuse("a hundred planes", contradicts, [&] { buffers.num_planes = 100; });
    refuse("too few bytes", contradicts, [&] { buffers.data_size = 4096; });
    refuse("another format", unsupported, [&] { buffers.pixel_format = VA_FOURCC_YV12; });
    refuse("tiles", unsupported, [&] { buffers.flags = VA_SURFACE_EXTBUF_DESC_ENABLE_TILING; });
    refuse("protected", unsupported, [&] { buffers.flags = VA_SURFACE_EXTBUF_DESC_PROTECTED; });
}

TEST_P(Imports, ThatCannotBe) {
    const Import good(DmaBuf::Source::Udmabuf, nativeLayout());
    const auto refuse = [&](const char* what, VAStatus expected,
                            const std::function<void(VADRMPRIMESurfaceDescriptor&)>& change) {
        VADRMPRIMESurfaceDescriptor prime = good.prime;
        change(prime);
        expectRefused(what, expected, prime);
    };
    refuse("another format", unsupported, [](auto& prime) { prime.fourcc = VA_FOURCC_P010; });
    refuse("another format", unsupported, [](auto& prime) { prime.fourcc = 0; });
    refuse("tiles", unsupported, [](auto& prime) { prime.objects[0].drm_format_modifier = I915_FORMAT_MOD_X_TILED; });
    refuse("no modifier", unsupported,
           [](auto& prime) { prime.objects[0].drm_format_modifier = DRM_FORMAT_MOD_INVALID; });
    for (const uint32_t objects : {0u, 2u, UINT32_MAX})
        refuse("objects", unsupported, [&](auto& prime) { prime.num_objects = objects; });
    const Import other(DmaBuf::Source::Udmabuf, nativeLayout());
    refuse("another dma-buf for chroma", unsupported, [&](auto& prime) {
        prime.num_objects = 2;
        prime.objects[1] = other.prime.objects[0];
        prime.layers[1].object_index[0] = 1;
    });
    for (const uint32_t layers : {0u, 1u, 3u, 5u, UINT32_MAX})
        refuse("layers", contradicts, [&](auto& prime) { prime.num_layers = layers; });
    for (const uint32_t planes : {0u, 2u, 3u, 5u, UINT32_MAX})
        refuse("planes", contradicts, [&](auto& prime) { prime.layers[0].num_planes = planes; });
    refuse("another layer", contradicts, [](auto& prime) { prime.layers[1].drm_format = DRM_FORMAT_R8; });
    refuse("another object", contradicts, [](auto& prime) { prime.layers[1].object_index[0] = 1; });
    refuse("another object", contradicts, [](auto& prime) { prime.layers[0].object_index[0] = UINT32_MAX; });
    refuse("a smaller picture", contradicts, [](auto& prime) { prime.width--; });
    refuse("a smaller picture", contradicts, [](auto& prime) { prime.height = 0; });
    refuse("not from the start", unsupported, [](auto& prime) { prime.layers[0].offset[0] = 64; });
    refuse("chroma in mid row", unsupported, [](auto& prime) { prime.layers[1].offset[0] += 16; });
    refuse("other rows for chroma", unsupported, [](auto& prime) { prime.layers[1].pitch[0] *= 2; });
    for (const uint32_t pitch : {0u, 1u, stream().width - 1, 0x80000000u, UINT32_MAX})
        refuse("rows", contradicts, [&](auto& prime) { prime.layers[0].pitch[0] = prime.layers[1].pitch[0] = pitch; });
    for (const uint32_t offset : {0u, 1u, 0x80000000u, UINT32_MAX})
        refuse("chroma", contradicts, [&](auto& prime) { prime.layers[1].offset[0] = offset; });
    refuse("fewer bytes than planes", contradicts,
           [](auto& prime) { prime.objects[0].size = prime.layers[1].offset[0]; });
    refuse("more bytes than there are", contradicts, [](auto& prime) { prime.objects[0].size *= 2; });
    refuse("more bytes than there are", contradicts, [](auto& prime) { prime.objects[0].size = UINT32_MAX; });
    for (const int fd : {-1, INT32_MIN, INT32_MAX, 4000})
        refuse("no descriptor", contradicts, [&](auto& prime) { prime.objects[0].fd = fd; });
    const int memory = ::memfd_create("memory", MFD_CLOEXEC);
    ASSERT_EQ(::ftruncate(memory, static_cast<off_t>(good.memory.size())), 0);
    refuse("no dma-buf", contradicts, [&](auto& prime) { prime.objects[0].fd = memory; });
    ::close(memory);
    expectRefused("no list", contradicts, importAttributes(const_cast<VADRMPRIMESurfaceDescriptor*>(&good.prime), 0x1));
    // Memory that is there already has the modifier that it has.
    uint64_t linear = DRM_FORMAT_MOD_LINEAR;
    VADRMFormatModifierList list{1, &linear};
    auto attributes = importAttributes(const_cast<VADRMPRIMESurfaceDescriptor*>(&good.prime));
    VASurfaceAttrib modifiers = attributes[1];
    modifiers.type = VASurfaceAttribDRMFormatModifiers;
    modifiers.value.value.p = &list;
    attributes.push_back(modifiers);
    expectRefused("a choice of modifiers", contradicts, attributes);
}

TEST_P(Imports, AllOrNone) {
    auto imports = makeImports(DmaBuf::Source::Heap, nativeLayout());
    std::vector<VADRMPRIMESurfaceDescriptor> descriptors{imports[0].prime, imports[1].prime};
    descriptors[1].objects[0].size = 1;
    const size_t before = openDescriptors();
    std::array<VASurfaceID, 2> surfaces{VA_INVALID_SURFACE, VA_INVALID_SURFACE};
    auto attributes = importAttributes(descriptors.data());
    EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, surfaces.data(), 2,
                               attributes.data(), 2),
              contradicts);
    EXPECT_EQ(surfaces[0], VA_INVALID_SURFACE);
    EXPECT_EQ(openDescriptors(), before);
}

TEST_P(Imports, TooSmallForTheStream) {
    // Right for the surface that it is called, and not for what is then decoded: known with the picture, not before.
    Player player(display, stream());
    const VASurfaceID little = makeSurface(64, 64);
    Import import(DmaBuf::Source::Udmabuf, layoutOf(display, little));
    VASurfaceID small = VA_INVALID_SURFACE;
    auto attributes = importAttributes(&import.prime);
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 64, 64, &small, 1, attributes.data(), 2));
    player.play(2);
    for (const size_t picture : {size_t{0}, size_t{2}}) {
        const Outcome outcome = player.submit(small, player.picture(picture));
        EXPECT_EQ(outcome.end, VA_STATUS_ERROR_DECODING_ERROR) << describe(outcome);
    }
    import.memory.begin();
    EXPECT_TRUE(std::all_of(import.memory.bytes(), import.memory.bytes() + import.memory.size(),
                            [](uint8_t byte) { return byte == untouched; }));
    import.memory.end();
    player.expectRestIsRight();
    for (VASurfaceID surface : {little, small})
        EXPECT_EQ(vaDestroySurfaces(display, &surface, 1), VA_STATUS_SUCCESS);
}

VA_SUITE_FOR_ALL_CODECS(Imports);

class TenBits : public VaTest {};

TEST_F(TenBits, AreImported) {
    VASurfaceID native = VA_INVALID_SURFACE, surface = VA_INVALID_SURFACE;
    if (vaCreateSurfaces(display, VA_RT_FORMAT_YUV420_10, 178, 146, &native, 1, nullptr, 0) != VA_STATUS_SUCCESS)
        GTEST_SKIP() << "no decoder writes P010 here";
    Import import(DmaBuf::Source::Udmabuf, layoutOf(display, native));
    ASSERT_EQ(import.prime.fourcc, uint32_t{VA_FOURCC_P010});
    auto attributes = importAttributes(&import.prime);
    const auto create = [&] {
        return vaCreateSurfaces(display, VA_RT_FORMAT_YUV420_10, 178, 146, &surface, 1, attributes.data(),
                                static_cast<unsigned>(attributes.size()));
    };
    ASSERT_EQ(create(), VA_STATUS_SUCCESS);
    // The client's memory is what is seen through the surface.
    const VAImage image = makeImage(178, 146, VA_FOURCC_P010);
    import.memory.begin();
    for (size_t i = 0; i < import.memory.size(); i++)
        import.memory.bytes()[i] = static_cast<uint8_t>(i * 7 ^ i >> 8);
    import.memory.end();
    REQUIRE_VA(vaGetImage(display, surface, 0, 0, 178, 146, image.image_id));
    void* data = nullptr;
    REQUIRE_VA(vaMapBuffer(display, image.buf, &data));
    const auto* pixels = static_cast<const uint8_t*>(data);
    for (const unsigned plane : {0u, 1u})
        for (unsigned y = 0; y < 146 / (plane + 1); y++) {
            const uint8_t* row = pixels + image.offsets[plane] + size_t{y} * image.pitches[plane];
            ASSERT_TRUE(std::equal(row, row + 178 * 2,
                                   import.memory.bytes() + import.prime.layers[plane].offset[0] +
                                       size_t{y} * import.prime.layers[plane].pitch[0]))
                << "plane " << plane << ", row " << y;
        }
    REQUIRE_VA(vaUnmapBuffer(display, image.buf));
    REQUIRE_VA(vaDestroyImage(display, image.image_id));
    for (VASurfaceID id : {native, surface})
        REQUIRE_VA(vaDestroySurfaces(display, &id, 1));
    import.prime.layers[1].drm_format = DRM_FORMAT_GR88; // chroma of 8 bits
    EXPECT_EQ(create(), contradicts);
}

} // namespace

} // namespace va_suite
