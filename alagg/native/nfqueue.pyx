# cython: auto_pickle=False, autotestdict=False
"""NFQUEUE in batches: many netlink messages with one system call, parsed in place, and one verdict for all."""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, ENODEV, EPERM, errno
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset


cdef extern from "arpa/inet.h" nogil:
    uint16_t htons(uint16_t value)
    uint32_t htonl(uint32_t value)
    uint32_t ntohl(uint32_t value)


cdef extern from "linux/netlink.h" nogil:
    cdef struct nlmsghdr:
        uint32_t nlmsg_len
        uint16_t nlmsg_type
        uint16_t nlmsg_flags
    cdef struct nlattr:
        uint16_t nla_len
        uint16_t nla_type
    int NLM_F_REQUEST


cdef extern from "linux/netfilter/nfnetlink.h" nogil:
    cdef struct nfgenmsg:
        uint16_t res_id


cdef extern from "linux/netfilter/nfnetlink_queue.h" nogil:
    cdef struct nfqnl_msg_verdict_hdr:
        uint32_t verdict
        uint32_t id


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
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, void *timeout)
    ssize_t send(int fd, const void *data, size_t size, int flags)


DEF MAX_BATCH = 64
DEF HEADERS = 20                # struct nlmsghdr and struct nfgenmsg
DEF BUFFER = 65536 + 1024       # the largest payload and what may stand before it
DEF NLMSG_ERROR = 2
DEF MSG_PACKET = 3 << 8         # NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET
DEF MSG_VERDICT = MSG_PACKET | 1
DEF MSG_VERDICT_BATCH = MSG_PACKET | 3
DEF NF_DROP = 0
DEF NF_ACCEPT = 1
DEF ATTR_VERDICT_HDR = 2
DEF ATTR_PACKET_HDR = 1
DEF ATTR_PAYLOAD = 10
DEF ATTR_CAP_LEN = 13
DEF ATTR_SKB_INFO = 14
DEF ATTR_TYPE_MASK = 0x3FFF


cdef struct Verdict:
    nlmsghdr message
    nfgenmsg queue
    nlattr attribute
    nfqnl_msg_verdict_hdr verdict


@cython.final
cdef class Reader:
    """Reads the messages of a queue, at most `batch` at once."""

    cdef readonly int64_t captured
    cdef readonly int64_t dropped_oversize
    cdef readonly int64_t dropped_malformed
    cdef readonly int64_t left_alone
    cdef readonly int64_t overruns
    cdef readonly int64_t disowned
    cdef readonly uint32_t last
    cdef int _descriptor
    cdef uint32_t _settled
    cdef uint32_t _spared[MAX_BATCH]
    cdef unsigned int _spare
    cdef unsigned int _batch
    cdef unsigned char *_buffers
    cdef mmsghdr _messages[MAX_BATCH]
    cdef iovec _vectors[MAX_BATCH]

    def __cinit__(self, sock, unsigned int batch):
        cdef Py_ssize_t index
        if not 0 < batch <= MAX_BATCH:
            raise ValueError("a batch has 1 to 64 messages")
        self._descriptor = sock.fileno()
        self._batch = batch
        # Pages that no message ever reaches stay untouched and cost no memory.
        self._buffers = <unsigned char *> malloc(batch * BUFFER)
        if self._buffers == NULL:
            raise MemoryError
        memset(self._messages, 0, sizeof(self._messages))
        for index in range(batch):
            self._vectors[index].iov_base = self._buffers + index * BUFFER
            self._vectors[index].iov_len = BUFFER
            self._messages[index].msg_hdr.msg_iov = &self._vectors[index]
            self._messages[index].msg_hdr.msg_iovlen = 1

    def __dealloc__(self):
        free(self._buffers)

    def read(self):
        cdef int count
        cdef Py_ssize_t index
        cdef list packets = []
        cdef list infos = []
        with nogil:
            count = recvmmsg(self._descriptor, self._messages, self._batch, MSG_DONTWAIT, NULL)
        if count < 0:
            if errno == ENOBUFS:
                self.overruns += 1
            elif errno != EAGAIN and errno != EINTR:
                PyErr_SetFromErrno(OSError)
            return packets, infos
        for index in range(count):
            self._parse(<unsigned char *> self._vectors[index].iov_base, self._messages[index].msg_len, packets, infos)
        return packets, infos

    def settle(self, uint16_t queue):
        if self.last == self._settled:
            return
        while self._spare:
            self._spare -= 1
            self._decide(queue, MSG_VERDICT, NF_ACCEPT, self._spared[self._spare])
        self._decide(queue, MSG_VERDICT_BATCH, NF_DROP, self.last)
        self._settled = self.last

    cdef _decide(self, uint16_t queue, uint16_t kind, uint32_t what, uint32_t number):
        cdef Verdict verdict
        cdef ssize_t sent
        memset(&verdict, 0, sizeof(verdict))
        verdict.message.nlmsg_len = sizeof(verdict)
        verdict.message.nlmsg_type = kind
        verdict.message.nlmsg_flags = NLM_F_REQUEST
        verdict.queue.res_id = htons(queue)
        verdict.attribute.nla_len = sizeof(nlattr) + sizeof(nfqnl_msg_verdict_hdr)
        verdict.attribute.nla_type = ATTR_VERDICT_HDR
        verdict.verdict.verdict = htonl(what)
        verdict.verdict.id = htonl(number)
        with nogil:
            sent = send(self._descriptor, &verdict, sizeof(verdict), MSG_DONTWAIT)
        if sent < 0:
            PyErr_SetFromErrno(OSError)

    def parse(self, bytes message not None):
        """Parse one message from memory, as `read` does: for tests."""
        cdef list packets = []
        cdef list infos = []
        self._parse(message, len(message), packets, infos)
        return packets, infos

    cdef _parse(self, const unsigned char *message, Py_ssize_t size, list packets, list infos):
        """Append the packet of one message of `size` bytes, and what the kernel says of it."""
        cdef const unsigned char *payload = NULL
        cdef Py_ssize_t payload_size = 0
        cdef Py_ssize_t offset = HEADERS
        cdef bint oversize = False
        cdef uint32_t info = 0
        cdef uint16_t length, kind
        cdef int32_t error
        if size < HEADERS:
            self.dropped_malformed += 1
            return
        memcpy(&kind, message + 4, 2)
        if kind != MSG_PACKET:
            self.dropped_malformed += kind != NLMSG_ERROR
            if kind == NLMSG_ERROR:
                memcpy(&error, message + 16, 4)
                self.disowned += error == -ENODEV or error == -EPERM
            return
        while offset + 4 <= size:
            memcpy(&length, message + offset, 2)
            memcpy(&kind, message + offset + 2, 2)
            kind &= ATTR_TYPE_MASK
            if length < 4 or offset + length > size:
                break
            # From here on the attribute's `length` bytes are known to lie within the message.
            if kind == ATTR_PAYLOAD:
                payload, payload_size = message + offset + 4, length - 4
            elif kind == ATTR_PACKET_HDR and length >= 8:
                self.last = _load32(message + offset + 4)
            elif kind == ATTR_SKB_INFO and length >= 8:
                info = _load32(message + offset + 4)
            elif kind == ATTR_CAP_LEN:
                oversize = True
            offset += (length + 3) & ~3
        if _is_neighbour_discovery(payload, payload_size) and self._spare < MAX_BATCH:
            self.left_alone += 1
            self._spared[self._spare] = self.last
            self._spare += 1
            return
        self.captured += 1
        if oversize:
            self.dropped_oversize += 1
        elif payload_size > 0:
            packets.append(PyBytes_FromStringAndSize(<char *> payload, payload_size))
            infos.append(info)
        else:
            self.dropped_malformed += 1


cdef inline bint _is_neighbour_discovery(const unsigned char *packet, Py_ssize_t size) noexcept:
    return (
        size > 40 and packet[6] == 58 and packet[7] == 255 and packet[0] >> 4 == 6
        and 133 <= packet[40] and packet[40] <= 137
    )


cdef inline uint32_t _load32(const unsigned char *place) noexcept:
    cdef uint32_t value
    memcpy(&value, place, 4)
    return ntohl(value)
