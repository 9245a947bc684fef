// A request over HTTP: whatever its head and body are, it is refused with a status or means something
// that the coordinator can be asked, and a token that was not signed is never good.
import Core
import Gateway
import HTTPRequests
import JSON
import Wire

private let keyring: Keyring = {
    var keyring = Keyring()
    if let key = HandshakeKey([UInt8](repeating: 7, count: 32)) {
        keyring.add(key, of: Identity(first: .client))
    }
    return keyring
}()

/// Reads the bytes as method, path, lines with arguments and headers, an empty line, and a body.
func tryHTTP(_ bytes: [UInt8]) throws {
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
    let count = lines.firstIndex { $0.isEmpty } ?? lines.count
    let texts = lines[..<count].map { String(decoding: $0, as: UTF8.self) }
    let body = Array(lines.dropFirst(count + 1).joined(separator: [10]))
    var head = HTTPRequestHead(
        method: texts.first ?? "GET",
        path: texts.count > 1 ? texts[1] : "/",
        headers: []
    )
    for line in texts.dropFirst(2) {
        let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { continue }
        if parts[0].hasPrefix("?") {
            head.query.append((String(parts[0].dropFirst()), parts[1]))
        } else {
            head.headers.append((parts[0], parts[1]))
        }
    }
    do throws(HTTPSite.Problem) { try HTTPSite().checkOwn(head) } catch {}
    if let text = head.bearer {
        let isGood = [PageToken.Kind.ticket, .token].contains {
            PageToken(text, $0, in: keyring, at: 1_000) != nil
        }
        try demand(!isGood, "the token \(text) was never signed")
    }
    if let text = head.lastEventID {
        let position = ClusterPosition(text)
        try demand(ClusterPosition(position.text) == position, "another position than \(text)")
    }
    try tryRoute(head, body)
}

private func tryRoute(_ head: HTTPRequestHead, _ body: [UInt8]) throws {
    let route: GatewayRoute
    do throws(GatewayError) {
        route = try GatewayRoute(head)
    } catch {
        return try checkRefusal(error)
    }
    if case .document(let get) = route {
        try demand(get.limit ?? 1 > 0, "a page of nothing is asked for")
    }
    guard case .order(let order) = route else { return }
    try demand(head.method == "POST", "\(head.method) has an effect")
    let message: Message
    do throws(GatewayError) {
        message = try order.message(body: body, key: "fresh")
    } catch {
        return try checkRefusal(error)
    }
    try demand(message.kind.mayBeSent(by: .client), "a client may not send \(message.kind)")
    var writer = JSONWriter()
    message.encode(into: &writer)
    let written = try Message(decoding: writer.bytes.dropLast())
    try demand(written == message, "another message after it was written")
}

private func checkRefusal(_ error: GatewayError) throws {
    try demand((400..<600).contains(error.status), "refused with \(error.status)")
    _ = try RawJSON(validating: error.body[...])
}
