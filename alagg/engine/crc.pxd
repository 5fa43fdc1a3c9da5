cimport cython
from libc.stdint cimport uint8_t, uint32_t, uintptr_t

cdef uint32_t (*_library_extend)(uint32_t, const uint8_t *, size_t) noexcept nogil

cdef inline _bind(uintptr_t address):
    global _library_extend
    _library_extend = <uint32_t (*)(uint32_t, const uint8_t *, size_t) noexcept nogil> address

cdef inline uint32_t extend(uint32_t checksum, const uint8_t *data, Py_ssize_t size) noexcept nogil:
    return _library_extend(checksum, data, size)

cdef inline uint32_t _extend(uint32_t checksum, bytes data, Py_ssize_t start, Py_ssize_t stop) noexcept:
    return extend(checksum, <const uint8_t *>data + start, stop - start)


@cython.locals(extended=uint32_t)
cpdef uint32_t crc32c(uint32_t checksum, bytes data, Py_ssize_t start, Py_ssize_t stop) noexcept
