cimport cython

from alagg.engine.crc cimport crc32c
from alagg.engine.header cimport write
from alagg.engine.link cimport Link

cdef int DATA, SIZE
cdef long MASK

cdef class Sender:
    cdef readonly long epoch
    cdef readonly long lane
    cdef public object scheduler
    cdef public long sequence
    cdef public long captured
    cdef public long sent
    cdef public long dropped_no_link
    cdef public long dropped_too_big
    cdef public long dropped_full
    cdef public long split
    cdef tuple _links
    cdef tuple _open
    cdef readonly long room
    cdef list _batches

    @cython.locals(room=long, pieces=list, places=list)
    cpdef send(self, list packets, double now)
    cdef tuple _cut(self, list packets, long room)
    @cython.locals(index=Py_ssize_t, length=Py_ssize_t, part=list, part_places=list, checksums=list, payload=bytes,
                   link=Link, size=Py_ssize_t)
    cdef _seal(self, list pieces, list places, list runs)
    @cython.locals(
        sequence=long, link_sequence=long, piece=long, last_piece=long, index=Py_ssize_t, payload=bytes,
    )
    cdef _write(self, Link link, Py_ssize_t at, list payloads, list places, list checksums)
