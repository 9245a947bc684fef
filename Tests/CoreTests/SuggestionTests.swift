// Names that were probably meant.
import Testing

@testable import Core

@Suite struct SuggestionTests {
    @Test(arguments: [
        ("timeuot", "timeout", 1), ("a", "b", 1), ("", "abc", 3), ("same", "same", 0),
        ("kitten", "sitting", 3),
    ])
    func `the distance of words counts their edits`(left: String, right: String, distance: Int) {
        #expect(editDistance(left, right) == distance)
        #expect(editDistance(right, left) == distance)
    }
}
