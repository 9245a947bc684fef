// Reading and writing messages of JSON-RPC.
import JSON
import MCP
import Testing

@Suite struct JSONRPCMessageTests {
    private func parse(_ text: String) throws -> JSONRPCMessage {
        try JSONRPCMessage(parsing: Array(text.utf8)[...])
    }

    @Test(arguments: [
        #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":""}}"#,
        #"{"jsonrpc":"2.0","id":"a","method":"ping"}"#,
        #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        #"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#,
        #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no","data":[1]}}"#,
    ])
    func `a message is written as it was read`(text: String) throws {
        #expect(try String(decoding: parse(text).bytes, as: UTF8.self) == text)
    }

    @Test func `a response with an id that is null belongs to no request`() throws {
        let text = #"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#
        #expect(try parse(text) == .error(id: nil, JSONRPCError(code: 1, message: "x")))
    }

    @Test(arguments: [
        ("[]", JSONRPCError.Code.parseError),
        ("{", .parseError),
        (#"{"id":1,"method":"ping"}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":1,"method":7}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":1}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","result":{}}"#, .invalidRequest),
    ])
    func `what is not a message has a code`(text: String, code: JSONRPCError.Code) {
        let error = #expect(throws: JSONRPCError.self) { try parse(text) }
        #expect(error?.code == code.rawValue)
    }

    @Test func `an error that is not an object keeps its text`() throws {
        let message = try parse(#"{"jsonrpc":"2.0","id":1,"error":"full"}"#)
        #expect(message == .error(id: RawJSON(1), JSONRPCError(code: 0, message: "\"full\"")))
    }
}
