cimport cython

from alagg.engine cimport _octets as octets

cdef int _ICMP, _ICMPV6
cdef Py_ssize_t _CACHE_SIZE

@cython.locals(version=int)
cpdef bytes source_and_destination(bytes packet)

@cython.locals(start=Py_ssize_t, at=Py_ssize_t, error=bint)
cpdef bytes quoted_addresses(bytes packet)

@cython.locals(start=Py_ssize_t, end=Py_ssize_t)
cpdef bint same_destination(bytes packet, bytes other) except -1

cdef class Admission:
    cdef object _sources
    cdef object _destinations
    cdef readonly dict _cache
    cdef bytes _addresses
    cdef str _reason

    @cython.locals(addresses=bytes, known=str)
    cpdef str refusal(self, bytes packet)
    cdef str _judge(self, bytes addresses)
    @cython.locals(quoted=bytes, half=Py_ssize_t)
    cdef bint _reports(self, bytes packet, bytes addresses) except -1
