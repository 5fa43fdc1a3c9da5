cimport cython
from libc.stdint cimport uint64_t

from alagg.engine cimport _octets as octets
from alagg.engine._octets cimport octets_in
from alagg.engine.addresses cimport quoted_addresses, source_and_destination

cdef int _ANNOUNCED, _TCP, _ICMP, _ICMPV6, _SYN, _DEFAULT4, _DEFAULT6, _LEAST, _LEAST_MTU4, _LEAST_MTU6
cdef uint64_t _TAG

cdef class SegmentLimits:
    cdef object _memory

    @cython.locals(p=octets_in, at=Py_ssize_t, safe=int, addresses=bytes, known=int, path=int)
    cpdef int size(self, bytes packet) except -1
    @cython.locals(p=octets_in, length=Py_ssize_t, at=Py_ssize_t, flow=bytes, known=int)
    cpdef note(self, bytes packet)
    @cython.locals(packet=bytes, p=octets_in, length=Py_ssize_t, protocol=int, at=Py_ssize_t)
    cpdef watch(self, list packets)
    @cython.locals(p=octets_in, size=int, v4=bint, addresses=bytes, half=Py_ssize_t, ports=bytes)
    cdef _begin(self, bytes packet, Py_ssize_t at)
    @cython.locals(p=octets_in, quoted=bytes, start=Py_ssize_t)
    cdef _narrow(self, bytes packet)
    @cython.locals(number=uint64_t, slot=uint64_t)
    cdef int _load(self, bytes key) except -1
    @cython.locals(number=uint64_t)
    cdef _store(self, bytes key, int value)

cdef bytes _addresses(bytes packet)

cdef Py_ssize_t _tcp_header(octets_in p, Py_ssize_t length) noexcept

@cython.locals(end=Py_ssize_t, place=Py_ssize_t)
cdef int _announced(octets_in p, Py_ssize_t at, Py_ssize_t length) noexcept
