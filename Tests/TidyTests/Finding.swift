// What a rule has to say, and where.
import Foundation
import Testing

/// Something untidy.
struct Finding: Sendable, Equatable, CustomStringConvertible {
    var path: String
    /// From 1.
    var line: Int
    /// What is wrong and what to use instead.
    var message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// Fails the test once for each finding.
func report(_ findings: [Finding]) {
    for finding in findings {
        // The place of the issue is the place of what is untidy, for those who click on it.
        let place = SourceLocation(
            // An id has a folder, which Package.swift has not.
            fileID: finding.path.contains("/") ? finding.path : "./\(finding.path)",
            filePath: Repository.root.appendingPathComponent(finding.path).path,
            line: finding.line,
            column: 1
        )
        Issue.record(Comment(rawValue: finding.description), sourceLocation: place)
    }
}
