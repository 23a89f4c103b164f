// SPDX-License-Identifier: MIT
// A device that fails, hangs or disappears: every call comes back, and says so. Needs a device that is made to:
// VA_SUITE_FAULTS names what it does.
#include <chrono>

#include "test_case.h"

namespace va_suite {

namespace {

class Faults : public CodecTest {
protected:
    void SetUp() override {
        CodecTest::SetUp();
        if (setting("VA_SUITE_FAULTS").empty())
            GTEST_SKIP() << "needs a device with faults";
    }
};

TEST_P(Faults, EverySurfaceComesBack) {
    Player player(display, stream());
    size_t damaged = 0, decoded = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < stream().pictureCount; i++)
            player.submit(player.surface(i), player.picture(i));
        for (size_t i = 0; i < stream().pictureCount; i++) {
            const auto start = std::chrono::steady_clock::now();
            const VAStatus status = vaSyncSurface(display, player.surface(i));
            EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
            EXPECT_EQ(status, VA_STATUS_SUCCESS) << vaErrorStr(status); // damaged pictures are shown
            VASurfaceStatus answer{};
            EXPECT_EQ(vaQuerySurfaceStatus(display, player.surface(i), &answer), VA_STATUS_SUCCESS);
            EXPECT_EQ(answer, VASurfaceReady);
            if (!isDamaged(display, player.surface(i))) {
                decoded++;
                player.expectPicture(i); // what is called good is good
                continue;
            }
            damaged++;
            void* errors = nullptr;
            ASSERT_EQ(vaQuerySurfaceError(display, player.surface(i), VA_STATUS_ERROR_DECODING_ERROR, &errors),
                      VA_STATUS_SUCCESS);
            EXPECT_EQ(static_cast<VASurfaceDecodeMBErrors*>(errors)[0].status, 1);
            EXPECT_EQ(static_cast<VASurfaceDecodeMBErrors*>(errors)[1].status, -1);
        }
    }
    EXPECT_GT(damaged, 0u);
    EXPECT_TRUE(decoded > 0 || setting("VA_SUITE_FAULTS") != "fails");
}

VA_SUITE_FOR_ALL_CODECS(Faults);

} // namespace

} // namespace va_suite
