from alagg.engine.scheduler.base cimport Run, Scheduler

cdef class Redundant(Scheduler):
    cdef Py_ssize_t _first

    cpdef list schedule(self, list payloads, object links, double now)
