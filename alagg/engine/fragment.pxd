cimport cython

@cython.final
cdef class Piece:
    cdef readonly long epoch
    cdef readonly long sequence
    cdef readonly long number
    cdef readonly long last
    cdef readonly bytes payload

cdef class Rejoiner:
    cdef public long incomplete
    cdef public long inconsistent
    cdef readonly object _partials

    cpdef double deadline(self) except? -1
