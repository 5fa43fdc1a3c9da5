# cython: auto_pickle=False, autotestdict=False
"""AF_PACKET's ring for receiving (TPACKET_V2, packet(7)): frames that wait are read without any system call.

The kernel writes each frame into a slot of memory that it shares with us, and sets the slot's status; we copy the
payload once, into the bytes object that is handed out, and give the slot back. The socket buffer of a frame is free
again at once, while it is still in the cache, which `recvmmsg` cannot do.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetFromErrno
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset


cdef extern from "sys/mman.h" nogil:
    void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset)
    int munmap(void *addr, size_t length)
    int PROT_READ, PROT_WRITE, MAP_SHARED
    void *MAP_FAILED


cdef extern from "sys/socket.h" nogil:
    int SOL_SOCKET, SO_ERROR
    int getsockopt(int fd, int level, int option, void *value, unsigned int *size)


cdef extern from "linux/if_packet.h" nogil:
    unsigned int SOL_PACKET "263"
    unsigned int PACKET_VERSION, PACKET_RX_RING, TPACKET_V2, TP_STATUS_KERNEL, TP_STATUS_USER
    struct tpacket2_hdr:
        uint32_t tp_status
        uint32_t tp_len
        uint32_t tp_snaplen
        uint16_t tp_mac
    struct tpacket_req:
        unsigned int tp_block_size
        unsigned int tp_block_nr
        unsigned int tp_frame_size
        unsigned int tp_frame_nr


cdef extern from *:
    """
    #define alagg_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define alagg_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    """
    uint32_t alagg_load_acquire(uint32_t *p) noexcept nogil
    void alagg_store_release(uint32_t *p, uint32_t value) noexcept nogil


DEF BATCH = 64
DEF ETHERNET = 14          # bytes of the Ethernet header
DEF SIZE = 24              # bytes of the Alagg header
DEF BEFORE = 66            # bytes of a slot before the frame (TPACKET_ALIGN(TPACKET2_HDRLEN) and room for a header)
DEF SMALLEST_SLOT = 2048
DEF LARGEST_SLOT = 1 << 17
DEF BLOCK = 1 << 17        # bytes that the kernel allocates at once; slots do not cross blocks
DEF RING = 4 << 20         # bytes of a ring: they bridge the time in which the loop is busy elsewhere


def on_socket(sock, Py_ssize_t size):
    """Give a socket that is not bound yet a ring for frames of at most `size` bytes, Ethernet header included."""
    cdef tpacket_req request
    cdef Py_ssize_t slot = SMALLEST_SLOT
    while slot < size + BEFORE:
        slot *= 2
    if size < 1 or slot > LARGEST_SLOT:
        raise ValueError("a frame has 1 to 131,006 bytes")
    request.tp_block_size = BLOCK
    request.tp_block_nr = RING // BLOCK
    request.tp_frame_size = <unsigned int> slot
    request.tp_frame_nr = <unsigned int> (RING // slot)
    sock.setsockopt(SOL_PACKET, PACKET_VERSION, <int> TPACKET_V2)
    sock.setsockopt(SOL_PACKET, PACKET_RX_RING, PyBytes_FromStringAndSize(<char *> &request, sizeof(request)))
    return Receiver(sock.fileno(), RING // slot, slot)


@cython.final
cdef class Receiver:
    """Takes frames out of the ring behind a descriptor: `slots` places of `size` bytes each."""

    cdef int _descriptor
    cdef Py_ssize_t _slots
    cdef Py_ssize_t _size
    cdef Py_ssize_t _next
    cdef unsigned char *_ring

    def __cinit__(self, int descriptor, Py_ssize_t slots, Py_ssize_t size):
        cdef void *mapped
        if slots < 1 or size < SMALLEST_SLOT or size > LARGEST_SLOT:
            raise ValueError("a ring has slots of 2 to 128 KiB")
        self._descriptor = descriptor
        self._slots = slots
        self._size = size
        mapped = mmap(NULL, slots * size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        if mapped == MAP_FAILED:
            PyErr_SetFromErrno(OSError)
        self._ring = <unsigned char *> mapped

    def __dealloc__(self):
        self.close()

    def receive(self):
        cdef list arrivals = []
        cdef Py_ssize_t left = BATCH
        cdef Py_ssize_t count
        if self._ring == NULL:
            raise ValueError("the ring is closed")
        while left > 0:
            count = self._run(left)
            if count == 0:
                break
            arrivals.append(self._arrival(count))
            left -= count
        if left == BATCH:
            self._raise_pending()
        return arrivals

    cpdef close(self):
        if self._ring != NULL:
            munmap(self._ring, self._slots * self._size)
            self._ring = NULL

    cdef inline tpacket2_hdr *_slot(self, Py_ssize_t ahead) noexcept:
        """Give the slot that is `ahead` of the next one."""
        cdef Py_ssize_t index = self._next + ahead
        return <tpacket2_hdr *> (self._ring + (index % self._slots) * self._size)

    cdef Py_ssize_t _run(self, Py_ssize_t limit) noexcept:
        """Count the frames that wait next to each other and come from one address, at most `limit`."""
        cdef Py_ssize_t count = 0
        cdef tpacket2_hdr *first = self._slot(0)
        cdef tpacket2_hdr *slot
        limit = min(limit, self._slots)
        while count < limit:
            slot = self._slot(count)
            # Once the status says so, all of the slot is ours to read.
            if not alagg_load_acquire(&slot.tp_status) & TP_STATUS_USER:
                break
            if memcmp(<char *> first + first.tp_mac + 6, <char *> slot + slot.tp_mac + 6, 6) != 0:
                break
            count += 1
        return count

    cdef tuple _arrival(self, Py_ssize_t count):
        """Take the next `count` frames, and give their slots back."""
        cdef tpacket2_hdr *slot = self._slot(0)
        cdef bytes remote = PyBytes_FromStringAndSize(<char *> slot + slot.tp_mac + 6, 6)
        cdef bytes headers = PyBytes_FromStringAndSize(NULL, count * SIZE)
        cdef char *header = PyBytes_AS_STRING(headers)
        cdef list payloads = []
        cdef char *frame
        cdef Py_ssize_t index, size
        for index in range(count):
            slot = self._slot(0)
            frame = <char *> slot + slot.tp_mac
            size = <Py_ssize_t> min(slot.tp_snaplen, self._size - slot.tp_mac) - ETHERNET - SIZE
            if size < 0:
                memset(header + index * SIZE, 0, SIZE)
                payloads.append(None)
            else:
                memcpy(header + index * SIZE, frame + ETHERNET, SIZE)
                payloads.append(PyBytes_FromStringAndSize(frame + ETHERNET + SIZE, size))
            alagg_store_release(&slot.tp_status, TP_STATUS_KERNEL)
            self._next = (self._next + 1) % self._slots
        return remote, headers, payloads

    cdef int _raise_pending(self) except -1:
        """Raise what the kernel has to say of the socket: a poller was woken up, and no frame waits."""
        cdef int pending = 0
        cdef unsigned int size = sizeof(pending)
        if getsockopt(self._descriptor, SOL_SOCKET, SO_ERROR, &pending, &size) == 0 and pending:
            errno_set(pending)
            PyErr_SetFromErrno(OSError)
        return 0


cdef extern from *:
    """
    #include <errno.h>
    #define errno_set(value) (errno = (value))
    """
    void errno_set(int value) noexcept nogil
