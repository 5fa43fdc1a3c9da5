cimport cython

from alagg.engine.link cimport Link
from alagg.engine.scheduler.base cimport Run, Scheduler


cdef class RoundRobin(Scheduler):
    cdef Py_ssize_t _turn
    cdef long _left

    @cython.locals(ready=list, runs=list, remaining=long, length=long)
    cpdef list schedule(self, list payloads, object links, double now)

@cython.locals(link=Link, answering=list, ready=list)
cdef list _ready(links)
