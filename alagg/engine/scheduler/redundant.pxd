cimport cython

from alagg.engine.link cimport Link
from alagg.engine.scheduler.base cimport Run, Scheduler

cdef double _ALIKE, _ALIKE_SECONDS

cdef class Redundant(Scheduler):
    cdef Py_ssize_t _first

    cpdef list schedule(self, list payloads, object links, double now)
    @cython.locals(shortest=double, alike=double, link=Link, place=Py_ssize_t, ranked=list)
    cdef tuple _best(self, tuple links)
