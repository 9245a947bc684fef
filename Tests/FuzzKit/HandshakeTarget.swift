// What peers do to a coordinator, as a script of one step a line. Whatever it says, nobody gets in
// without a key, nobody stays in who broke the protocol, and every cross-reference holds.
// Not here: how a step is carried out (HandshakeScript).

func tryHandshake(_ bytes: [UInt8]) throws {
    let script = HandshakeScript()
    for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(400) {
        try script.step(line)
    }
    try script.end()
}
