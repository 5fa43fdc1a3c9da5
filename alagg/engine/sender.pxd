cimport cython
from libc.stdint cimport int64_t

from alagg.engine.crc cimport crc32c
from alagg.engine.link cimport Link
from alagg.engine.scheduler.base cimport Run, Scheduler

cdef int DATA, SIZE
cdef int64_t MASK, _MAX_WAITING, _AT_ONCE
cdef double _PATIENCE, _RETRY

@cython.final
cdef class Sender:
    cdef readonly int64_t epoch
    cdef readonly int lane
    cdef public Scheduler scheduler
    cdef public int64_t sequence
    cdef public int64_t captured
    cdef public int64_t sent
    cdef public int64_t dropped_no_link
    cdef public int64_t dropped_too_big
    cdef public int64_t dropped_full
    cdef public int64_t split
    cdef readonly tuple links
    cdef public double due
    cdef tuple _open
    cdef readonly Py_ssize_t room
    cdef list _batches
    cdef list _waiting
    cdef int64_t _bytes
    cdef dict _untaken
    cdef readonly object late

    @cython.locals(room=Py_ssize_t, pieces=list, places=list, runs=list, batch=_Batch, is_full=bint)
    cpdef send(self, list packets, double now)
    @cython.locals(waiting=list, runs=list, batch=_Batch)
    cpdef retry(self, double now)
    @cython.locals(batch=_Batch, batches=list)
    cpdef settle(self)
    @cython.locals(taken=list, kept=list, one=_Waiting)
    cdef _settle(self, _Batch batch)
    @cython.locals(one=_Waiting)
    cdef _settle_again(self, list waiting, list taken)
    cdef _keep(self, list waiting)
    cdef _expire(self, double now)
    cdef tuple _cut(self, list packets, Py_ssize_t room)
    @cython.locals(
        epoch=int64_t, lane=int, sequence=int64_t, index=Py_ssize_t, piece=int, last_piece=int, run=Run, part=list,
        size=Py_ssize_t, payload=bytes, length=Py_ssize_t, checksum=int64_t, link=Link, starts=list, pieces=list,
        places=list, again=list,
    )
    cdef _seal(self, _Batch batch)

@cython.locals(largest=Py_ssize_t, packet=bytes)
cdef Py_ssize_t _largest(list packets) except -1

@cython.final
cdef class _Waiting:
    cdef readonly tuple place
    cdef readonly int64_t first
    cdef readonly bytes payload
    cdef readonly double deadline

@cython.final
cdef class _Batch:
    cdef int64_t sequence
    cdef list pieces
    cdef list places
    cdef list runs
    cdef double time
    cdef list starts
    cdef list again
    cdef Py_ssize_t packets

    @cython.locals(run=Run, link=Link)
    cdef bint all_taken(self) except -1
    @cython.locals(run=Run, link=Link)
    cdef list taken(self)
