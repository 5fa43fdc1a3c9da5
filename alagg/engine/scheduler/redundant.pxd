from alagg.engine.scheduler.base cimport Run

cdef class Redundant:
    cdef public object copies
    cdef Py_ssize_t _first
