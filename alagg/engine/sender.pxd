cimport cython

from alagg.engine.crc cimport crc32c
from alagg.engine.header cimport encode
from alagg.engine.link cimport Link

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

    cdef tuple _cut(self, object packets, long room)
    @cython.locals(
        epoch=long, lane=long, sequence=long, index=Py_ssize_t, payload=bytes, piece=long, last_piece=long,
        length=long, checksum=long, link_sequence=long, link=Link, links=tuple, stop=Py_ssize_t,
    )
    cdef _seal(self, object pieces, list places, list runs)
