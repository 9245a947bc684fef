// What language models were asked for a run and what they wrote, as shown by `weft show RUN
// --conversation`. Pure except for printing.
internal import Console
internal import Core
internal import Wire

/// The calls of language models for one run.
struct ConversationView {
    private let page: ConversationPage

    init(_ page: ConversationPage) { self.page = page }

    /// What a call was for, how long it took and what it used.
    static func title(_ call: ConversationPage.Call) -> String {
        var words = ["call \(call.number)", call.purpose.rawValue]
        if call.isRepair { words.append("a repair") }
        if let took = call.took { words.append(Text.duration(microseconds: took)) }
        if let usage = call.usage {
            words.append("\(Text.count(usage.input, "token")) in, \(usage.output) out")
        }
        switch call.end {
        case nil: words.append("goes on")
        case "end", "stop_sequence": break
        case "length": words.append("cut by the limit on tokens")
        case ConversationPage.Call.abandoned: words.append("ended early")
        case let end?: words.append(call.problem ?? end)
        }
        return words.joined(separator: ", ")
    }

    /// The texts of a call, each under its heading.
    static func sections(_ call: ConversationPage.Call) -> [(title: String, text: String)] {
        if call.isLeftOut { return [("", "… not kept any more: later calls needed the room")] }
        var sections: [(title: String, text: String)] = []
        if call.sharedMessages > 0 {
            let messages = Text.count(call.sharedMessages, "message")
            sections.append(("", "… \(messages) as in call \(call.number - 1)"))
        }
        for message in call.prompt {
            sections.append((message.role, message.text + (message.isCut ? rest : "")))
        }
        sections.append(("reply", call.reply + (call.isReplyCut ? rest : "")))
        return sections
    }

    private static let rest = "\n… the rest is not kept"

    func show(on printer: Printer) {
        guard !page.calls.isEmpty else {
            return printer.lines(["No language model was called for run \(page.run)."])
        }
        for (place, call) in page.calls.enumerated() {
            if place > 0 { printer.lines([""]) }
            printer.lines([printer.style.paint(Self.title(call), .cyan)])
            for section in Self.sections(call) {
                if !section.title.isEmpty {
                    printer.lines([printer.style.paint(section.title, .dim)])
                }
                let lines = section.text.split(
                    omittingEmptySubsequences: false,
                    whereSeparator: \.isNewline
                )
                printer.text(lines.map { "  " + $0 })
            }
        }
    }
}
