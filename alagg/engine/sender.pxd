cimport cython

from alagg.engine.crc cimport crc32c
from alagg.engine.link cimport Link
from alagg.engine.scheduler.base cimport Run, Scheduler

cdef int DATA, SIZE
cdef long MASK

@cython.final
cdef class Sender:
    cdef readonly long epoch
    cdef readonly long lane
    cdef public Scheduler scheduler
    cdef public long sequence
    cdef public long captured
    cdef public long sent
    cdef public long dropped_no_link
    cdef public long dropped_too_big
    cdef public long dropped_full
    cdef public long split
    cdef readonly tuple links
    cdef tuple _open
    cdef readonly long room
    cdef list _batches

    @cython.locals(room=long, pieces=list, places=list, runs=list, starts=list)
    cpdef send(self, list packets, double now)
    @cython.locals(batch=_Batch, unused=long)
    cpdef settle(self)
    cdef tuple _cut(self, list packets, long room)
    @cython.locals(
        epoch=long, lane=long, sequence=long, index=Py_ssize_t, piece=long, last_piece=long, run=Run, part=list,
        size=Py_ssize_t, payload=bytes, length=Py_ssize_t, checksum=long, link=Link, links=tuple, starts=list,
    )
    cdef list _seal(self, list pieces, list places, list runs)

@cython.locals(largest=Py_ssize_t, packet=bytes)
cdef Py_ssize_t _largest(list packets) except -1

@cython.final
cdef class _Batch:
    cdef Py_ssize_t packets
    cdef Py_ssize_t pieces
    cdef Py_ssize_t dropped
    cdef Py_ssize_t unused
    cdef list _places
    cdef list _runs
    cdef list _starts

    @cython.locals(run=Run)
    cdef settle(self)
    cdef Py_ssize_t _count_dropped(self, list taken) except -1
    @cython.locals(link=Link)
    cdef bint _some_took_all(self, Run run) except -1
    @cython.locals(run=Run, link=Link)
    cdef list _taken(self)
