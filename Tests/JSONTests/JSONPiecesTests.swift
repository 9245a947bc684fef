// Values in pieces: the same text for every split and every way of reading.

import JSON
import Testing

@Suite("Values in pieces")
struct JSONPiecesTests {
    private func pieces(_ texts: String...) -> JSONPieces {
        var pieces = JSONPieces()
        for text in texts { pieces.append(Array(text.utf8)[...]) }
        return pieces
    }

    @Test("Pieces together are the text; empty ones are dropped")
    func joins() {
        let value = pieces(#"{"a":"#, "", "[1,2]", "}")
        #expect(value.pieces.count == 3)
        #expect(value.count == 11)
        #expect(value.joined.text == #"{"a":[1,2]}"#)
        #expect(value == pieces(#"{"a":[1"#, ",2]}"))
        #expect(value != pieces(#"{"a":[1"#, ",3]}"))
    }

    @Test("Reading gives the whole text, split between characters", arguments: 4...40)
    func reads(_ most: Int) {
        let value = pieces(#"["#, #""größe""#, ",", #""😀😀😀""#, #",""#, "日本", #"","x"]"#)
        var cursor = JSONPieces.Cursor(value)
        var text = ""
        while cursor.remaining > 0 {
            let part = cursor.next(most, of: value)
            #expect(!part.isEmpty && part.count <= most)
            let decoded = String(validating: part, as: UTF8.self)
            #expect(decoded != nil)
            text += decoded ?? ""
        }
        #expect(text == value.joined.text)
        #expect(cursor.next(most, of: value).isEmpty)
    }

    @Test("Reads text within one piece without a copy")
    func shares() {
        let value = JSONPieces(RawJSON(String(repeating: "x", count: 1_000)))
        var cursor = JSONPieces.Cursor(value)
        _ = cursor.next(100, of: value)
        let part = cursor.next(100, of: value)
        #expect(part.startIndex == 100)
    }
}
