cimport cython
from libc.stdint cimport int64_t

from alagg.engine.mss cimport SegmentLimits

cdef int _GSO
cdef int _UNFINISHED

cdef class NfqueueCapture:
    cdef readonly int queue
    cdef public Py_ssize_t segment_size
    cdef SegmentLimits _limits
    cdef public int64_t super_packets
    cdef public int64_t failures
    cdef int64_t _segments_more
    cdef set _told
    cdef object _before
    cdef object _drops
    cdef bint _listed
    cdef tuple _bound
    cdef object _batch
    cdef object _ticker
    cdef bint _lost
    cdef object _port_id
    cdef public object _socket
    cdef public object _reader

    @cython.locals(packets=list, infos=list)
    cpdef list receive(self)
    @cython.locals(segments=list, pieces=list, size=Py_ssize_t)
    cdef list _segments(self, list packets, list infos)
