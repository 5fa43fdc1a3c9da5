/* The least that C does for a packet out or in: its bytes copied once, headers written or read, CRC-32C.
 *
 * The checksum is the engine's own library's (Google's crc32c), so that what is compared is the work around it. */

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SIZE = 24, CHECKED = 20, SLOT = 2048, SLOTS = 256 };

typedef uint32_t (*checksum_of)(uint32_t, const uint8_t *, size_t);

/* From packets to frames, one frame on each link with the payload shared. `buffers` has SLOTS slots of SLOT bytes:
 * what is copied does not stay in the first cache, as it does not in a node. */
void reference_out(checksum_of checksum, uint8_t *buffers, long size, long links, long packets)
{
    for (long number = 0; number < packets; number++) {
        const uint8_t *packet = buffers + (number % SLOTS) * SLOT;
        uint8_t *target = buffers + (SLOTS + number % SLOTS) * SLOT;
        memcpy(target + links * SIZE, packet, size);
        uint32_t body = checksum(0, packet, size);
        for (long link = 0; link < links; link++) {
            uint8_t *header = target + link * SIZE;
            uint32_t words[2] = {htonl(1), htonl(number)};
            uint16_t length = htons(size);
            header[0] = 0x21;
            header[1] = 0;
            memcpy(header + 2, &length, 2);
            memcpy(header + 4, words, 8);
            header[12] = header[13] = header[14] = 0;
            header[15] = link;
            memcpy(header + 16, words + 1, 4);
            uint32_t whole = htonl(checksum(body, header, CHECKED));
            memcpy(header + CHECKED, &whole, 4);
        }
    }
}

/* From frames to packets: every copy verified, the first one's payload copied. Returns a sum of what was read, so
 * that no compiler leaves it out. */
uint32_t reference_in(checksum_of checksum, uint8_t *buffers, long size, long links, long packets)
{
    uint32_t sum = 0;
    for (long number = 0; number < packets; number++) {
        const uint8_t *frame = buffers + (number % SLOTS) * SLOT;
        for (long link = 0; link < links; link++) {
            uint32_t words[3], stored;
            memcpy(words, frame + 4, 8);
            memcpy(words + 2, frame + 16, 4);
            memcpy(&stored, frame + CHECKED, 4);
            sum += ntohl(words[0]) + ntohl(words[1]) + ntohl(words[2]) + frame[0] + frame[15];
            sum += checksum(checksum(0, frame + SIZE, size), frame, CHECKED) == ntohl(stored);
        }
        memcpy(buffers + (SLOTS + number % SLOTS) * SLOT, frame + SIZE, size);
    }
    return sum;
}
