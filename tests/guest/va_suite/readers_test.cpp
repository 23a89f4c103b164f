// SPDX-License-Identifier: MIT
// Somebody else still reads a surface while the client hands it back for the next picture.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dma_buf.h"
#include "machine.h"
#include "test_case.h"

namespace va_suite {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// The kernel's own means to make fences by hand (drivers/dma-buf/sw_sync.c); it has no header for programs.
struct SwSyncFence {
    uint32_t value;
    char name[32];
    int32_t fence;
};
constexpr unsigned long createFence = _IOWR('W', 0, SwSyncFence), increase = _IOW('W', 1, uint32_t);

// A reader of a dma-buf who is done when the test says so.
class Reader {
public:
    explicit Reader(int dmaBuf) : timeline_(::open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC)) {
        SwSyncFence fence{.value = 1, .name = "reader", .fence = -1};
        if (timeline_ < 0 || ::ioctl(timeline_, createFence, &fence))
            throw std::runtime_error("no fence from sw_sync");
        dma_buf_import_sync_file attach{.flags = DMA_BUF_SYNC_READ, .fd = fence.fence};
        const int attached = ::ioctl(dmaBuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &attach);
        ::close(fence.fence);
        if (attached)
            throw std::runtime_error("the fence cannot be attached");
    }
    ~Reader() { ::close(timeline_); } // signals what is left
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    void done() {
        uint32_t by = 1;
        ::ioctl(timeline_, increase, &by);
    }

private:
    int timeline_;
};

class Readers : public CodecTest {
protected:
    DmaBuf exported(VASurfaceID surface) {
        VADRMPRIMESurfaceDescriptor prime{};
        REQUIRE_VA(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                         VA_EXPORT_SURFACE_COMPOSED_LAYERS | VA_EXPORT_SURFACE_READ_ONLY, &prime));
        return DmaBuf::adopt(prime.objects[0].fd);
    }
    static milliseconds since(Clock::time_point start) {
        return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    }
};

TEST_P(Readers, AreWaitedFor) {
    Player player(display, stream());
    const DmaBuf memory = exported(player.surface(0));
    player.play(1);
    ASSERT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
    Reader reader(memory.fd());
    std::atomic<bool> read = false;
    std::thread thread([&] {
        std::this_thread::sleep_for(milliseconds(300));
        read = true;
        reader.done();
    });
    const Outcome outcome = player.submit(player.surface(0), player.picture(0));
    EXPECT_TRUE(read) << "the memory was given to the device while it was read";
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    thread.join();
    player.expectPicture(0);
    player.expectRestIsRight();
}

TEST_P(Readers, HoldUpNobodyElse) {
    Player player(display, stream()), other(display, stream());
    const DmaBuf memory = exported(player.surface(0));
    player.play(1);
    other.play(1);
    ASSERT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
    Reader reader(memory.fd());
    std::atomic<bool> submitted = false;
    std::thread thread([&] {
        player.submit(player.surface(0), player.picture(0));
        submitted = true;
    });
    const auto start = Clock::now();
    std::this_thread::sleep_for(milliseconds(50));
    VASurfaceStatus status{};
    EXPECT_EQ(vaQuerySurfaceStatus(display, player.surface(0), &status), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS); // the picture before
    other.expectRestIsRight();
    EXPECT_FALSE(submitted) << "after " << since(start).count() << " ms";
    reader.done();
    thread.join();
    player.expectRestIsRight();
}

TEST_P(Readers, WhoNeverFinishAreNotWaitedForForEver) {
    Player player(display, stream());
    const DmaBuf memory = exported(player.surface(0));
    player.play(1);
    ASSERT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
    Reader reader(memory.fd());
    const auto start = Clock::now();
    const Outcome outcome = player.submit(player.surface(0), player.picture(0));
    EXPECT_GE(since(start), milliseconds(500));
    EXPECT_LT(since(start), milliseconds(5000));
    EXPECT_TRUE(outcome.ok()) << describe(outcome); // the device writes other memory
    EXPECT_EQ(vaSyncSurface2(display, player.surface(0), 100'000'000), VA_STATUS_ERROR_TIMEDOUT)
        << "what is read must not be written";
    player.play(1); // other surfaces are free
    reader.done();
    player.expectPicture(0);
    player.expectRestIsRight();
}

TEST_P(Readers, AreWaitedForByCopies) {
    if (display.writesLarger())
        GTEST_SKIP() << "the device writes what was exported: nothing is copied";
    std::vector<VASurfaceID> surfaces(stream().pictureCount + 1);
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width + 64, stream().height + 64,
                                surfaces.data(), static_cast<unsigned>(surfaces.size()), nullptr, 0));
    const DmaBuf memory = exported(surfaces[0]);
    Player player(display, stream(), surfaces);
    player.play(2);
    Reader reader(memory.fd());
    EXPECT_EQ(vaSyncSurface2(display, surfaces[0], 100'000'000), VA_STATUS_ERROR_TIMEDOUT);
    VASurfaceStatus status{};
    EXPECT_EQ(vaQuerySurfaceStatus(display, surfaces[0], &status), VA_STATUS_SUCCESS);
    EXPECT_EQ(status, VASurfaceRendering) << "the memory was written while it was read";
    EXPECT_EQ(vaSyncSurface(display, surfaces[1]), VA_STATUS_SUCCESS);
    reader.done();
    player.expectRestIsRight();
}

TEST_P(Readers, AreWaitedForByCopiesOfThePictureBefore) {
    // One thread waits to copy a picture when the surface gets the next one: that one is delivered all the same.
    if (display.writesLarger())
        GTEST_SKIP() << "the device writes what was exported: nothing is copied";
    const NoFaultsAfter noFaults;
    std::vector<VASurfaceID> surfaces(stream().pictureCount + 1);
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width + 64, stream().height + 64,
                                surfaces.data(), static_cast<unsigned>(surfaces.size()), nullptr, 0));
    const DmaBuf memory = exported(surfaces[1]);
    Player player(display, stream(), surfaces);
    for (int round = 0; round < 3; round++) {
        player.rewind();
        player.play(2);
        std::atomic<bool> waits = false;
        std::thread thread([&] {
            VASurfaceStatus status = VASurfaceRendering; // until the device is done: only the copy is left
            calls::arm({.site = calls::siteOf("poll(dma-buf)"), .delay = milliseconds(200), .thisThreadOnly = true});
            waits = true;
            while (vaQuerySurfaceStatus(display, surfaces[1], &status) == VA_STATUS_SUCCESS && status != VASurfaceReady)
                std::this_thread::yield();
        });
        while (!waits || !calls::met()) // it has seen that nobody reads, and is late
            std::this_thread::yield();
        {
            // The next picture, into the same surface. It is not there yet when the late thread goes on.
            const StoppedDaemon stopped;
            EXPECT_TRUE(player.submit(surfaces[1], player.picture(0)).ok());
            std::this_thread::sleep_for(milliseconds(400));
        }
        thread.join();
        calls::disarm();
        EXPECT_FALSE(isDamaged(display, surfaces[1]));
        const Bytes pixels = readSurface(display, surfaces[1], stream().width, stream().height);
        if (display.hasTruePixels()) {
            EXPECT_TRUE(std::ranges::equal(pixels, stream().expectedPicture(0))) << "it is not the new picture";
        }
    }
}

VA_SUITE_FOR_ALL_CODECS(Readers);

} // namespace

} // namespace va_suite
