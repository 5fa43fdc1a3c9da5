cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Run:
    cdef readonly Py_ssize_t length
    cdef readonly tuple links


cdef class Scheduler:
    cdef public object copies
    cdef public bint measures
    cdef public int64_t waiting
    cdef public bint urgent
    cdef public double skew

    cpdef list schedule(self, list payloads, object links, double now)
