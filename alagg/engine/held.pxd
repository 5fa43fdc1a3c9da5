cimport cython
from libc.stdint cimport int64_t

cdef int64_t _LITTLE

@cython.final
cdef class Held:
    cdef readonly int64_t limit
    cdef public int64_t bytes

    cpdef bint is_too_much(self, int64_t own) noexcept
