// A report of a run as one file of HTML: the coordinator's page with the data of the run in it.
internal import CPages
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Reports
internal import Wire

enum ReportPage {
    /// Answers that are longer are left out; `weft show` prints them.
    private static let answerLimit = 4 << 20

    /// The file.
    static func text(of facts: RunFacts, answer: RawJSON?) -> [UInt8] {
        let short = answer.flatMap { $0.count <= answerLimit ? $0 : nil }
        let data = ReportData.text(of: facts, answer: short)
        return part(WEFT_PAGE_HEAD) + part(WEFT_PAGE_STYLE) + part(WEFT_PAGE_BODY)
            + Array("<script type=\"application/json\" id=\"weft-data\">".utf8) + data
            + Array("</script>\n".utf8)
            + part(WEFT_PAGE_OPEN) + part(WEFT_PAGE_SCRIPT) + part(WEFT_PAGE_REPORT)
            + part(WEFT_PAGE_END)
    }

    private static func part(_ part: some BinaryInteger) -> [UInt8] {
        let part = Int32(part)
        var bytes = [UInt8](repeating: 0, count: weft_page_length(part))
        weft_page_copy(part, &bytes)
        return bytes
    }

    /// Asks for the answer of a run; nil where it was not kept.
    static func answer(
        of run: RunID,
        _ options: CoordinatorClient.Options,
        _ reconnecting: Duration
    ) throws -> RawJSON? {
        var answer: RawJSON?
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting) { client in
                client.get(.answer, id: run.text) { result in
                    answer = try? result.get()
                    session.end()
                }
            }
        }
        return answer
    }
}
