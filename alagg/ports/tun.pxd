cimport cython
from libc.stdint cimport int64_t

cdef class TunInjector:
    cdef int _descriptor
    cdef object _merger
    cdef object _writer
    cdef object _otherwise
    cdef bint _gone
    cdef str _counted

    @cython.locals(before=int64_t, done=Py_ssize_t, taken=int64_t, items=list)
    cpdef send(self, packets)

cdef class TunCapture:
    cdef public Py_ssize_t segment_size
    cdef readonly int64_t super_packets, captured
    cdef int _descriptor
    cdef object _reader

    @cython.locals(packets=list, headers=list)
    cpdef list receive(self)
    @cython.locals(done=list, pieces=list)
    cdef list _finished(self, list packets, list headers)
