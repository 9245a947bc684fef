// How messages reach an MCP server and come from it. Not here: what they mean (module MCP).
internal import MCP

/// The connection to one server, or to one process of it; confined to its loop.
protocol MCPTransport: AnyObject {
    /// Sends a message; what cannot be sent is reported as lost, or ends the connection.
    func send(_ outgoing: MCPClientMachine.Outgoing)

    /// Opens a stream for what the server says beside responses, and keeps it open; only by HTTP.
    func openStream(headers: [(String, String)])

    /// The response to a request is not wanted any more.
    func abandon(request: Int)

    /// The most bytes of one message from the server.
    var maximumMessage: Int { get set }

    /// Ends the connection: the server gets that time to end by itself. `ended` still comes.
    func end(grace: Duration)
}

/// What a transport reports; never from within a call of it.
enum MCPTransportEvent {
    /// A message arrived.
    case received(JSONRPCMessage)
    /// There will be no response to a request.
    case lost(request: Int, MCPClientMachine.LostResponse)
    /// The server wrote to its standard error.
    case wrote([UInt8])
    /// Something arrived that is no message, in words for a person.
    case misread(String)
    /// The connection has ended, for this reason; the last event.
    case ended(String)
}
