# cython: auto_pickle=False, autotestdict=False
"""AF_PACKET in batches: many frames with one system call, during which other threads may run."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset


cdef extern from *:
    """
    /* Cut a bytes object, made for more and known to nobody else, to the size of what was written into it. */
    static inline void alagg_resize(PyObject *object, Py_ssize_t size)
    {
        #pragma GCC diagnostic push
        #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
        ((PyBytesObject *) object)->ob_shash = -1;
        #pragma GCC diagnostic pop
        Py_SET_SIZE(object, size);
        PyBytes_AS_STRING(object)[size] = 0;
    }
    """
    void alagg_resize(PyObject *object, Py_ssize_t size) noexcept
    Py_ssize_t Py_REFCNT(PyObject *object) noexcept
    PyObject *PyList_GET_ITEM(object list, Py_ssize_t index) noexcept


cdef extern from "sys/uio.h" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len


cdef extern from "sys/socket.h" nogil:
    cdef struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    int MSG_DONTWAIT
    int sendmmsg(int fd, mmsghdr *messages, unsigned int count, int flags)
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, void *timeout)


DEF SEND_BATCH = 256   # frames of one sendmmsg
DEF RECEIVE_BATCH = 64
DEF PREFIX = 14        # bytes of the Ethernet header
DEF SIZE = 24          # bytes of the Alagg header, as it is received
DEF MAX_HEADER = 64    # bytes of the largest one that is sent
DEF LIKELY = 1536      # payloads up to here are read straight into an object of their own
DEF SMALL = 256        # payloads up to here are copied: the larger object is used again


@cython.final
cdef class FrameSender:
    """Sends frames on one socket."""

    cdef int _descriptor
    cdef mmsghdr _messages[SEND_BATCH]
    cdef iovec _vectors[2 * SEND_BATCH]
    cdef unsigned char _heads[SEND_BATCH][PREFIX + MAX_HEADER]

    def __cinit__(self, sock):
        cdef Py_ssize_t index
        self._descriptor = sock.fileno()
        memset(self._messages, 0, sizeof(self._messages))
        for index in range(SEND_BATCH):
            self._vectors[2 * index].iov_base = self._heads[index]
            self._messages[index].msg_hdr.msg_iov = &self._vectors[2 * index]
            self._messages[index].msg_hdr.msg_iovlen = 2

    def send(self, bytes prefix not None, bytearray headers not None, list payloads not None):
        cdef Py_ssize_t total = PyList_GET_SIZE(payloads)
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t count
        cdef Py_ssize_t stride = PyByteArray_GET_SIZE(headers) // total if total else SIZE
        cdef int sent
        if PyBytes_GET_SIZE(prefix) != PREFIX or PyByteArray_GET_SIZE(headers) != total * stride:
            raise ValueError("an Ethernet header, and an Alagg header for each payload")
        if not SIZE <= stride <= MAX_HEADER:
            raise ValueError("an Alagg header for each payload has 24 to 64 bytes")
        while done < total:
            count = self._fill(prefix, headers, stride, payloads, done, total)
            with nogil:
                sent = sendmmsg(self._descriptor, self._messages, <unsigned int> count, MSG_DONTWAIT)
            if sent > 0:
                done += sent
            elif errno != EINTR:
                # EAGAIN: the socket's send buffer waits in the interface's queue; ENOBUFS: that queue dropped it.
                if done == 0 and errno != EAGAIN and errno != ENOBUFS:
                    PyErr_SetFromErrno(OSError)
                break
        return done

    cdef Py_ssize_t _fill(
        self, bytes prefix, bytearray headers, Py_ssize_t stride, list payloads, Py_ssize_t start, Py_ssize_t total
    ) except -1:
        """Point the messages at the frames from `start` on; the list keeps the payloads alive during the call."""
        cdef Py_ssize_t count = min(total - start, SEND_BATCH)
        cdef const char *header = PyByteArray_AS_STRING(headers) + start * stride
        cdef Py_ssize_t index
        cdef bytes payload
        for index in range(count):
            payload = payloads[start + index]
            if payload is None:
                raise TypeError("a frame is made of bytes")
            memcpy(self._heads[index], PyBytes_AS_STRING(prefix), PREFIX)
            memcpy(&self._heads[index][PREFIX], header + index * stride, stride)
            self._vectors[2 * index].iov_len = PREFIX + stride
            self._vectors[2 * index + 1].iov_base = PyBytes_AS_STRING(payload)
            self._vectors[2 * index + 1].iov_len = PyBytes_GET_SIZE(payload)
        return count


@cython.final
cdef class FrameReceiver:
    """Receives frames with payloads of at most `size` bytes on one socket.

    The kernel writes each payload into the bytes object that it is handed over as. Objects that nobody has kept, those
    of later copies above all, are used for the next batch.
    """

    cdef int _descriptor
    cdef Py_ssize_t _rest
    cdef unsigned char *_rests
    cdef list _payloads
    cdef Py_ssize_t _used
    cdef mmsghdr _messages[RECEIVE_BATCH]
    cdef iovec _vectors[3 * RECEIVE_BATCH]
    cdef unsigned char _heads[RECEIVE_BATCH][PREFIX + SIZE]

    def __cinit__(self, sock, Py_ssize_t size):
        cdef Py_ssize_t index
        if not 0 < size <= 1 << 20:
            raise ValueError("a payload has 1 byte to 1 MiB")
        self._descriptor = sock.fileno()
        self._rest = max(size - LIKELY, 0)
        # Pages that no payload ever reaches stay untouched, so room for the largest one costs no memory.
        self._rests = <unsigned char *> malloc(RECEIVE_BATCH * self._rest + 1)
        if self._rests == NULL:
            raise MemoryError
        memset(self._messages, 0, sizeof(self._messages))
        self._payloads = [None] * RECEIVE_BATCH
        self._used = RECEIVE_BATCH
        for index in range(RECEIVE_BATCH):
            self._vectors[3 * index].iov_base = self._heads[index]
            self._vectors[3 * index].iov_len = PREFIX + SIZE
            self._vectors[3 * index + 1].iov_len = min(LIKELY, size)
            self._vectors[3 * index + 2].iov_base = self._rests + index * self._rest
            self._vectors[3 * index + 2].iov_len = self._rest
            self._messages[index].msg_hdr.msg_iov = &self._vectors[3 * index]
            self._messages[index].msg_hdr.msg_iovlen = 3 if self._rest else 2

    def __dealloc__(self):
        free(self._rests)

    def receive(self):
        cdef int count
        self._prepare()
        with nogil:
            count = recvmmsg(self._descriptor, self._messages, RECEIVE_BATCH, MSG_DONTWAIT, NULL)
        if count < 0:
            if errno != EAGAIN and errno != EINTR:
                PyErr_SetFromErrno(OSError)
            return []
        self._used = count
        return self._arrivals(count)

    cdef int _prepare(self) except -1:
        """Give the places that the last batch has used objects that nobody else has."""
        cdef Py_ssize_t index
        cdef PyObject *payload
        for index in range(self._used):
            payload = PyList_GET_ITEM(self._payloads, index)
            if payload == <PyObject *> None or Py_REFCNT(payload) > 1:
                self._payloads[index] = PyBytes_FromStringAndSize(NULL, LIKELY)
                payload = PyList_GET_ITEM(self._payloads, index)
            else:
                alagg_resize(payload, LIKELY)
            self._vectors[3 * index + 1].iov_base = PyBytes_AS_STRING(<bytes> payload)
        self._used = 0
        return 0

    cdef list _arrivals(self, Py_ssize_t count):
        """Give what was read: a new arrival begins wherever the source address changes."""
        cdef list arrivals = []
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t end
        while start < count:
            end = start + 1
            while end < count and memcmp(&self._heads[start][6], &self._heads[end][6], 6) == 0:
                end += 1
            arrivals.append(self._arrival(start, end))
            start = end
        return arrivals

    cdef tuple _arrival(self, Py_ssize_t start, Py_ssize_t end):
        cdef bytes remote = PyBytes_FromStringAndSize(<char *> &self._heads[start][6], 6)
        cdef bytes headers = PyBytes_FromStringAndSize(NULL, (end - start) * SIZE)
        cdef char *header = PyBytes_AS_STRING(headers)
        cdef list payloads = []
        cdef Py_ssize_t index, size
        for index in range(start, end):
            size = <Py_ssize_t> self._messages[index].msg_len - PREFIX - SIZE
            if size < 0:
                memset(header, 0, SIZE)
                payloads.append(None)
            else:
                memcpy(header, &self._heads[index][PREFIX], SIZE)
                payloads.append(self._payload(index, size))
            header += SIZE
        return remote, headers, payloads

    cdef bytes _payload(self, Py_ssize_t index, Py_ssize_t size):
        """Give the payload that was read at a place."""
        cdef bytes payload = <bytes> PyList_GET_ITEM(self._payloads, index)
        cdef bytes whole
        if size <= SMALL:
            return PyBytes_FromStringAndSize(PyBytes_AS_STRING(payload), size)
        if size <= LIKELY:
            alagg_resize(<PyObject *> payload, size)
            return payload
        whole = PyBytes_FromStringAndSize(NULL, size)
        memcpy(PyBytes_AS_STRING(whole), PyBytes_AS_STRING(payload), LIKELY)
        memcpy(PyBytes_AS_STRING(whole) + LIKELY, self._vectors[3 * index + 2].iov_base, size - LIKELY)
        return whole
