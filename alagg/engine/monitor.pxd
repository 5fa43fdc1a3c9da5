from libc.stdint cimport int64_t

from alagg.engine.link cimport Link

cdef int COOKIE_SIZE, SMALLEST, PROBE, PROBE_REPLY, SIZE, _MISSES, _PROOFS, _PENDING, _REPLIES_PER_SECOND
cdef double _IDLE_AFTER, _IDLE_INTERVAL, _JITTER

cdef class Monitor:
    cdef readonly Link link
    cdef readonly str state
    cdef readonly object rtt
    cdef readonly double rtt_deviation
    cdef readonly int64_t probes_ignored
    cdef readonly int64_t stray_replies
    cdef public double next_time
    cdef readonly object path_mtu
    cdef int64_t _epoch
    cdef int _lane
    cdef double _interval
    cdef double _pace
    cdef double _busy_at
    cdef bytes _secret
    cdef int64_t _number
    cdef readonly dict _sent
    cdef double _last_answer
    cdef int64_t _proofs
    cdef int64_t _replies
    cdef double _replies_since

    cpdef busy(self, double now)
    cpdef probe(self, double now)
    cpdef answer(self, bytes cookie, double now)
    cpdef answered(self, bytes cookie, double now)
    cpdef bint settled(self, double now) except -1
    cdef _ask(self, Py_ssize_t size, double now)
    cdef _measure(self, double rtt)
    cdef _judge(self, double now)
