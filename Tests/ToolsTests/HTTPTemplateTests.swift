// What HTTP tools are made of: templates, hosts, statuses, charsets, paths to outputs.
import Core
import HTTP
import JSON
import Testing

@testable import Tools

@Suite struct HTTPTemplateTests {
    private func template(_ url: String, query: [(String, String)] = []) throws -> HTTPTemplate {
        var template = HTTPTemplate(url: try TextTemplate(url))
        template.query = try query.map {
            HTTPTemplate.Entry(name: $0.0, value: try TextTemplate($0.1))
        }
        return template.expanded(["KEY": "k&{x}"])
    }

    private func url(_ template: HTTPTemplate, _ arguments: JSONValue) throws(Failure) -> String {
        try template.render(RawJSON(arguments)).url
    }

    @Test("A text has arguments, variables and braces in it")
    func texts() throws {
        let text = try TextTemplate("a {x}${KEY} {{b}} $5 {y}")
        #expect(text.parameters == ["x", "y"])
        #expect(text.variables == ["KEY"])
        let arguments = CallArguments(RawJSON(["x": [1, "z"], "y": "w"]))
        // What a variable holds is no placeholder.
        #expect(
            text.expanded(["KEY": "{x}"]).plainText(arguments) == #"a [1,"z"]{x} {b} $5 w"#
        )
        for malformed in ["{", "a}", "${", "${}", "{}", "${A-B}", "{x"] {
            #expect(throws: TextTemplate.Problem.self) { try TextTemplate(malformed) }
        }
    }

    @Test("Arguments become single segments and values")
    func encoding() throws {
        let get = try template(
            "https://example.com/a/{x}/b",
            query: [("k", "${KEY}"), ("q", "{q}"), ("both", "{q}-{z}")]
        )
        #expect(
            try url(get, ["x": "/?#%é", "q": "1 2"])
                == "https://example.com/a/%2F%3F%23%25%C3%A9/b?k=k%26%7Bx%7D&q=1%202"
        )
        #expect(
            try url(get, ["x": 1.5, "q": [true, "&"], "z": nil])
                == "https://example.com/a/1.5/b?k=k%26%7Bx%7D&q=true&q=%26"
        )
        #expect(try url(get, ["x": "..a."]).hasPrefix("https://example.com/a/..a./b"))
    }

    @Test(
        "Refuses arguments that could lead to another path",
        arguments: ["", ".", "..", "a/..", "../b", "a\\..\\b", "./x"]
    )
    func paths(_ value: String) throws {
        let get = try template("https://example.com/a/{x}")
        let failure = #expect(throws: Failure.self) { try url(get, ["x": .string(value)]) }
        #expect(failure?.code == .badArguments)
        #expect(throws: Failure.self) { try url(get, [:]) }
    }

    @Test(
        "Knows the host of an address whose start is fixed",
        arguments: [
            ("https://Example.com/{x}", "example.com"), ("http://h:80?a", "h"),
            ("http://[::1]:8/x", "[::1]"), ("https://h", "h"), ("https://{x}/a", nil),
            ("https://h{x}/a", nil), ("https://u@h/", nil), ("file:///etc", nil),
            ("https:///x", nil), ("https://h\\@evil/", nil), ("//h/", nil),
        ]
    )
    func hosts(_ url: String, host: String?) throws {
        #expect(HTTPTool.host(of: try TextTemplate(url)) == host)
    }

    @Test("Lists of hosts admit names, all names below one, and networks")
    func allowedHosts() throws {
        var list = AllowedHosts()
        for entry in ["api.example.com", "*.example.org", "10.0.0.0/8", "fd00::/8"] {
            let isAdded = list.add(entry)
            #expect(isAdded, "\(entry)")
        }
        for entry in ["", "*", "a b", "*.*.org", "http://x", "10.0.0.0/33", "*.x/8"] {
            let isAdded = list.add(entry)
            #expect(!isAdded, "\(entry)")
        }
        for host in [
            "api.example.com", "a.example.org", "a.b.example.org", "10.1.2.3", "[fd00::1]",
        ] {
            #expect(list.admits(host: host), "\(host)")
        }
        for host in ["example.com", "example.org", "xexample.org", "11.0.0.1", "[fe80::1]"] {
            #expect(!list.admits(host: host), "\(host)")
        }
        #expect(AllowedHosts.networks(for: "api.example.com", list) == nil)
        #expect(AllowedHosts.networks(for: "10.1.2.3", list)?.count == 2)
        #expect(AllowedHosts.networks(for: "example.com", nil) == [])
        #expect(AllowedHosts.networks(for: "localhost", nil)?.count == 2)
        #expect(AllowedHosts.networks(for: "10.1.2.3", nil) == nil)
    }

    @Test("Statuses are single ones and classes")
    func statuses() throws {
        var set = StatusSet()
        let entries = ["429", "5xx", "200", "2xx", "x", "50"]
        let added = entries.map { set.add($0) }
        #expect(added == [true, true, false, false, false, false])
        #expect(set.contains(429) && set.contains(503) && !set.contains(404))
    }

    @Test("Reads the usual charsets")
    func charsets() {
        func text(_ name: String, _ bytes: [UInt8]) -> String? {
            Charset(name: name)?.text(bytes).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(text("UTF-8", [0xEF, 0xBB, 0xBF, 0x61]) == "a")
        #expect(text("utf-8", [0xC3]) == nil)
        #expect(text("ISO-8859-1", [0xE9, 0x80]) == "é€")
        #expect(text("utf-16", [0x61, 0x00]) == "a")
        #expect(text("utf-16", [0xFE, 0xFF, 0x00, 0x61]) == "a")
        #expect(text("utf-16be", [0xD8, 0x3D, 0xDE, 0x00]) == "😀")
        #expect(text("utf-16le", [0x61]) == nil)
        #expect(text("utf-16le", [0x00, 0xD8]) == nil)
        #expect(Charset(name: "shift_jis") == nil)
    }

    @Test("Reads paths to outputs, and bytes as base64")
    func outputs() {
        #expect(
            OutputPath("$.a['b.c'][0][\"d\"].e")?.steps
                == [.key("a"), .key("b.c"), .index(0), .key("d"), .key("e")]
        )
        #expect(OutputPath("$")?.steps == [])
        for malformed in ["", "a", "$a", "$.", "$[", "$[x]", "$[-1]", "$.*", "$['a'", "$..a"] {
            #expect(OutputPath(malformed) == nil, "\(malformed)")
        }
        #expect(
            ["", "f", "fo", "foo", "foob"].map { Base64.text(Array($0.utf8)) }
                == ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        )
    }
}
