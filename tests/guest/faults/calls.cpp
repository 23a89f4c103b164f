// SPDX-License-Identifier: MIT
#include "calls.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/media.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace calls {

namespace {

// What an ioctl is about, besides its name: the queue, where its argument has one.
enum class Of { Nothing, Queue };

struct Ioctl {
    unsigned long request;
    const char* name;
    Of of = Of::Nothing;
    size_t typeAt = 0; // where the argument has the type of the queue's buffers
};

#define IOCTL(name)                                                                                                    \
    { name, #name, Of::Nothing, 0 }
#define QUEUE_IOCTL(name, Struct, member)                                                                              \
    { name, #name, Of::Queue, offsetof(Struct, member) }
constexpr Ioctl ioctls[] = {
    QUEUE_IOCTL(VIDIOC_QBUF, v4l2_buffer, type),
    QUEUE_IOCTL(VIDIOC_DQBUF, v4l2_buffer, type),
    QUEUE_IOCTL(VIDIOC_PREPARE_BUF, v4l2_buffer, type),
    QUEUE_IOCTL(VIDIOC_QUERYBUF, v4l2_buffer, type),
    QUEUE_IOCTL(VIDIOC_CREATE_BUFS, v4l2_create_buffers, format.type),
    {_IOWR('V', 104, uint32_t[16]), "VIDIOC_REMOVE_BUFS", Of::Queue, 8}, // newer than the headers
    QUEUE_IOCTL(VIDIOC_REQBUFS, v4l2_requestbuffers, type),
    QUEUE_IOCTL(VIDIOC_EXPBUF, v4l2_exportbuffer, type),
    QUEUE_IOCTL(VIDIOC_S_FMT, v4l2_format, type),
    QUEUE_IOCTL(VIDIOC_G_FMT, v4l2_format, type),
    QUEUE_IOCTL(VIDIOC_ENUM_FMT, v4l2_fmtdesc, type),
    {VIDIOC_STREAMON, "VIDIOC_STREAMON", Of::Queue, 0},
    {VIDIOC_STREAMOFF, "VIDIOC_STREAMOFF", Of::Queue, 0},
    IOCTL(VIDIOC_QUERYCAP),
    IOCTL(VIDIOC_ENUM_FRAMESIZES),
    IOCTL(VIDIOC_QUERY_EXT_CTRL),
    IOCTL(VIDIOC_QUERYMENU),
    IOCTL(VIDIOC_G_EXT_CTRLS),
    IOCTL(VIDIOC_S_EXT_CTRLS),
    IOCTL(VIDIOC_DECODER_CMD),
    IOCTL(MEDIA_IOC_DEVICE_INFO),
    IOCTL(MEDIA_IOC_G_TOPOLOGY),
    IOCTL(MEDIA_IOC_REQUEST_ALLOC),
    IOCTL(MEDIA_REQUEST_IOC_QUEUE),
    IOCTL(MEDIA_REQUEST_IOC_REINIT),
    IOCTL(DMA_BUF_IOCTL_SYNC),
    IOCTL(DMA_BUF_IOCTL_EXPORT_SYNC_FILE),
    IOCTL(DMA_BUF_IOCTL_IMPORT_SYNC_FILE),
    IOCTL(DMA_HEAP_IOCTL_ALLOC),
};
#undef IOCTL
#undef QUEUE_IOCTL

// Sites are: those of ioctls, three for each (no queue, OUTPUT, CAPTURE), and these.
constexpr const char* others[] = {
    "open(video)",   "open(media)",  "open(dma_heap)", "open(other)",   "mmap(device)",
    "mmap(dma-buf)", "mmap(memory)", "poll(device)",   "poll(dma-buf)", "fcntl(F_DUPFD_CLOEXEC)",
    "lock",          "unknown"};
enum Other : Site {
    OpenVideo,
    OpenMedia,
    OpenHeap,
    OpenOther,
    MapDevice,
    MapDmaBuf,
    MapMemory,
    PollDevice,
    PollDmaBuf,
    Duplicate,
    Lock,
    Unknown
};
constexpr Site firstOther = 3 * std::size(ioctls);
static_assert(firstOther + std::size(others) <= mostSites);

std::array<std::atomic<unsigned>, mostSites> counted;
std::atomic<unsigned> armed = 0; // so many of the faults
// An armed fault. Its lock is not one of those whose calls are seen here.
class ArmedFault {
public:
    void set(const Fault& fault) {
        const Lock lock(busy_);
        fault_ = fault;
    }
    Fault get() const {
        const Lock lock(busy_);
        return fault_;
    }

private:
    struct Lock {
        explicit Lock(std::atomic_flag& flag) : busy(flag) {
            while (busy.test_and_set(std::memory_order_acquire))
                std::this_thread::yield();
        }
        ~Lock() { busy.clear(std::memory_order_release); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
        std::atomic_flag& busy;
    };
    mutable std::atomic_flag busy_;
    Fault fault_;
} armedFaults[2];
std::atomic<unsigned> matched[std::size(armedFaults)];
std::atomic<pid_t> onlyThread = 0;
std::atomic<unsigned long> allocated = 0, failing = 0;
thread_local int inDriver = 0;

// The module's code, once it is loaded.
std::atomic<uintptr_t> moduleBegin = 0, moduleEnd = 0;

int findModule(dl_phdr_info* info, size_t, void*) {
    if (!std::strstr(info->dlpi_name, "v4l2_request_drv_video"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (const auto& segment = info->dlpi_phdr[i]; segment.p_type == PT_LOAD && (segment.p_flags & PF_X)) {
            moduleBegin = info->dlpi_addr + segment.p_vaddr;
            moduleEnd = moduleBegin + segment.p_memsz;
        }
    return 1;
}

bool isDriver(const void* caller) {
    if (!moduleEnd)
        ::dl_iterate_phdr(findModule, nullptr);
    const auto address = reinterpret_cast<uintptr_t>(caller);
    return address >= moduleBegin && address < moduleEnd;
}

// Where a fault is met, for a search for its cause (CALLS_TRACE).
void trace() {
    static const bool wanted = std::getenv("CALLS_TRACE") != nullptr;
    if (!wanted)
        return;
    void* frames[40];
    ::backtrace_symbols_fd(frames, ::backtrace(frames, std::size(frames)), STDOUT_FILENO);
}

// Counts a call. Returns the armed fault that is one of this call, if there is one.
std::optional<Fault> meets(Site site) {
    counted[site]++;
    for (size_t i = 0; i < armed; i++) {
        const Fault fault = armedFaults[i].get();
        if (fault.site != site || (onlyThread && onlyThread != ::gettid()))
            continue;
        const unsigned number = matched[i]++;
        if (number < fault.after || number - fault.after >= fault.times)
            continue;
        trace();
        return fault;
    }
    return std::nullopt;
}

// Makes the call, lets it fail, or delays it.
template <typename Make>
auto meet(Site site, Make make) {
    const auto fault = meets(site);
    if (!fault)
        return make();
    if (fault->error) {
        errno = fault->error;
        return decltype(make())(-1);
    }
    const auto result = make();
    const int error = errno;
    std::this_thread::sleep_for(fault->delay);
    errno = error;
    return result;
}

Site siteOfIoctl(unsigned long request, const void* argument) {
    for (Site i = 0; i < std::size(ioctls); i++) {
        if (ioctls[i].request != request)
            continue;
        if (ioctls[i].of == Of::Nothing)
            return 3 * i;
        uint32_t type;
        std::memcpy(&type, static_cast<const char*>(argument) + ioctls[i].typeAt, sizeof(type));
        return 3 * i + (V4L2_TYPE_IS_OUTPUT(type) ? 1 : 2);
    }
    return firstOther + Unknown;
}

bool isDevice(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

Site siteOfPath(const char* path) {
    const auto starts = [&](const char* with) { return std::strncmp(path, with, std::strlen(with)) == 0; };
    return firstOther + (starts("/dev/video")      ? OpenVideo
                         : starts("/dev/media")    ? OpenMedia
                         : starts("/dev/dma_heap") ? OpenHeap
                                                   : OpenOther);
}

} // namespace

std::string nameOf(Site site) {
    if (site >= firstOther)
        return others[site - firstOther];
    constexpr const char* queues[] = {"", "(OUTPUT)", "(CAPTURE)"};
    return std::string(ioctls[site / 3].name) + queues[site % 3];
}

Site siteOf(std::string_view name) {
    for (Site site = 0; site < firstOther + std::size(others); site++)
        if (nameOf(site) == name)
            return site;
    throw std::runtime_error("no call is named " + std::string(name));
}

Counts counts() {
    Counts copy{};
    for (Site site = 0; site < mostSites; site++)
        copy[site] = counted[site];
    return copy;
}

void arm(const Fault& wanted, const std::optional<Fault>& cause) {
    armed = 0;
    armedFaults[0].set(wanted);
    armedFaults[1].set(cause.value_or(Fault{}));
    matched[0] = matched[1] = 0;
    onlyThread = wanted.thisThreadOnly ? ::gettid() : 0;
    armed = cause ? 2 : 1;
}

void disarm() {
    armed = 0;
}

unsigned met() {
    const unsigned number = matched[0];
    const Fault fault = armedFaults[0].get();
    return number <= fault.after ? 0 : std::min(number - fault.after, fault.times);
}

void failAllocation(unsigned long nth) {
    allocated = 0;
    failing = nth;
}

unsigned long allocations() {
    return allocated;
}

InDriver::InDriver() {
    inDriver++;
}

InDriver::~InDriver() {
    inDriver--;
}

namespace {

[[maybe_unused]] void* allocate(size_t size) noexcept { // not for a sanitizer
    if (inDriver && ++allocated == failing) {
        trace();
        return nullptr;
    }
    return std::malloc(size ? size : 1);
}

} // namespace

} // namespace calls

// What the driver's module finds under these names.
extern "C" {

int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    const auto make = [&] { return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument)); };
    return calls::isDriver(__builtin_return_address(0)) ? calls::meet(calls::siteOfIoctl(request, argument), make)
                                                        : make();
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    const auto make = [&] {
        return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode));
    };
    return calls::isDriver(__builtin_return_address(0)) ? calls::meet(calls::siteOfPath(path), make) : make();
}

void* mmap64(void* address, size_t size, int protection, int flags, int fd, off64_t offset) noexcept {
    const auto make = [&] { return ::syscall(SYS_mmap, address, size, protection, flags, fd, offset); };
    if (!calls::isDriver(__builtin_return_address(0)))
        return reinterpret_cast<void*>(make());
    const auto site = fd < 0 ? calls::MapMemory : calls::isDevice(fd) ? calls::MapDevice : calls::MapDmaBuf;
    return reinterpret_cast<void*>(calls::meet(calls::firstOther + site, make)); // MAP_FAILED is -1
}

int poll(pollfd* fds, nfds_t count, int timeout) {
    const auto make = [&] { return static_cast<int>(::syscall(SYS_poll, fds, count, timeout)); };
    if (!count || !calls::isDriver(__builtin_return_address(0)))
        return make();
    return calls::meet(calls::firstOther + (calls::isDevice(fds[0].fd) ? calls::PollDevice : calls::PollDmaBuf), make);
}

int fcntl64(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    const long argument = va_arg(arguments, long);
    va_end(arguments);
    const auto make = [&] { return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument)); };
    const bool duplicates = command == F_DUPFD_CLOEXEC && calls::isDriver(__builtin_return_address(0));
    return duplicates ? calls::meet(calls::firstOther + calls::Duplicate, make) : make();
}

// Nothing fails here; a delay shows what happens to who comes late. The next one may be a sanitizer's.
int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
    static std::atomic<int (*)(pthread_mutex_t*)> known = nullptr;
    auto* real = known.load();
    if (!real)
        known = real = reinterpret_cast<int (*)(pthread_mutex_t*)>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
    if (calls::armed && calls::isDriver(__builtin_return_address(0)))
        if (const auto fault = calls::meets(calls::firstOther + calls::Lock))
            std::this_thread::sleep_for(fault->delay);
    return real(mutex);
}

#ifdef __SANITIZE_THREAD__
// GCC's ThreadSanitizer does not know this call (std::timed_mutex makes it), so that it sees no lock: it knows the one
// on the other clock.
int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept {
    constexpr long second = 1'000'000'000;
    timespec now{}, real{};
    ::clock_gettime(clock, &now);
    ::clock_gettime(CLOCK_REALTIME, &real);
    real.tv_sec += until->tv_sec - now.tv_sec;
    real.tv_nsec += until->tv_nsec - now.tv_nsec + second;
    real.tv_sec += real.tv_nsec / second - 1;
    real.tv_nsec %= second;
    return ::pthread_mutex_timedlock(mutex, &real);
}
#endif

} // extern "C"

#ifndef __SANITIZE_THREAD__ // which has its own
void* operator new(size_t size) {
    void* memory = calls::allocate(size);
    if (!memory)
        throw std::bad_alloc();
    return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return calls::allocate(size);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
    std::free(memory);
}
#endif
