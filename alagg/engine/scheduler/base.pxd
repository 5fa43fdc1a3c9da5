cdef class Run:
    cdef readonly Py_ssize_t length
    cdef readonly tuple links
