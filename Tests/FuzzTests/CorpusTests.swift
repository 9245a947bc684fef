// Tries the kept corpus again: interesting inputs and earlier findings.
import Foundation
import FuzzKit
import Testing

@Suite("Corpus of the fuzzer")
struct CorpusTests {
    @Test("The kept corpus has no finding", arguments: FuzzTarget.allCases)
    func replay(target: FuzzTarget) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Corpus/\(target.rawValue)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count >= 12, "the corpus of \(target.rawValue) is lost")
        for name in names {
            let bytes = try Data(contentsOf: folder.appendingPathComponent(name))
            #expect(throws: Never.self, "\(target.rawValue)/\(name)") {
                try target.run(Array(bytes))
            }
        }
    }
}
