# cython: auto_pickle=False, autotestdict=False
"""AF_XDP for sending (kernel's Documentation/networking/af_xdp.rst): frames go to the driver past every queue.

A frame is written once, into memory that the kernel shares, and one system call hands over a batch; the kernel copies
each frame into a packet of its own. That saves what `sendmmsg` does for each message, a sixth of all that a frame
costs. No queueing discipline sees the frames, so this is only for interfaces that have none.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from cpython.list cimport PyList_GET_SIZE
from libc.errno cimport EAGAIN, EBUSY, EINTR, EMSGSIZE, ENOBUFS, errno
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset


cdef extern from *:
    """
    #include <sys/mman.h>
    /* The rings lie beyond 4 GiB, where a 32-bit machine's mmap does not reach. */
    #ifdef __GLIBC__
    #define alagg_mmap mmap64
    #else
    #define alagg_mmap mmap
    #endif
    """
    void *mmap "alagg_mmap"(void *addr, size_t length, int prot, int flags, int fd, int64_t offset) nogil


cdef extern from "sys/mman.h" nogil:
    int munmap(void *addr, size_t length)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_POPULATE
    void *MAP_FAILED


cdef extern from "sys/socket.h" nogil:
    int AF_XDP, SOCK_RAW, SOCK_CLOEXEC, MSG_DONTWAIT
    struct sockaddr:
        pass
    int socket(int domain, int type, int protocol)
    int setsockopt(int fd, int level, int option, const void *value, unsigned int size)
    int getsockopt(int fd, int level, int option, void *value, unsigned int *size)
    int bind(int fd, const sockaddr *address, unsigned int size)
    ssize_t sendto(int fd, const void *data, size_t size, int flags, const sockaddr *address, unsigned int length)


cdef extern from "unistd.h" nogil:
    int close(int fd)


cdef extern from "linux/if_xdp.h" nogil:
    int SOL_XDP "283"
    int XDP_MMAP_OFFSETS, XDP_TX_RING, XDP_UMEM_REG, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_COPY
    int64_t XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_COMPLETION_RING
    struct xdp_umem_reg:
        uint64_t addr
        uint64_t len
        uint32_t chunk_size
    struct xdp_ring_offset:
        uint64_t producer
        uint64_t consumer
        uint64_t desc
    struct xdp_mmap_offsets:
        xdp_ring_offset tx
        xdp_ring_offset cr
    struct xdp_desc:
        uint64_t addr
        uint32_t len
    struct sockaddr_xdp:
        uint16_t sxdp_family
        uint16_t sxdp_flags
        uint32_t sxdp_ifindex
        uint32_t sxdp_queue_id


cdef extern from *:
    """
    #define alagg_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define alagg_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    """
    uint32_t alagg_load_acquire(uint32_t *p) noexcept nogil
    void alagg_store_release(uint32_t *p, uint32_t value) noexcept nogil


DEF SLOTS = 512      # frames that the rings and the shared memory hold; a power of two
DEF CHUNK = 2048     # bytes for each
DEF PREFIX = 14      # of the Ethernet header
DEF HEADER = 24      # of the Alagg header at least
DEF MAX_HEADER = 64  # and at most
DEF BUDGET = 32      # frames that the kernel takes with one call at most
DEF STALLS = 4       # calls beyond those, before what is left has to wait


@cython.final
cdef class XdpSender:
    """Sends frames of at most 2,048 bytes, Ethernet header included, by one queue of an interface."""

    cdef int _descriptor
    cdef unsigned char *_memory
    cdef void *_tx_map
    cdef void *_done_map
    cdef size_t _tx_size
    cdef size_t _done_size
    cdef xdp_desc *_tx
    cdef uint32_t *_tx_producer
    cdef uint32_t *_tx_consumer
    cdef uint64_t *_done
    cdef uint32_t *_done_producer
    cdef uint32_t *_done_consumer
    cdef uint64_t _free[SLOTS]
    cdef Py_ssize_t _free_count
    cdef int _error

    def __cinit__(self, unsigned int interface, unsigned int queue):
        cdef Py_ssize_t index
        self._descriptor = -1
        self._descriptor = _checked(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0))
        self._share_memory()
        self._map_rings()
        for index in range(SLOTS):
            self._free[index] = index * CHUNK
        self._free_count = SLOTS
        self._bind(interface, queue)

    def __dealloc__(self):
        self.close()

    cdef int _share_memory(self) except -1:
        cdef xdp_umem_reg memory
        cdef uint32_t slots = SLOTS
        cdef void *mapped = mmap(NULL, SLOTS * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if mapped == MAP_FAILED:
            PyErr_SetFromErrno(OSError)
        self._memory = <unsigned char *> mapped
        memset(&memory, 0, sizeof(memory))
        memory.addr = <uint64_t> <size_t> mapped
        memory.len = SLOTS * CHUNK
        memory.chunk_size = CHUNK
        self._set(XDP_UMEM_REG, &memory, sizeof(memory))
        # The kernel insists on a ring for receiving, which stays empty.
        self._set(XDP_UMEM_FILL_RING, &slots, sizeof(slots))
        self._set(XDP_UMEM_COMPLETION_RING, &slots, sizeof(slots))
        self._set(XDP_TX_RING, &slots, sizeof(slots))
        return 0

    cdef int _set(self, int option, const void *value, unsigned int size) except -1:
        cdef int result
        with nogil:
            result = setsockopt(self._descriptor, SOL_XDP, option, value, size)
        return _checked(result)

    cdef int _map_rings(self) except -1:
        cdef xdp_mmap_offsets offsets
        cdef unsigned int size = sizeof(offsets)
        _checked(getsockopt(self._descriptor, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size))
        self._tx_size = offsets.tx.desc + SLOTS * sizeof(xdp_desc)
        self._tx_map = _mapped(self._descriptor, self._tx_size, XDP_PGOFF_TX_RING)
        self._tx = <xdp_desc *> (<char *> self._tx_map + offsets.tx.desc)
        self._tx_producer = <uint32_t *> (<char *> self._tx_map + offsets.tx.producer)
        self._tx_consumer = <uint32_t *> (<char *> self._tx_map + offsets.tx.consumer)
        self._done_size = offsets.cr.desc + SLOTS * sizeof(uint64_t)
        self._done_map = _mapped(self._descriptor, self._done_size, XDP_UMEM_PGOFF_COMPLETION_RING)
        self._done = <uint64_t *> (<char *> self._done_map + offsets.cr.desc)
        self._done_producer = <uint32_t *> (<char *> self._done_map + offsets.cr.producer)
        self._done_consumer = <uint32_t *> (<char *> self._done_map + offsets.cr.consumer)
        return 0

    cdef int _bind(self, unsigned int interface, unsigned int queue) except -1:
        cdef sockaddr_xdp address
        memset(&address, 0, sizeof(address))
        address.sxdp_family = AF_XDP
        address.sxdp_flags = XDP_COPY
        address.sxdp_ifindex = interface
        address.sxdp_queue_id = queue
        cdef int result
        with nogil:
            result = bind(self._descriptor, <sockaddr *> &address, sizeof(address))
        return _checked(result)

    def send(self, bytes prefix not None, bytearray headers not None, list payloads not None):
        cdef Py_ssize_t total = PyList_GET_SIZE(payloads)
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t filled, taken
        cdef uint32_t first
        cdef Py_ssize_t stride = PyByteArray_GET_SIZE(headers) // total if total else HEADER
        if PyBytes_GET_SIZE(prefix) != PREFIX or PyByteArray_GET_SIZE(headers) != total * stride:
            raise ValueError("an Ethernet header, and an Alagg header for each payload")
        if not HEADER <= stride <= MAX_HEADER:
            raise ValueError("an Alagg header for each payload has 24 to 64 bytes")
        if self._descriptor < 0:
            raise ValueError("the port is closed")
        while done < total and not self._error:
            first = self._tx_producer[0]
            filled = self._fill(prefix, headers, stride, payloads, done, total)
            with nogil:
                self._error = self._hand_over()
            if self._error:
                taken = <int32_t> (alagg_load_acquire(self._tx_consumer) - first)
                done += max(taken, 0)
            else:
                done += filled
            if filled == 0:
                break
        if done == 0 and self._error:
            errno_set(self._error)
            PyErr_SetFromErrno(OSError)
        return done

    cpdef flush(self):
        """Hand over what the kernel had no room for before."""
        if self._descriptor >= 0 and not self._error:
            with nogil:
                self._error = self._hand_over()

    cdef Py_ssize_t _fill(
        self, bytes prefix, bytearray headers, Py_ssize_t stride, list payloads, Py_ssize_t start, Py_ssize_t total
    ) except -1:
        """Write the frames from `start` on into free memory and the ring; give how many found room."""
        cdef uint32_t producer = self._tx_producer[0]
        cdef Py_ssize_t count, size
        cdef bytes payload
        cdef unsigned char *place
        cdef const char *header = PyByteArray_AS_STRING(headers) + start * stride
        cdef Py_ssize_t room = SLOTS - <Py_ssize_t> <uint32_t> (producer - alagg_load_acquire(self._tx_consumer))
        self._reclaim()
        cdef Py_ssize_t limit = min(total - start, self._free_count, room)
        for count in range(limit):
            if not PyBytes_CheckExact(payloads[start + count]):
                self._free_count += count  # the kernel has not seen what was written so far
                raise TypeError("a frame is made of bytes")
            payload = <bytes> payloads[start + count]
            size = PyBytes_GET_SIZE(payload)
            if size > CHUNK - PREFIX - stride:
                if count == 0 and start == 0:
                    errno_set(EMSGSIZE)
                    PyErr_SetFromErrno(OSError)
                limit = count
                break
            self._free_count -= 1
            place = self._memory + self._free[self._free_count]
            memcpy(place, PyBytes_AS_STRING(prefix), PREFIX)
            memcpy(place + PREFIX, header + count * stride, stride)
            memcpy(place + PREFIX + stride, PyBytes_AS_STRING(payload), size)
            self._tx[producer & (SLOTS - 1)].addr = self._free[self._free_count]
            self._tx[producer & (SLOTS - 1)].len = <uint32_t> (PREFIX + stride + size)
            producer += 1
        alagg_store_release(self._tx_producer, producer)
        return limit

    cdef void _reclaim(self) noexcept:
        """Take back the memory of the frames that the kernel has done with, and of no others."""
        cdef uint32_t consumer = self._done_consumer[0]
        cdef uint32_t producer = alagg_load_acquire(self._done_producer)
        while consumer != producer and self._free_count < SLOTS:
            self._free[self._free_count] = self._done[consumer & (SLOTS - 1)]
            self._free_count += 1
            consumer += 1
        alagg_store_release(self._done_consumer, consumer)

    cdef int _hand_over(self) noexcept nogil:
        """Let the kernel take the frames in the ring; give the error after which it takes none any more, or 0.

        What it has no room for stays in the ring for the next call, as in a socket's buffer. How far it has come is
        known for sure only when a call succeeds: before Linux 6.17, one that fails does not say what it took.
        """
        cdef uint32_t waiting = self._tx_producer[0] - alagg_load_acquire(self._tx_consumer)
        cdef uint32_t call
        if waiting:
            for call in range(waiting // BUDGET + STALLS):
                if sendto(self._descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0:
                    return 0
                if errno != EAGAIN and errno != EBUSY and errno != ENOBUFS and errno != EINTR:
                    return errno
        return 0

    cpdef close(self):
        with nogil:
            if self._tx_map != NULL:
                munmap(self._tx_map, self._tx_size)
            if self._done_map != NULL:
                munmap(self._done_map, self._done_size)
            if self._descriptor >= 0:
                close(self._descriptor)
            if self._memory != NULL:
                munmap(self._memory, SLOTS * CHUNK)
        self._tx_map = self._done_map = self._memory = NULL
        self._descriptor = -1


cdef extern from *:
    """
    #include <errno.h>
    #define errno_set(value) (errno = (value))
    """
    void errno_set(int value) noexcept nogil


cdef int _checked(int result) except -1:
    if result < 0:
        PyErr_SetFromErrno(OSError)
    return result


cdef void *_mapped(int descriptor, size_t size, int64_t offset) except NULL:
    cdef void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, offset)
    if mapped == MAP_FAILED:
        PyErr_SetFromErrno(OSError)
    return mapped
