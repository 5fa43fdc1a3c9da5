cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef int64_t _AHEAD
cdef double _SECONDS
cdef int _NEW, _COPY, _OTHER, _ENTRY

cdef inline uint64_t _load(bytearray table, Py_ssize_t place) noexcept:
    return (<uint64_t*>PyByteArray_AS_STRING(table))[place]

cdef inline void _store(bytearray table, Py_ssize_t place, uint64_t entry) noexcept:
    (<uint64_t*>PyByteArray_AS_STRING(table))[place] = entry

cdef inline uint64_t _entry(uint32_t sequence, uint32_t fingerprint) noexcept:
    return <uint64_t>sequence << 32 | fingerprint


@cython.final
cdef class Ring:
    cdef readonly int64_t size
    cdef int64_t _largest
    cdef int64_t _mask
    cdef bytearray _table
    cdef int64_t _left
    cdef double _round
    cdef double _last_round
    cdef int64_t _beyond

    cpdef bint keeps(self, int64_t ahead) except -1
    cpdef bint has(self, int64_t sequence, int64_t fingerprint) noexcept
    @cython.locals(place=int64_t, entry=uint64_t, there=uint64_t, number=int64_t)
    cpdef int put(self, int64_t sequence, int64_t fingerprint, double now) except -1
    @cython.locals(before=bytearray, mask=int64_t, place=int64_t, entry=uint64_t, number=int64_t)
    cdef _grow(self)

@cython.locals(table=bytearray)
cdef bytearray _empty(int64_t size)
