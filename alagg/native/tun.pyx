# cython: auto_pickle=False, autotestdict=False
"""Writing to a TUN device: a whole batch of packets and super-packets while other threads may run."""

from errno import errorcode as _errorcode

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from libc.errno cimport EINTR, errno


cdef extern from "errno.h" nogil:
    int EBADFD


cdef extern from "sys/uio.h" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t writev(int fd, const iovec *vectors, int count)


DEF BATCH = 64          # items of one round
DEF VECTORS = 1024      # pieces of one round, and of one item (IOV_MAX)


@cython.final
cdef class Writer:
    """Writes packets and super-packets to one queue of a TUN device that was opened with IFF_VNET_HDR."""

    cdef readonly long written
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
