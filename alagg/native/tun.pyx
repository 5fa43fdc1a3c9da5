# cython: auto_pickle=False, autotestdict=False
"""A TUN device's packets and super-packets, read and written a whole batch at once while other threads may run."""

from errno import errorcode as _errorcode

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from cpython.list cimport PyList_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp


cdef extern from "errno.h" nogil:
    int EBADFD


cdef extern from "sys/uio.h" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t writev(int fd, const iovec *vectors, int count)


cdef extern from "unistd.h" nogil:
    ssize_t c_read "read"(int fd, void *buffer, size_t size)


DEF BATCH = 64          # items of one round
DEF VECTORS = 1024      # pieces of one round, and of one item (IOV_MAX)
DEF HEADER = 10         # struct virtio_net_hdr
DEF LARGEST = HEADER + 65535
DEF BUFFER = 8 * LARGEST    # of one read: eight super-packets, which become some 360 segments, or a batch of others


cdef const char *NOTHING = b"\0\0\0\0\0\0\0\0\0\0"


@cython.final
cdef class Reader:
    """Reads packets and super-packets from one queue of a TUN device that was opened with IFF_VNET_HDR."""

    cdef readonly int64_t malformed
    cdef int _descriptor
    cdef char *_buffer
    cdef Py_ssize_t _sizes[BATCH]

    def __cinit__(self, int descriptor):
        self._descriptor = descriptor
        # Pages that no packet ever reaches stay untouched and cost no memory.
        self._buffer = <char *> malloc(BUFFER)
        if self._buffer == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self._buffer)

    def read(self):
        cdef list packets = []
        cdef list headers = []
        cdef char *place = self._buffer
        cdef Py_ssize_t index, size
        cdef Py_ssize_t count
        cdef int error = 0
        with nogil:
            count = self._take(&error)
        if count == 0 and error != 0 and error != EAGAIN:
            PyErr_SetFromErrno(OSError)
        for index in range(count):
            size = self._sizes[index]
            if size <= HEADER:
                self.malformed += 1
            else:
                packets.append(PyBytes_FromStringAndSize(place + HEADER, size - HEADER))
                bare = memcmp(place, NOTHING, 2) == 0
                headers.append(None if bare else PyBytes_FromStringAndSize(place, HEADER))
            place += size
        return packets, headers

    cdef Py_ssize_t _take(self, int *error) noexcept nogil:
        """Read packets one behind the other while the largest of all still fits; give how many, and why no more."""
        cdef Py_ssize_t count = 0
        cdef Py_ssize_t used = 0
        cdef ssize_t size
        while count < BATCH and used + LARGEST <= BUFFER:
            size = c_read(self._descriptor, self._buffer + used, LARGEST)
            if size < 0:
                if errno == EINTR:
                    continue
                error[0] = errno
                break
            self._sizes[count] = size
            used += size
            count += 1
        return count


@cython.final
cdef class Writer:
    """Writes packets and super-packets to one queue of a TUN device that was opened with IFF_VNET_HDR."""

    cdef readonly int64_t written
    cdef readonly dict refused
    cdef int _descriptor
    cdef iovec _vectors[VECTORS]
    cdef iovec *_starts[BATCH]
    cdef int _pieces[BATCH]
    cdef int _errors[BATCH]

    def __cinit__(self, int descriptor):
        self._descriptor = descriptor
        self.refused = {}

    def write(self, items):
        return self._write(list(items))

    cdef Py_ssize_t _write(self, list items) except -1:
        cdef Py_ssize_t total = PyList_GET_SIZE(items)
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t count, index, tried
        while done < total:
            count = self._fill(items, done, total)
            with nogil:
                tried = self._submit(count)
            for index in range(tried):
                self._count(<tuple> items[done + index], self._errors[index])
            done += tried
            if tried < count:
                break
        return done

    cdef Py_ssize_t _fill(self, list items, Py_ssize_t start, Py_ssize_t total) except -1:
        """Point the vectors at the items from `start` on; the items keep the bytes alive during the calls."""
        cdef Py_ssize_t limit = min(total - start, BATCH)
        cdef Py_ssize_t used = 0
        cdef Py_ssize_t count, index, pieces, offset
        cdef bytes vnet, head, packet
        cdef list packets
        for count in range(limit):
            vnet, head, packets, offset = items[start + count]
            if vnet is None or head is None or packets is None:
                raise TypeError("an item is made of bytes and a list")
            pieces = 2 + PyList_GET_SIZE(packets)
            if used + pieces > VECTORS:
                if count == 0:
                    raise ValueError("an item has too many packets")
                return count
            self._starts[count] = &self._vectors[used]
            self._pieces[count] = <int> pieces
            self._point(used, vnet, 0)
            self._point(used + 1, head, 0)
            for index in range(pieces - 2):
                packet = packets[index]
                if packet is None or offset < 0 or offset > PyBytes_GET_SIZE(packet):
                    raise ValueError("a payload begins outside of its packet")
                self._point(used + 2 + index, packet, offset)
            used += pieces
        return limit

    cdef inline void _point(self, Py_ssize_t place, bytes data, Py_ssize_t offset) noexcept:
        self._vectors[place].iov_base = PyBytes_AS_STRING(data) + offset
        self._vectors[place].iov_len = PyBytes_GET_SIZE(data) - offset

    cdef Py_ssize_t _submit(self, Py_ssize_t count) noexcept nogil:
        """Write what `_fill` has prepared; give how many items were tried before the device was gone."""
        cdef Py_ssize_t index
        for index in range(count):
            self._errors[index] = 0
            while writev(self._descriptor, self._starts[index], self._pieces[index]) < 0:
                if errno == EBADFD:
                    return index
                if errno != EINTR:
                    self._errors[index] = errno
                    break
        return count

    cdef int _count(self, tuple item, int error) except -1:
        cdef Py_ssize_t packets = max(PyList_GET_SIZE(<list> item[2]), 1)
        if error == 0:
            self.written += packets
        else:
            name = _errorcode.get(error, "unknown")
            self.refused[name] = self.refused.get(name, 0) + packets
        return 0
