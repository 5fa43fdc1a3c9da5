-- Wireshark dissector of the Alagg frame, version 2 (docs/protocol.md). Made for Wireshark 4.0 and later.
--
--   tshark -X lua_script:alagg.lua -i eth0 -Y 'alagg.sequence == 7'
--
-- For good: copy this file to the folder that Wireshark shows under Help > About > Folders > Personal Lua Plugins.

local VERSION, SIZE, COOKIE_SIZE = 2, 24, 8
local DATA, PROBE, PROBE_REPLY, CONTROL = 1, 2, 3, 4
local TYPES = {[DATA] = "data", [PROBE] = "probe", [PROBE_REPLY] = "probe reply", [CONTROL] = "control"}
local BAD, GOOD, UNVERIFIED = 0, 1, 2

local alagg = Proto("alagg", "Alagg")

local fields = {
    version = ProtoField.uint8("alagg.version", "Version", base.DEC, nil, 0xF0),
    type = ProtoField.uint8("alagg.type", "Type", base.DEC, TYPES, 0x0F),
    flags = ProtoField.uint8("alagg.flags", "Flags", base.HEX, nil, 0xF0),
    key = ProtoField.uint8("alagg.key", "Key generation", base.DEC, nil, 0x0F),
    payload_length = ProtoField.uint16("alagg.payload_length", "Payload length"),
    epoch = ProtoField.uint32("alagg.epoch", "Epoch", base.HEX),
    sequence = ProtoField.uint32("alagg.sequence", "Sequence"),
    link_sequence = ProtoField.uint32("alagg.link_sequence", "Link sequence"),
    class = ProtoField.uint8("alagg.class", "Class", base.DEC, nil, 0xF0),
    lane = ProtoField.uint8("alagg.lane", "Lane", base.DEC, nil, 0x0F),
    link_id = ProtoField.uint8("alagg.link_id", "Link"),
    piece = ProtoField.uint8("alagg.piece", "Piece"),
    last_piece = ProtoField.uint8("alagg.last_piece", "Last piece"),
    first_sequence = ProtoField.uint32("alagg.first_sequence", "Sequence of the packet's first piece"),
    checksum = ProtoField.uint32("alagg.checksum", "Checksum", base.HEX),
    checksum_status = ProtoField.uint8("alagg.checksum.status", "Checksum status", base.DEC,
        {[BAD] = "Bad", [GOOD] = "Good", [UNVERIFIED] = "Unverified"}),
    cookie = ProtoField.bytes("alagg.cookie", "Cookie"),
    payload = ProtoField.bytes("alagg.payload", "Payload"),
    padding = ProtoField.bytes("alagg.padding", "Padding"),
    malformed = ProtoField.string("alagg.malformed", "Dropped as"),
}
alagg.fields = fields

-- One expert item for each reason for which a node drops a frame, under the name of the node's counter.
local EXPLANATIONS = {
    truncated = "Shorter than a header",
    unknown_version = "Unknown version",
    unknown_type = "Unknown type",
    unknown_flags = "Unknown flags",
    unknown_key = "Unknown key generation",
    unknown_class = "Unknown class",
    bad_length = "The payload is longer than the frame",
    bad_piece = "The piece lies beyond the last one",
    bad_checksum = "The checksum is wrong",
}
local experts = {}
for reason, text in pairs(EXPLANATIONS) do
    local group = reason == "bad_checksum" and expert.group.CHECKSUM or expert.group.MALFORMED
    experts[reason] = ProtoExpert.new("alagg.expert." .. reason, text, group, expert.severity.ERROR)
end
alagg.experts = experts

alagg.prefs.ethertype = Pref.uint("EtherType (decimal)", 0x88B5, "The option `ethertype` of the nodes; 34997 is 0x88b5")
alagg.prefs.verify = Pref.bool("Verify the checksum", true, "Compute each frame's CRC-32C and compare")

-- Lua 5.3 and later have an operator for this, which Lua 5.2 cannot even read; it has a library instead.
local operator = load("return function(a, b) return a ~ b end")
local xor = operator and operator() or bit32.bxor

local CRC_TABLE = {}
for index = 0, 255 do
    local crc = index
    for _ = 1, 8 do
        local odd = crc % 2
        crc = math.floor(crc / 2)
        if odd == 1 then crc = xor(crc, 0x82F63B78) end
    end
    CRC_TABLE[index] = crc
end

-- Carry a CRC-32C (RFC 9260, appendix A) on over more bytes; it starts from and ends in its complement.
local function crc32c(crc, bytes)
    for index = 1, #bytes do
        crc = xor(math.floor(crc / 256), CRC_TABLE[xor(crc % 256, bytes:byte(index))])
    end
    return crc
end

local function checksum_of(tvb, length)
    local crc = crc32c(0xFFFFFFFF, length > 0 and tvb:raw(SIZE, length) or "")
    return xor(crc32c(crc, tvb:raw(0, SIZE - 4)), 0xFFFFFFFF)
end

-- Say why a node would drop the frame, in the order in which the node looks; nil for a good one.
local function malformed(tvb, status)
    if tvb:reported_len() < SIZE then return "truncated" end
    if tvb(0, 1):bitfield(0, 4) ~= VERSION then return "unknown_version" end
    if not TYPES[tvb(0, 1):bitfield(4, 4)] then return "unknown_type" end
    if tvb(1, 1):bitfield(0, 4) ~= 0 then return "unknown_flags" end
    if tvb(1, 1):bitfield(4, 4) ~= 0 then return "unknown_key" end
    if tvb(12, 1):bitfield(0, 4) ~= 0 then return "unknown_class" end
    if tvb(2, 2):uint() > tvb:reported_len() - SIZE then return "bad_length" end
    if tvb(13, 1):uint() > tvb(14, 1):uint() then return "bad_piece" end
    if status == BAD then return "bad_checksum" end
    return nil
end

local function checksum_status(tvb)
    local length = tvb(2, 2):uint()
    if not alagg.prefs.verify or tvb:captured_len() < SIZE + length then return UNVERIFIED end
    return checksum_of(tvb, length) == tvb(20, 4):uint() and GOOD or BAD
end

local function add_header(tvb, tree, status)
    tree:add(fields.version, tvb(0, 1))
    tree:add(fields.type, tvb(0, 1))
    tree:add(fields.flags, tvb(1, 1))
    tree:add(fields.key, tvb(1, 1))
    tree:add(fields.payload_length, tvb(2, 2))
    tree:add(fields.epoch, tvb(4, 4))
    tree:add(fields.sequence, tvb(8, 4))
    tree:add(fields.class, tvb(12, 1))
    tree:add(fields.lane, tvb(12, 1))
    tree:add(fields.piece, tvb(13, 1))
    tree:add(fields.last_piece, tvb(14, 1))
    tree:add(fields.link_id, tvb(15, 1))
    tree:add(fields.link_sequence, tvb(16, 4))
    local piece = tvb(13, 1):uint()
    if tvb(14, 1):uint() > 0 then
        local first = (tvb(8, 4):uint() - piece) % 4294967296
        tree:add(fields.first_sequence, tvb(8, 4), first):set_generated()
    end
    tree:add(fields.checksum, tvb(20, 4))
    tree:add(fields.checksum_status, tvb(20, 4), status):set_generated()
end

-- Name the dissector that reads the payload on: IP's for a whole packet, nil for everything else.
local function inner_dissector(tvb, length, reason)
    local whole = tvb(0, 1):bitfield(4, 4) == DATA and tvb(14, 1):uint() == 0 and length > 0
    if not whole or reason and reason ~= "bad_checksum" then return nil end
    return ({[4] = "ip", [6] = "ipv6"})[tvb(SIZE, 1):bitfield(0, 4)]
end

local function add_payload(tvb, tree, length, reason)
    local kind = tvb(0, 1):bitfield(4, 4)
    local probe = (kind == PROBE or kind == PROBE_REPLY) and length >= COOKIE_SIZE and not reason
    if not probe then
        tree:add(fields.payload, tvb(SIZE, length))
        return
    end
    tree:add(fields.cookie, tvb(SIZE, COOKIE_SIZE))
    if length > COOKIE_SIZE then tree:add(fields.payload, tvb(SIZE + COOKIE_SIZE, length - COOKIE_SIZE)) end
end

local function summary(tvb)
    local text = string.format("%s sequence %d", TYPES[tvb(0, 1):bitfield(4, 4)] or "unknown type", tvb(8, 4):uint())
    local last_piece = tvb(14, 1):uint()
    if last_piece > 0 then
        text = string.format("%s, piece %d of %d", text, tvb(13, 1):uint() + 1, last_piece + 1)
    end
    return string.format("%s, link %d", text, tvb(15, 1):uint())
end

function alagg.dissector(tvb, pinfo, root)
    pinfo.cols.protocol = "Alagg"
    local tree = root:add(alagg, tvb(0, math.min(SIZE, tvb:captured_len())))
    local whole = tvb:captured_len() >= SIZE
    local status = whole and checksum_status(tvb) or UNVERIFIED
    local reason = (whole or tvb:reported_len() < SIZE) and malformed(tvb, status)
    if reason then
        pinfo.cols.info = "Dropped: " .. EXPLANATIONS[reason]
        tree:add(fields.malformed, tvb(0, 0), reason):set_generated()
        tree:add_proto_expert_info(experts[reason])
    end
    if not whole then return end
    -- What stands behind an unknown version is anybody's guess.
    if reason == "unknown_version" then
        tree:add(fields.version, tvb(0, 1))
        return
    end
    add_header(tvb, tree, status)
    tree:append_text(": " .. summary(tvb))
    if not reason then pinfo.cols.info = summary(tvb) end

    local there = tvb:captured_len() - SIZE
    local length = math.min(tvb(2, 2):uint(), there)
    local inner = inner_dissector(tvb, length, reason)
    if length > 0 and not inner then add_payload(tvb, tree, length, reason) end
    if there > length then tree:add(fields.padding, tvb(SIZE + length)) end
    -- Last, since it does not return when it finds the packet malformed.
    if inner then
        Dissector.get(inner):call(tvb(SIZE, length):tvb(), pinfo, root)
        pinfo.cols.info:append(" [Alagg " .. summary(tvb) .. (reason and ", " .. reason or "") .. "]")
    end
end

local ethertypes = DissectorTable.get("ethertype")
local ethertype = alagg.prefs.ethertype
ethertypes:add(ethertype, alagg)

function alagg.prefs_changed()
    if ethertype ~= alagg.prefs.ethertype then
        ethertypes:remove(ethertype, alagg)
        ethertype = alagg.prefs.ethertype
        ethertypes:add(ethertype, alagg)
    end
end

-- Frames in UDP datagrams, whatever their port: the version, the type, and a length that fits tell them.
alagg:register_heuristic("udp", function(tvb, pinfo, root)
    if tvb:captured_len() < SIZE or math.floor(tvb(0, 1):uint() / 16) ~= 2 then return false end
    local kind = tvb(0, 1):uint() % 16
    if kind < 1 or kind > 4 or tvb(1, 1):uint() ~= 0 or tvb(2, 2):uint() ~= tvb:reported_len() - SIZE then
        return false
    end
    alagg.dissector(tvb, pinfo, root)
    return true
end)
