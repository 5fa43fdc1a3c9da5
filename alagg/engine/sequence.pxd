from libc.stdint cimport int64_t

cdef int64_t _MASK, _HALF

cpdef int64_t distance(int64_t to, int64_t origin) noexcept
cpdef int64_t extend(int64_t number, int64_t near) noexcept
