cimport cython
from libc.stdint cimport uint32_t, uint64_t

from alagg.engine cimport _octets as octets
from alagg.engine._octets cimport octets_in, octets_out

cdef int _NEEDS_CSUM, _GSO_TCPV4, _GSO_TCPV6, _TCP, _PSH_FIN, _ACK, _DECIDING, _DF
cdef Py_ssize_t _LENGTH, _SEGMENTS

cdef class Merger:
    cdef public Py_ssize_t merged, super_packets
    cdef list _items
    cdef dict _open
    cdef _Train _last
    cdef list _joined

    @cython.locals(items=list, packet=bytes, train=_Train)
    cpdef list merge(self, packets)

    @cython.locals(p=octets_in, length=Py_ssize_t, at=Py_ssize_t, start=Py_ssize_t, train=_Train)
    cdef void _take(self, bytes packet) except *

    @cython.locals(train=_Train)
    cdef _Train _train_of(self, bytes packet, Py_ssize_t at)
    cdef _close(self, _Train train)

cdef class _Train:
    cdef Py_ssize_t index, _at, _start, _step, _length
    cdef bytes flow
    cdef list packets
    cdef bint _fixed_id
    cdef unsigned char _last_flags

    @cython.locals(first=bytes)
    cdef bint carries(self, bytes packet, Py_ssize_t at) except -1

    @cython.locals(
        p=octets_in, f=octets_in, first=bytes, at=Py_ssize_t, size=Py_ssize_t, alike=bint, sequence=uint32_t,
    )
    cdef bint fits(self, bytes packet) except -1

    @cython.locals(first=bytes, f=octets_in, count=Py_ssize_t, ahead=uint32_t)
    cdef bint _counts_up(self, uint32_t identification) except -1

    @cython.locals(p=octets_in, size=Py_ssize_t)
    cdef bint join(self, bytes packet) except -1

    @cython.locals(
        first=bytes, f=octets_in, at=Py_ssize_t, length=Py_ssize_t, head=bytearray, w=octets_out, pseudo=uint64_t,
        kind=int,
    )
    cdef tuple item(self)

cdef bytes _flow(bytes packet, Py_ssize_t at)

@cython.locals(whole=bint)
cdef Py_ssize_t _transport(octets_in p, Py_ssize_t length) noexcept

@cython.locals(start=Py_ssize_t)
cdef Py_ssize_t _payload(octets_in p, Py_ssize_t at, Py_ssize_t length) noexcept

@cython.locals(words=uint64_t)
cdef bint _intact(octets_in p, Py_ssize_t at, Py_ssize_t length) noexcept
