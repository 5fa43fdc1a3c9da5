cimport cython

cdef class TunInjector:
    cdef int _descriptor
    cdef object _merger
    cdef object _writer
    cdef object _otherwise
    cdef bint _gone
    cdef readonly long not_captured

    @cython.locals(before=long, done=Py_ssize_t, taken=long, items=list)
    cpdef send(self, packets)
