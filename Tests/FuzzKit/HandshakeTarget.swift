// The actions of peers of a coordinator, as a script of one step a line. For every script, no peer
// gets in without a key, peers that break the protocol are dropped, and every cross-reference is
// right. The steps are in HandshakeScript.

func tryHandshake(_ bytes: [UInt8]) throws {
    let script = HandshakeScript()
    for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(400) {
        try script.step(line)
    }
    try script.end()
}
