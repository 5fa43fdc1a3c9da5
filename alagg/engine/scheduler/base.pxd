cimport cython


@cython.final
cdef class Run:
    cdef readonly Py_ssize_t length
    cdef readonly tuple links


cdef class Scheduler:
    cdef public object copies

    cpdef list schedule(self, list payloads, object links, double now)
