// SPDX-License-Identifier: MIT
// What producer fences of a decoder have to show (docs/fences.md). Runs in the guest, once for each device:
//   fence_proofs [PROOF]...
// A line for each proof: "passed NODE PROOF", "FAILED NODE PROOF: why", or "skipped NODE PROOF: why".
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "decoder.h"
#include "display.h"
#include "fence.h"
#include "knobs.h"
#include "system.h"

namespace fences {

namespace {

// Times decide nothing: a job is slow enough to be seen, and what has to come is waited for much longer.
constexpr int slowMs = 400;
constexpr int patience = 20000;
constexpr int watchdogMs = 2000;

struct Skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Bench {
    Node node;
    Knobs& knobs;
};

// A picture that is being decoded. Some kernels decode within the ioctl, so that is called by another thread.
class Job {
public:
    Job(Decoder& decoder, unsigned index, unsigned picture, bool hold = false)
        : decoder_(decoder), start_(nowNs()), thread_([this, index, picture, hold] {
              try {
                  decoder_.submit(index, picture, hold);
              } catch (...) {
                  error_ = std::current_exception();
              }
          }) {}
    ~Job() { join(); }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    // The fence of the job in this dma-buf, as a sync_file that was seen to be pending.
    Fd fence(int dmaBuf) {
        for (bool last = false;;) {
            Fd file = exportSyncFile(dmaBuf, Access::Read);
            const FenceState state = stateOf(file.get());
            if (state.status == 0 && state.vb2)
                return file;
            check(!last, "no fence was seen while the job ran");
            last = decoder_.isReady(true, 1);
        }
    }
    void wait() {
        join();
        if (error_)
            std::rethrow_exception(error_);
    }
    int64_t start() const { return start_; }

private:
    void join() {
        if (thread_.joinable())
            thread_.join();
    }

    Decoder& decoder_;
    int64_t start_;
    std::exception_ptr error_;
    std::thread thread_;
};

// The memory of a dma-buf, as a CPU that does not ask sees it.
class Bytes {
public:
    explicit Bytes(int dmaBuf) : size_(static_cast<size_t>(::lseek(dmaBuf, 0, SEEK_END))) {
        void* bytes = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, dmaBuf, 0);
        check(bytes != MAP_FAILED, "the dma-buf cannot be mapped");
        bytes_ = static_cast<uint8_t*>(bytes);
    }
    ~Bytes() { ::munmap(bytes_, size_); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;

    void fill() { std::memset(bytes_, mark, size_); }
    bool filled() const {
        for (size_t i = 0; i < size_; i++)
            if (bytes_[i] != mark)
                return false;
        return true;
    }

private:
    static constexpr uint8_t mark = 0x5a;
    uint8_t* bytes_ = nullptr;
    size_t size_;
};

void expectSignalled(int fence, int status) {
    check(waitReadable(fence, patience), "the fence does not signal");
    const FenceState state = stateOf(fence);
    check(state.status == status,
          "the fence signals with " + std::to_string(state.status) + ", not " + std::to_string(status));
}

void aJobIsSeen(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    check(!waitReadable(fence.get(), 0), "a pending fence can be polled");
    check(!waitReadable(memory.get(), 0), "a dma-buf that is being written to can be polled for reading");
    job.wait();
    check(!decoder.dequeueCapture(patience).error, "the picture is damaged");
    check(waitReadable(fence.get(), 0), "the picture was dequeued before its fence has signalled");
    expectSignalled(fence.get(), 1);
    check(waitReadable(memory.get(), 0), "the dma-buf stays busy");
}

void timesFit(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    const int64_t seen = nowNs();
    job.wait();
    const Decoder::Done done = decoder.dequeueCapture(patience);
    const int64_t signalled = stateOf(fence.get()).timestamp;
    check(signalled > seen, "the fence had signalled before it was seen to be pending");
    check(signalled <= done.time, "the fence has signalled after the picture was dequeued");
    check(signalled - job.start() >= slowMs * 1000000LL * 9 / 10, "the fence has signalled before the job could end");
}

// No future fence: nothing says that there will ever be a job for a CAPTURE buffer that is queued.
void neverBeforeTheJob(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0), other = decoder.exportBuffer(1);
    decoder.queueCapture(0);
    decoder.queueCapture(1);
    for (int i = 0; i < 20; i++) {
        check(stateOfBuffer(memory.get()).status == 1, "a buffer without a job has a pending fence");
        sleepMs(10);
    }
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    bool beside = true;
    try {
        const Fd fence = job.fence(memory.get());
        beside = stateOfBuffer(other.get()).status == 1;
    } catch (const Failure&) { // without fences there is none before the job either
    }
    job.wait();
    check(beside, "the buffer of the next job has a pending fence already");
}

void allExportsHaveOne(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd first = decoder.exportBuffer(0), second = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd one = job.fence(first.get());
    const Fd two = exportSyncFile(second.get(), Access::Read);
    const Fd late = decoder.exportBuffer(0); // while it is written to
    const Fd three = exportSyncFile(late.get(), Access::Read);
    check(stateOf(two.get()).status == 0 && stateOf(three.get()).status == 0, "another export has no pending fence");
    job.wait();
    const int64_t time = (expectSignalled(one.get(), 1), stateOf(one.get()).timestamp);
    check(stateOf(two.get()).timestamp == time && stateOf(three.get()).timestamp == time,
          "the exports have different fences");
}

// As this driver works: memory of one open file, decoded into by another.
void importsHaveTheSame(const Bench& bench) {
    const Decoder allocator(bench.node);
    if (allocator.planes() > 1)
        throw Skipped("pictures in two pieces of memory");
    Decoder decoder(bench.node, Decoder::Memory::Imported);
    const Fd imported = allocator.exportBuffer(0), other = allocator.exportBuffer(0);
    decoder.queueCapture(0, imported.get());
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd one = job.fence(imported.get());
    const Fd two = exportSyncFile(other.get(), Access::Read);
    check(stateOf(two.get()).status == 0, "an export that was not imported has no pending fence");
    job.wait();
    expectSignalled(one.get(), 1);
    check(stateOf(one.get()).timestamp == stateOf(two.get()).timestamp, "they have different fences");
}

void everyPlaneHasOne(const Bench& bench) {
    Decoder decoder(bench.node);
    if (decoder.planes() < 2)
        throw Skipped("pictures in one piece of memory");
    const Fd luma = decoder.exportBuffer(0, 0), chroma = decoder.exportBuffer(0, 1);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd one = job.fence(luma.get());
    const Fd two = exportSyncFile(chroma.get(), Access::Read);
    check(stateOf(two.get()).status == 0, "the second plane has no pending fence");
    job.wait();
    expectSignalled(one.get(), 1);
}

// The job of a slice ends, also if its picture goes on: a fence waits for no client.
void eachSliceHasItsOwn(const Bench& bench) {
    Decoder decoder(bench.node);
    if (!decoder.holds())
        throw Skipped("a picture is one job");
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    int64_t times[2];
    for (unsigned slice = 0; slice < 2; slice++) {
        bench.knobs.slow(slowMs);
        Job job(decoder, slice, 1, slice == 0);
        const Fd fence = job.fence(memory.get());
        job.wait();
        expectSignalled(fence.get(), 1);
        times[slice] = stateOf(fence.get()).timestamp;
        decoder.dequeueOutput(patience);
        if (slice == 0)
            check(!decoder.isReady(false, 50), "a held picture comes back");
    }
    check(times[1] > times[0], "both slices have one fence");
    decoder.dequeueCapture(patience);
}

void anErrorIsTold(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    if (!bench.knobs.fail())
        throw Skipped("this device cannot fail");
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    job.wait();
    check(decoder.dequeueCapture(patience).error, "the picture is not damaged");
    expectSignalled(fence.get(), -EIO);
}

void aHangIsBounded(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    if (!bench.knobs.hang())
        throw Skipped("this device cannot hang");
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    check(!waitReadable(fence.get(), watchdogMs / 4), "the fence has signalled though the job hangs");
    expectSignalled(fence.get(), -EIO);
    job.wait();
    check(decoder.dequeueCapture(patience).error, "the picture is not damaged");
    bench.knobs.normal();
    decoder.queueCapture(1);
    decoder.submit(1, 2);
    check(!decoder.dequeueCapture(patience).error, "the picture after it is damaged");
}

void streamOffSignals(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    decoder.streamOff(false);
    check(waitReadable(fence.get(), 0), "the fence is pending after VIDIOC_STREAMOFF");
    check(stateOfBuffer(memory.get()).status != 0, "the buffer has a pending fence after VIDIOC_STREAMOFF");
    job.wait();
}

void closeSignals(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    decoder.close(); // the ioctl of the other thread keeps the file for as long as it runs
    check(waitReadable(fence.get(), patience), "the fence is pending after close()");
    try {
        job.wait();
    } catch (const Failure&) { // the file was closed
    }
    Bytes(memory.get()).fill(); // outlives the queue, and so does its reservation object
    check(stateOfBuffer(memory.get()).status != 0, "the buffer has a pending fence after close()");
}

void unbindSignals(const Bench& bench) {
    if (!bench.knobs.unbinds())
        throw Skipped("its driver frees what open files refer to (docs/fakeboard.md)");
    char device[4096] = {}, driver[4096] = {};
    const std::string name = bench.node.video.substr(std::strlen("/dev/"));
    const std::string link = "/sys/class/video4linux/" + name + "/device";
    if (!::realpath(link.c_str(), device) || !::realpath((link + "/driver").c_str(), driver))
        throw Skipped("the device has no driver to unbind");
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    decoder.queueCapture(0);
    bench.knobs.slow(slowMs);
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    const std::string bus = device;
    check(writeFile(std::string(driver) + "/unbind", bus.substr(bus.rfind('/') + 1)), "the device cannot be unbound");
    check(waitReadable(fence.get(), patience), "the fence is pending after the device has gone");
    try {
        job.wait();
    } catch (const Failure&) { // the device has gone
    }
}

// Somebody reads (or writes) the memory of a picture that is queued to be decoded into.
template <typename Fence, typename Signal>
void holdBack(const Bench& bench, Fence&& attach, Signal&& signal) {
    Decoder decoder(bench.node), other(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    Bytes bytes(memory.get());
    bytes.fill();
    attach(memory.get());
    decoder.queueCapture(0);
    Job job(decoder, 0, 1);
    job.wait(); // queueing must not wait
    check(!decoder.isReady(false, slowMs), "the picture was decoded while somebody used its memory");
    check(bytes.filled(), "the memory was written to while somebody used it");
    other.queuePicture(0);
    check(!other.dequeueCapture(patience).error, "another client waits, too");
    check(bytes.filled(), "the memory was written to while somebody used it");
    signal();
    check(!decoder.dequeueCapture(patience).error, "the picture is damaged");
    check(!bytes.filled(), "nothing was decoded");
}

void readersAreWaitedFor(const Bench& bench) {
    Timeline timeline;
    holdBack(
        bench, [&](int memory) { importSyncFile(memory, timeline.fence().get(), Access::Read); },
        [&] { timeline.signal(); });
}

void severalReadersAreWaitedFor(const Bench& bench) {
    Timeline one, two;
    holdBack(
        bench,
        [&](int memory) {
            importSyncFile(memory, one.fence().get(), Access::Read);
            importSyncFile(memory, two.fence().get(), Access::Read);
        },
        [&] {
            two.signal();
            sleepMs(50);
            one.signal();
        });
}

void writersOfOtherDriversAreWaitedFor(const Bench& bench) {
    std::unique_ptr<VgemFence> fence;
    holdBack(
        bench, [&](int memory) { fence = std::make_unique<VgemFence>(memory, Access::Write); },
        [&] { fence->signal(); });
}

void readersOfOtherDriversAreWaitedFor(const Bench& bench) {
    std::unique_ptr<VgemFence> fence;
    holdBack(
        bench, [&](int memory) { fence = std::make_unique<VgemFence>(memory, Access::Read); },
        [&] { fence->signal(); });
}

// Another export than the one whose reader it is.
void readersOfAnyExportAreWaitedFor(const Bench& bench) {
    Timeline timeline;
    Decoder decoder(bench.node);
    const Fd mine = decoder.exportBuffer(0), theirs = decoder.exportBuffer(0);
    importSyncFile(theirs.get(), timeline.fence().get(), Access::Read);
    check(stateOfBuffer(mine.get(), Access::Write).status == 0, "another export does not know the reader");
    decoder.queuePicture(0);
    check(!decoder.isReady(false, slowMs), "the picture was decoded while somebody used its memory");
    timeline.signal();
    decoder.dequeueCapture(patience);
}

void streamOffDoesNotWaitForReaders(const Bench& bench) {
    Timeline timeline;
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    importSyncFile(memory.get(), timeline.fence().get(), Access::Read);
    decoder.queuePicture(0);
    check(!decoder.isReady(false, slowMs / 2), "the picture was decoded while somebody used its memory");
    decoder.streamOff(false);
    decoder.streamOff(true);
    decoder.streamOn(true);
    decoder.streamOn(false);
    decoder.queuePicture(1); // memory that nobody reads
    check(decoder.dequeueCapture(patience).index == 1, "another picture came back");
    timeline.signal();
}

// A screen is given a picture while it is being decoded: as soon as its fence is seen, or a little later where there is
// none.
void aScreenWaits(const Bench& bench) {
    Decoder decoder(bench.node, Decoder::Memory::Imported);
    if (decoder.planes() > 1)
        throw Skipped("pictures in two pieces of memory");
    // Of a dma-heap: vkms maps what it shows, and decoders have memory of their own that cannot be mapped.
    const Fd memory = allocate(decoder.pictureBytes());
    Display display;
    decoder.queueCapture(0, memory.get());
    bench.knobs.slow(2 * slowMs);
    Job job(decoder, 0, 1);
    for (int i = 0; i < 50 && stateOfBuffer(memory.get()).status != 0; i++)
        sleepMs(1);
    check(!decoder.isReady(false, 0), "the job was too fast");
    display.flip(memory.get(), 64, 64, 64);
    check(display.waitFlip(patience), "the screen never shows it");
    check(decoder.isReady(false, slowMs / 4), "the screen shows the picture before it is decoded");
    job.wait();
}

// The same for memory that has no fences of its own: by the fence that the client took from the picture.
void aScreenWaitsForAnExplicitFence(const Bench& bench) {
    Decoder decoder(bench.node);
    const Fd memory = decoder.exportBuffer(0);
    Display display;
    decoder.queueCapture(0);
    bench.knobs.slow(2 * slowMs);
    Job job(decoder, 0, 1);
    const Fd fence = job.fence(memory.get());
    display.flipOwn(fence.get());
    check(display.waitFlip(patience), "the screen never shows it");
    check(waitReadable(fence.get(), 0), "the screen shows the frame before its fence has signalled");
    job.wait();
}

void theQueueSaysSo(const Bench& bench) {
    check(Decoder(bench.node).claimsFences(), "no V4L2_BUF_CAP_SUPPORTS_DMABUF_FENCES");
}

// Many pictures, with readers that come and go and files that are closed: for lockdep and KASAN to look at.
void nothingIsForgotten(const Bench& bench) {
    bench.knobs.normal();
    Timeline timeline;
    for (int round = 0; round < 20; round++) {
        Decoder decoder(bench.node), other(bench.node);
        const Fd memory = decoder.exportBuffer(0);
        for (int i = 0; i < 10; i++) {
            importSyncFile(memory.get(), timeline.fence().get(), Access::Read);
            decoder.queuePicture(0);
            other.queuePicture(static_cast<unsigned>(i) % Decoder::buffers);
            timeline.signal();
            other.dequeueCapture(patience);
            other.dequeueOutput(patience);
            decoder.dequeueCapture(patience);
            decoder.dequeueOutput(patience);
        }
        importSyncFile(memory.get(), timeline.fence().get(), Access::Read);
        decoder.queuePicture(0);
        writeFile("/proc/sys/vm/drop_caches", "3");
    }
    timeline.signal();
}

// In queueing a picture each allocation of the kernel fails, in turn. What could be queued comes back, with an error or
// without, its memory has no fence that is pending, and the next picture is good.
void anyAllocationMayFail(const Bench& bench, Decoder::Memory kind) {
    const Fd imported = allocate(Decoder(bench.node).pictureBytes());
    bool failed = true;
    for (unsigned nth = 1; failed; nth++) {
        Decoder decoder(bench.node, kind), next(bench.node, kind);
        const Fd own = kind == Decoder::Memory::Own ? decoder.exportBuffer(0) : Fd();
        bool queued = false;
        FailingAllocation failing(nth);
        try {
            decoder.queuePicture(0, imported.get());
            queued = true;
        } catch (const Failure&) { // is one of the answers
        }
        failed = failing.end();
        try {
            const bool damaged = queued && decoder.dequeueCapture(patience).error;
            check(failed || !damaged, "the picture is damaged");
            check(stateOfBuffer(own.get() < 0 ? imported.get() : own.get()).status != 0, "a fence is pending");
            next.queuePicture(0, imported.get());
            check(!next.dequeueCapture(patience).error, "the next picture is damaged");
        } catch (const Failure& why) {
            throw Failure(why.what() + (" after allocation " + std::to_string(nth)));
        }
    }
}

void anyAllocationMayFail(const Bench& bench) {
    if (!FailingAllocation::possible())
        throw Skipped("a kernel without fault injection");
    bench.knobs.normal();
    anyAllocationMayFail(bench, Decoder::Memory::Own);
    if (Decoder(bench.node).planes() == 1)
        anyAllocationMayFail(bench, Decoder::Memory::Imported);
}

struct Proof {
    const char* name;
    void (*prove)(const Bench&);
};

// The last one leaves no device.
constexpr Proof proofs[] = {
    {"the-queue-says-so", theQueueSaysSo},
    {"a-job-is-seen", aJobIsSeen},
    {"times-fit", timesFit},
    {"never-before-the-job", neverBeforeTheJob},
    {"all-exports-have-one", allExportsHaveOne},
    {"imports-have-the-same", importsHaveTheSame},
    {"every-plane-has-one", everyPlaneHasOne},
    {"each-slice-has-its-own", eachSliceHasItsOwn},
    {"an-error-is-told", anErrorIsTold},
    {"a-hang-is-bounded", aHangIsBounded},
    {"streamoff-signals", streamOffSignals},
    {"close-signals", closeSignals},
    {"readers-are-waited-for", readersAreWaitedFor},
    {"several-readers-are-waited-for", severalReadersAreWaitedFor},
    {"readers-of-other-drivers-are-waited-for", readersOfOtherDriversAreWaitedFor},
    {"writers-of-other-drivers-are-waited-for", writersOfOtherDriversAreWaitedFor},
    {"readers-of-any-export-are-waited-for", readersOfAnyExportAreWaitedFor},
    {"streamoff-does-not-wait-for-readers", streamOffDoesNotWaitForReaders},
    {"a-screen-waits", aScreenWaits},
    {"a-screen-waits-for-an-explicit-fence", aScreenWaitsForAnExplicitFence},
    {"nothing-is-forgotten", nothingIsForgotten},
    {"any-allocation-may-fail", anyAllocationMayFail},
    {"unbind-signals", unbindSignals},
};

bool asked(const Proof& proof, int count, char** names) {
    for (int i = 0; i < count; i++)
        if (std::strcmp(names[i], proof.name) == 0)
            return true;
    return count == 0;
}

void prove(const Proof& proof, const Node& node, Knobs& knobs) {
    const std::string name = node.driver + " " + proof.name;
    try {
        knobs.normal();
        proof.prove({node, knobs});
        std::printf("passed %s\n", name.c_str());
    } catch (const Skipped& why) {
        std::printf("skipped %s: %s\n", name.c_str(), why.what());
    } catch (const std::exception& why) {
        std::printf("FAILED %s: %s\n", name.c_str(), why.what());
    }
    std::fflush(stdout);
    try {
        knobs.normal();
    } catch (const Failure&) { // the device has gone
    }
}

int run(int count, char** names) {
    const std::vector<Node> nodes = findNodes();
    if (nodes.empty())
        std::printf("FAILED - no-decoder: there is none\n");
    for (const Node& node : nodes) {
        const std::unique_ptr<Knobs> knobs = Knobs::of(node.driver);
        for (const Proof& proof : proofs)
            if (asked(proof, count, names))
                prove(proof, node, *knobs);
    }
    return 0;
}

} // namespace
} // namespace fences

int main(int argc, char** argv) {
    return fences::run(argc - 1, argv + 1);
}
