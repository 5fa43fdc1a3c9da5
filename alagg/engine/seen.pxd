cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

cdef int _WAYS, _SHARE, _EACH, _PLACE, _SECONDS

cdef inline uint64_t _mixed(uint64_t secret, uint32_t epoch, uint32_t sequence, uint32_t fingerprint) noexcept:
    cdef uint64_t key = (secret ^ (<uint64_t>epoch << 32 | sequence)) * <uint64_t>0x9E3779B97F4A7C15ULL
    key = (key ^ key >> 29 ^ <uint64_t>fingerprint << 31) * <uint64_t>0xBF58476D1CE4E5B9ULL
    return ((key ^ key >> 32) * <uint64_t>0x94D049BB133111EBULL) | 1

cdef inline uint64_t _load(bytearray table, Py_ssize_t at) noexcept:
    cdef uint64_t key
    memcpy(&key, PyByteArray_AS_STRING(table) + at, 8)
    return key

cdef inline void _put_first(bytearray table, Py_ssize_t at, uint64_t key) noexcept:
    cdef char* place = PyByteArray_AS_STRING(table) + at
    memmove(place + 8, place, _PLACE - 8)
    memcpy(place, &key, 8)


@cython.final
cdef class Seen:
    cdef readonly Py_ssize_t size
    cdef Py_ssize_t _largest
    cdef uint64_t _secret
    cdef Py_ssize_t _added
    cdef Py_ssize_t _mask
    cdef bytearray _table

    @cython.locals(key=uint64_t, table=bytearray, place=Py_ssize_t, way=int)
    cpdef bint add(self, int64_t epoch, int64_t sequence, int64_t fingerprint) except -1
    @cython.locals(key=uint64_t, place=Py_ssize_t, way=int)
    cpdef bint has(self, int64_t epoch, int64_t sequence, int64_t fingerprint) except -1
    cpdef tick(self)
    @cython.locals(before=bytearray, place=Py_ssize_t, way=int, key=uint64_t)
    cdef _grow(self)
