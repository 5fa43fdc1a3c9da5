cimport cython

from alagg.engine cimport _octets as octets
from alagg.engine._octets cimport octets_in, octets_out

cdef enum:
    TCP = 6
    UDP = 17
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    URG = 0x20
    CWR = 0x80

@cython.locals(p=octets_in, length=Py_ssize_t, protocol=int, tcp=Py_ssize_t, destination=Py_ssize_t, start=Py_ssize_t)
cpdef list cut(bytes packet, Py_ssize_t size)

@cython.locals(p=octets_in, length=Py_ssize_t, protocol=int, at=Py_ssize_t, destination=Py_ssize_t)
cpdef bytes complete(bytes packet)
