cimport cython

from alagg.engine.link cimport Link
from alagg.engine.scheduler.base cimport Run, Scheduler

cdef Py_ssize_t _TURN

cdef class RoundRobin(Scheduler):
    cdef Py_ssize_t _turn
    cdef Py_ssize_t _left

    @cython.locals(runs=list, resting=list, remaining=Py_ssize_t, length=Py_ssize_t, link=Link)
    cpdef list schedule(self, list payloads, object links, double now)
    @cython.locals(link=Link, count=Py_ssize_t, ahead=Py_ssize_t)
    cdef Link _whose_turn(self, links, list resting)
    cdef _pass_on(self, Py_ssize_t ahead, Py_ssize_t count)
