"""The C form of octets.py: same names, same results; octets.py says what each of them does."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef extern from "<arpa/inet.h>" nogil:
    uint16_t htons(uint16_t)
    uint16_t ntohs(uint16_t)
    uint32_t htonl(uint32_t)
    uint32_t ntohl(uint32_t)

ctypedef const unsigned char* octets_in
ctypedef unsigned char* octets_out


cdef inline uint32_t total(octets_in data, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    # Each half of a 64-bit word goes to a sum of its own: neither can overflow below 2**35 bytes, and no carry has
    # to be looked for. The order of bytes matters only at the end (RFC 1071, section 2, B).
    cdef uint64_t low = 0
    cdef uint64_t high = 0
    cdef uint64_t word = 0
    while start + 8 <= end:
        memcpy(&word, data + start, 8)
        low += word & 0xFFFFFFFFU
        high += word >> 32
        start += 8
    word = 0
    memcpy(&word, data + start, end - start)
    low += high + (word & 0xFFFFFFFFU) + (word >> 32)
    return ntohs(<uint16_t> (low % 65535))


cdef inline bint same(octets_in one, octets_in other, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    return memcmp(one + start, other + start, end - start) == 0


cdef inline bytes part(octets_in data, Py_ssize_t start, Py_ssize_t end):
    # Cython cuts bytes by making a slice object first, which takes longer than the copy.
    return PyBytes_FromStringAndSize(<char*> data + start, end - start)


cdef inline uint32_t load16(octets_in data, Py_ssize_t at) noexcept nogil:
    cdef uint16_t value
    memcpy(&value, data + at, 2)
    return ntohs(value)


cdef inline uint32_t load32(octets_in data, Py_ssize_t at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, data + at, 4)
    return ntohl(value)


cdef inline void store16(octets_out data, Py_ssize_t at, uint32_t value) noexcept nogil:
    cdef uint16_t stored = htons(<uint16_t> value)
    memcpy(data + at, &stored, 2)


cdef inline void store32(octets_out data, Py_ssize_t at, uint32_t value) noexcept nogil:
    cdef uint32_t stored = htonl(value)
    memcpy(data + at, &stored, 4)


cdef inline bytes splice(bytearray head, octets_in data, Py_ssize_t start, Py_ssize_t end):
    cdef Py_ssize_t size = len(head)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size + end - start)
    cdef char* target = PyBytes_AS_STRING(whole)
    memcpy(target, <char*> head, size)
    memcpy(target + size, data + start, end - start)
    return whole
