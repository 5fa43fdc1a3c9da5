cimport cython

from alagg.engine.link cimport Link
from alagg.engine.scheduler.base cimport Run, Scheduler

cdef class Weighted(Scheduler):
    cdef list _sharing
    cdef Link _pending
    cdef double _total
    cdef double _largest

    @cython.locals(runs=list, previous=Link, link=Link, length=Py_ssize_t, payload=bytes)
    cpdef list schedule(self, list payloads, object links, double now)
    @cython.locals(total=double, sharing=list, link=Link)
    cdef _share_among(self, links)
    @cython.locals(chosen=Link, earliest=double, link=Link, share=double, deadline=double)
    cdef Link _next(self, Py_ssize_t size)
