cimport cython
from cpython.bytearray cimport PyByteArray_GET_SIZE, PyByteArray_Resize

from alagg.engine.header cimport write

cdef int SIZE
cdef long MASK

cdef inline int _grow(bytearray headers, Py_ssize_t size) except -1:
    return PyByteArray_Resize(headers, PyByteArray_GET_SIZE(headers) + size)


@cython.final
cdef class Link:
    cdef readonly long id
    cdef readonly str name
    cdef public long mtu
    cdef public long weight
    cdef public bint open
    cdef public bint answering
    cdef public bint full
    cdef public str reason
    cdef readonly long lane
    cdef public long link_sequence
    cdef readonly dict guest_sequences
    cdef public bytearray headers
    cdef public list payloads
    cdef public long queued
    cdef public long taken
    cdef long _bytes
    cdef Py_ssize_t _at
    cdef public long tx_frames
    cdef public long tx_bytes
    cdef public long tx_dropped_full
    cdef public long tx_dropped_down
    cdef public long rx_frames
    cdef public long rx_bytes
    cdef public double rx_last
    cdef public dict malformed

    cpdef append(self, long frame_type, long epoch, long lane, bytes payload, long payload_checksum)
    @cython.locals(first=Py_ssize_t)
    cpdef Py_ssize_t reserve(self, list payloads, Py_ssize_t size) except -1
    cpdef write(self, long frame_type, long epoch, long lane, long sequence, long piece, long last_piece, long length,
                long payload_checksum)
    cpdef settle(self, long taken)
