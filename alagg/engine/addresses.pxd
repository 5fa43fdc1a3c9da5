cimport cython

from alagg.engine cimport _octets as octets

@cython.locals(version=long)
cpdef bytes source_and_destination(bytes packet)

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
