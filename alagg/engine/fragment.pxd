cimport cython
from libc.stdint cimport int64_t

cdef double _PARTIAL_TIMEOUT

@cython.final
cdef class Piece:
    cdef readonly int64_t epoch
    cdef readonly int64_t sequence
    cdef readonly int64_t number
    cdef readonly int64_t last
    cdef readonly bytes payload

cdef class Rejoiner:
    cdef public int64_t incomplete
    cdef public int64_t inconsistent
    cdef readonly object _partials

    cpdef double deadline(self) except? -1
