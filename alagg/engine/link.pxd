cimport cython
from cpython.bytearray cimport PyByteArray_GET_SIZE, PyByteArray_Resize

from libc.stdint cimport int64_t

from alagg.engine.header cimport write

cdef int SIZE
cdef int64_t MASK


cdef inline int _grow(bytearray headers, Py_ssize_t size) except -1:
    return PyByteArray_Resize(headers, PyByteArray_GET_SIZE(headers) + size)


@cython.final
cdef class Link:
    cdef readonly int64_t id
    cdef readonly str name
    cdef public int64_t mtu
    cdef public int64_t path_mtu
    cdef public int64_t weight
    cdef public bint open
    cdef public bint answering
    cdef public bint introduces
    cdef public bint full
    cdef public double rtt
    cdef public double base_rtt
    cdef public double loss
    cdef public double capacity
    cdef public double credit
    cdef readonly str state
    cdef public bint held
    cdef public str reason
    cdef public str trouble
    cdef readonly int64_t lane
    cdef public int64_t link_sequence
    cdef public bytearray headers
    cdef public list payloads
    cdef public int64_t queued
    cdef public int64_t taken
    cdef int64_t _bytes
    cdef Py_ssize_t _at
    cdef public int64_t tx_frames
    cdef public int64_t tx_bytes
    cdef public int64_t tx_dropped_full
    cdef public int64_t tx_dropped_down
    cdef public int64_t rx_frames
    cdef public int64_t rx_bytes
    cdef public double rx_last
    cdef public dict malformed

    cpdef become(self, str state, str reason)
    cpdef append(self, int frame_type, int64_t epoch, bytes payload, int64_t payload_checksum)
    @cython.locals(first=Py_ssize_t)
    cpdef Py_ssize_t reserve(self, list payloads, Py_ssize_t size) except -1
    cpdef write(self, int frame_type, int64_t epoch, int lane, int64_t sequence, int piece, int last_piece, int length,
                int64_t payload_checksum)
    cpdef settle(self, int64_t taken)
