cdef class Piece:
    cdef readonly long epoch
    cdef readonly long sequence
    cdef readonly long number
    cdef readonly long last
    cdef readonly bytes payload
