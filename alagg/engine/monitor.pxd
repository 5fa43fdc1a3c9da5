from alagg.engine.link cimport Link

cdef class Monitor:
    cdef readonly Link link
    cdef readonly str state
    cdef readonly object rtt
    cdef readonly double rtt_deviation
    cdef readonly long probes_ignored
    cdef readonly long stray_replies
    cdef public double next_time
    cdef long _epoch
    cdef long _lane
    cdef double _interval
    cdef long _number
    cdef readonly dict _sent
    cdef double _last_answer
    cdef long _proofs
    cdef dict _replies
    cdef double _replies_since

    cpdef probe(self, double now)
    cpdef answer(self, long lane, bytes cookie, double now)
    cpdef answered(self, bytes cookie, double now)
    cpdef bint settled(self, double now) except -1
    cdef _ask(self, double now)
    cdef _measure(self, double rtt)
    cdef _judge(self, double now)
