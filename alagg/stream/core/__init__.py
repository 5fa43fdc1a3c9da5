"""A stream connection without any I/O: a reliable, ordered stream of bytes each way over links that come and go.

| word | meaning |
|---|---|
| link | something that carries bytes in order and whole, until it breaks: a TCP connection, a pair of pipes |
| segment | some bytes of the stream under one number, the offset of the first one, whichever link they go on |
| window | how far the peer lets this side send |
| ring | a link's segments that wait for its acknowledgement |
| carrier | a link that may carry segments now |

A segment's way: `Connection.write`, `outgoing` cuts it off, `dispatch` chooses its link, `link` keeps it in the ring;
`frames` ~~ link ~~ `frames`; `assembly` puts it in order, `Connection.read`. `watch` looks after links that are late.
"""
