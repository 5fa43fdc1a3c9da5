cimport cython

from alagg.engine.mss cimport SegmentLimits

cdef class NfqueueCapture:
    cdef readonly int queue
    cdef public Py_ssize_t segment_size
    cdef SegmentLimits _limits
    cdef public long super_packets
    cdef long _segments_more
    cdef object _library
    cdef object _socket
    cdef object _reader

    @cython.locals(packets=list, infos=list)
    cpdef list receive(self)
    @cython.locals(segments=list, pieces=list, size=Py_ssize_t)
    cdef list _segments(self, list packets, list infos)
